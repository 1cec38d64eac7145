"""The error of an estimate whose variance is a sum of estimated variances.

A component that is estimated as v with d degrees of freedom lies, given the data, at v d / q with q
from a chi-square distribution of d degrees. The error of the estimate is normal with the sum of
such components, averaged over the q of all of them. For one component that is Student's t, exactly.
For several it takes the place of Satterthwaite's t, which has many degrees of freedom just where
the variance along few seeds came out small by chance: with 5 seeds that rejects 1.7% at a level of
1% and 0.4% at 0.1%, and Holm's adjustment and interim analyses live there.

The plain average rejects too seldom where components are alike, half as often as stated with 5
seeds. Each q is therefore weighted by 1 - m + m q / d, with m = (1 - s) (d - 2) / (d + 1) and s the
component's share of the variance. The weight 1 - s makes the error agree with Welch's expansion to
the first order in 1/d; the last factor is 1 for many degrees of freedom and holds the error at .001
under 1.2 times the level for 4 seeds or more (by integration; lib.metrics.calibration).

Source: generalized p-values, Tsui and Weerahandi 1989; Welch 1947.
Differs: the weights above.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

ALPHA = 0.05  # two-sided level of every test
POWER = 0.8  # of a minimum detectable effect
KNOWN_DF = 2000.0  # degrees of freedom from which on a variance is taken for known
FEW_DF, FEW_DF_NODES, NODES = 30.0, 48, 16  # of the average over a chi-square distribution
POWER_NODES = 24  # of the average over what a pilot, and a test, may estimate
SHARES = 129  # shares of the variance for which critical values are tabulated
HALVINGS = 60  # of the bracket around a critical value


@dataclass(frozen=True)
class ErrorVariance:
    """The variance of an estimate, as a sum of independent components.

    Attributes:
        components: (variance of the estimate, degrees of freedom), one or more.
    """

    components: tuple[tuple[float, float], ...]

    @property
    def total(self) -> float:
        """The variance of the estimate."""
        return float(sum(variance for variance, _ in self.components))

    @property
    def se(self) -> float:
        """Standard error."""
        return float(np.sqrt(self.total))

    def plus(self, variance: float, df: float) -> "ErrorVariance":
        """Add an independent component."""
        return ErrorVariance((*self.components, (variance, df)))

    def tail(self, distance: float) -> float:
        """Probability that the error exceeds a distance, in the estimate's unit; one-sided."""
        if self.total == 0:
            return 0.5 if distance == 0 else float(distance < 0)

        # One component alone is Student's t.
        present = [(variance, df) for variance, df in self.components if variance]
        if len(present) == 1:
            variance, df = present[0]
            return float(stats.t.sf(distance / np.sqrt(variance), df))
        return float(tail_probability(distance, present))

    def reach(self, alpha: float) -> float:
        """Half width of the interval that leaves a probability of alpha outside, both sides."""
        if self.total == 0:
            return 0.0

        # Double the normal's until it is far enough, then find the point.
        far = stats.norm.isf(alpha / 2) * self.se
        while self.tail(far) > alpha / 2:
            far *= 2
        return float(optimize.brentq(lambda x: 2 * self.tail(x) - alpha, 0, far, rtol=1e-12))


def tail_probability(distance, components) -> np.ndarray:
    """Probability that an error exceeds a distance; one-sided.

    Args:
        distance: float (...,).
        components: (variance float (...,), degrees of freedom) each; their sum is above 0.

    Returns:
        float64 (...,).
    """
    total = np.asarray(sum(variance for variance, _ in components), np.float64)[..., None]
    variances, weights = np.zeros_like(total), np.ones_like(total)
    for variance, df in components:
        variance = np.asarray(variance, np.float64)[..., None]
        ratios, shares = _variance_ratios(min(float(df), KNOWN_DF))

        # Weigh the small variances more where this component is one of several (see above).
        several = (1 - variance / total) * max(df - 2, 0) / (df + 1) if np.isfinite(df) else 0.0
        shares = shares * (1 - several + several / ratios)

        # Every variance of this component with every one of those before.
        variances = variances[..., :, None] + (variance * ratios)[..., None, :]
        weights = weights[..., :, None] * shares[..., None, :]
        variances = variances.reshape(*variances.shape[:-2], -1)
        weights = weights.reshape(*weights.shape[:-2], -1)
    distance = np.asarray(distance, np.float64)[..., None]
    tails = special.ndtr(-distance / np.sqrt(variances))
    return (weights * tails).sum(-1) / weights.sum(-1)


