"""What is known of an image beside its class: how a face was drawn, what its prompt asked for; and which group stands out."""

import re

import numpy as np
import pandas as pd

from lib.generators import prompts

ATTRIBUTES = ("class", "age_lines", "glasses", "beard", "hidden", "yaw", "pitch", "roll", "skin", *prompts.ATTRIBUTES)
TURNS = ("yaw", "pitch", "roll")  # left or right does not matter, how far does
FEW = 6  # values that a table shows one by one; more are cut into thirds


def with_prompt_attributes(table: pd.DataFrame) -> pd.DataFrame:
    """Add age, ethnicity and sex, read from the prompts, to a table that has prompts and lacks these columns."""
    if "prompt" not in table or any(name in table for name in prompts.ATTRIBUTES):
        return table
    words = prompts.read_prompts()
    choices = ("|".join(sorted(map(re.escape, words[name]), key=len, reverse=True)) for name in prompts.ATTRIBUTES)
    found = table["prompt"].fillna("").str.extract(r"\b({}) ({}) ({})\b".format(*choices))
    return table if found.isna().all(axis=None) else table.assign(**dict(zip(prompts.ATTRIBUTES, found.T.to_numpy())))


def groups_of(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Name the group of each image in every attribute that is known and differs: categories in the order in which a table lists them.

    Returns:
        By attribute, an ordered categorical of the table's index: the value itself, or the third in which it lies where a number has
        more than FEW values; missing where the attribute is.
    """
    table = with_prompt_attributes(table)
    return {name: group(table[name], name) for name in ATTRIBUTES if name in table and table[name].nunique() > 1}


def group(values: pd.Series, name: str, *, bins: int = 3) -> pd.Series:
    """Name the group of each image in one attribute, see `groups_of`.

    Args:
        values: of the attribute.
        name: of the attribute.
        bins: groups of about equal size that many numbers are cut into.
    """
    values = values.abs() if name in TURNS else values
    if pd.api.types.is_float_dtype(values) and values.nunique() > FEW:
        return _cut(values, bins)
    words = values.map(lambda value: f"{value:.2g}" if isinstance(value, float) else str(value)).where(values.notna())
    return words.astype(pd.CategoricalDtype(sorted(words.dropna().unique()), ordered=True))


def _cut(values: pd.Series, bins: int) -> pd.Series:
    """Cut numbers into groups of equal size; where many share the smallest value (no beard), into none and some."""
    if (values == values.min()).mean() > 1 / bins:
        words = pd.Series(np.where(values == values.min(), "none", "some"), values.index).where(values.notna())
        return words.astype(pd.CategoricalDtype(["none", "some"], ordered=True))
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, bins + 1)))
    names = [f"{low:.3g} to {high:.3g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return pd.cut(values, edges, labels=names, include_lowest=True)


def standing_out(table: pd.DataFrame, share: str, by: list[str]) -> pd.DataFrame:
    """Find where groups differ beyond doubt: the intervals of the highest and the lowest share do not overlap.

    Args:
        table: rows with the columns of `by`, value, the share, low, high.
        share: name of its column.
        by: columns that tell what is compared within.

    Returns:
        Columns of `by`, highest, highest_share, lowest, lowest_share; the largest difference first.
    """
    rows = []
    for key, own in table.dropna(subset=share).groupby(by, sort=False):
        highest, lowest = own.loc[own[share].idxmax()], own.loc[own[share].idxmin()]
        if highest["low"] > lowest["high"]:
            rows.append((*key, highest["value"], highest[share], lowest["value"], lowest[share]))
    found = pd.DataFrame(rows, columns=[*by, "highest", "highest_share", "lowest", "lowest_share"])
    return found.sort_values("lowest_share", key=lambda low: low - found["highest_share"], kind="stable", ignore_index=True)
