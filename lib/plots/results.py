"""Charts of results: confusion, calibration, changes class by class.

Data and `ax=None` in, the axis out.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lib.plots.colours import colour, line_colours, line_names
from lib.plots.style import MUTED, STYLE, axis, legend_above, need, panels, styled, wrapped

# Side of a confusion matrix, inches: as much a class, with room for the names.
CELL, NAMES, SMALLEST_MATRIX = 0.5, 1.4, 4.6
# Three matrices beside each other: up to so many classes, this wide and high, inches.
BESIDE, BESIDE_WIDTH, BESIDE_HEIGHT = 8, 8.2, 3.5
TITLE_ROOM = 140  # points of a panel's width that a title may take
TITLE_LINE = 0.14  # inches of a further line of it
NUMBER_POINTS = 8  # type of a matrix' numbers


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
    numbers = np.vectorize("{:.0f}".format)(shown)
    return _draw_matrix(shown, numbers, names, ax, title=title, xlabel=what, cmap="Blues", vmin=0)


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
    what = "predicted, change in points"
    return _draw_matrix(
        change,
        np.vectorize(_whole_points)(change),
        names,
        ax,
        title=title,
        xlabel=what,
        cmap="RdBu_r",
        vmin=-reach,
        vmax=reach,
    )


@styled
def confusion_panels(
    base: np.ndarray, arm: np.ndarray, names: Sequence[str], titles: Sequence[str]
) -> Figure:
    """Draw the confusion matrices of two arms and the change from the first to the second.

    Args:
        base, arm: (C, C), counts; may be means over seeds.
        names: the C classes.
        titles: of the two matrices.
    """
    # Beside each other where there are few classes, else below each other; long titles need room.
    titles = [wrapped(title, TITLE_ROOM, STYLE["axes.titlesize"]) for title in titles]
    lines = max(title.count("\n") for title in titles)
    if len(names) <= BESIDE:
        height = BESIDE_HEIGHT + lines * TITLE_LINE
        figure, axes = panels(1, 3, height=height, width=BESIDE_WIDTH)
    else:
        side = max(SMALLEST_MATRIX, NAMES + CELL * len(names))
        figure, axes = panels(3, 1, height=side, width=side + 0.6)
    confusion_matrix(base, names, axes[0], title=titles[0])
    confusion_matrix(arm, names, axes[1], title=titles[1])
    confusion_change(base, arm, names, axes[2], title="change")

    # Beside each other, one column of names serves all three.
    if len(names) <= BESIDE:
        for ax in axes[1:]:
            ax.set(yticks=[], ylabel="")
    return figure


def confusion_text(base: np.ndarray, arm: np.ndarray, names: Sequence[str]) -> str:
    """Describe two confusion matrices: best and worst class of the first, largest changes."""
    first, change = _percent(base), _percent(arm) - _percent(base)
    right = np.diag(first)
    best, worst = int(right.argmax()), int(right.argmin())

    # The commonest confusion, and the largest change in either direction.
    wrong = first - np.diag(right)
    true, taken = np.unravel_index(wrong.argmax(), wrong.shape)
    more, less = (
        np.unravel_index(place, change.shape) for place in (change.argmax(), change.argmin())
    )
    parts = [
        f"recall is highest for {names[best]} ({right[best]:.0f}%) and lowest for "
        f"{names[worst]} ({right[worst]:.0f}%)",
        f"{names[true]} is most often taken for {names[taken]} ({wrong[true, taken]:.0f}%)",
        f"largest changes: {names[more[0]]} called {names[more[1]]} {change[more]:+.0f} points, "
        f"{names[less[0]]} called {names[less[1]]} {change[less]:+.0f} points",
    ]
    return "; ".join(parts).replace(" -", " \u2212") + "."


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
    ax = axis(ax, height=4.2, width=4.2)
    ax.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (4, 3)))

    # Empty bins have no confidence and no accuracy.
    filled = bins[bins["n"] > 0]

    # One line an arm, or a single one.
    lines = [(name, filled)]
    hues, words = {name: colour(name)}, {name: name}
    if "arm" in filled:
        lines = filled.groupby("arm", sort=False)
        hues, words = line_colours(filled, "arm"), line_names(filled, "arm")

    # The area of a mark is the bin's share of the images.
    for label, line in lines:
        hue = hues[str(label)]
        area = 8 + 90 * line["n"] / line["n"].sum()
        ax.plot(line["confidence"], line["accuracy"], color=hue, label=words[label])
        ax.scatter(line["confidence"], line["accuracy"], s=area, color=hue)

    # Both axes have one scale, so that the diagonal is one.
    ax.set(xlim=(0, 1), ylim=(0, 1), aspect="equal", title=title)
    for scale in (ax.xaxis, ax.yaxis):
        scale.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.set(xlabel="confidence", ylabel="accuracy")
    ax.grid()
    legend_above(ax)
    return ax


def reliability_text(bins: pd.DataFrame) -> str:
    """Describe a reliability diagram: how often each line is right where it is surest.

    Args:
        bins: as in `reliability_diagram`, with the column arm.
    """
    words, parts = line_names(bins, "arm"), []
    for name, line in bins[bins["n"] > 0].groupby("arm", sort=False):
        surest = line.loc[line["confidence"].idxmax()]
        right = f"right in {surest['accuracy']:.0%} at a confidence of {surest['confidence']:.0%}"
        parts.append(f"{words[str(name)]}: {right}")
    return f"{'; '.join(parts)}."


def _percent(counts: np.ndarray) -> np.ndarray:
    """Turn counts (C, C) into percent of each true class."""
    # A class without images has a row of zeros.
    counts = np.asarray(counts, float)
    return 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)


def _whole_points(change: float) -> str:
    """Write a change in whole points with its sign; what rounds to nothing has none."""
    return f"{change:+.0f}".replace("-", "\u2212") if round(change) else "0"


def _draw_matrix(
    shown: np.ndarray,
    numbers: np.ndarray,
    names: Sequence[str],
    ax: Axes | None,
    *,
    title: str,
    xlabel: str,
    **heat,
) -> Axes:
    """Draw a square matrix of numbers by true and predicted class.

    Args:
        shown: float (C, C), what the colours say.
        numbers: text (C, C), what is written in the cells.
        names: the C classes.
        ax: drawn into; None makes one as large as the classes need.
        title, xlabel: of the axis.
        heat: colour map and its range, as seaborn's heatmap takes them.
    """
    # A figure of its own grows with the number of classes.
    if ax is None:
        side = max(SMALLEST_MATRIX, NAMES + CELL * len(names))
        ax = axis(height=side, width=side + 0.6)

    # Every cell has its number: colour alone is hard to read.
    seaborn.heatmap(
        shown,
        annot=numbers,
        fmt="",
        annot_kws={"fontsize": NUMBER_POINTS},
        cbar=False,
        square=True,
        linewidths=1,
        linecolor="white",
        ax=ax,
        **heat,
    )

    # Slanted names below, so that long ones do not run into each other.
    ax.set_xticks(np.arange(len(names)) + 0.5, names, rotation=40, ha="right")
    ax.set_yticks(np.arange(len(names)) + 0.5, names, rotation=0)
    for tick in ax.get_xticklabels():
        tick.set_rotation_mode("anchor")
    ax.tick_params(length=0)
    ax.set(ylabel="true", title=title)
    ax.set_xlabel(xlabel, fontsize=9)
    return ax
