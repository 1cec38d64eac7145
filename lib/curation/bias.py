"""Filter bias: which groups of people or images a step rejects more often than others."""

import numpy as np
import pandas as pd

from lib.curation.attributes import groups_of, standing_out
from lib.curation.intervals import wilson
from lib.curation.verdicts import applies
from lib.faces.faceset import FaceSet

# low and high are the ends of the 95% Wilson interval of share.
COLUMNS = ["attribute", "value", "n", "rejected", "share", "low", "high"]


def bias_table(faces: FaceSet, keep: np.ndarray) -> pd.DataFrame:
    """Count what a filter rejects, by every known attribute of the images.

    Args:
        faces: N images.
        keep: bool (N,), the filter's verdicts.

    Returns:
        Columns attribute, value, n, rejected, share, low, high (95% Wilson interval), one row a
        group of `attributes.groups_of`.
    """
    rows = []
    # One row a group, in the order in which a page lists attributes and groups.
    for attribute, groups in groups_of(faces.table).items():
        for value in groups.cat.categories:
            in_group = (groups == value).to_numpy()
            n = int(in_group.sum())
            rejected = int((~keep[in_group]).sum())
            rows.append((attribute, value, n, rejected, *wilson(rejected, n)))
    return pd.DataFrame(rows, columns=COLUMNS)


def detector_bias(pool: FaceSet, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Count by attribute what the step `face` rejects among the images that reached it.

    Args:
        pool: all synthetic images.
        verdicts: long table of verdicts.

    Returns:
        The table of bias_table; empty where the step is not in the chain or does not apply.
    """
    examined = verdicts[verdicts["step"] == "face"]
    # Where the images are no faces, the step let them pass without a look.
    if not applies(examined):
        examined = examined.head(0)
    # Count among the images that no earlier step had rejected.
    keep = examined.set_index("id")["keep"]
    reached = pool.select(pool.table["id"].isin(keep.index).to_numpy())
    return bias_table(reached, keep.reindex(reached.table["id"]).to_numpy(dtype=bool))


def strongest_bias(biases: pd.DataFrame) -> pd.DataFrame:
    """Find the groups that are rejected most and least, where their intervals do not overlap.

    Args:
        biases: table of bias_table.

    Returns:
        Columns attribute, highest, highest_share, lowest, lowest_share, one row an attribute, the
        largest difference first.
    """
    # Groups are compared within an attribute, never across attributes.
    return standing_out(biases, "share", ["attribute"])
