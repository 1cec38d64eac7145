"""The difference of two arms: paired, over seeds and images, with an interval and a verdict.

a, b: float (S, N), one row a seed, one column a test image, each value a score of that image
(1 correct, 0 wrong, or a linearised metric); row s of both arms was trained with the same seed. The
difference is always b - a: (reference, arm).

Seeds and images are crossed, and both are samples. The variance of the mean difference is split
into seeds, images (clusters of copies kept together) and their interaction; intervals and p-values
average over what the variances may truly be (`lib.metrics.error_variance`).

Coverage and error at .05, .01 and .001: tests/metrics/calibration.csv (`lib.metrics.calibration`).
With 2 or 3 seeds intervals are too wide or, where runs differ by 2 points, a little too narrow:
nothing should depend on fewer than 4 seeds. The plain percentile bootstrap over both
(`two_way_bootstrap`) covers 93 to 100%: it counts the noise of single predictions three times and
the seeds too little, so it is shown and never decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from lib.metrics.error_variance import ALPHA, ErrorVariance, detectable
from lib.study.errors import StudyError

HELPS, HURTS, EQUIVALENT, UNDECIDED = "helps", "hurts", "equivalent", "undecided"
VERDICTS = (HELPS, EQUIVALENT, UNDECIDED, HURTS)

# With fewer seeds their spread is often nearly nothing by chance; it is then taken for what single
# predictions explain.
FEW_SEEDS = 4


@dataclass(frozen=True)
class Effect:
    """A difference of two arms with its uncertainty."""

    difference: float  # mean of b - a
    variance: ErrorVariance  # of the difference, by component
    n_images: int
    n_clusters: int
    n_seeds: int
    var_seed: float  # components of the variance of the difference: one seed,
    var_image: float  # one cluster of images,
    var_both: float  # one seed on one cluster
    generations: int = 1  # of the pools; if several, components are of generations
    stated: bool = False  # whether the variances are stated, not estimated

    @property
    def se(self) -> float:
        """Standard error of the difference."""
        return self.variance.se

    @cached_property
    def p(self) -> float:
        """Two-sided p-value of no difference."""
        if self.se == 0:
            return float(self.difference == 0)
        return 2 * self.variance.tail(abs(self.difference))

    @cached_property
    def reach(self) -> float:
        """Half width of the 95% interval."""
        return self.variance.reach(ALPHA)

    @property
    def low(self) -> float:
        """Lower end of the 95% interval."""
        return self.difference - self.reach

    @property
    def high(self) -> float:
        """Upper end of the 95% interval."""
        return self.difference + self.reach

    @cached_property
    def minimum_detectable_effect(self) -> float:
        """True difference that this design finds with 80% power, at the spread it showed."""
        return detectable(self.variance)


def compare(a: np.ndarray, b: np.ndarray, *, clusters: np.ndarray | None = None) -> Effect:
    """Estimate the mean of b - a over seeds and images, with an interval for new ones of both.

    Args:
        a: float (S, N), the reference arm.
        b: float (S, N), the arm; the same seeds and images.
        clusters: int64 (N,), images that are copies of each other share a number; None for no
            copies.

    Raises:
        StudyError: where shapes differ or there are fewer than two clusters.

    Source: crossed variance components, Searle, Casella and McCulloch 1992, ch. 4; two-way
        clustering, Cameron, Gelbach and Miller 2011, eq. 2.11.
    Differs: the image component is never taken below zero, so a variance is never smaller than
        that of the seeds alone.
    """
    _require_pair(a, b)
    delta = np.asarray(b, np.float64) - np.asarray(a, np.float64)
    return effect_of(delta.mean(), *mean_squares(delta, clusters), n_images=delta.shape[1])


def effect_of(
    difference: float,
    v_seed: float,
    v_image: float,
    v_both: float,
    n_seeds: int,
    n_clusters: int,
    *,
    n_images: int,
) -> Effect:
    """Build an effect from the variances of its mean along seeds, images and both.

    Args:
        v_seed: variance of the mean estimated from the spread of the seeds' means, NaN for one
            seed.
        v_image: likewise from the spread of the images' means.
        v_both: likewise from what neither explains; it is part of both others.
    """
    # The components of one seed and one cluster, for designs of other sizes.
    seed_variance = 0.0 if n_seeds == 1 else max(v_seed - v_both, 0) * n_seeds
    return Effect(
        difference=float(difference),
        variance=_error_variance(v_seed, v_image, v_both, n_seeds, n_clusters),
        n_images=n_images,
        n_clusters=n_clusters,
        n_seeds=n_seeds,
        var_seed=float(seed_variance),
        var_image=float(max(v_image - v_both, 0) * n_clusters),
        var_both=float(v_both * n_seeds * n_clusters),
    )


@dataclass(frozen=True)
class Decision:
    """What the tests of a family decide about one effect."""

    verdict: str  # one of VERDICTS
    p: float  # of no difference, adjusted for the family and its analyses
    p_equivalence: float  # of a difference beyond the margin, likewise
    low: float  # the interval that decides; NaN where nothing is tested
    high: float


def decide(
    effects: list[Effect],
    margin: float | Sequence[float],
    *,
    analyses: list[int] | None = None,
) -> list[Decision]:
    """Decide effects that ask one question, as one family.

    Holm's procedure runs twice, over the tests of no difference and over those of equivalence, so
    that the chance of one false difference, and that of one false equivalence, is at most 5%.

    The interval that decides stands at the level at which Holm tested the effect: 5% divided by
    its analyses and by the hypotheses that still stood at its step. It lies above 0 exactly where
    the arm helps and below exactly where it hurts. Where the arm is equivalent it is the interval
    of the two one-sided tests, which holds 0 and lies within the margin. Of the intervals of arms
    that help or hurt at most 5% are expected to miss the truth; that all of a family hold at once
    is not promised, for that takes Bonferroni's.

    Args:
        effects: those with one seed are undecided and no part of the family.
        margin: smallest effect of interest, in the metric's unit; one for all, or one for each.
        analyses: how often each is analysed, each time free to stop: the last analysis and the
            interim ones, at all of them alike (Bonferroni). None: once.

    Source: Holm 1979; intervals at the levels of a stepwise test, Serlin 1993, and their false
        coverage, Benjamini and Yekutieli 2005, whose level is never below Holm's; interval of the
        two one-sided tests, Hsu, Hwang, Liu and Ruberg 1994.
    """
    # One seed says nothing about another.
    analyses = analyses or [1] * len(effects)
    tested = [place for place, effect in enumerate(effects) if effect.n_seeds > 1]
    decisions = [Decision(UNDECIDED, 1.0, 1.0, np.nan, np.nan)] * len(effects)

    # Both families, each p-value counted once an analysis.
    counts = np.array([analyses[place] for place in tested])
    margins = np.broadcast_to(margin, len(effects))
    difference = np.array([effects[place].p for place in tested])
    equivalence = np.array([equivalence_p(effects[place], margins[place]) for place in tested])
    families = [np.minimum(p * counts, 1) for p in (difference, equivalence)]
    adjusted = zip(*(holm(list(p)) for p in families))
    levels = zip(*(ALPHA / counts / holm_standing(p) for p in families))

    # Words and intervals from the same p-values and levels.
    for place, p_values, of_place in zip(tested, adjusted, levels):
        word = _word(effects[place], *p_values)
        interval = _deciding_interval(effects[place], word, *of_place)
        decisions[place] = Decision(word, *p_values, *interval)
    return decisions


def _word(effect: Effect, p: float, p_equivalence: float) -> str:
    """Name what adjusted p-values show."""
    # A difference that surely does not matter is equivalent, even where it is significant.
    if p_equivalence < ALPHA:
        return EQUIVALENT
    if p < ALPHA:
        return HELPS if effect.difference > 0 else HURTS
    return UNDECIDED


def _deciding_interval(
    effect: Effect, word: str, level: float, level_equivalence: float
) -> tuple[float, float]:
    """Give the interval that a word rests on, from the levels of either test."""
    if word != EQUIVALENT:
        reach = effect.variance.reach(level)
        return effect.difference - reach, effect.difference + reach

    # Two one-sided tests, and 0, which they do not ask about.
    reach = effect.variance.reach(2 * level_equivalence)
    return min(effect.difference - reach, 0.0), max(effect.difference + reach, 0.0)


def verdict(effect: Effect, margin: float) -> str:
    """Name in one word what an arm does, beside its reference, where nothing else was asked.

    Args:
        margin: smallest effect of interest, in the metric's unit.

    Returns:
        equivalent (two one-sided tests at 5%: the difference is surely smaller than the margin),
        helps or hurts (p < 0.05), undecided; with one seed always undecided.
    """
    return decide([effect], margin)[0].verdict


def equivalence_p(effect: Effect, margin: float) -> float:
    """Test that the difference lies within (-margin, margin) by two one-sided tests.

    Source: Schuirmann 1987.
    """
    if effect.se == 0:
        return float(abs(effect.difference) >= margin)
    return effect.variance.tail(margin - abs(effect.difference))


def one_sided_p(effect: Effect, bound: float) -> float:
    """Test that the difference exceeds a bound."""
    if effect.se == 0:
        return float(effect.difference <= bound)
    return effect.variance.tail(effect.difference - bound)


def holm(p: list[float]) -> list[float]:
    """Adjust the p-values of a family so that the chance of one false finding stays under 5%.

    Source: Holm 1979.
    """
    p = np.asarray(p, float)
    order = np.argsort(p)

    # The smallest counts as often as there are p-values, the next once less; never falling.
    steps = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(steps, 1)
    return adjusted.tolist()


def holm_standing(p: np.ndarray) -> np.ndarray:
    """Count the hypotheses that still stand where Holm's procedure tests each one: float (N,).

    They fall by one a step, and stay from the first that is not rejected on.
    """
    ascending = np.sort(p)
    standing = np.arange(len(p), 0, -1.0)

    # The procedure stops at the first that is not rejected.
    kept = np.flatnonzero(ascending * standing >= ALPHA)
    if len(kept):
        standing[kept[0] :] = standing[kept[0]]

    # Equal p-values are tested as the first of them is, whatever their order.
    return standing[np.searchsorted(ascending, p)]


def mcnemar(a: np.ndarray, b: np.ndarray) -> float:
    """Test two given models on the same images, exactly; shown only, for it ignores that another
    seed gives another model.

    Args:
        a, b: bool (N,), correct or wrong.

    Source: McNemar 1947, exact binomial form.
    """
    gained, lost = int((~a & b).sum()), int((a & ~b).sum())
    return float(stats.binomtest(gained, gained + lost).pvalue) if gained + lost else 1.0


def mean_squares(
    delta: np.ndarray, clusters: np.ndarray | None
) -> tuple[float, float, float, int, int]:
    """Estimate the variances of the grand mean along seeds, image clusters and both.

    Args:
        delta: float (S, N), differences.
        clusters: int64 (N,), or None where no image has a copy.

    Returns:
        The arguments of `effect_of` after the difference: v_seed (NaN for one seed), v_image,
        v_both, n_seeds, n_clusters.

    Raises:
        StudyError: fewer than two clusters.
    """
    n_seeds, n_images = delta.shape
    index = np.arange(n_images) if clusters is None else np.unique(clusters, return_inverse=True)[1]
    sizes = np.bincount(index)
    sums = np.stack([np.bincount(index, weights=row) for row in delta])
    n_clusters = len(sizes)
    if n_clusters < 2:
        raise StudyError(
            f"a difference needs at least 2 independent test images, found {n_clusters}: use a "
            "larger test set"
        )

    # Deviations of the clusters' sums are those of a ratio estimator: clusters differ in size.
    means = delta.mean(1)
    deviation = (sums - sizes * means[:, None]) / n_images
    along_images = deviation.mean(0)
    correction = n_clusters / (n_clusters - 1)
    v_image = correction * (along_images**2).sum()
    if n_seeds == 1:
        return np.nan, v_image, 0.0, 1, n_clusters

    # What neither a seed nor a cluster explains is their interaction.
    v_both = correction * ((deviation - along_images) ** 2).sum() / (n_seeds * (n_seeds - 1))
    return means.var(ddof=1) / n_seeds, v_image, v_both, n_seeds, n_clusters


def cluster_weights(clusters: np.ndarray, n_boot: int, seed: int) -> np.ndarray:
    """Draw clusters of images with replacement.

    Args:
        clusters: int64 (N,).
        n_boot: number of draws.

    Returns:
        float32 (n_boot, N): how often each image is in each draw.
    """
    rng = np.random.default_rng(seed)
    names, index = np.unique(clusters, return_inverse=True)
    drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=n_boot)
    return drawn.astype(np.float32)[:, index]


def two_way_bootstrap(
    a: np.ndarray, b: np.ndarray, *, weights: np.ndarray, seed: int
) -> np.ndarray:
    """Draw seeds and clusters of images with replacement.

    Args:
        a, b: float (S, N), as in `compare`.
        weights: of `cluster_weights`, float32 (n_boot, N).
        seed: governs which seeds of the arms each draw takes.

    Returns:
        The mean differences, float64 (n_boot,).
    """
    _require_pair(a, b)
    delta = np.asarray(b, np.float32) - np.asarray(a, np.float32)

    # Every draw's images first, then as many seeds as there are, with replacement.
    per_seed = (weights @ delta.T / weights.sum(1, keepdims=True)).astype(np.float64)
    picked = np.random.default_rng(seed + 1).integers(len(delta), size=per_seed.shape)
    return np.take_along_axis(per_seed, picked, axis=1).mean(1)


def _error_variance(
    v_seed: float, v_image: float, v_both: float, n_seeds: int, n_clusters: int
) -> ErrorVariance:
    """Combine the variances along seeds and images, each with its degrees of freedom."""
    if n_seeds == 1:
        return ErrorVariance(((float(v_image), n_clusters - 1),))

    # Images beyond their share in the spread of the seeds: where both spreads are noise alone,
    # they are the same noise.
    extra = float(max(v_image - v_both, 0.0))

    # A few seeds that lie closer together than single predictions allow do so by chance.
    along_seeds, seed_df = float(v_seed), n_seeds - 1
    if n_seeds < FEW_SEEDS and v_seed < v_both:
        along_seeds, seed_df = float(v_both), (n_seeds - 1) * (n_clusters - 1)
    return ErrorVariance(((along_seeds, seed_df), (extra, n_clusters - 1)))


def _require_pair(a: np.ndarray, b: np.ndarray) -> None:
    """Refuse matrices that are not one shape (S, N)."""
    if np.ndim(a) != 2 or np.shape(a) != np.shape(b):
        raise StudyError(
            "arms are compared as (seeds, images) matrices of one shape, found "
            f"{np.shape(a)} and {np.shape(b)}: use seeds both have"
        )
