"""Class balance: bring a pool to a wanted class distribution by leaving out the surplus."""

import numpy as np
import pandas as pd

from lib.curation.verdicts import verdict_table
from lib.faces.faceset import CLASSES, FaceSet


def reject_surplus(faces: FaceSet, shares: pd.Series) -> pd.DataFrame:
    """Keep the largest part of a pool that has the wanted class shares; the first images of each class stay.

    Args:
        faces: images, in order of generation.
        shares: wanted share of each class, index of class names; they are scaled to sum 1, a class with share 0 goes.

    Returns:
        Verdicts; score is the image's place within its class, from 1.
    """
    wanted = class_quota(faces.counts(), shares)
    labels = faces.table["class"]
    place = labels.groupby(labels).cumcount().to_numpy() + 1
    quota = labels.map(wanted).to_numpy()
    return verdict_table(
        faces, place <= quota, place, [f"surplus: {q} of class {name} wanted" for q, name in zip(quota, labels, strict=True)]
    )


def class_quota(counts: pd.Series, shares: pd.Series) -> pd.Series:
    """Work out how many images of each class make the largest set with the wanted shares.

    Args:
        counts: images that there are of each class.
        shares: wanted shares, scaled to sum 1.

    Returns:
        int64 by class, nowhere more than there are.
    """
    shares = shares.reindex(CLASSES, fill_value=0).astype(float) / shares.sum()
    asked = shares > 0
    total = np.min(counts.reindex(CLASSES, fill_value=0)[asked] / shares[asked])
    return np.floor(shares * total + 1e-9).astype(np.int64)
