"""Whom a filter is biased against: what it rejects by each attribute that is known of the images."""

import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.faces.faceset import FaceSet

ATTRIBUTES = (
    "class",
    "age_lines",
    "glasses",
    "beard",
    "hidden",
    "yaw",
    "pitch",
    "roll",
    "skin",
    "age",
    "sex",
    "ethnicity",
)  # drawn faces, then prompts
TURNS = ("yaw", "pitch", "roll")  # left or right does not matter, how far does
FEW = 6  # values that a table shows one by one; more are cut into thirds


def rejected_by(faces: FaceSet, keep: np.ndarray, column: str, *, bins: int = 0) -> pd.DataFrame:
    """Count what a filter rejects by an attribute that is known of each image: whom it is biased against.

    Args:
        faces: images with the attribute in their table.
        keep: bool (N,), the filter's verdict.
        column: attribute.
        bins: cut numbers into so many groups of equal size; 0 takes each value as it is.

    Returns:
        Table with attribute, value, n, rejected, share, low, high (95 % Wilson).
    """
    values = faces.table[column].abs() if column in TURNS else faces.table[column]
    groups = _cut(values, bins) if bins else values.map(lambda value: f"{value:.2g}" if isinstance(value, float) else str(value))
    rows = []
    for value in groups.cat.categories if bins else sorted(groups.unique()):
        own = (groups == value).to_numpy()
        gone, n = int((~keep[own]).sum()), int(own.sum())
        rows.append((column, value, n, gone, *wilson(gone, n)))
    return pd.DataFrame(rows, columns=["attribute", "value", "n", "rejected", "share", "low", "high"])


def _cut(values: pd.Series, bins: int) -> pd.Series:
    """Cut numbers into groups of equal size; where many share the smallest value (no beard), into none and some."""
    if (values == values.min()).mean() > 1 / bins:
        return pd.Series(pd.Categorical(np.where(values == values.min(), "none", "some"), ["none", "some"]))
    edges = np.quantile(values, np.linspace(0, 1, bins + 1))
    names = [f"{low:.3g} to {high:.3g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return pd.cut(values, edges, labels=names, include_lowest=True)


def bias_table(faces: FaceSet, keep: np.ndarray) -> pd.DataFrame:
    """Count rejections by every attribute of ATTRIBUTES that the table of the images holds.

    Args:
        faces: images.
        keep: bool (N,), the filter's verdict.

    Returns:
        The tables of rejected_by, one below the other; numbers with many values in thirds.
    """
    parts = []
    for column in ATTRIBUTES:
        if column in faces.table and faces.table[column].nunique() > 1:
            many = pd.api.types.is_float_dtype(faces.table[column]) and faces.table[column].nunique() > FEW
            parts.append(rejected_by(faces, keep, column, bins=3 if many else 0))
    return (
        pd.concat(parts, ignore_index=True)
        if parts
        else pd.DataFrame(columns=["attribute", "value", "n", "rejected", "share", "low", "high"])
    )


def detector_bias(pool: FaceSet, verdicts: pd.DataFrame) -> pd.DataFrame:
    """Count by attribute what the step `face` rejects of the images that reached it; empty when it is not in the chain."""
    judged = verdicts[verdicts["step"] == "face"].set_index("id")["keep"]
    reached = pool.select(pool.table["id"].isin(judged.index).to_numpy())
    return bias_table(reached, judged.reindex(reached.table["id"]).to_numpy(dtype=bool))


def strongest_bias(biases: pd.DataFrame) -> pd.DataFrame:
    """Find, for each attribute whose intervals do not all overlap, the group that is rejected most and the one rejected least.

    Returns:
        Rows with attribute, most, most_share, least, least_share, largest difference first.
    """
    rows = []
    for attribute, part in biases.dropna(subset="share").groupby("attribute", sort=False):
        most, least = part.loc[part["share"].idxmax()], part.loc[part["share"].idxmin()]
        if most["low"] > least["high"]:
            rows.append((attribute, most["value"], most["share"], least["value"], least["share"]))
    table = pd.DataFrame(rows, columns=["attribute", "most", "most_share", "least", "least_share"])
    return table.sort_values("most_share", ascending=False, key=lambda share: share - table["least_share"]).reset_index(drop=True)
