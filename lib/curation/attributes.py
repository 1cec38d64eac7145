"""What is known of an image beside its class, and which groups differ by it.

A drawn face's table says how it was drawn, a prompted face's prompt which age, ethnicity and sex
were asked for.
"""

import re

import numpy as np
import pandas as pd

from lib.faces import prompts

# Columns that group images, in the order in which a page lists them.
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
    *prompts.ATTRIBUTES,
)
TURNS = ("yaw", "pitch", "roll")  # angles; only their size counts, not left or right
MAX_VALUES = 6  # numbers that a table lists one by one; more are cut into groups
GROUPS = 3  # groups of about equal size that many numbers are cut into


def with_prompt_attributes(table: pd.DataFrame) -> pd.DataFrame:
    """Add age, ethnicity and sex as columns, read from the prompts.

    Args:
        table: of a FaceSet.

    Returns:
        The table unchanged where it has no prompts, already has these columns, or no prompt
        names all three.
    """
    if "prompt" not in table or any(name in table for name in prompts.ATTRIBUTES):
        return table
    words = prompts.read_prompts()

    # One pattern of three alternatives, as the template puts the words side by side.
    # The longest words first, so that none is taken for the beginning of another.
    patterns = []
    for name in prompts.ATTRIBUTES:
        escaped = map(re.escape, words[name])
        patterns.append("|".join(sorted(escaped, key=len, reverse=True)))
    pattern = r"\b({}) ({}) ({})\b".format(*patterns)

    # Read the words back; a prompt of another template matches nothing.
    matches = table["prompt"].fillna("").str.extract(pattern)
    if matches.isna().all(axis=None):
        return table
    return table.assign(**dict(zip(prompts.ATTRIBUTES, matches.T.to_numpy())))


def groups_of(table: pd.DataFrame) -> dict[str, pd.Series]:
    """Assign each image to a group of every attribute that is known and varies.

    Args:
        table: of a FaceSet.

    Returns:
        By attribute, an ordered categorical with the table's index; categories are in the order
        in which a page lists them, missing where the attribute is. See `group`.
    """
    table = with_prompt_attributes(table)
    # An attribute that is the same everywhere groups nothing.
    names = [name for name in ATTRIBUTES if name in table and table[name].nunique() > 1]
    return {name: group(table[name], name) for name in names}


def group(values: pd.Series, name: str) -> pd.Series:
    """Assign each image to a group of one attribute: its value, or a range of numbers.

    Args:
        values: of the attribute.
        name: of the attribute.

    Returns:
        Ordered categorical with the index of values.
    """
    if name in TURNS:
        values = values.abs()
    # Many different numbers become ranges, anything else stays a value of its own.
    if pd.api.types.is_float_dtype(values) and values.nunique() > MAX_VALUES:
        return _cut(values)
    words = values.map(_word).where(values.notna())
    return words.astype(pd.CategoricalDtype(sorted(words.dropna().unique()), ordered=True))


def standing_out(table: pd.DataFrame, share: str, by: list[str]) -> pd.DataFrame:
    """Find where groups differ: the intervals of the highest and the lowest share do not overlap.

    Args:
        table: one row a group, with the columns of `by`, value, the share, low and high.
        share: name of the share's column.
        by: columns within whose combinations groups are compared.

    Returns:
        Columns of `by`, highest, highest_share, lowest, lowest_share; the largest difference
        first.
    """
    rows = []
    # Compare the extremes; a share of no images (NaN) takes no part.
    for key, groups in table.dropna(subset=share).groupby(by, sort=False):
        highest = groups.loc[groups[share].idxmax()]
        lowest = groups.loc[groups[share].idxmin()]
        if highest["low"] > lowest["high"]:
            rows.append((*key, highest["value"], highest[share], lowest["value"], lowest[share]))
    columns = [*by, "highest", "highest_share", "lowest", "lowest_share"]
    differing = pd.DataFrame(rows, columns=columns)

    # Sort by highest minus lowest share.
    def negative_difference(lowest: pd.Series) -> pd.Series:
        return lowest - differing["highest_share"]

    return differing.sort_values(
        "lowest_share", key=negative_difference, kind="stable", ignore_index=True
    )


def _word(value) -> str:
    """Write a value as a group's name."""
    if isinstance(value, (bool, np.bool_)):
        return "yes" if value else "no"
    return f"{value:.2g}" if isinstance(value, float) else str(value)


def _cut(values: pd.Series) -> pd.Series:
    """Cut numbers into groups of about equal size, or into none and some.

    The latter where so many share the smallest value (no beard) that equal groups do not exist.
    """
    smallest = values == values.min()
    if smallest.mean() > 1 / GROUPS:
        words = pd.Series(np.where(smallest, "none", "some"), values.index)
        ordered = pd.CategoricalDtype(["none", "some"], ordered=True)
        return words.where(values.notna()).astype(ordered)
    # Equal values at an edge may leave fewer groups than asked.
    edges = np.unique(np.nanquantile(values, np.linspace(0, 1, GROUPS + 1)))
    names = [f"{low:.3g} to {high:.3g}" for low, high in zip(edges[:-1], edges[1:], strict=True)]
    return pd.cut(values, edges, labels=names, include_lowest=True)
