"""Comparisons that hold for other generations of a pool, beside other seeds and images.

Synthetic data is itself a random draw. Where a generator was trained and sampled several times
(`lib.study.generations`), the interval is about the generator, not about one set of its images.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib.metrics.error_variance import ErrorVariance
from lib.metrics.statistics import Effect, compare, effect_of, mean_squares
from lib.study.errors import StudyError


def compare_generations(
    a: np.ndarray, b: np.ndarray, *, clusters: np.ndarray | None = None
) -> Effect:
    """Estimate the mean of b - a over generations, seeds and images, with an interval that holds
    for new ones of each.

    Args:
        a, b: float (G, S, N), the reference and the arm on G generations of their pools, the same
            seeds and images; G is 1 where there are no synthetic images, or one set of them.
            Generation g is paired with generation g; surplus ones of either are left out.
        clusters: int64 (N,), images that are copies of each other share a number.

    Returns:
        The effect: that of `compare` where both have one generation; otherwise its variance
        components are those of generations, which limit the design.

    Raises:
        StudyError: where shapes differ.

    Source: crossed random effects as in `statistics.compare`.
    Differs: over 1,000 simulated studies the intervals cover 93 to 97% with 3 to 8 generations
        that differ; where neither generations nor seeds differ they are wider than need be. With 2
        generations they are very wide.
    """
    # Refuse matrices that are no pair.
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if a.ndim != 3 or b.ndim != 3 or a.shape[1:] != b.shape[1:]:
        raise StudyError(
            "arms are compared as (generations, seeds, images) of the same seeds and images, "
            f"found {a.shape} and {b.shape}"
        )

    # Pools that were made once have no generations to generalise over.
    if len(a) == 1 and len(b) == 1:
        return compare(a[0], b[0], clusters=clusters)

    # An arm without generations, such as base, is the same beside each of the other's.
    generations = min(len(scores) for scores in (a, b) if len(scores) > 1)
    delta = b[:generations] - a[:generations]

    # Generations take the place of seeds in the crossed design of `compare`.
    v_generation, v_image, v_both, n, n_clusters = mean_squares(delta.mean(1), clusters)
    effect = effect_of(
        delta.mean(), v_generation, v_image, v_both, n, n_clusters, n_images=delta.shape[2]
    )
    n_seeds = delta.shape[1]
    effect = replace(effect, n_seeds=n_seeds, generations=n)

    # All generations share their seeds: what these add beyond the generations comes on top.
    extra = _variance_of_seeds(delta.mean(2))
    if not extra:
        return effect
    return replace(effect, variance=effect.variance.plus(extra, n_seeds - 1))


def _variance_of_seeds(means: np.ndarray) -> float:
    """Variance of the grand mean along seeds, beyond what generations and seeds do together.

    Args:
        means: float (G, S), of a difference over images.
    """
    # One seed has no spread.
    generations, seeds = means.shape
    if seeds < 2:
        return 0.0

    # The interaction: what neither a generation nor a seed explains of a mean.
    residual = means - means.mean(0) - means.mean(1, keepdims=True) + means.mean()
    degrees = (generations - 1) * (seeds - 1)
    interaction = (residual**2).sum() / degrees / (generations * seeds)

    # The spread of the seeds' means holds their share of the interaction too.
    return float(max(means.mean(0).var(ddof=1) / seeds - interaction, 0.0))


def distance_effect(rows: pd.DataFrame, groups: int) -> Effect:
    """Estimate a pool's distance from real images, less that of other real images.

    Args:
        rows: of `pools.measure_spaces`, one a generation of the pool, of one metric and space.
        groups: of the jackknife behind the standard errors.

    Returns:
        The effect. Its units are generations: over several it holds for others of them, of one it
        holds for the pool alone. The jackknife's groups are no units; they say how well the
        standard errors of a single measurement are known.
    """
    # All generations are held against the same real images.
    count, n = len(rows), int(rows["n"].min())
    variance = ErrorVariance(((float((rows["baseline_se"] ** 2).mean()), groups - 1),))

    # The spread of several generations holds the error of each measurement.
    if count > 1:
        variance = variance.plus(float(rows["value"].var(ddof=1)) / count, count - 1)
    else:
        variance = variance.plus(float(rows["se"].item()) ** 2, groups - 1)
    return Effect(
        difference=float((rows["value"] - rows["baseline"]).mean()),
        variance=variance,
        n_images=n,
        n_clusters=n,
        n_seeds=count,
        var_seed=0.0,
        var_image=0.0,
        var_both=0.0,
        generations=count,
    )
