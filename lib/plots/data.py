"""Charts of what there is: counts, values by name or class, maps of images. Data and `ax=None` in, the axis out."""

import numpy as np
import pandas as pd
import seaborn

from lib.plots.style import MUTED, axis, colour, legend_above, palette, styled


@styled
def counts(table: pd.DataFrame, ax=None, *, by: str = "split", title: str = "images by class"):
    """Draw the number of images of each class, one bar a split (or source).

    Args:
        table: the table of a face set: one row an image, columns class and `by`.
        by: column that tells the bars of one class apart.
    """
    ax = axis(ax)
    hues = palette(name for name in ("real", "train", "val", "test", *sorted(table[by].unique())) if name in set(table[by]))
    seaborn.countplot(
        table, x="class", hue=by, order=sorted(table["class"].unique()), hue_order=list(hues), palette=hues, saturation=1, ax=ax
    )
    ax.set(xlabel="", ylabel="images", title=title)
    ax.grid(axis="y")
    legend_above(ax)
    return ax


@styled
def bars(values: pd.Series, ax=None, *, xlabel: str = "", title: str = "", digits: int = 3):
    """Draw one horizontal bar a name, with its number at the end.

    Args:
        values: numbers, indexed by name; drawn from top to bottom.
        digits: decimals of the numbers.
    """
    ax = axis(ax, height=0.5 + 0.3 * len(values))
    names = [str(name) for name in values.index]
    drawn = ax.barh(names, values.to_numpy(), color=[colour(name) for name in names], height=0.65)
    ax.bar_label(drawn, labels=[f"{value:,.{digits}f}" for value in values], padding=3, fontsize=9)
    ax.invert_yaxis()
    ax.margins(x=0.12)
    ax.set(xlabel=xlabel, title=title)
    return ax


@styled
def points_by_class(table: pd.DataFrame, ax=None, *, value: str = "value", by: str = "arm", ylabel: str = "", title: str = ""):
    """Draw one mark a class and arm: the mean over rows (seeds), with their range as a line.

    Args:
        table: columns class, `by`, `value`; several rows of one class and arm are seeds.
    """
    ax = axis(ax)
    arms, classes = list(dict.fromkeys(table[by])), sorted(table["class"].unique())
    for i, arm in enumerate(arms):
        rows = table[table[by] == arm].groupby("class")[value].agg(["mean", "min", "max"]).reindex(classes)
        x = np.arange(len(classes)) + (i - (len(arms) - 1) / 2) * 0.7 / len(arms)
        ax.vlines(x, rows["min"], rows["max"], color=colour(str(arm)), lw=1.6)
        ax.plot(x, rows["mean"], "o", color=colour(str(arm)), label=arm)
    ax.set_xticks(range(len(classes)), classes)
    ax.set(ylabel=ylabel or value, title=title)
    ax.grid(axis="y")
    legend_above(ax)
    return ax


@styled
def scatter_map(points: np.ndarray, colour_by, ax=None, *, title: str = "", caption: str = ""):
    """Draw a map of images, coloured by source or class; drawn in a mixed order, so that no group lies on top.

    Args:
        points: float (N, 2).
        colour_by: N names.
        caption: method, perplexity, seed and n, under the map.
    """
    ax = axis(ax, height=4.6, width=5.2)
    names = np.asarray(colour_by).astype(str)
    hues = palette(sorted(set(names)))
    order = np.random.default_rng(0).permutation(len(points))
    ax.scatter(
        *np.asarray(points)[order].T, c=[hues[name] for name in names[order]], s=max(3.0, min(14.0, 12000 / len(points))), alpha=0.7, lw=0
    )
    for name, hue in hues.items():
        ax.scatter([], [], color=hue, s=28, label=name)
    ax.set(xticks=[], yticks=[], title=title)
    ax.set_xlabel(caption, color=MUTED, fontsize=9, loc="left")
    ax.spines[["left", "bottom"]].set_visible(False)
    legend_above(ax)
    return ax
