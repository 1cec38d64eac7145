"""Diversity: choose the n images of a pool that cover the real distribution best."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.curation.nearest import nearest
from lib.curation.progress import watched
from lib.curation.verdicts import verdict_table
from lib.faces.faceset import FaceSet


def choose_covering(real: np.ndarray, synthetic: np.ndarray, n: int) -> np.ndarray:
    """Choose synthetic points so that no real point is far from all of them, greedily.

    Each pick is the free synthetic point nearest to the real point that is worst covered so far.

    Args:
        real: float (M, D).
        synthetic: float (N, D).
        n: how many to choose, at most N.

    Returns:
        int64 (n,), positions in `synthetic`, in the order of choice.

    Source: Gonzalez 1985, "Clustering to minimize the maximum intercluster distance" (greedy k-centre), with centres restricted to
        the synthetic points.
    """
    real, synthetic = np.asarray(real, np.float32), np.asarray(synthetic, np.float32)
    norms = (synthetic**2).sum(axis=1)
    free = np.zeros(len(synthetic), np.float32)  # infinite once taken
    uncovered = ((real - real.mean(axis=0)) ** 2).sum(axis=1)  # as if the mean were chosen: the first pick is for an outlying image
    chosen = np.empty(min(n, len(synthetic)), np.int64)
    for (k,) in watched(([k] for k in range(len(chosen))), len(chosen), "choosing images that cover the real ones"):
        worst = real[uncovered.argmax()]
        pick = int((norms - 2 * synthetic @ worst + free).argmin())
        chosen[k], free[pick] = pick, np.inf
        uncovered = np.minimum(uncovered, ((real - synthetic[pick]) ** 2).sum(axis=1))
        uncovered[(real == worst).all(axis=1)] = 0  # nothing free is nearer: on to the next
    return chosen


def reject_redundant(faces: FaceSet, features: np.ndarray, real: FaceSet, real_features: np.ndarray, *, n: int) -> pd.DataFrame:
    """Keep the n images that cover the real distribution best, class by class, with the class shares of the pool.

    Args:
        faces: images to choose from.
        features: float (N, D) of them.
        real: real training images.
        real_features: float (M, D) of them.
        n: images to keep.

    Returns:
        Verdicts; score is the order of choice within the class, from 1, infinite for what was not chosen.
    """
    order = np.full(len(faces), np.inf)
    quota = np.diff(np.round(n * np.cumsum([0, *faces.counts()]) / max(len(faces), 1)).astype(int))
    for label, wanted in enumerate(quota):
        own, theirs = np.flatnonzero(faces.labels == label), real.labels == label
        targets = real_features[theirs] if theirs.any() else real_features
        chosen = choose_covering(targets, features[own], wanted)
        order[own[chosen]] = np.arange(1, len(chosen) + 1)
    return verdict_table(faces, np.isfinite(order), order, f"not among the {n} images that cover the real ones best")


def coverage(real: np.ndarray, synthetic: np.ndarray) -> dict[str, float]:
    """Measure how well synthetic points cover real ones.

    Args:
        real: float (M, D).
        synthetic: float (N, D).

    Returns:
        Mean and 95th percentile of the distance from a real point to its nearest synthetic one.
    """
    distance, _ = nearest(real, synthetic)
    return {"distance_mean": float(distance.mean()), "distance_p95": float(np.quantile(distance, 0.95))}


def against_random(real: np.ndarray, synthetic: np.ndarray, chosen: np.ndarray, *, seed: int, draws: int = 20) -> pd.DataFrame:
    """Set a choice of synthetic images beside as many drawn at random, and beside all of them.

    Args:
        real: float (M, D).
        synthetic: float (N, D).
        chosen: bool (N,).
        seed: of the random choices.
        draws: random choices; their mean is shown, and the range of their 95th percentile.

    Returns:
        Table by choice (chosen, random, all) with images, distance_mean, distance_p95, and low and high of distance_p95 over the draws.
    """
    rng, n = np.random.default_rng(seed), int(chosen.sum())
    by_chance = pd.DataFrame([coverage(real, synthetic[rng.permutation(len(synthetic))[:n]]) for _ in range(draws)])
    rows = [{"choice": "chosen", "images": n, **coverage(real, synthetic[chosen])},
            {"choice": "random", "images": n, **by_chance.mean(), "low": by_chance["distance_p95"].min(),
            "high": by_chance["distance_p95"].max()},
            {"choice": "all", "images": len(synthetic), **coverage(real, synthetic)}]  # fmt: skip
    return pd.DataFrame(rows)


def coverage_of_choice(
    real: FaceSet, pool: FaceSet, verdicts: pd.DataFrame, features: Callable[[np.ndarray], np.ndarray], *, seed: int
) -> pd.DataFrame:
    """Set what the step `diverse` chose beside random choices from the images that reached it; empty when the step is not in the chain.

    Args:
        real: real training images.
        pool: synthetic images.
        verdicts: long table of verdicts.
        features: uint8 (N, H, W) -> float32 (N, D).
        seed: of the random choices.
    """
    judged = verdicts[verdicts["step"] == "diverse"].set_index("id")["keep"]
    if judged.empty:
        return pd.DataFrame()
    reached = pool.select(pool.table["id"].isin(judged.index).to_numpy())
    chosen = judged.reindex(reached.table["id"]).to_numpy(dtype=bool)
    return against_random(features(real.images), features(reached.images), chosen, seed=seed)
