"""Memorisation: synthetic images that lie nearer to a real training image than real images lie to each other."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.curation.nearest import nearest
from lib.curation.verdicts import verdict_table
from lib.faces.duplicates import exact_groups
from lib.faces.faceset import FaceSet

BASELINE_IMAGES = 4000  # real images whose own nearest neighbours set the scale


def reject_memorised(
    faces: FaceSet, real: FaceSet, features: Callable[[np.ndarray], np.ndarray], *, quantile: float, seed: int = 0
) -> pd.DataFrame:
    """Reject images that are as near to a training image as only few real images are to each other.

    Args:
        faces: synthetic images.
        real: real training images; images of one `cluster` (copies) do not count as each other's neighbours.
        features: uint8 (N, H, W) -> float32 (N, D).
        quantile: share of real images that lie nearer to another real image than the limit, 0 to 1.
        seed: draws the real images that set the scale.

    Returns:
        Verdicts; score is the distance to the nearest training image, in units of the median distance of real images;
        the reason names the pair.
    """
    real_features = features(real.images)
    distance, index = nearest(features(faces.images), real_features)
    between = real_distances(real, real_features, seed=seed)
    scale, limit = np.median(between), np.quantile(between, quantile)
    ids = real.table["id"].to_numpy()
    reasons = [f"{d / scale:.2f} of the usual distance from the training image {ids[i]}" for d, i in zip(distance, index, strict=True)]
    return verdict_table(faces, distance > limit, distance / scale, reasons)


def real_distances(real: FaceSet, features: np.ndarray, *, seed: int) -> np.ndarray:
    """Measure how far real images are from their nearest real neighbour, copies aside.

    Args:
        real: real images, with a column `cluster` where copies are known; without it identical images alone are taken for copies.
        features: float (N, D) of these images.
        seed: draws the images that are measured when there are many.

    Returns:
        float64 (n,).
    """
    groups = real.table["cluster"].to_numpy() if "cluster" in real.table else exact_groups(real.images)
    rows = np.random.default_rng(seed).permutation(len(real))[:BASELINE_IMAGES]
    distance, _ = nearest(features[rows], features, own_groups=(groups[rows], groups))
    return distance[np.isfinite(distance)]