@lru_cache(maxsize=1024)
def _variance_ratios(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Ratios of a true variance to its estimate, float (K,), and their weights, which sum to 1.

    The nodes are Gauss-Legendre's in the cube root of the chi-square's probability, so that they
    lie dense where the variance was underestimated most: there the tails come from.
    """
    if df >= KNOWN_DF:
        return np.ones(1), np.ones(1)
    nodes, weights = np.polynomial.legendre.leggauss(FEW_DF_NODES if df < FEW_DF else NODES)
    root = (nodes + 1) / 2
    shares = weights * root**2
    return df / stats.chi2.ppf(root**3, df), shares / shares.sum()


def detectable(variance: ErrorVariance, power: float = POWER, *, pilot_df: float = np.inf) -> float:
    """Find the smallest true difference that a two-sided test at 5% finds with the given power.

    The test estimates the component that has the fewest degrees of freedom, and the power is
    averaged over what it may find; the other components are taken as known.

    Args:
        variance: of the difference, its components taken for the true ones, with the degrees of
            freedom with which the test will estimate them.
        power: probability of finding it, 0 to 1.
        pilot_df: degrees of freedom behind that component itself; infinite where it is stated. A
            pilot of few seeds often underestimates it, and a plan that takes it at face value has
            less power than it states: the power is averaged over what the pilot allows, too.

    Source: variance from a pilot: Julious and Owen 2006.
    """
    if variance.total == 0:
        return 0.0
    unknown = min(variance.components, key=lambda component: component[1])
    share = round(unknown[0] / variance.total, 4)
    df, pilot_df = (round(min(each, KNOWN_DF), 1) for each in (unknown[1], pilot_df))
    return _detectable_in_se(share, df, power, pilot_df) * variance.se


@lru_cache(maxsize=4096)
def _detectable_in_se(share: float, df: float, power: float, pilot_df: float) -> float:
    """The detectable difference in standard errors.

    Args:
        share: of the variance, of the component that is estimated.
    """
    # What the component may truly be, one row each, and what the test may estimate it as.
    true_ratios, true_weights = _power_ratios(pilot_df)
    true = share * true_ratios[:, None]
    ratios, weights = _power_ratios(df)
    estimated = true / ratios
    known = 1 - share

    # The difference from which on the test rejects.
    critical = np.sqrt(estimated + known) * np.interp(
        estimated / (estimated + known), np.linspace(0, 1, SHARES), _critical_values(df)
    )
    se = np.sqrt(true + known)

    def missing_power(difference: float) -> float:
        found = special.ndtr((difference - critical) / se)
        return float(true_weights @ found @ weights) - power

    return float(optimize.brentq(missing_power, 0, 1000, xtol=1e-4))


@lru_cache(maxsize=1024)
def _critical_values(df: float) -> np.ndarray:
    """Critical values at ALPHA in standard errors, float (SHARES,), by the estimated share of the
    component that has `df` degrees of freedom, beside a known one.
    """
    share = np.linspace(0, 1, SHARES)
    components = [(share, df), (1 - share, np.inf)]

    # Halve a bracket that holds Student's t and the normal.
    low, high = np.zeros(SHARES), np.full(SHARES, 2 * stats.t.isf(ALPHA / 2, df))
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        inside = tail_probability(middle, components) > ALPHA / 2
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return (low + high) / 2


@lru_cache(maxsize=1024)
def _power_ratios(df: float) -> tuple[np.ndarray, np.ndarray]:
    """Ratios of a true variance to its estimate at evenly spread quantiles, and their weights."""
    if df >= KNOWN_DF:
        return np.ones(1), np.ones(1)
    quantiles = (np.arange(POWER_NODES) + 0.5) / POWER_NODES
    return df / stats.chi2.ppf(quantiles, df), np.full(POWER_NODES, 1 / POWER_NODES)
