"""Charts of what there is: counts, values by name or class. Data and `ax=None` in, the axis out."""

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from lib.plots.colours import known_colour, line_colours, line_names, palette
from lib.plots.style import MUTED, THOUSANDS, axis, legend_above, panels, styled
from lib.report.names import in_words

# Inches: the room of a bar, of title and scale, and of a chart of one or two bars.
BAR, BARS_FRAME, LEAST_BARS = 0.36, 0.75, 1.9
GROUP_WIDTH = 0.7  # of the room of a class that its marks share


@styled
def counts(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    by: str = "split",
    title: str = "images by class",
) -> Axes:
    """Draw the number of images of each class, one bar a split (or source).

    Args:
        table: the table of a face set: one row an image, columns class and `by`.
        ax: drawn into; None makes one.
        by: column that tells the bars of one class apart.
        title: of the axis.
    """
    ax = axis(ax)

    # Known splits and sources first, in their usual order.
    present = set(table[by])
    order = ("real", "train", "val", "test", *sorted(present))
    hues = palette(name for name in order if name in present)

    # One group of bars a class, named as people call the splits and pools.
    words = {in_words(name): hue for name, hue in hues.items()}
    seaborn.countplot(
        table.assign(**{by: table[by].map(in_words)}),
        x="class",
        hue=by,
        order=sorted(table["class"].unique()),
        hue_order=list(words),
        palette=words,
        saturation=1,
        ax=ax,
    )

    # The classes name themselves; the legend stands over the bars.
    ax.set(xlabel="", ylabel="images", title=title)
    ax.yaxis.set_major_formatter(THOUSANDS)
    ax.grid(axis="y")
    legend_above(ax)
    return ax


@styled
def bars(
    values: pd.Series,
    ax: Axes | None = None,
    *,
    colours: dict[str, str] | None = None,
    xlabel: str = "",
    title: str = "",
    digits: int = 3,
) -> Axes:
    """Draw one horizontal bar a name, with its number at the end.

    Args:
        values: numbers, indexed by name; drawn from top to bottom.
        ax: drawn into; None makes one.
        colours: by name; None: those that the names have everywhere, one for names that have none.
        xlabel, title: of the axis.
        digits: decimals of the numbers.
    """
    ax = axis(ax, height=max(LEAST_BARS, BARS_FRAME + BAR * len(values)))

    # Bars from top to bottom, each with its number.
    names = [str(name) for name in values.index]
    hues = [colours[name] if colours else known_colour(name) or MUTED for name in names]
    shown = [in_words(name) for name in names]
    drawn = ax.barh(shown, values.to_numpy(), color=hues, height=0.65)
    numbers = [f"{value:,.{digits}f}".replace("-", "−") for value in values]
    ax.bar_label(drawn, labels=numbers, padding=3, fontsize=9)

    # The first name stands at the top, with room for the numbers at the ends.
    ax.invert_yaxis()
    ax.margins(x=0.12 if (values >= 0).all() else 0.2)
    ax.set(xlabel=xlabel, title=title)
    return ax


@styled
def points_by_class(
    table: pd.DataFrame,
    ax: Axes | None = None,
    *,
    value: str = "value",
    by: str = "arm",
    ylabel: str = "",
    title: str = "",
) -> Axes:
    """Draw one mark a class and arm: the mean over rows (seeds), with their range as a line.

    Args:
        table: columns class, `by`, `value`, and ARM_FIELDS where the names stand for arms; several
            rows of one class and arm are seeds.
        ax: drawn into; None makes one.
        value: column of the numbers.
        by: column that tells the marks of one class apart.
        ylabel, title: of the axis.
    """
    ax = axis(ax)

    # Arms side by side within each class.
    hues, words = line_colours(table, by), line_names(table, by)
    classes = sorted(table["class"].unique())
    for i, (name, hue) in enumerate(hues.items()):
        # One place a class, the marks of a class side by side.
        of_line = table[table[by].astype(str) == name]
        rows = of_line.groupby("class")[value].agg(["mean", "min", "max"]).reindex(classes)
        shift = (i - (len(hues) - 1) / 2) * GROUP_WIDTH / len(hues)
        x = np.arange(len(classes)) + shift

        # The range as a line, the mean as a mark.
        ax.vlines(x, rows["min"], rows["max"], color=hue, lw=1.6)
        ax.plot(x, rows["mean"], "o", color=hue, label=words[name])

    # The class stands under the middle of its marks.
    ax.set_xticks(range(len(classes)), classes)
    ax.set(ylabel=ylabel or value, title=title)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    ax.grid(axis="y")
    legend_above(ax)
    return ax


@styled
def histograms(values: dict[str, np.ndarray], *, xlabel: str, bins: int = 30) -> Axes:
    """Draw the distributions of several sets beside each other: shares of each set, in percent.

    Args:
        values: float (N,) by the name of the set; `real` is drawn dark.
        xlabel: of the axis, with the unit.
        bins: of the common range.
    """
    _, ax = panels(height=2.4)

    # One colour a set, the same as in other figures.
    hues = palette(list(values))
    hues = [hues[name] for name in values]

    # Shares make sets of different size comparable.
    shown = [in_words(name) for name in values]
    shares = [np.full(len(numbers), 100 / len(numbers)) for numbers in values.values()]
    ax.hist(list(values.values()), bins=bins, weights=shares, label=shown, color=hues)
    ax.set(xlabel=xlabel, ylabel="share of the images, %")
    legend_above(ax)
    return ax
