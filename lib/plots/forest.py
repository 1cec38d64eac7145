"""Forest plots: numbers with their intervals, one row each, under headings.

A row's name stands above its interval, so that the axis is as wide as the page whatever the names
are; rows of one kind stand under one heading, which says once what they have in common.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from lib.faces.arms import arm_of
from lib.metrics.wording import deciding_interval, signed
from lib.plots.colours import has_arm, row_colours
from lib.plots.display import show
from lib.plots.style import (
    GRID,
    INK,
    MUTED,
    POINTS_AN_INCH,
    WIDTH,
    axis,
    need,
    styled,
    text_points,
    wrapped,
)
from lib.report.names import in_words, listed, reference_text

# The shape says the verdict to those who cannot see the colour.
VERDICT_MARKS = {"helps": "^", "hurts": "v", "equivalent": "s", "undecided": "o"}

ROW, HEADING = 0.42, 0.36  # inches of a row, and of a heading over rows
NAME_UP, LINE_DOWN = 0.22, 0.17  # of a row: its name above the middle, its interval below
HALF_LANE = 0.18  # of a row: half of what the line at zero and the band take of it
NAME_POINTS, LEAST_POINTS = 9.5, 8  # type of names, and of those that are too long for it
NAMES_ROOM = 0.95 * WIDTH * POINTS_AN_INCH  # points that a row's name and note share
HEADING_POINTS, FURTHER_LINE = 10, 0.17  # type, and inches of each further line
HEADING_ROOM = 0.78 * WIDTH * POINTS_AN_INCH  # points in which bold type of a heading is broken
FRAME = 0.75  # inches for the scale and its label
FAR, LEAST_ROWS = 6, 6  # times the median difference that is off the scale; rows from which on
ROOM = 0.04  # share of the scale that is left free at either end
GROUND = {"facecolor": "white", "edgecolor": "none", "pad": 0.6}  # keeps a name off the lines


@dataclass(frozen=True)
class Row:
    """One row of a forest plot."""

    heading: str  # the rows under one heading stand together
    name: str
    value: float
    low: float
    high: float
    hue: str  # colour, hex
    mark: str  # matplotlib's
    note: str  # at the right edge


@styled
def intervals(
    effects: pd.DataFrame,
    ax: Axes | None = None,
    *,
    value: str = "difference",
    margin: float = 0.0,
    colours: dict[str, str] | None = None,
    xlabel: str = "",
    title: str = "",
    scale: float = 100.0,
) -> Axes:
    """Draw numbers with their intervals as a forest plot.

    Differences have a zero line, and a band of those that do not matter. Beside a verdict stands
    the interval that decides it (`lib.metrics.wording.deciding_interval`). Where a few are many
    times as far as the others, arrows at the edge stand for them: their numbers say how far.

    Args:
        effects: one row a comparison: arm (or name), low, high and the column `value`. With
            ARM_FIELDS, rows are named and grouped by what the arms are, and coloured by pool.
            Optional group: headings of one's own. Optional name: in place of the arm's. Optional
            verdict (helps, hurts, equivalent, undecided): the shape of the mark, and written at the
            end of the row; optional note: written there instead.
        ax: drawn into; None makes one.
        value: "difference", or another column to draw without zero line (each arm's own accuracy,
            say).
        margin: half width of the equivalence band, in the unit of the values, 0 for none.
        colours: by name, instead of those that the rows have everywhere.
        xlabel, title: of the axis.
        scale: by which values are multiplied: shares become percent, differences points.

    Raises:
        StudyError: a column is missing.
    """
    label = "name" if "name" in effects else "arm"
    need(effects, (label, value, "low", "high"), "intervals")
    rows = _rows(effects, label, value, scale, colours)

    # Inches are the unit of the vertical axis, the first row at its top.
    places, headings, height = stacked([row.heading for row in rows])
    ax = axis(ax, height=height + FRAME + (0.3 if title else 0.0), width=WIDTH)
    limits = scale_limits(rows) if value == "difference" else None
    words = [f"grey: within ±{scale * margin:g}"] if margin else []
    words += ["arrows: beyond the scale"] if limits else []
    _draw_frame(ax, height, xlabel, title, f"   ({'; '.join(words)})" if words else "")
    for place, row in zip(places, rows, strict=True):
        if value == "difference":
            _draw_zero(ax, place, scale * margin)
        _draw_row(ax, place, row, limits)
    if limits:
        ax.set_xlim(limits)
    for place, heading in headings:
        write(ax, 0.0, place, heading, weight="bold", size=HEADING_POINTS)
    return ax


def show_intervals(
    effects: pd.DataFrame,
    what: str,
    caption: str = "",
    *,
    value: str = "difference",
    margin: float = 0.0,
) -> None:
    """Display a forest plot with a text that says every number.

    Args:
        effects, value, margin: as in `intervals`.
        what: the numbers are, with their unit: the label of the axis, and the text's beginning.
        caption: a sentence under the figure; empty: what the numbers are.
    """
    lines = "the intervals that decide" if "verdict" in effects else "95% intervals"
    caption = f"{caption or what}; lines: {lines}"
    ax = intervals(effects, value=value, margin=margin, xlabel=what)
    show(ax, alt=f"{what}: {rows_text(effects, value=value)}", caption=caption)


def rows_text(effects: pd.DataFrame, *, value: str = "difference", scale: float = 100.0) -> str:
    """Describe a forest plot for those who cannot see it: every row with its number.

    Args:
        effects, value, scale: as in `intervals`.
    """
    label = "name" if "name" in effects else "arm"
    parts, heading = [], ""
    for row in _rows(effects, label, value, scale, None):
        # A heading is read once, before its first row.
        if row.heading and row.heading != heading:
            heading = row.heading
            parts.append(f"{heading}:")
        # Adding 0 takes the sign off a -0.0.
        low, high = round(row.low, 1) + 0, round(row.high, 1) + 0
        parts.append(f"{row.name} {row.note} ({low:.1f} to {high:.1f});")
    return " ".join(parts).replace("-", "\u2212").rstrip(";") + "."


def scale_limits(rows: list[Row]) -> tuple[float, float] | None:
    """Find the ends of a scale that leaves out a few differences that are many times as far as the
    others; None where there are none.
    """
    if len(rows) < LEAST_ROWS:
        return None

    # At most a third of the rows is far off.
    most = FAR * float(np.median([abs(row.value) for row in rows]))
    near = [row for row in rows if abs(row.value) <= most]
    if len(near) == len(rows) or 3 * len(near) < 2 * len(rows):
        return None

    # All other intervals, and 0.
    low, high = min(0.0, *(row.low for row in near)), max(0.0, *(row.high for row in near))
    room = ROOM * (high - low)
    return low - room, high + room


def stacked(headings: list[str]) -> tuple[list[float], list[tuple[float, str]], float]:
    """Stack rows under their headings.

    Args:
        headings: of each row, those of one heading together; "" for none.

    Returns:
        Middle of each row, middle and words of each heading, and the height of all, inches.
    """
    places, written, at = [], [], 0.0
    for number, words in enumerate(headings):
        is_new = number == 0 or words != headings[number - 1]
        if is_new and words:
            # A heading that is too long for one line takes several.
            heading = wrapped(words, HEADING_ROOM, HEADING_POINTS)
            height = HEADING + FURTHER_LINE * heading.count("\n")
            written.append((at + height / 2, heading))
            at += height
        places.append(at + ROW / 2)
        at += ROW
    return places, written, at


def _rows(
    effects: pd.DataFrame, label: str, value: str, scale: float, colours: dict[str, str] | None
) -> list[Row]:
    """Name, colour and sort the rows; those of one heading stand together, in order of theirs."""
    records = effects.to_dict("records")
    hues = row_colours(effects, label)
    if colours is not None:
        # The caller's colours come first.
        hues = [colours[record[label]] for record in records]
    names = _names(records, label)

    rows = []
    for record, hue, (heading, name) in zip(records, hues, names, strict=True):
        low, high = deciding_interval(record)
        verdict = record.get("verdict", "")
        numbers = [scale * number for number in (record[value], low, high)]
        note = record.get("note") or _note(numbers[0], verdict, value == "difference")
        mark = VERDICT_MARKS.get(verdict, "o")
        rows.append(Row(heading, name, *numbers, hue, mark, note))

    # Stable: rows of a heading keep their order.
    order = list(dict.fromkeys(row.heading for row in rows))
    return sorted(rows, key=lambda row: order.index(row.heading))


def _names(records: list[dict], label: str) -> list[tuple[str, str]]:
    """Give the heading of each row and its name."""
    names = [(str(record.get("group", "")), in_words(str(record[label]))) for record in records]
    arms = {place: arm_of(record) for place, record in enumerate(records) if has_arm(record)}
    if label == "name" or not arms:
        return names

    # What it is compared with is said where rows differ in it.
    kinds = [record.get("reference_kind", "") for record in records]
    several = pd.Series(kinds).nunique() > 1
    for place, (heading, name) in zip(arms, listed(arms.values()), strict=True):
        against = f", against {reference_text(kinds[place])}" if several else ""
        names[place] = ((names[place][0] or heading) + against, name)
    return names


def _note(value: float, verdict: str, has_sign: bool) -> str:
    """Write a row's number, of a difference with its sign, and its verdict."""
    number = signed(value) if has_sign else f"{value:.1f}"
    return f"{number}  {verdict}".strip()


