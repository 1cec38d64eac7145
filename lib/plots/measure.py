"""Whether a figure can be read: how much of it is drawn on, and what leaves it or overlaps.

Every figure that `show` puts on a page carries these measurements, so that tests can hold all
figures of all pages to them.
"""

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

PAGE_INCHES = 8.25  # width of a page's column; wider figures are shrunk to it
SLACK = 1.5  # pixels by which texts may touch
SHOWN_CHARACTERS = 24  # of a text that a fault names


@dataclass(frozen=True)
class Measured:
    """What was measured of a figure."""

    share: float  # least share of its panel that an axis takes, 0 to 1
    points: float  # smallest type, points, at the size in which the page shows it
    faults: tuple[str, ...]  # texts off the canvas, over each other, longer than their axis


def measure(figure: Figure) -> Measured:
    """Measure a figure as it is drawn.

    Args:
        figure: complete; it is drawn for it, in its own resolution.
    """
    if figure.canvas.__class__ is not FigureCanvasAgg:
        FigureCanvasAgg(figure)
    figure.canvas.draw()
    texts = _texts(figure)

    # A figure that is wider than the page has smaller type on it.
    shrunk = min(1.0, PAGE_INCHES / figure.get_figwidth())
    sizes = [text.get_fontsize() * shrunk for text in texts]
    axes = [ax for ax in figure.axes if ax.get_visible()]
    return Measured(
        share=min((_share(ax) for ax in axes), default=1.0),
        points=min(sizes, default=99.0),
        faults=(*_off_canvas(figure, texts), *_overlaps(texts), *_too_long(axes)),
    )


def _share(ax: Axes) -> float:
    """Tell which share of its panel an axis takes: of the figure, over the panels in it."""
    figure = ax.get_figure()
    place = ax.get_subplotspec()

    # A panel is as many cells of the grid as it spans.
    cells = 1.0
    if place is not None:
        grid = place.get_gridspec()
        rows, columns = grid.get_height_ratios(), grid.get_width_ratios()
        high = sum(rows[place.rowspan.start : place.rowspan.stop]) / sum(rows)
        cells = high * sum(columns[place.colspan.start : place.colspan.stop]) / sum(columns)
    box = ax.get_window_extent()
    return box.width * box.height / (figure.bbox.width * figure.bbox.height * cells)


def _texts(figure: Figure) -> list[Text]:
    """List the texts that are seen: titles, labels, ticks, notes and entries of legends."""
    hidden = {id(text) for ax in figure.axes for text in _unseen_ticks(ax)}
    found = [
        text for text in figure.findobj(Text) if text.get_visible() and text.get_text().strip()
    ]
    # An axis that is switched off draws none of its ticks and labels.
    off = {
        id(text)
        for ax in figure.axes
        if not ax.axison
        for axis in (ax.xaxis, ax.yaxis)
        for text in axis.findobj(Text)
    }
    return [text for text in found if id(text) not in hidden | off and text.get_alpha() != 0]


def _unseen_ticks(ax: Axes) -> list[Text]:
    """List the labels of ticks that lie outside of the axis' limits, which are not drawn."""
    unseen = []
    for axis, (low, high) in ((ax.xaxis, ax.get_xlim()), (ax.yaxis, ax.get_ylim())):
        low, high = min(low, high), max(low, high)
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            slack = 1e-9 * max(abs(low), abs(high), 1.0)
            if not low - slack <= tick.get_loc() <= high + slack:
                unseen += [tick.label1, tick.label2]
    return unseen


def _off_canvas(figure: Figure, texts: list[Text]) -> list[str]:
    """Name the texts and legends that reach over the edge of the figure."""
    faults = []
    for text in texts:
        if _is_off(text.get_window_extent(), figure):
            faults.append(f"off the canvas: {_shown(text)}")
    for legend in [*figure.legends, *(ax.get_legend() for ax in figure.axes)]:
        if legend is not None and _is_off(legend.get_window_extent(), figure):
            faults.append("a legend off the canvas")
    return faults


def _is_off(box, figure: Figure) -> bool:
    """Tell whether a box reaches over the edge of a figure."""
    wide, high = figure.bbox.width + SLACK, figure.bbox.height + SLACK
    return box.x0 < -SLACK or box.y0 < -SLACK or box.x1 > wide or box.y1 > high


def _too_long(axes: list[Axes]) -> list[str]:
    """Name the labels that are longer than the axis they stand along."""
    faults = []
    for ax in axes:
        room = ax.get_window_extent()
        for label, length in ((ax.xaxis.label, room.width), (ax.yaxis.label, room.height)):
            box, along = label.get_window_extent(), "width" if label is ax.xaxis.label else "height"
            if ax.axison and label.get_visible() and getattr(box, along) > length + SLACK:
                faults.append(f"longer than its axis: {_shown(label)}")
    return faults


def _overlaps(texts: list[Text]) -> list[str]:
    """Name pairs of texts that lie over each other."""
    boxes = [_corners(text) for text in texts]
    faults = []
    for (one, first), (other, second) in combinations(zip(texts, boxes, strict=True), 2):
        if _meet(first, second):
            faults.append(f"over each other: {_shown(one)} and {_shown(other)}")
    return faults


def _corners(text: Text) -> np.ndarray:
    """Find the corners of a text's box, float (4, 2), pixels, turned as the text is."""
    box = text.get_window_extent()
    angle = np.radians(text.get_rotation())
    cos, sin = abs(np.cos(angle)), abs(np.sin(angle))

    # The upright box around a turned one: w cos + h sin wide and w sin + h cos high.
    wide, high = box.width, box.height
    if sin > 1e-6 and abs(cos - sin) > 1e-3:
        wide, high = np.linalg.solve([[cos, sin], [sin, cos]], [box.width, box.height])
    half = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * [wide / 2 - SLACK, high / 2 - SLACK]
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    upright = abs(cos - sin) <= 1e-3 or sin <= 1e-6
    centre = [(box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2]
    return (half if upright else half @ turn) + centre


def _meet(one: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether two convex quadrangles overlap: no side of either separates them."""
    for corners in (one, other):
        sides = np.roll(corners, -1, axis=0) - corners
        for normal in np.column_stack([-sides[:, 1], sides[:, 0]]):
            first, second = one @ normal, other @ normal
            if first.max() <= second.min() or second.max() <= first.min():
                return False
    return True


def _shown(text: Text) -> str:
    """Quote the beginning of a text."""
    words = " ".join(text.get_text().split())
    return f"“{words[:SHOWN_CHARACTERS]}”"
