"""Decisions that may be taken at several looks: group-sequential tests of a cross-validated
difference.

delta: float (R, N), the score of an arm minus that of its reference; one row a repetition of the
cross-validation, one column an image, each predicted by the one network of its repetition that did
not learn from it. folds: int64 (R, N), which network of the repetition that was, from 0; where
there is a test split of its own a repetition has one network, and all folds are 0.

After every look the trial may stop, for whatever reason. The intervals of all looks together miss
the truth with a probability of at most ERROR, so every word that is read off an interval is wrong
no more often than that, whichever word it is and whenever it is spoken.

Source: repeated confidence intervals, Jennison and Turnbull 1989; error spending, Lan and DeMets
    1983, with the power family of Kim and DeMets 1987; nominal levels with an estimated variance
    (significance level approach), Pocock 1977, Jennison and Turnbull 2000, section 3.8.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import optimize, special, stats

from lib.metrics.error_variance import ErrorVariance
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.study.errors import StudyError

ERROR = 0.02  # probability that any interval of a trial misses the truth
SPENDING_POWER = 2.0  # of the fraction of the trial, by which the error is spent
NODES = 96  # of the integral over trials that go on

# Repetitions share one set of images, and with it what that set as a whole teaches too well or
# badly. Nothing that repeats on the same images can measure this (Bengio and Grandvalet 2004). It
# is allowed for as a share of the variance of single predictions that does not average out.
COMMON_SHARE = 0.05


@dataclass(frozen=True)
class Estimate:
    """A difference at one look."""

    difference: float  # mean of delta
    variance: ErrorVariance  # of the difference
    repetitions: int
    n_images: int
    n_clusters: int
    persistent: float  # variance that no further repetition takes away

    def interval(self, level: float) -> tuple[float, float]:
        """Give the interval that leaves a probability of `level` outside, both sides."""
        reach = self.variance.reach(level)
        return self.difference - reach, self.difference + reach


def estimate(delta: np.ndarray, folds: np.ndarray, clusters: np.ndarray) -> Estimate:
    """Estimate the mean of delta, for new networks and new images.

    Args:
        delta: float (R, N).
        folds: int64 (R, N).
        clusters: int64 (N,), images that are copies of each other share a number and a fold.

    Raises:
        StudyError: fewer than two networks or two clusters: nothing varies.

    Source: crossed components as in `lib.metrics.statistics.compare`; here networks are nested in
        repetitions, and each predicts its own fold alone.
    """
    delta = np.asarray(delta, np.float64)
    repetitions, n_images = delta.shape
    mean = delta.mean()

    # Networks: the spread of their means, each by its share of all predictions.
    index, networks = _networks(folds)
    n_clusters = len(np.unique(clusters))
    if networks < 2 or n_clusters < 2:
        raise StudyError(
            f"a difference needs at least 2 networks and 2 different images, found {networks} and "
            f"{n_clusters}"
        )
    sums = np.bincount(index.ravel(), weights=(delta - mean).ravel(), minlength=networks)
    spread = (sums**2).sum() * networks / (networks - 1) / delta.size**2

    # Images: what all repetitions say alike of one, and what each says by itself.
    common, own = _image_variances(delta - mean, clusters)
    per_repetition = networks / repetitions
    shared = common * (repetitions - 1) * per_repetition / (networks - 1)
    allowance = COMMON_SHARE * own if per_repetition > 1 else 0.0
    return Estimate(
        difference=float(mean),
        variance=ErrorVariance(
            ((float(spread), networks - 1.0), (float(shared + allowance), n_clusters - 1.0))
        ),
        repetitions=repetitions,
        n_images=n_images,
        n_clusters=n_clusters,
        persistent=float(common + allowance),
    )


def word(found: Estimate, level: float, margin: float) -> str:
    """Name in one word what an interval says.

    Args:
        found: the difference.
        level: nominal level of this look, of `nominal_level`.
        margin: smallest difference of interest, in the unit of the scores.

    Returns:
        helps or hurts where the interval leaves 0 out, equivalent where it lies within the margin,
        else undecided.
    """
    # One half of the level on either side; this is the interval without computing its ends.
    if 2 * found.variance.tail(abs(found.difference)) < level:
        return HELPS if found.difference > 0 else HURTS
    if 2 * found.variance.tail(margin - abs(found.difference)) < level:
        return EQUIVALENT
    return UNDECIDED


def nominal_level(fractions: Sequence[float], *, last: bool = False, error: float = ERROR) -> float:
    """Find the two-sided level of the interval at the latest look.

    Args:
        fractions: of the planned repetitions that each look so far has seen, rising, the latest
            last.
        last: whether no further look will follow, whatever this one shows: it spends all that is
            left, also where the clock ended the trial early.
        error: of the trial as a whole.

    Source: recursive integration, Armitage, McPherson and Rowe 1969.
    Differs: the repetitions stand for the information. Images that all looks share tie the looks
        closer together than that, which makes the levels smaller than they need be.
    """
    return _levels(tuple(round(float(f), 6) for f in fractions), last, error)[-1]


def look_points(planned: int, most: int, first: int = 1) -> list[int]:
    """Spread at most so many looks evenly over the planned repetitions.

    Args:
        planned: repetitions, 1 or more.
        most: looks.
        first: repetitions that a look needs at least.
    """
    points = np.ceil(planned * np.arange(1, most + 1) / most).astype(int)
    return sorted({max(int(point), min(first, planned)) for point in points})


def smallest_effect(found: Estimate, level: float, power: float = 0.8) -> float:
    """Tell the true difference that this many images and repetitions show with a given power."""
    return found.variance.reach(level) + float(stats.norm.ppf(power)) * found.variance.se


def repetitions_needed(found: Estimate, wanted: float, *, error: float = ERROR) -> int:
    """Tell how many repetitions would show a difference with 80% power on the same images.

    Returns:
        0 where no number suffices: more images are needed.
    """
    # The variance that is left when everything else has averaged out.
    standard = wanted / (stats.norm.isf(error / 2) + stats.norm.ppf(0.8))
    averaging = (found.variance.total - found.persistent) * found.repetitions
    room = standard**2 - found.persistent
    return int(np.ceil(averaging / room)) if room > 0 else 0


def images_needed(found: Estimate, wanted: float, *, error: float = ERROR) -> int:
    """Tell on how many different images as many repetitions would show a difference."""
    standard = wanted / (stats.norm.isf(error / 2) + stats.norm.ppf(0.8))
    return int(np.ceil(found.n_clusters * found.variance.total / standard**2))


def _networks(folds: np.ndarray) -> tuple[np.ndarray, int]:
    """Number the networks of all repetitions: int64 (R, N), and how many there are."""
    width = int(folds.max()) + 1
    numbers = np.arange(len(folds))[:, None] * width + folds
    names, index = np.unique(numbers, return_inverse=True)
    return index.reshape(folds.shape), len(names)


def _image_variances(deviation: np.ndarray, clusters: np.ndarray) -> tuple[float, float]:
    """Split the variance of a mean over images into two parts.

    Args:
        deviation: float (R, N), from the grand mean.
        clusters: int64 (N,).

    Returns:
        The part that all repetitions share, at least 0; and what a single repetition adds.
    """
    _, index = np.unique(clusters, return_inverse=True)
    sums = np.stack([np.bincount(index, weights=row) for row in deviation])
    repetitions, n_clusters = sums.shape
    correction = n_clusters / (n_clusters - 1) / deviation.shape[1] ** 2

    # The products of different repetitions hold what these share, the squares both parts.
    squares = (sums**2).sum()
    whole = correction * squares / repetitions
    if repetitions == 1:
        return 0.0, float(whole)
    products = ((sums.sum(0) ** 2).sum() - squares) / (repetitions * (repetitions - 1))
    common = max(correction * products, 0.0)
    return float(common), float(max(whole - common, 0.0))


@lru_cache(maxsize=4096)
def _levels(fractions: tuple[float, ...], last: bool, error: float) -> tuple[float, ...]:
    """Find the levels of all looks so far, each from those before it."""
    earlier = _levels(fractions[:-1], False, error) if len(fractions) > 1 else ()
    spent = [error * min(fraction, 1.0) ** SPENDING_POWER for fraction in fractions]
    if last:
        spent[-1] = error
    here = spent[-1] - (spent[-2] if len(spent) > 1 else 0.0)
    if here <= 0:
        return (*earlier, 0.0)

    # The density of trials that went on so far, as points with weights, at the latest look but one.
    points, weights = np.zeros(1), np.ones(1)
    times = (0.0, *fractions)
    for place, level in enumerate(earlier, 1):
        step = np.sqrt(times[place] - times[place - 1])
        edge = special.ndtri(1 - level / 2) * np.sqrt(times[place]) if level else 8.0
        inside, lengths = np.polynomial.legendre.leggauss(NODES)
        inside, lengths = edge * inside, edge * lengths
        density = stats.norm.pdf((inside[:, None] - points) / step) / step
        points, weights = inside, (density @ weights) * lengths

    # The critical value beyond which just as many of them go as may.
    step = np.sqrt(times[-1] - times[-2])

    def beyond(critical: float) -> float:
        edge = critical * np.sqrt(times[-1])
        tails = special.ndtr((points - edge) / step) + special.ndtr((-points - edge) / step)
        return float(weights @ tails) - here

    critical = optimize.brentq(beyond, 0.0, 10.0, xtol=1e-10)
    return (*earlier, float(2 * special.ndtr(-critical)))
