"""Whom a filter is biased against: what it rejects by each attribute that is known of the images."""

import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.faces.faceset import FaceSet

ATTRIBUTES = ("class", "age_lines", "glasses", "beard", "hidden", "yaw", "pitch", "roll", "skin", "age", "sex", "ethnicity")  # drawn faces, then prompts
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
    groups = pd.qcut(values, bins, duplicates="drop").map(lambda cut: f"{cut.left:.2g} to {cut.right:.2g}") if bins else values
    rows = []
    for value in sorted(groups.dropna().unique()) if not bins else groups.cat.categories:
        own = (groups == value).to_numpy()
        gone, n = int((~keep[own]).sum()), int(own.sum())
        rows.append((column, str(value), n, gone, *wilson(gone, n)))
    return pd.DataFrame(rows, columns=["attribute", "value", "n", "rejected", "share", "low", "high"])


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
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=["attribute", "value", "n", "rejected", "share", "low", "high"])