def _draw_frame(ax: Axes, height: float, xlabel: str, title: str, band: str) -> None:
    """Set up the axis: a scale below, no names at the left."""
    ax.set_ylim(height, 0)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.locator_params(axis="x", nbins=6)
    ax.margins(x=ROOM)
    ax.set_xlabel(xlabel + band, loc="right")
    ax.set_title(title)


def _draw_zero(ax: Axes, place: float, margin: float) -> None:
    """Draw the line at no difference, and the band of those that do not matter, beside a row."""
    top, bottom = (place + LINE_DOWN * ROW + side * HALF_LANE * ROW for side in (-1, 1))
    ax.fill_between([-margin, margin], top, bottom, color=GRID, lw=0, zorder=0.5)
    ax.plot([0, 0], [top, bottom], color=INK, lw=1, zorder=0.6)


def _draw_row(ax: Axes, place: float, row: Row, limits: tuple[float, float] | None) -> None:
    """Draw one row: its name and note, and below them its interval with a mark at the value, or an
    arrow at the end of the scale that it is beyond.
    """
    line, value, shape = place + LINE_DOWN * ROW, row.value, row.mark
    is_near = limits is None or limits[0] <= value <= limits[1]
    if is_near:
        ax.plot([row.low, row.high], [line, line], color=row.hue, lw=2, solid_capstyle="butt")
    else:
        value, shape = (limits[0], "<") if value < limits[0] else (limits[1], ">")
    mark = {"color": row.hue, "ms": 7, "mec": "white", "mew": 0.8, "clip_on": False}
    ax.plot(value, line, shape, **mark)

    # The name at the left edge, the verdict at the right one; a long name in smaller type.
    name = place - NAME_UP * ROW
    room = NAMES_ROOM - text_points(row.note, NAME_POINTS)
    fitting = NAME_POINTS * room / max(text_points(row.name, NAME_POINTS), room)
    write(ax, 0.0, name, row.name, size=max(fitting, LEAST_POINTS))
    write(ax, 1.0, name, row.note, ha="right", color=MUTED)


def write(ax: Axes, x: float, y: float, words: str, size: float = NAME_POINTS, **style) -> None:
    """Write at a share of the axis' width, readable on whatever line runs below."""
    ax.text(
        x,
        y,
        words,
        transform=ax.get_yaxis_transform(),
        va="center",
        fontsize=size,
        bbox=GROUND,
        **style,
    ).set_in_layout(False)
