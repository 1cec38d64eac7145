"""Charts of training: learning curves over seeds, the trace of a generator."""

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lib.plots.colours import line_colours, line_names
from lib.plots.style import axis, legend_above, panels, styled

FEW_POINTS = 15  # logged steps up to which each is marked


@styled
def curves(
    history: pd.DataFrame,
    ax: Axes | None = None,
    *,
    y: str,
    x: str = "step",
    by: str = "arm",
    title: str = "",
) -> Axes:
    """Draw learning curves: the mean over seeds as a line, their whole range as a band.

    Args:
        history: one row a step (x), seed and line (by), with the value in column `y`; ARM_FIELDS
            where the lines are those of arms.
        ax: drawn into; None makes one.
        y, x, by: columns.
        title: of the axis; empty: what the lines are.
    """
    ax = axis(ax)

    # Arms are coloured by their fields, other lines by name.
    hues, words = line_colours(history, by), line_names(history, by)

    # Seaborn groups texts as categories; a number would become a scale.
    repeats = int(history.groupby([by, x]).size().max())
    history = history.assign(**{by: history[by].astype(str).map(words)})
    hues = {words[name]: hue for name, hue in hues.items()}
    seaborn.lineplot(
        history,
        x=x,
        y=y,
        hue=by,
        palette=hues,
        errorbar=("pi", 100),
        err_kws={"alpha": 0.15, "lw": 0},
        ax=ax,
    )

    # The title says how many seeds the band is the range of.
    spread = f" and range over {repeats} seeds" if repeats > 1 else ""
    ax.set(xlabel=x, ylabel=y, title=title or f"{y}: mean{spread}")
    ax.grid(axis="y")
    legend_above(ax)
    return ax


def curve_charts(charts: dict[str, pd.DataFrame], *, y: str) -> Figure:
    """Draw learning curves, one chart under the other.

    Args:
        charts: histories as `curves` takes them, by title.
        y: column.
    """
    figure, axes = panels(len(charts), 1, height=3)

    # Each chart has an axis as wide as the page.
    for ax, (title, history) in zip(np.ravel(axes), charts.items(), strict=True):
        curves(history, ax, y=y, title=title)
    return figure


@styled
def training_trace(
    trace: pd.DataFrame, groups: dict[str, list[str]], *, x: str = "step", title: str = ""
) -> Figure:
    """Draw what was logged while a generator trained, one panel a group.

    Args:
        trace: one row a logged step.
        groups: label of a panel (losses, distance to real) to the columns drawn in it.
        x: column of the horizontal axis.
        title: over the first panel.
    """
    figure, axes = panels(len(groups), height=2.3)
    axes = np.ravel(axes)

    # Panels stand below each other, each with its own columns.
    axes[0].set_title(title)
    for ax, (label, columns) in zip(axes, groups.items(), strict=True):
        for column, hue in zip(columns, seaborn.color_palette("colorblind", len(columns))):
            # Not everything is logged at every step; few points are marked.
            known = trace[[x, column]].dropna()
            marker = "o" if len(known) < FEW_POINTS else ""
            ax.plot(known[x], known[column], color=hue, label=column, marker=marker)

        # Every panel says what it shows and has its own legend.
        ax.set(ylabel=label, xlabel=x)
        ax.grid(axis="y")
        legend_above(ax)
    return figure
