"""Whom a filter is biased against: what it rejects by each attribute that is known of the images."""

import numpy as np
import pandas as pd

from lib.curation.attributes import groups_of, standing_out
from lib.curation.intervals import wilson
from lib.faces.faceset import FaceSet

COLUMNS = ["attribute", "value", "n", "rejected", "share", "low", "high"]


def bias_table(faces: FaceSet, keep: np.ndarray) -> pd.DataFrame:
    """Count what a filter rejects by every attribute that is known of the images.

    Args:
        faces: images.
        keep: bool (N,), the filter's verdict.

    Returns:
        Columns attribute, value, n, rejected, share, low, high (95 % Wilson), one row a group of `attributes.groups_of`.
    """
    rows = []
    for attribute, groups in groups_of(faces.table).items():
        for value in groups.cat.categories:
            own = (groups == value).to_numpy()
            gone, n = int((~keep[own]).sum()), int(own.sum())
            rows.append((attribute, value, n, gone, *wilson(gone, n)))
    return pd.DataFrame(rows, columns=COLUMNS)


def detector_bias(pool: FaceSet, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Count by attribute what the step `face` rejects of the images that reached it; empty when it is not in the chain."""
    judged = verdicts[verdicts["step"] == "face"].set_index("id")["keep"]
    reached = pool.select(pool.table["id"].isin(judged.index).to_numpy())
    return bias_table(reached, judged.reindex(reached.table["id"]).to_numpy(dtype=bool))


def strongest_bias(biases: pd.DataFrame) -> pd.DataFrame:
    """Find, for each attribute whose intervals do not all overlap, the group that is rejected most and the one rejected least.

    Returns:
        Columns attribute, highest, highest_share, lowest, lowest_share; the largest difference first.
    """
    return standing_out(biases, "share", ["attribute"])
