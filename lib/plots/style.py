"""How figures look: one style, and one colour for a name (arm, pool, source, class, split) in every figure of every notebook."""

import zlib

import matplotlib
import matplotlib.colors
import seaborn
from matplotlib.figure import Figure

from lib.study.errors import StudyError

INK, MUTED, GRID = "#1f2933", "#6b7280", "#e5e7eb"
STYLE = {
    "font.size": 10, "axes.titlesize": 10.5, "axes.titleweight": "bold", "axes.titlelocation": "left", "figure.facecolor": "white",
    "axes.edgecolor": MUTED, "axes.labelcolor": INK, "text.color": INK, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "grid.color": GRID, "grid.linewidth": 0.8, "legend.frameon": False, "lines.linewidth": 1.6, "lines.markersize": 5,
}  # fmt: skip
WIDTH = 6.0  # inches, shown at 96 pixels an inch: still readable when a phone shrinks it to 358 pixels

# Okabe and Ito (2008) for classes, Tol's "muted" (2021) for pools: both hold for the common forms of colour blindness.
CLASS_COLOURS = {
    "angry": "#d55e00", "disgust": "#009e73", "fear": "#9467bd", "happy": "#e69f00", "neutral": "#7f7f7f", "sad": "#0072b2",
    "surprise": "#cc79a7",
}  # fmt: skip
REAL_COLOURS = {"real": "#1f2933", "base": "#1f2933", "train": "#1f2933", "val": "#56b4e9", "test": "#0072b2"}
CONTROL_COLOURS = {"duplicate": "#8a8f98", "fewer": "#c2a878", "subset": "#b58b5a", "extra": "#4d7ea8", "scarce": "#5f6b7a"}
POOL_COLOURS = {  # of two that fit a name the first counts
    "drawn-faithful": "#117733", "drawn-narrow": "#cc6677", "drawn-mislabelled": "#aa4499",
    "dcgan-round2": "#9a5bd6", "dcgan-long": "#b04bb8",
    "dcgan": "#5b4bd6",
    "folder": "#88ccee",
    "stylegan32": "#332288", "stylegan64ada": "#117733", "stylegan64number": "#cc6677", "stylegan64truncated": "#aa4499",
    "stylegan": "#44aa99",
    "acgan": "#999933", "cgan": "#882255", "diffusion-edited": "#b35900", "diffusion": "#ddaa33", "stable": "#6699cc",
}  # fmt: skip
SPARE_COLOURS = seaborn.color_palette("colorblind", 10).as_hex()

styled = matplotlib.rc_context(STYLE)  # as a decorator: the style holds inside the function


def colour(name: str) -> str:
    """Give the colour of a class, split, source, pool or arm; it depends on the name alone.

    An arm has the hue of the pool it draws from (pale when its labels are shuffled), arms of real images alone are grey or earthy.
    """
    fixed = CLASS_COLOURS | REAL_COLOURS
    if name in fixed:
        return fixed[name]
    for pool, hue in POOL_COLOURS.items():
        if pool in name:
            return _paler(hue) if "shuffled" in name else hue
    for control, hue in CONTROL_COLOURS.items():
        if name.startswith(control):
            return hue
    return SPARE_COLOURS[zlib.crc32(name.encode()) % len(SPARE_COLOURS)]


def palette(names) -> dict[str, str]:
    """Give the colour of each name, in the order of first appearance."""
    return {str(name): colour(str(name)) for name in dict.fromkeys(names)}


@styled
def panels(rows: int = 1, columns: int = 1, *, height: float = 3.2, width: float = WIDTH):
    """Make a figure with axes to draw into.

    Args:
        rows, columns: layout of the axes.
        height, width: inches; the height is that of one row.

    Returns:
        (figure, axes): axes is one axis, or an array of them.
    """
    figure = Figure(figsize=(width, height * rows), layout="constrained")
    return figure, figure.subplots(rows, columns)


def axis(ax=None, *, height: float = 3.2, width: float = WIDTH):
    """Take the axis given, or make a figure with one."""
    return panels(height=height, width=width)[1] if ax is None else ax


def legend_above(ax) -> None:
    """Put the legend over the axis, where no line can run into it; none for a single entry."""
    handles, labels = ax.get_legend_handles_labels()
    if ax.get_legend():
        ax.get_legend().remove()
    if len(labels) < 2:
        return
    columns = max(1, min(len(labels), int(62 / (max(map(len, map(str, labels))) + 4))))
    title = ax.get_title(loc="left")
    ax.legend(
        handles,
        labels,
        loc="lower left",
        bbox_to_anchor=(0, 1),
        ncols=columns,
        borderaxespad=0.3,
        handlelength=1.2,
        columnspacing=1.2,
        fontsize=9,
    )
    rows = -(-len(labels) // columns)
    ax.set_title(title, pad=8 + 14.5 * rows)
    figure = ax.get_figure()
    if len(figure.axes) == 1:  # a long legend takes its room from the page, not from the chart
        figure.set_figheight(figure.get_figheight() + 0.2 * rows)


def need(table, columns, name: str) -> None:
    """Refuse a table that lacks a column."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise StudyError(
            f"{name}: column {missing[0]!r} is missing; expected {', '.join(columns)}, found {', '.join(map(str, table.columns))}"
        )


def _paler(hue: str) -> str:
    """Mix a colour half and half with white."""
    return matplotlib.colors.to_hex([(part + 1) / 2 for part in matplotlib.colors.to_rgb(hue)])
