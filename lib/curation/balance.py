"""Class balance: bring a pool to wanted class shares by rejecting the surplus."""

import numpy as np
import pandas as pd

from lib.curation.verdicts import verdict_table
from lib.faces.faceset import FaceSet

ROUNDING = 1e-9  # images; keeps floor from losing one where a product falls short of a whole


def reject_surplus(faces: FaceSet, shares: pd.Series) -> pd.DataFrame:
    """Keep the largest part of a pool that has the wanted class shares.

    Args:
        faces: images, in order of generation; the first of each class stay.
        shares: wanted share by class name, scaled to sum 1; a class that is absent, or has share
            0, is rejected.

    Returns:
        Verdicts; score is the image's place within its class, from 1.
    """
    # Keep an image as long as its class has not reached its quota.
    wanted = class_quota(faces.counts(), shares)
    labels = faces.table["class"]
    place = labels.groupby(labels).cumcount().to_numpy() + 1
    quota = labels.map(wanted).to_numpy()
    reasons = [
        f"surplus: {q} of class {name} wanted" for q, name in zip(quota, labels, strict=True)
    ]
    return verdict_table(faces, place <= quota, place, reasons)


def class_quota(counts: pd.Series, shares: pd.Series) -> pd.Series:
    """Compute how many images of each class make the largest set with the wanted shares.

    Args:
        counts: available images by class name.
        shares: wanted shares by class name, scaled to sum 1.

    Returns:
        int64 by class, never more than are available; all 0 where a wanted class has no image.
    """
    # A wanted class that is absent counts as one with no image.
    classes = counts.index.union(shares.index, sort=False)
    counts = counts.reindex(classes, fill_value=0)
    shares = shares.reindex(classes, fill_value=0).astype(float) / shares.sum()
    wanted = shares > 0

    # The class that is scarcest relative to its share limits the whole set.
    total = np.min(counts[wanted] / shares[wanted])
    return np.floor(shares * total + ROUNDING).astype(np.int64)
