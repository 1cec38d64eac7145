"""Designs with one level more than seeds and images: several generations of a pool, and test sets wider than one split.

Synthetic data is itself a random draw. Where a generator was trained and sampled several times, each generation is a pool of its own,
`<pool>-generation2` and on, whose file sets another `seed`; what is told then holds for the generator, not for one lucky set of images.
"""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
from scipy import stats

from lib.metrics.arms import image_scores
from lib.metrics.contrasts import contrasts
from lib.metrics.statistics import ALPHA, Effect, effect_of, mean_squares, verdict, visible
from lib.study.errors import StudyError

AGAIN = re.compile(r"-generation\d+(?=$|-shuffled$|-only_\w+$)")


def compare_generations(a: np.ndarray, b: np.ndarray, *, clusters: np.ndarray | None = None) -> Effect:
    """Estimate the mean of b - a over generations, seeds and images, with an interval that holds for new ones of each.

    Args:
        a: float (S, N), the reference, which has no synthetic images or one set of them.
        b: float (G, S, N), the arm on G independent generations, 2 or more; the same seeds and images.
        clusters: int64 (N,), images that are copies of each other share a number.
    Returns:
        The effect; its var_seed is that of one generation, which limits the design, n_seeds the number of generations.
    Raises:
        StudyError: where shapes differ or there is one generation.
    Source: crossed random effects as in `statistics.compare`; degrees of freedom, Satterthwaite 1946.
    """
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    if b.ndim != 3 or b.shape[1:] != a.shape or len(b) < 2:
        raise StudyError(f"generations are compared as (seeds, images) and (2 or more, seeds, images), found {a.shape} and {b.shape}")
    delta = b - a
    # generations take the place of seeds; what the seeds, shared by all generations, add beyond their share in it comes on top
    v_generation, v_image, v_both, n, n_clusters = mean_squares(delta.mean(1), clusters)
    extra, n_seeds = _seeds_beyond(delta.mean(2)), a.shape[0]
    whole = effect_of(delta.mean(), v_generation, v_image, v_both, n, n_clusters, n_images=a.shape[1])
    if not extra:
        return whole
    variance = whole.se**2 + extra
    df = variance**2 / (whole.se**4 / whole.df + extra**2 / (n_seeds - 1))
    return _widened(whole, np.sqrt(variance), df)


def generation_effects(arms: dict, labels: np.ndarray, clusters: np.ndarray, *, margin: float, metric: str = "accuracy") -> pd.DataFrame:
    """Judge every arm of which there are several generations against base, the generation a level of the interval.

    Returns:
        Columns arm (of the first generation), classifier, generations, n_seeds, difference, low, high, verdict, and the smallest and
        largest difference of a single generation; without rows where no pool was made twice.
    """
    rows = []
    for classifier in dict.fromkeys(own for _, own in arms):
        names = [arm for arm, own in arms if own == classifier]
        groups = {}
        for reference, arm, _ in (found for found in contrasts(names) if found[2] == "base"):
            groups.setdefault((reference, AGAIN.sub("", arm)), []).append(arm)
        for (reference, arm), several in groups.items():
            if len(several) < 2:
                continue
            all_of = [arms[name, classifier] for name in (reference, *several)]
            seeds = sorted(set.intersection(*(set(found.seeds) for found in all_of)))
            matrices = [image_scores(found, labels, metric)[[found.seeds.index(s) for s in seeds]] for found in all_of]
            effect = compare_generations(matrices[0], np.stack(matrices[1:]), clusters=clusters)
            single = [one.mean() - matrices[0].mean() for one in matrices[1:]]
            told = (len(several), len(seeds), effect.difference, effect.low, effect.high, verdict(effect, margin), min(single), max(single))
            rows.append((arm, classifier, *told))
    columns = ["arm", "classifier", "generations", "n_seeds", "difference", "low", "high", "verdict", "lowest", "highest"]
    return pd.DataFrame(rows, columns=columns)


def fold_of(clusters: np.ndarray, folds: int, *, seed: int) -> np.ndarray:
    """Share images out over folds of nearly one size, copies together, int64 (N,): the held-out fold of each image.

    Args:
        clusters: int64 (N,), of all images of the data, whatever their split.
    Raises:
        StudyError: where there are fewer clusters than folds, or fewer than 2 folds.
    """
    names, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if not 2 <= folds <= len(names):
        raise StudyError(f"{len(names)} groups of copies cannot be shared out over {folds} folds: take 2 folds, or at most one a group")
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]  # the largest first, so that the folds end equal
    filled, fold = np.zeros(folds, int), np.empty(len(names), np.int64)
    for name in order:
        fold[name] = filled.argmin()
        filled[fold[name]] += sizes[name]
    return fold[index]


def pool_folds(parts: list[np.ndarray], fold: np.ndarray) -> np.ndarray:
    """Put the held-out scores of all folds together, float (S, N), for `statistics.compare` on the whole data.

    Row s holds the runs of seed s of every fold. A run is one of S times as many as there are folds, yet only S are counted, so the
    interval is on the safe side; that any two training sets share most images makes the estimate that of this amount of data.

    Args:
        parts: of each fold float (S, N_fold), the scores of its held-out images in the data's order.
        fold: int64 (N,), of `fold_of`.
    """
    if [part.shape[1] for part in parts] != np.bincount(fold).tolist() or len({len(part) for part in parts}) > 1:
        shapes = [part.shape for part in parts]
        raise StudyError(f"folds of {np.bincount(fold).tolist()} images and the same seeds do not fit scores of {shapes}")
    whole = np.empty((len(parts[0]), len(fold)))
    for number, part in enumerate(parts):
        whole[:, fold == number] = part
    return whole


def _seeds_beyond(means: np.ndarray) -> float:
    """Variance of the grand mean along seeds beyond what generations and seeds do together, of means (G, S)."""
    generations, seeds = means.shape
    if seeds < 2:
        return 0.0
    rest = means - means.mean(0) - means.mean(1, keepdims=True) + means.mean()
    both = (rest**2).sum() / ((generations - 1) * (seeds - 1)) / (generations * seeds)
    return float(max(means.mean(0).var(ddof=1) / seeds - both, 0.0))


def _widened(effect: Effect, se: float, df: float) -> Effect:
    reach = stats.t.ppf(1 - ALPHA / 2, df) * se
    p = 2 * stats.t.sf(abs(effect.difference) / se, df)
    low, high = float(effect.difference - reach), float(effect.difference + reach)
    return replace(effect, low=low, high=high, p=float(p), se=float(se), df=float(df), smallest_visible=visible(se, df))
