"""Blind spots: real test faces that no synthetic face comes near; are they the ones that a classifier taught by the pool gets wrong?"""

import numpy as np
import pandas as pd

from lib.metrics.arms import ArmPredictions
from lib.metrics.distances import neighbour_distances, squared_distances
from lib.metrics.statistics import compare

KINDS = ("synthetic", "replace", "scarce", "supplement")  # of arms, from most to least synthetic


def covered(real: np.ndarray, synth: np.ndarray, *, k: int = 5) -> np.ndarray:
    """Find the real images with a synthetic one nearer than their k-th real neighbour: bool (N,), whose mean is coverage.

    Source: Naeem et al. 2020, arXiv 2002.09797, eq. 3.
    """
    radius = neighbour_distances(real, real, k + 1)[:, k] ** 2
    found = np.zeros(len(real), bool)
    for rows, squared in squared_distances(real, synth):
        found[rows] = squared.min(1) < radius[rows]
    return found


def blind_spots(found: dict[str, tuple], arms: dict, runs: pd.DataFrame, labels: np.ndarray, clusters: np.ndarray) -> pd.DataFrame:
    """Ask of each pool whether its classifier fails where the pool has no faces, more than one taught by real faces fails there.

    Args:
        found: features and labels of one space by name; "real" are the test faces.
        arms: predictions by (arm, classifier) of the test faces; "base" is read beside each pool's most synthetic arm.
        runs: of `evidence.recorded_runs`: which arm is of which pool and kind.
        labels, clusters: int64 (N,) of the test faces.
    Returns:
        One row a pool and classifier: pool, arm, classifier, uncovered (share of the test faces), drop_covered, drop_uncovered (accuracy of
        base minus that of the arm on either), extra (their difference), low, high (95 % interval over seeds and images), n_uncovered.
    """
    rows = []
    for pool, (features, _) in found.items():
        own = runs[(runs["pool"] == pool) & runs["kind"].isin(KINDS) & (runs["failed"] == "")]
        if pool == "real" or not len(own):
            continue
        order = own.assign(place=own["kind"].map(KINDS.index)).sort_values(["place", "share"], ascending=[True, False])
        arm, blind = order["arm"].iloc[0], ~covered(found["real"][0], features)
        for classifier in dict.fromkeys(name for arm_, name in arms if arm_ == arm):
            fixed = {"pool": pool, "arm": arm, "classifier": classifier, "uncovered": float(blind.mean()), "n_uncovered": int(blind.sum())}
            rows.append(fixed | _extra_drop(arms["base", classifier], arms[arm, classifier], labels, clusters, blind))
    return pd.DataFrame(rows)


def _extra_drop(base: ArmPredictions, arm: ArmPredictions, labels: np.ndarray, clusters: np.ndarray, blind: np.ndarray) -> dict[str, float]:
    """Contrast the drop where the pool is blind with the drop elsewhere, as one mean over images, so that `compare` gives its interval."""
    seeds = sorted(set(base.seeds) & set(arm.seeds))
    right = [np.stack([x.probabilities[x.seeds.index(s)].argmax(1) == labels for s in seeds]).astype(float) for x in (base, arm)]
    drop = (right[0] - right[1]).mean(0)
    share = blind.mean()
    if share in (0, 1):
        return {"drop_covered": float(drop.mean()), "drop_uncovered": np.nan, "extra": np.nan, "low": np.nan, "high": np.nan}
    weight = np.where(blind, 1 / share, -1 / (1 - share))  # the mean of weight x drop is the difference of the two means
    centred = [matrix - matrix[:, blind].mean() * blind - matrix[:, ~blind].mean() * ~blind for matrix in right]
    noise = compare(weight * centred[1], weight * centred[0], clusters=clusters)
    extra = float(drop[blind].mean() - drop[~blind].mean())
    reach = (noise.low, noise.high)
    return {"drop_covered": float(drop[~blind].mean()), "drop_uncovered": float(drop[blind].mean()), "extra": extra,
            "low": extra + reach[0], "high": extra + reach[1]}  # fmt: skip
