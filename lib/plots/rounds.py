"""Round against round: what a generator's second pool changed, class by class."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.plots.colours import class_palette
from lib.plots.style import MUTED, need, panels, styled


@styled
def round_against_round(
    both: pd.DataFrame, measures: tuple[str, ...] = ("consistency", "coverage"), *, title: str = ""
) -> Figure:
    """Draw each class as a line from the first round (open mark) to the second (filled mark).

    Args:
        both: one row a class: class, and for each measure the columns "<measure> 1" and
            "<measure> 2", shares 0 to 1.
        measures: to draw, one panel each.
        title: of the figure.

    Raises:
        StudyError: a column is missing.
    """
    columns = [f"{name} {part}" for name in measures for part in (1, 2)]
    need(both, ("class", *columns), "round_against_round")

    # One panel a measure, one row a class, names at the left alone.
    figure, axes = panels(1, len(measures), height=0.5 + 0.3 * len(both))
    axes = np.ravel(axes)
    for ax, name in zip(axes, measures, strict=True):
        _draw_measure(ax, both, name)
    axes[0].set_yticks(range(len(both)), both["class"])

    # The key to the marks, in place of a legend.
    figure.suptitle(
        f"{title}\nopen: first round, filled: second".strip(),
        x=0.01,
        ha="left",
        fontsize=9.5,
        color=MUTED,
    )
    return figure


def _draw_measure(ax: Axes, both: pd.DataFrame, name: str) -> None:
    """Draw one measure, a share, of all classes."""
    hues = class_palette(list(both["class"]))
    for place, row in enumerate(both.to_dict("records")):
        # Open marks are the first round, filled ones the second.
        first, second, hue = row[f"{name} 1"], row[f"{name} 2"], hues[row["class"]]

        # From the first round to the second.
        ax.plot([first, second], [place, place], color=hue, lw=2, clip_on=False)
        ax.plot(first, place, "o", color=hue, mfc="white", clip_on=False)
        ax.plot(second, place, "o", color=hue, clip_on=False)

    # The first class at the top.
    ax.set_yticks(range(len(both)), [""] * len(both))
    ax.set(xlim=(0, 1), ylim=(len(both) - 0.5, -0.5), xlabel=name)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x")
