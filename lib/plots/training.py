"""Charts of training: learning curves over seeds, the trace of a generator."""

import numpy as np
import pandas as pd
import seaborn

from lib.plots.style import axis, legend_above, palette, panels, styled


@styled
def curves(history: pd.DataFrame, ax=None, *, y: str, x: str = "step", by: str = "arm", title: str = ""):
    """Draw learning curves: the mean over seeds as a line, their whole range as a band.

    Args:
        history: one row a step (x), seed and line (by), with the value in column `y`.
    """
    ax = axis(ax)
    history = history.assign(**{by: history[by].astype(str)})
    seaborn.lineplot(history, x=x, y=y, hue=by, palette=palette(history[by]), errorbar=("pi", 100), err_kws={"alpha": 0.15, "lw": 0}, ax=ax)
    repeats = int(history.groupby([by, x]).size().max())
    ax.set(xlabel=x, ylabel=y, title=title or f"{y}: mean" + (f" and range over {repeats} seeds" if repeats > 1 else ""))
    ax.grid(axis="y")
    legend_above(ax)
    return ax


@styled
def training_trace(trace: pd.DataFrame, groups: dict[str, list[str]], *, x: str = "step", title: str = ""):
    """Draw what was logged while a generator trained, one panel a group.

    Args:
        trace: one row a logged step.
        groups: label of a panel (losses, distance to real) -> columns drawn in it.

    Returns:
        Figure.
    """
    figure, axes = panels(len(groups), height=2.3)
    np.ravel(axes)[0].set_title(title)
    for ax, (label, columns) in zip(np.ravel(axes), groups.items()):
        for column, hue in zip(columns, seaborn.color_palette("colorblind", len(columns))):
            known = trace[[x, column]].dropna()
            ax.plot(known[x], known[column], color=hue, label=column, marker="o" if len(known) < 15 else "")
        ax.set(ylabel=label, xlabel=x)
        ax.grid(axis="y")
        legend_above(ax)
    return figure
