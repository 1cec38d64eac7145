"""Blind spots: does a classifier fail where the pool that it learned from has no faces?"""

import numpy as np
import pandas as pd

from lib.compute.neighbours import covered
from lib.faces.arms import Arm
from lib.metrics.arms import ArmPredictions
from lib.metrics.contrasts import BASE, Arms
from lib.metrics.statistics import compare

# Kinds of arms whose images are synthetic in part or in whole, the most synthetic first; and those
# of them whose share is the share of real images.
SYNTHETIC_KINDS = ("synthetic", "replace", "scarce", "supplement")
REAL_SHARE_KINDS = ("replace", "scarce")


def blind_spots(
    features_of: dict[str, tuple[np.ndarray, np.ndarray]],
    arms: Arms,
    labels: np.ndarray,
    clusters: np.ndarray,
) -> pd.DataFrame:
    """Measure whether a pool's classifier fails where the pool has no faces.

    Of each pool the most synthetic arm is read against base: the accuracy that it loses on test
    faces that the pool covers, and on those that it does not cover.

    Args:
        features_of: features float (N, D) and labels of one space by name; "real" are the test
            faces.
        arms: predictions of the test faces.
        labels: int64 (N,) of the test faces.
        clusters: int64 (N,) of the test faces, equal for copies.

    Returns:
        One row a pool and classifier: pool, arm, classifier, uncovered (share of the test faces),
        n_uncovered, drop_covered and drop_uncovered (accuracy of base minus that of the arm on
        either), extra (their difference), low, high (95% interval over seeds and images).
    """
    rows = []
    for pool, (features, _) in features_of.items():
        # Later generations of a pool, and pools without an arm, have nothing to be read.
        arm = None if pool == "real" else _most_synthetic(pool, arms)
        if arm is None:
            continue

        # Test faces that no synthetic face comes near to.
        uncovered = ~covered(features_of["real"][0], features)

        # Every network that was trained on this arm.
        for classifier in [name for each, name in arms if each == arm]:
            row = {
                "pool": pool,
                "arm": arm.name,
                "classifier": classifier,
                "uncovered": float(uncovered.mean()),
                "n_uncovered": int(uncovered.sum()),
            }
            pair = (arms[BASE, classifier], arms[arm, classifier])
            rows.append(row | _extra_drop(*pair, labels, clusters, uncovered))
    return pd.DataFrame(rows)


def _most_synthetic(pool: str, arms: Arms) -> Arm | None:
    """Choose the arm of a pool whose training set holds fewest real faces; None without one."""
    # Controls have kinds of their own and are left out.
    candidates = [arm for arm, _ in arms if arm.source == pool and arm.kind in SYNTHETIC_KINDS]

    def real_content(arm: Arm) -> tuple[int, float]:
        real_share = arm.share if arm.kind in REAL_SHARE_KINDS else -arm.share
        return SYNTHETIC_KINDS.index(arm.kind), real_share

    return min(candidates, key=real_content, default=None)


def _extra_drop(
    base: ArmPredictions,
    arm: ArmPredictions,
    labels: np.ndarray,
    clusters: np.ndarray,
    uncovered: np.ndarray,
) -> dict[str, float]:
    """Contrast the accuracy lost on uncovered faces with that on covered ones.

    The contrast is written as one mean over images, so that `compare` gives its interval.

    Args:
        base, arm: predictions of N test faces; the seeds that both have count.
        labels: int64 (N,).
        clusters: int64 (N,).
        uncovered: bool (N,).
    """
    # Paired by seed, as all comparisons are.
    seeds = sorted(set(base.seeds) & set(arm.seeds))
    base_right = _right(base, seeds, labels)
    arm_right = _right(arm, seeds, labels)
    drop = (base_right - arm_right).mean(0)
    share = uncovered.mean()

    # Without faces on both sides there is no contrast.
    if share in (0, 1):
        unknown = dict.fromkeys(("drop_uncovered", "extra", "low", "high"), np.nan)
        return {"drop_covered": float(drop.mean())} | unknown

    # The mean of weight x drop is the difference of the two means. Each side is centred, so that
    # the interval is that of the noise alone.
    weight = np.where(uncovered, 1 / share, -1 / (1 - share))
    base_noise = weight * _centred(base_right, uncovered)
    arm_noise = weight * _centred(arm_right, uncovered)
    noise = compare(arm_noise, base_noise, clusters=clusters)

    # The contrast itself, with the interval of the noise around it.
    drop_covered = float(drop[~uncovered].mean())
    drop_uncovered = float(drop[uncovered].mean())
    extra = float(drop[uncovered].mean() - drop[~uncovered].mean())
    return {
        "drop_covered": drop_covered,
        "drop_uncovered": drop_uncovered,
        "extra": extra,
        "low": extra + noise.low,
        "high": extra + noise.high,
    }


def _right(arm: ArmPredictions, seeds: list[int], labels: np.ndarray) -> np.ndarray:
    """Mark which images the runs of some seeds classify correctly, float64 (S, N)."""
    rows = [arm.probabilities[arm.seeds.index(seed)].argmax(1) == labels for seed in seeds]
    return np.stack(rows).astype(float)


def _centred(right: np.ndarray, uncovered: np.ndarray) -> np.ndarray:
    """Subtract the mean over seeds and images, on uncovered and covered faces apart."""
    means = right[:, uncovered].mean() * uncovered + right[:, ~uncovered].mean() * ~uncovered
    return right - means
