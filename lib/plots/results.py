"""Charts of results: differences with intervals, confusion, calibration.

Data and `ax=None` in, the axis out.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes

from lib.plots.colours import colour, line_colours, row_colours
from lib.plots.style import GRID, INK, MUTED, axis, legend_above, need, styled

# The shape says the verdict to those who cannot see the colour.
VERDICT_MARKS = {"helps": "^", "hurts": "v", "equivalent": "s", "undecided": "o"}

# Side of a confusion matrix, inches: as much a class, with room for the names.
CELL, NAMES, SMALLEST_MATRIX = 0.45, 1.4, 4.6


@styled
def intervals(
    effects: pd.DataFrame,
    ax: Axes | None = None,
    *,
    value: str = "difference",
    margin: float = 0.0,
    colours: dict[str, str] | None = None,
    xlabel: str = "",
    title: str = "",
) -> Axes:
    """Draw numbers with their intervals as a forest plot.

    Differences have a zero line, and a band of those that do not matter.

    Args:
        effects: one row a comparison: name (or arm), low, high and the column `value`. Optional
            reference: written beside the names where rows differ in it. Optional verdict (helps,
            hurts, equivalent, undecided): written at the end of the row, and the shape of the mark.
            Optional note: written there instead. Rows are coloured by their ARM_FIELDS, pool or
            source, where the table has these columns.
        ax: drawn into; None makes one.
        value: "difference", or another column to draw without zero line (each arm's own accuracy,
            say).
        margin: half width of the equivalence band, in the unit of the values, 0 for none.
        colours: by name, instead of those that the rows have everywhere.
        xlabel, title: of the axis.

    Raises:
        StudyError: a column is missing.
    """
    # A name in words stands in place of the arm's.
    label = "name" if "name" in effects else "arm"
    need(effects, (label, value, "low", "high"), "intervals")

    # A band of differences that do not matter, and a line at none.
    ax = axis(ax, height=0.9 + 0.3 * len(effects))
    if value == "difference":
        ax.axvspan(-margin, margin, color=GRID, lw=0, zorder=0)
        ax.axvline(0, color=INK, lw=1)

    # One row a comparison.
    hues = row_colours(effects, label)
    if colours is not None:
        # The caller's colours come first.
        hues = [colours[name] for name in effects[label]]
    for place, (row, hue) in enumerate(zip(effects.to_dict("records"), hues, strict=True)):
        _draw_interval(ax, place, row, value, hue)

    # The names stand at the left, the first row at the top.
    ax.set_yticks(range(len(effects)), _row_names(effects, label))
    ax.set_ylim(len(effects) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.locator_params(axis="x", nbins=5)
    band = f"   (grey: within ±{margin:g})" if margin else ""
    ax.set_xlabel((xlabel or value) + band, loc="right")
    ax.set_title(title)
    return ax


@styled
def confusion_matrix(
    matrix: np.ndarray,
    names: Sequence[str],
    ax: Axes | None = None,
    *,
    title: str = "",
    share: bool = True,
) -> Axes:
    """Draw a confusion matrix: true classes down, predicted classes across.

    Args:
        matrix: (C, C), counts; may be a mean over seeds.
        names: the C classes.
        ax: drawn into; None makes one as large as the classes need.
        title: of the axis.
        share: colour and numbers are shares of each true class, in percent; else the counts.
    """
    # Shares make classes of different size comparable.
    shown = _percent(matrix) if share else np.asarray(matrix, float)
    what = "predicted, % of the true class" if share else "predicted"
    return _draw_matrix(shown, names, ax, title=title, xlabel=what, fmt=".0f", cmap="Blues", vmin=0)


@styled
def confusion_change(
    base: np.ndarray,
    arm: np.ndarray,
    names: Sequence[str],
    ax: Axes | None = None,
    *,
    title: str = "",
) -> Axes:
    """Draw which confusions an arm makes more (red) or less (blue) often than base.

    Args:
        base, arm: (C, C), counts; may be means over seeds.
        names: the C classes.
        ax: drawn into; None makes one as large as the classes need.
        title: of the axis.
    """
    # A change in points of the true class, whatever its size.
    change = _percent(arm) - _percent(base)

    # The same strength of colour for more and for less.
    reach = max(np.abs(change).max(), 1)
    what = "predicted, change in points of the true class"
    return _draw_matrix(
        change,
        names,
        ax,
        title=title,
        xlabel=what,
        fmt="+.0f",
        cmap="RdBu_r",
        vmin=-reach,
        vmax=reach,
    )


@styled
def reliability_diagram(
    bins: pd.DataFrame,
    ax: Axes | None = None,
    *,
    name: str = "base",
    title: str = "accuracy against confidence",
) -> Axes:
    """Draw how often a classifier is right at each confidence; the diagonal is perfect calibration.

    Args:
        bins: one row a bin: confidence (mean, 0-1), accuracy (0-1), n (images); empty bins are left
            out. Optional column arm: one line each, coloured by ARM_FIELDS where there are any.
        ax: drawn into; None makes one.
        name: of the line where there is no column arm.
        title: of the axis.
    """
    need(bins, ("confidence", "accuracy", "n"), "reliability_diagram")
    ax = axis(ax, height=3.8, width=4.2)
    ax.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (4, 3)))

    # Empty bins have no confidence and no accuracy.
    filled = bins[bins["n"] > 0]

    # One line an arm, or a single one.
    lines = [(name, filled)]
    hues = {name: colour(name)}
    if "arm" in filled:
        lines = filled.groupby("arm", sort=False)
        hues = line_colours(filled, "arm")

    # The area of a mark is the bin's share of the images.
    for label, line in lines:
        hue = hues[str(label)]
        area = 8 + 90 * line["n"] / line["n"].sum()
        ax.plot(line["confidence"], line["accuracy"], color=hue, label=label)
        ax.scatter(line["confidence"], line["accuracy"], s=area, color=hue)

    # Both axes have one scale, so that the diagonal is one.
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=title)
    ax.set(xlabel="confidence", ylabel="share that is right")
    ax.grid()
    legend_above(ax)
    return ax


def _draw_interval(ax: Axes, place: int, row: dict, value: str, hue: str) -> None:
    """Draw one row of a forest plot: line, mark and the text at its end."""
    # The interval as a line, the estimate as a mark on it.
    verdict = row.get("verdict", "")
    ax.plot([row["low"], row["high"]], [place, place], color=hue, lw=2, solid_capstyle="butt")
    mark = VERDICT_MARKS.get(verdict, "o")
    ax.plot(row[value], place, mark, color=hue, ms=7, mec="white", mew=0.8, clip_on=False)

    # The verdict, or a note, at the right edge.
    ax.text(
        1.02,
        place,
        row.get("note", verdict),
        transform=ax.get_yaxis_transform(),
        va="center",
        fontsize=9,
        color=MUTED,
    )


def _row_names(effects: pd.DataFrame, label: str) -> list[str]:
    """Name each row, and what it is compared with where that differs from row to row."""
    # The reference is named where it is not the same for all rows.
    names = [str(name) for name in effects[label]]
    if "reference" not in effects or effects["reference"].nunique() < 2:
        return names
    return [f"{name}\n– {other}" for name, other in zip(names, effects["reference"], strict=True)]


def _percent(counts: np.ndarray) -> np.ndarray:
    """Turn counts (C, C) into percent of each true class."""
    # A class without images has a row of zeros.
    counts = np.asarray(counts, float)
    return 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)


def _draw_matrix(
    shown: np.ndarray,
    names: Sequence[str],
    ax: Axes | None,
    *,
    title: str,
    xlabel: str,
    **heat,
) -> Axes:
    """Draw a square matrix of numbers by true and predicted class.

    Args:
        shown: float (C, C).
        names: the C classes.
        ax: drawn into; None makes one as large as the classes need.
        title, xlabel: of the axis.
        heat: colour map, its range and the numbers' format, as seaborn's heatmap takes them.
    """
    # A figure of its own grows with the number of classes.
    if ax is None:
        side = max(SMALLEST_MATRIX, NAMES + CELL * len(names))
        ax = axis(height=side, width=side + 0.6)

    # Every cell has its number: colour alone is hard to read.
    seaborn.heatmap(
        shown, annot=True, cbar=False, square=True, linewidths=1, linecolor="white", ax=ax, **heat
    )

    # Slanted names below, so that long ones do not run into each other.
    ax.set_xticks(np.arange(len(names)) + 0.5, names, rotation=40, ha="right")
    ax.set_yticks(np.arange(len(names)) + 0.5, names, rotation=0)
    for tick in ax.get_xticklabels():
        tick.set_rotation_mode("anchor")
    ax.tick_params(length=0)
    ax.set(xlabel=xlabel, ylabel="true", title=title)
    return ax
