"""Charts of training: learning curves over seeds, the trace of a generator."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from lib.metrics.evidence import evenly
from lib.plots.colours import line_colours, line_names
from lib.plots.style import (
    POINTS_AN_INCH,
    THOUSANDS,
    WIDTH,
    axis,
    legend_above,
    panel_grid,
    panels,
    shared_legend,
    styled,
    wrapped,
)
from lib.report.columns import COLUMNS, column
from lib.report.names import in_words

FEW_POINTS = 15  # logged steps up to which each is marked
# Entries of a legend up to which a chart keeps its height, and inches that it gains with each more.
SHORT_LEGEND, LEGEND_LINE = 4, 0.4
HEIGHT, FURTHER_LINE = 3.2, 0.1  # of a single chart, whose figure grows by its legend; inches
# Type of a title, which is bold, and the points after which it is broken.
TITLE_POINTS, TITLE_ROOM = 10.5, 0.8 * (WIDTH - 0.9) * POINTS_AN_INCH
TITLE_LINE = 0.25  # inches of each further line
MOST_LINES = 10  # in one chart of curves
# Of more charts than FEW_CHARTS each becomes a small panel, MOST_COLUMNS in a row.
FEW_CHARTS, MOST_COLUMNS, PANEL_HEIGHT, PANELS_WIDTH = 3, 3, 2.6, 8.2  # height in inches
PANEL_POINTS = 8.5  # of their titles
PANEL_TITLE_ROOM = 0.68 * PANELS_WIDTH / MOST_COLUMNS * POINTS_AN_INCH
# What an arm of real images alone is for, by its kind, in the one legend of all panels.
ROLES = {
    "base": "real images alone",
    "subset": "real images alone",
    "duplicate": "copies of them",
    "fewer_steps": "real images alone, fewer steps",
    "extra": "more real images",
}
# Lines of one colour, such as those of one generator in several settings, differ in their dashes.
DASHES = ("", (5, 2), (1, 1.5), (6, 2, 1, 2), (3, 2), (8, 2, 2, 2))
HEADROOM = 1.15  # of a scale that begins at 0: over its largest value


@dataclass(frozen=True)
class TracePanel:
    """One panel of a training's trace."""

    label: str  # of its scale, with the unit
    columns: list[str]  # of the trace, one line each
    from_zero: bool = False  # of a speed, say, which then varies visibly where it varies much


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

    Of many lines some are drawn (`spread_lines`), and the title says how many.

    Args:
        history: one row a step (x), seed and line (by), with the value in column `y`; ARM_FIELDS
            where the lines are those of arms.
        ax: drawn into; None makes one.
        y, x, by: columns.
        title: of the axis; empty: what the lines are.
    """
    # A long legend must not outgrow its chart.
    given, history = history[by].nunique(), spread_lines(history, y=y, x=x, by=by)
    drawn = history[by].nunique()
    further = max(0, drawn - SHORT_LEGEND)
    ax = axis(ax, height=HEIGHT + FURTHER_LINE * further)

    # Arms are coloured by their fields, other lines by name.
    hues, words = line_colours(history, by), line_names(history, by)

    # Seaborn groups texts as categories; a number would become a scale.
    repeats = int(history.groupby([by, x]).size().max())
    history = history.assign(**{by: history[by].astype(str).map(words)})
    hues = {words[name]: hue for name, hue in hues.items()}
    earlier = [list(hues.values())[:place].count(hue) for place, hue in enumerate(hues.values())]
    dashes = {name: DASHES[count % len(DASHES)] for name, count in zip(hues, earlier)}
    seaborn.lineplot(
        history,
        x=x,
        y=y,
        hue=by,
        palette=hues,
        style=by,
        dashes=dashes,
        errorbar=("pi", 100),
        err_kws={"alpha": 0.15, "lw": 0},
        ax=ax,
    )

    # The title says how many seeds the band is the range of.
    spread = f": mean and range over {repeats} seeds" if repeats > 1 else ""
    few = f"\n{drawn} of {given} lines" if drawn < given else ""
    label = _label_of(y)
    heading = wrapped(title or f"{label}{spread}", TITLE_ROOM, TITLE_POINTS)
    ax.set(xlabel=column(x).label, ylabel=label, title=heading + few)
    ax.xaxis.set_major_formatter(THOUSANDS)
    _scale_of(ax, y)
    ax.grid(axis="y")
    legend_above(ax)
    return ax


def _label_of(y: str) -> str:
    """Name the scale of a column, with its unit where it has one."""
    return column(y).label if y in COLUMNS else in_words(y)


def _scale_of(ax: Axes, y: str) -> None:
    """Write accuracies as whole percent, at whole percent."""
    if y.startswith("accuracy"):
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
        ax.yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))


def spread_lines(
    history: pd.DataFrame, *, y: str, x: str = "step", by: str = "arm", most: int = MOST_LINES
) -> pd.DataFrame:
    """Keep some of many learning curves: those of real images alone, and of the others the ones
    that end highest and lowest and, evenly by rank, some between them.

    Args:
        history, y, x, by: as in `curves`.
        most: lines that are kept.

    Returns:
        The rows of those lines, in their order.
    """
    if history[by].nunique() <= most:
        return history

    # Where each line ends, real images apart.
    ends = history[history[x] == history.groupby(by)[x].transform("max")].groupby(by)[y].mean()
    without = history["pool"] == "" if "pool" in history else history[by] == "real"
    real = set(history.loc[without, by])
    ranked = ends.drop(list(real)).sort_values(kind="stable").index

    # Evenly by rank, both ends included.
    places = evenly(len(ranked), max(2, most - len(real)))
    return history[history[by].isin(real | set(ranked[places]))]


def curves_text(
    history: pd.DataFrame, *, y: str, x: str = "step", by: str = "arm", digits: int = 2
) -> str:
    """Describe learning curves for those who cannot see them: where each line ends.

    Args:
        history, y, x, by: as in `curves`.
        digits: decimals of the numbers.
    """
    words, ends = line_names(history, by), []
    for name, line in history.groupby(by, sort=False):
        last = line.loc[line[x] == line[x].max(), y].mean()
        end = f"{last:.0%}" if y.startswith("accuracy") else f"{last:.{digits}f}"
        ends.append(f"{words[str(name)]} {end}")
    return f"{in_words(y)} at the end: {', '.join(ends)}."


def curve_charts(charts: dict[str, pd.DataFrame], *, y: str) -> Figure:
    """Draw learning curves, one chart under the other; many of them as small panels that share a
    legend.

    Args:
        charts: histories as `curves` takes them, by title.
        y: column.
    """
    if len(charts) > FEW_CHARTS and all("kind" in history for history in charts.values()):
        return _small_charts(charts, y)

    # A long legend must not outgrow its chart.
    most = max((history["arm"].nunique() for history in charts.values()), default=0)
    most = min(most, MOST_LINES)
    headings = [wrapped(title, TITLE_ROOM, TITLE_POINTS) for title in charts]
    further = max((heading.count("\n") for heading in headings), default=0)
    height = 3 + LEGEND_LINE * max(0, most - SHORT_LEGEND) + TITLE_LINE * further
    figure, axes = panels(len(charts), 1, height=height)

    # Each chart has an axis as wide as the page.
    for ax, (title, history) in zip(np.ravel(axes), charts.items(), strict=True):
        curves(history, ax, y=y, title=title)
    return figure


@styled
def _small_charts(charts: dict[str, pd.DataFrame], y: str) -> Figure:
    """Draw learning curves of arms in small panels: means over seeds, their range as bands."""
    figure, axes = panel_grid(len(charts), MOST_COLUMNS, height=PANEL_HEIGHT, width=PANELS_WIDTH)
    legend = {}
    for ax, (title, history) in zip(axes, charts.items(), strict=True):
        # The title says what was added to which real images, the legend what a line is.
        shown = spread_lines(history, y=y)
        hues, words = line_colours(shown, "arm"), line_names(shown, "arm")
        kinds = shown.drop_duplicates("arm").set_index("arm")["kind"]
        for arm, line in shown.groupby("arm", sort=False):
            name = ROLES.get(kinds[arm], words[arm])
            legend.setdefault(name, hues[arm])
            values = line.groupby("step")[y].agg(["mean", "min", "max"])
            ax.plot(values.index, values["mean"], color=hues[arm], lw=1.3)
            band = {"alpha": 0.15, "lw": 0, "color": hues[arm]}
            ax.fill_between(values.index, values["min"], values["max"], **band)

        # What is added stands in a line of its own, in few words.
        short = title.replace(" images beside ", " beside ").split(": ")
        parts = [wrapped(part, PANEL_TITLE_ROOM, PANEL_POINTS) for part in short]
        ax.set_title(":\n".join(parts), fontsize=PANEL_POINTS)
        ax.xaxis.set_major_formatter(THOUSANDS)
        _scale_of(ax, y)
        ax.grid(axis="y")

    # All panels share the labels of their scales.
    figure.supylabel(_label_of(y), fontsize=PANEL_POINTS)
    figure.supxlabel(column("step").label, fontsize=PANEL_POINTS)
    further = max(ax.get_title().count("\n") for ax in axes) * 0.7 * TITLE_LINE
    rows = -(-len(axes) // MOST_COLUMNS)
    height = figure.get_figheight() + rows * further + shared_legend(figure, legend)
    figure.set_figheight(height)
    return figure


@styled
def training_trace(
    trace: pd.DataFrame, rows: list[TracePanel], *, x: str = "step", title: str = ""
) -> Figure:
    """Draw what was logged while a generator trained, one panel below the other.

    Args:
        trace: one row a logged step.
        rows: the panels; one of whose columns nothing was logged is left out.
        x: column of the horizontal axis.
        title: over the first panel.
    """
    # A training on several machines measures no distances, for example.
    logged = set(trace.columns[trace.notna().any()])
    rows = [panel for panel in rows if logged.issuperset(panel.columns)]
    figure, axes = panels(len(rows), height=2.3)
    axes = np.ravel(axes)

    # Panels stand below each other, each with its own columns.
    axes[0].set_title(title)
    for ax, panel in zip(axes, rows, strict=True):
        hues = seaborn.color_palette("colorblind", len(panel.columns))
        for name, hue in zip(panel.columns, hues, strict=True):
            # Not everything is logged at every step; few points are marked.
            known = trace[[x, name]].dropna()
            marker = "o" if len(known) < FEW_POINTS else ""
            words = name.replace("_", " ")
            ax.plot(known[x], known[name], color=hue, label=words, marker=marker)

        # Every panel says what it shows and has its own legend.
        ax.set(ylabel=panel.label, xlabel=x)
        ax.xaxis.set_major_formatter(THOUSANDS)
        ax.grid(axis="y")
        legend_above(ax)
        if panel.from_zero:
            ax.set_ylim(0, HEADROOM * trace[panel.columns].max().max())
            ax.yaxis.set_major_formatter(THOUSANDS)
    return figure


def training_trace_text(trace: pd.DataFrame, real: float) -> str:
    """Describe a generator's training for those who cannot see its trace.

    Args:
        trace: one row a logged step; distance where it was measured.
        real: distance of real images to other real ones.
    """
    # Where no distance was measured, its losses are all there is.
    name = "distance" if "distance" in trace else next(c for c in trace if c.startswith("loss"))
    known = trace[name].dropna()
    ends = f"from {known.iloc[0]:.2g} to {known.iloc[-1]:.2g}"
    if name == "distance":
        return f"The distance to real images goes {ends}; real against real is {real:.2g}."
    return f"The {in_words(name)} goes {ends}; distances were not measured."
