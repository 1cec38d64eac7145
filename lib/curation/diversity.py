"""Diversity: choose the n images of a pool that cover the real distribution best.

Features are float (N, D) of one network, as `StepInputs.features` gives them.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.compute.neighbours import nearest
from lib.compute.progress import with_progress
from lib.curation.verdicts import verdict_table
from lib.faces.faceset import FaceSet

RANDOM_CHOICES = 20  # choices by chance that a choice is compared with
WHAT = "choosing images that cover the real ones"  # named by the progress line


def choose_covering(real: np.ndarray, synthetic: np.ndarray, n: int) -> np.ndarray:
    """Choose synthetic points so that no real point is far from all of them, greedily.

    Each pick is the free synthetic point nearest to the real point that is covered worst so far.

    Args:
        real: float (M, D).
        synthetic: float (N, D).
        n: how many to choose, at most N.

    Returns:
        int64 (n,), positions in `synthetic`, in the order of choice.

    Source: Gonzalez 1985, "Clustering to minimize the maximum intercluster distance" (greedy
        k-centre).
    Differs: centres are restricted to the synthetic points.
    """
    real = np.asarray(real, np.float32)
    synthetic = np.asarray(synthetic, np.float32)
    norms = (synthetic**2).sum(axis=1)
    penalty = np.zeros(len(synthetic), np.float32)  # infinite once a point is taken
    chosen = np.empty(min(n, len(synthetic)), np.int64)

    # Squared distances to the nearest choice. They start as if the mean were chosen, so that the
    # first pick is for an outlying image.
    uncovered = ((real - real.mean(axis=0)) ** 2).sum(axis=1)

    for k in with_progress(range(len(chosen)), len(chosen), WHAT, size=lambda _: 1):
        worst = real[uncovered.argmax()]
        # Squared distances to `worst`, less the constant |worst|^2.
        pick = int((norms - 2 * synthetic @ worst + penalty).argmin())
        chosen[k] = pick
        penalty[pick] = np.inf
        uncovered = np.minimum(uncovered, ((real - synthetic[pick]) ** 2).sum(axis=1))
        # No free point is nearer to it than this one, so go on to the next.
        uncovered[(real == worst).all(axis=1)] = 0
    return chosen


def reject_redundant(
    faces: FaceSet, features: np.ndarray, real: FaceSet, real_features: np.ndarray, *, n: int
) -> pd.DataFrame:
    """Keep the n images that cover the real distribution best, with the class shares of the pool.

    Args:
        faces: N images to choose from.
        features: float (N, D) of them.
        real: M real training images.
        real_features: float (M, D) of them.
        n: images to keep.

    Returns:
        Verdicts; score is the order of choice within the class, from 1, infinite for images that
        were not chosen.
    """
    # Images keep an infinite place unless they are chosen.
    order = np.full(len(faces), np.inf)

    # Round the running total, so that the classes' quotas sum to n.
    running = np.cumsum([0, *faces.counts()])
    quota = np.diff(np.round(n * running / max(len(faces), 1)).astype(int))
    for label, wanted in enumerate(quota):
        candidates = np.flatnonzero(faces.labels == label)
        of_class = real.labels == label
        # A class without real images covers all of them.
        targets = real_features[of_class] if of_class.any() else real_features
        chosen = choose_covering(targets, features[candidates], wanted)
        order[candidates[chosen]] = np.arange(1, len(chosen) + 1)
    reason = f"not among the {n} images that cover the real ones best"
    return verdict_table(faces, np.isfinite(order), order, reason)


def covering_distance(real: np.ndarray, synthetic: np.ndarray) -> dict[str, float]:
    """Measure how far real points are from their nearest synthetic one.

    Args:
        real: float (M, D).
        synthetic: float (N, D).

    Returns:
        distance_mean and distance_p95 (95th percentile), in units of the features.
    """
    distance, _ = nearest(real, synthetic)
    return {
        "distance_mean": float(distance.mean()),
        "distance_p95": float(np.quantile(distance, 0.95)),
    }


def compare_with_random(
    real: np.ndarray, synthetic: np.ndarray, chosen: np.ndarray, *, seed: int
) -> pd.DataFrame:
    """Compare a choice of synthetic images with random choices of its size, and with all images.

    Args:
        real: float (M, D), features.
        synthetic: float (N, D), features in the same space.
        chosen: bool (N,), the synthetic images that were chosen.
        seed: of the random choices.

    Returns:
        Columns choice (chosen, random, all), images, distance_mean and distance_p95 (mean and 95th
        percentile of the distance from a real image to the nearest image of the choice; for random
        ones the mean over the draws), low and high (range of distance_p95 over the draws).
    """
    # Random choices of the same size.
    rng = np.random.default_rng(seed)
    n = int(chosen.sum())
    by_chance = []
    for _ in range(RANDOM_CHOICES):
        picked = rng.permutation(len(synthetic))[:n]
        by_chance.append(covering_distance(real, synthetic[picked]))

    # One row a choice, the best possible (all images) last.
    random = pd.DataFrame(by_chance)
    spread = {"low": random["distance_p95"].min(), "high": random["distance_p95"].max()}
    rows = [
        {"choice": "chosen", "images": n, **covering_distance(real, synthetic[chosen])},
        {"choice": "random", "images": n, **random.mean(), **spread},
        {"choice": "all", "images": len(synthetic), **covering_distance(real, synthetic)},
    ]
    return pd.DataFrame(rows)


def coverage_of_choice(
    real: FaceSet,
    pool: FaceSet,
    verdicts: pd.DataFrame,
    features: Callable[[np.ndarray], np.ndarray],
    *,
    seed: int,
) -> pd.DataFrame:
    """Compare what the step `diverse` chose with random choices from the images that reached it.

    Args:
        real: real training images.
        pool: synthetic images.
        verdicts: long table of verdicts.
        features: uint8 (N, H, W) -> float32 (N, D).
        seed: of the random choices.

    Returns:
        Table of compare_with_random; empty where the step is not in the chain.
    """
    keep = verdicts[verdicts["step"] == "diverse"].set_index("id")["keep"]
    # The step is not in the chain.
    if keep.empty:
        return pd.DataFrame()

    # A random choice could only take images that no earlier step had rejected.
    reached = pool.select(pool.table["id"].isin(keep.index).to_numpy())
    chosen = keep.reindex(reached.table["id"]).to_numpy(dtype=bool)
    return compare_with_random(features(real.images), features(reached.images), chosen, seed=seed)
