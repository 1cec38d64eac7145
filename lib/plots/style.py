"""How figures look: one style for all, figures with axes, and legends that leave the axes room."""

from collections.abc import Mapping

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.textpath import TextPath

from lib.study.errors import StudyError

# Text and lines, labels and frames, lines of a grid.
INK, MUTED, GRID = "#1f2933", "#6b7280", "#e5e7eb"
STYLE = {
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.facecolor": "white",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5,
    "text.parse_math": False,  # a name may hold dollar signs
}
POINTS_AN_INCH = 72
THOUSANDS = "{x:,.10g}"  # of an axis of counts or steps: 1,500, but 0.5

# Inches, of which a page shows 96 pixels; on a phone a figure scrolls in its box.
WIDTH = 7.0

# Legends: sizes in units of the font's, as matplotlib takes them.
LEGEND_POINTS = 9  # of the font
HANDLE = 1.2  # length of the sample of a line or mark
HANDLE_GAP = 0.8  # between the sample and its name
COLUMN_GAP = 1.2
LEGEND_STYLE = {
    "fontsize": LEGEND_POINTS,
    "handlelength": HANDLE,
    "handletextpad": HANDLE_GAP,
    "columnspacing": COLUMN_GAP,
}
LOW_LEGEND = 0.5  # inches; of what a legend is higher, its axis grows as well
BESIDE_AXES = 0.9  # inches of a panel's width that labels and ticks take from the axes

styled = matplotlib.rc_context(STYLE)  # as a decorator: the style holds inside the function


@styled
def panels(rows: int = 1, columns: int = 1, *, height: float = 3.2, width: float = WIDTH):
    """Make a figure with axes to draw into.

    Args:
        rows, columns: layout of the axes.
        height: of one row, inches.
        width: of the figure, inches.

    Returns:
        (figure, axes): axes is one axis, or an array of them.
    """
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns)


def panel_grid(count: int, most_columns: int, *, height: float, width: float = WIDTH):
    """Make a figure with panels in as few rows as hold them, filled evenly; what is left of the
    last row stays empty.

    Args:
        count: panels.
        most_columns: in a row.
        height: of one row, inches.
        width: of the figure, inches.

    Returns:
        (figure, axes): axes is an array of `count` axes.
    """
    rows = -(-count // most_columns)
    figure, axes = panels(rows, -(-count // rows), height=height, width=width)
    axes = np.ravel(axes)
    for ax in axes[count:]:
        ax.set_axis_off()
    return figure, axes[:count]


def axis(ax: Axes | None = None, *, height: float = 3.2, width: float = WIDTH) -> Axes:
    """Take the axis given, or make a figure with one; height and width in inches."""
    if ax is not None:
        return ax
    return panels(height=height, width=width)[1]


def legend_above(ax: Axes) -> None:
    """Put the legend over the axis, where no line can run into it; none for a single entry.

    The legend is as wide as the axis at most, and takes its height from the page: the figure grows
    by it.
    """
    # Whatever drew the lines may have made a legend of its own.
    handles, labels = ax.get_legend_handles_labels()
    if ax.get_legend():
        ax.get_legend().remove()
    if len(labels) < 2:
        return
    figure = ax.get_figure()

    # Fit the legend to the axis.
    before = _legends_height(figure)
    columns, labels = legend_layout(labels, _axis_width(ax))
    title = ax.get_title(loc="left")
    ax.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        borderaxespad=0.3,
        **LEGEND_STYLE,
    )

    # The title stands over the legend.
    ax.set_title(title, pad=8 + _legend_inches(ax.get_legend()) * POINTS_AN_INCH)
    grown = _legends_height(figure) - before
    figure.set_figheight(figure.get_figheight() + grown + max(0.0, grown - LOW_LEGEND))


def shared_legend(
    figure: Figure, colours: dict[str, str], marks: Mapping[str, str] | None = None
) -> float:
    """Put one legend for all panels of a figure above them, outside their axes.

    Args:
        figure: with constrained layout.
        colours: by name, in the order of the legend.
        marks: matplotlib's, of the names that have another one than a disc.

    Returns:
        The height that the legend takes, inches: for the caller to add to the figure's.
    """
    # One entry a name, whatever the panels show of it.
    columns, labels = legend_layout(list(colours), figure.get_figwidth())
    shapes = [(marks or {}).get(name, "o") for name in colours]
    handles = [_mark(hue, shape) for hue, shape in zip(colours.values(), shapes, strict=True)]
    legend = figure.legend(
        handles,
        labels,
        loc="outside upper left",
        ncols=columns,
        borderaxespad=0.1,
        **LEGEND_STYLE,
    )
    return _legend_inches(legend)


def legend_layout(labels: list[str], width: float) -> tuple[int, list[str]]:
    """Find the columns at which a legend is no wider than the room it has.

    Args:
        labels: names of the entries.
        width: of the room, inches.

    Returns:
        Columns, and the labels, wrapped where one column is too wide for them.
    """
    # The widest entry decides, for columns have the width of their widest.
    room = width * POINTS_AN_INCH
    beside_text = (HANDLE + HANDLE_GAP + COLUMN_GAP) * LEGEND_POINTS
    widest = max(text_points(label) for label in labels)
    columns = max(1, min(len(labels), int(room / (widest + beside_text))))
    return columns, [wrapped(label, room - beside_text) for label in labels]


def wrapped(label: str, room: float, points: float = LEGEND_POINTS) -> str:
    """Break a label into as many lines as its room needs, points; a word is never broken."""
    lines = [""]
    for word in label.split(" "):
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_points(longer, points) > room:
            lines.append(word)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def need(table, columns, name: str) -> None:
    """Refuse a table that lacks a column."""
    # Name the first that is missing, and what there is.
    missing = [column for column in columns if column not in table]
    if missing:
        raise StudyError(
            f"{name}: column {missing[0]!r} is missing; expected {', '.join(columns)}, found "
            f"{', '.join(map(str, table.columns))}"
        )


def _mark(hue: str, shape: str) -> Line2D:
    """Make the sample of a colour, in matplotlib's mark of a shape."""
    return Line2D([], [], color=hue, marker=shape, linestyle="", markersize=6)


def text_points(text: str, points: float = LEGEND_POINTS) -> float:
    """Measure the width of a text in a font of some size, points."""
    if not text.strip():
        return 0.0
    return TextPath((0, 0), text, size=points).get_extents().width


def _axis_width(ax: Axes) -> float:
    """Estimate the width of an axis from its place in the figure's grid, inches."""
    figure_width = ax.get_figure().get_figwidth()
    place = ax.get_subplotspec()

    # Axes in a grid share its width.
    share = 1.0
    if place is not None:
        share = len(place.colspan) / place.get_gridspec().ncols
    return figure_width * share - BESIDE_AXES


def _legend_inches(legend) -> float:
    """Measure the height of a legend, inches."""
    figure = legend.get_figure()
    renderer = FigureCanvasAgg(figure).get_renderer()
    return legend.get_window_extent(renderer).height / figure.dpi


def _legends_height(figure: Figure) -> float:
    """Sum the heights of the legends over a figure's axes, of each row of axes the highest."""
    # Legends beside each other stand at one height.
    heights = {}
    for ax in figure.axes:
        legend = ax.get_legend()
        if legend is None:
            continue
        place = ax.get_subplotspec()
        row = place.rowspan.start if place is not None else 0
        heights[row] = max(heights.get(row, 0.0), _legend_inches(legend))
    return sum(heights.values())
