"""Memorisation: synthetic images nearer to a training image than real images are to each other."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from lib.compute.neighbours import memorisation, nearest
from lib.curation.verdicts import verdict_table
from lib.faces.duplicates import exact_groups
from lib.faces.faceset import FaceSet

REFERENCE_IMAGES = 4000  # real images whose nearest real neighbours set the threshold, at most


def reject_memorised(
    faces: FaceSet,
    real: FaceSet,
    features: Callable[[np.ndarray], np.ndarray],
    *,
    quantile: float,
    seed: int = 0,
) -> pd.DataFrame:
    """Reject images as near to a training image as only few real images are to each other.

    Args:
        faces: synthetic images.
        real: real training images; images of one `cluster` (copies) do not count as each other's
            neighbours.
        features: uint8 (N, H, W) -> float32 (N, D).
        quantile: share of real images that lie at or under the threshold, 0 to 1.
        seed: draws the real images that set the threshold.

    Returns:
        Verdicts; score is the distance to the nearest training image, in units of the median
        distance between real images; the reason names that image.
    """
    # How near each synthetic image is to a training image, and real images to each other.
    real_features = features(real.images)
    distance, index = nearest(features(faces.images), real_features)
    between_real = real_distances(real, real_features, seed=seed)
    compared = memorisation(distance, between_real, quantile=quantile)

    # Name the training image, so that a reader can compare the two.
    ids = real.table["id"].to_numpy()[index]
    reasons = [
        f"{ratio:.2f} of the usual distance from the training image {name}"
        for ratio, name in zip(compared.relative, ids, strict=True)
    ]
    return verdict_table(faces, ~compared.copies, compared.relative, reasons)


def real_distances(real: FaceSet, features: np.ndarray, *, seed: int) -> np.ndarray:
    """Measure how far real images are from their nearest real neighbour, copies excluded.

    Args:
        real: N real images; the column `cluster` numbers copies, without it only identical images
            are copies.
        features: float (N, D) of these images.
        seed: draws REFERENCE_IMAGES of them where there are more.

    Returns:
        float64 (n,); images that have nothing but copies are left out.
    """
    # Which images are copies of each other.
    if "cluster" in real.table:
        groups = real.table["cluster"].to_numpy()
    else:
        groups = exact_groups(real.images)

    # Measure a sample against all real images, without those of its own group.
    rows = np.random.default_rng(seed).permutation(len(real))[:REFERENCE_IMAGES]
    distance, _ = nearest(features[rows], features, query_groups=groups[rows], target_groups=groups)
    # An image of whose group all others are has no neighbour.
    return distance[np.isfinite(distance)]
