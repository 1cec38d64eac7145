"""Charts of gains at numbers of real images, and of accuracy against the length of training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedFormatter, FixedLocator, FuncFormatter, NullLocator

from lib.faces.arms import REAL_KINDS, VARIANT_KINDS, arm_of
from lib.metrics.amount_headline import HEADLINE, headline_bytes
from lib.metrics.amount_sentences import headline_gains, leading_pool
from lib.metrics.amounts import ALONE, BEST
from lib.metrics.recovered import BOUNDED
from lib.metrics.wording import deciding_interval
from lib.plots.colours import arm_colour
from lib.plots.style import GRID, INK, panel_grid, shared_legend, styled
from lib.plots.vector import write_svg
from lib.report.names import USES, pool_text, use_text
from lib.study.generations import generation_name
from lib.study.names import use_of
from lib.study.records import atomic_write

# Inches: as wide as a page's column, so that no type is shrunk.
FIGURE_WIDTH, PANEL_HEIGHT = 8.2, 3.2
LENGTH_HEIGHT, MOST_COLUMNS = 3.6, 3  # panels of the lengths: height in inches, in a row
LEAST_APART = 1.9  # factor between numbers of steps that an axis names
MOST_STEPS = 5  # numbers of steps that an axis names
PANELS = ((0, 0), (0, 1), (1, slice(None)))  # of the first figure: gain, worth, bounds
APART = 1.035  # factor between marks at one number of images, in a panel of half the width
MARGIN = 1.3  # factor beyond the outermost numbers of images at which the axis ends
WORST, BEST_FRACTION = -1.5, 1.5  # recovered fractions that are shown; intervals may run beyond
TICK_POINTS = 8
# What a pool's generator knew, in few words.
KNOWLEDGE = {
    "external": "knew none of these images",
    "same images": "learnt from the same images",
    "all images": "learnt from all images: a bound",
    "other images": "learnt from other real images",
}
# Marks of other uses than mixing in; filters of one pool differ in their strength.
USE_MARKS = {"staged": "^", "reversed": "v", "weighted": "s", "auxiliary_norm": "D"}
USE_MARKS |= {"soft_labels": "X"}
STRENGTH_MARKS = ("P", "p", "*", "h")
# Marks of the ways to train on real images alone, which share a colour too.
WAY_MARKS = {"mixup": "^", "cutout": "s", "geometry": "D", "class_balance": "v"}
# Marks of controls in the first figure: two of them have hues close to a pool's.
CONTROL_MARKS = {"duplicate": "D", "extra": "s", "shuffled": "v"}
# Kinds of controls in words.
REAL_LINES = {
    "subset": "real images alone",
    "base": "real images alone",
    "duplicate": "class-matched copies of the real images",
    "extra": "held-back real images (the ceiling)",
    "fewer_steps": "real images alone, fewer steps",
}


@styled
def gains_figure(gains: pd.DataFrame, recovered: pd.DataFrame) -> Figure:
    """Draw what added images bring, and what one is worth, against the number of real images.

    Left: gains of the pools, and of copies with the class counts of the leading one. Right: the
    recovered fraction, 0 for worthless and 1 for as good as a real image. Below: the gains between
    their bounds, the ceiling of held-back real images and the pools with shuffled labels. Bands of
    gains are the intervals that decide. Without a ceiling and without shuffled labels there is the
    one panel of gains.

    Args:
        gains: of `gains.gain_table`; one amount of every pool is drawn.
        recovered: of `recovered.recovered_table`.
    """
    # The pool that the answer is about comes first.
    shown = headline_gains(gains)
    shown = shown[(shown["against"] == ALONE) & (shown["reading"] == BEST)]
    lead = leading_pool(shown)
    shown = shown.sort_values("pool", key=lambda pools: pools != lead, kind="stable")

    # Copies for other pools differ from its own in their class counts alone.
    shown = shown[(shown["kind"] != "duplicate") | shown["pool"].isin([lead, ""])]
    shown = shown.assign(line=_line_names(shown))
    keys = ["arm", "classifier", "reading", "scoring", "metric"]
    fractions = recovered.merge(shown[[*keys, "line"]], on=keys)

    # The gains have a panel of their own: their bounds are many times as far.
    is_bound, colours = shown["kind"].isin(["extra", "shuffled"]), line_hues(shown)
    marks = {row["line"]: CONTROL_MARKS.get(row["kind"], "o") for row in shown.to_dict("records")}
    decided = _with_deciding_intervals(shown)
    if not is_bound.any() and not len(fractions):
        return _gains_alone(decided, colours, marks)
    figure = Figure(figsize=(FIGURE_WIDTH, 2 * PANEL_HEIGHT), layout="constrained")
    grid = figure.add_gridspec(2, 2)
    gain, worth, bounds = (figure.add_subplot(grid[cells]) for cells in PANELS)
    _draw_lines(gain, decided[~is_bound], colours, marks, "difference", scale=100)
    _draw_lines(worth, fractions, colours, marks, "recovered", scale=1)
    _draw_lines(bounds, decided, colours, marks, "difference", scale=100, apart=APART**0.5)
    gain.set(title="gain over the real images alone", ylabel="accuracy, points")
    worth.set(title="worth of one added image", ylabel="real images")
    bounds.set(title="the gain between its bounds", ylabel="accuracy, points")

    # A worth of 1 is that of a real image.
    worth.axhline(1, color=INK, lw=1, ls=(0, (4, 3)), zorder=1)
    low, high = worth.get_ylim()
    worth.set_ylim(max(low, WORST), min(max(high, 1.1), BEST_FRACTION))
    draws = _draws_by_size(shown)
    for ax in (gain, bounds):
        _number_axis(ax, draws)

    # Beside all images nothing is held back to compare with.
    known = {size: count for size, count in draws.items() if size in set(fractions["n_real"])}
    _number_axis(worth, known or draws)
    figure.set_figheight(figure.get_figheight() + shared_legend(figure, colours, marks))
    return figure


def _gains_alone(shown: pd.DataFrame, colours: dict[str, str], marks: dict[str, str]) -> Figure:
    """Draw gains that have neither bounds nor a worth."""
    figure = Figure(figsize=(FIGURE_WIDTH, PANEL_HEIGHT), layout="constrained")
    ax = figure.add_subplot()
    _draw_lines(ax, shown, colours, marks, "difference", scale=100, apart=APART**0.5)
    ax.set(title="gain over the real images alone", ylabel="accuracy, points")

    # As the panels of gains that have bounds.
    _number_axis(ax, _draws_by_size(shown))
    figure.set_figheight(PANEL_HEIGHT + shared_legend(figure, colours, marks))
    return figure


def write_headline(
    folder: Path, headline: dict, gains: pd.DataFrame, recovered: pd.DataFrame
) -> list[Path]:
    """Write what leads the overview and the README: gain.json, and the figure gain.svg for light
    and gain-dark.svg for dark pages.

    Args:
        headline: of `amount_headline.headline_of`.
        gains, recovered: as in `gains_figure`.

    Returns:
        Their paths; none for a study without arms of numbers.
    """
    # Words and figure are of the same tables.
    if not headline:
        return []
    words, figure = Path(folder) / HEADLINE, gains_figure(gains, recovered)
    with atomic_write(words) as file:
        file.write(headline_bytes(headline))
    return [words, *write_svg(figure, words.with_suffix(".svg"))]


@styled
def lengths_figure(curve: pd.DataFrame) -> Figure:
    """Draw accuracy on val against the length of training, one panel a number of real images, one
    line an arm; the chosen length is the large mark.

    Args:
        curve: of `lengths.length_curve`, of one classifier.
    """
    # The fewer-steps control repeats what the arm of the same real images shows, and real images
    # that were trained at one length alone have no curve.
    shown = curve[curve["kind"] != "fewer_steps"]
    shown = shown[shown.groupby("real")["length"].transform("nunique") > 1]
    shown = shown.assign(line=_line_names(shown))
    colours, marks = line_hues(shown), _use_marks(shown)
    sizes = sorted(shown["real"].unique(), key=lambda real: real or np.inf)

    figure, axes = panel_grid(len(sizes), MOST_COLUMNS, height=LENGTH_HEIGHT, width=FIGURE_WIDTH)
    for ax, real in zip(axes, sizes, strict=True):
        _draw_curves(ax, shown[shown["real"] == real], colours, marks)
        ax.set_title(f"{real:,} real images" if real else "all real images")
    for place, ax in enumerate(axes):
        # Panels of one row have one label.
        if place % MOST_COLUMNS:
            ax.set_ylabel("")
    figure.set_figheight(figure.get_figheight() + shared_legend(figure, colours, marks))
    return figure


def curve_parts(curve: pd.DataFrame) -> list[pd.DataFrame]:
    """Divide curves of many arms into those with generated images and those without; both hold the
    plain training on real images alone.

    Args:
        curve: of `lengths.length_curve`, of one classifier.
    """
    # A study of few arms has one figure.
    if not curve["kind"].eq("improved").any():
        return [curve]
    is_real, is_plain = curve["kind"].isin(REAL_KINDS), curve["kind"].isin(["base", "subset"])
    return [curve[~is_real | is_plain], curve[is_real]]


def line_hues(rows: pd.DataFrame) -> dict[str, str]:
    """Choose the colour of every line, in the order of the legend: pools first.

    Args:
        rows: ARM_FIELDS and line.
    """
    # Lines of one name have one colour.
    first = rows.drop_duplicates("line")
    first = first.sort_values("control_of", key=lambda kinds: kinds != "", kind="stable")
    return {row["line"]: arm_colour(arm_of(row)) for row in first.to_dict("records")}


def _line_names(rows: pd.DataFrame) -> list[str]:
    """Name the line that every row belongs to, the same for all numbers of real images."""
    several = rows.loc[rows["kind"] == "supplement", ["pool", "added", "class_shares"]]
    several = several[several["pool"] != ""].drop_duplicates().groupby("pool").size()

    # Several uses of one pool need no name of the pool.
    synthetic = rows[~rows["kind"].isin(REAL_KINDS)]
    of_one = synthetic["pool"].nunique() == 1 and rows["kind"].isin(VARIANT_KINDS).any()
    names = []
    for row in rows.to_dict("records"):
        # Real images are named by what they are for.
        if row["kind"] in REAL_LINES:
            names.append(REAL_LINES[row["kind"]])
            continue
        if row["kind"] == "improved":
            names.append(f"real images alone, {use_text(row)}")
            continue

        used = use_of(row["kind"], row["control_of"])
        if of_one and used in USES:
            names.append(use_text(row))
            continue

        # A pool with several amounts or class shares says which.
        name = pool_text(generation_name(row["pool"], row["generation"]))
        knowledge = row.get("knowledge", "")
        if knowledge in KNOWLEDGE and row["control_of"] == "":
            name += f" ({KNOWLEDGE[knowledge]})"
        if used in VARIANT_KINDS:
            name += f", {use_text(row)}"
        if several.get(row["pool"], 1) > 1:
            name += f", {row['added']:,} in {row['class_shares'] or 'pool'} shares"
        is_mixed = row["control_of"] == "supplement" and row["kind"] == "shuffled"
        names.append(f"{name}, labels shuffled" if is_mixed else name)
    return names


def _with_deciding_intervals(rows: pd.DataFrame) -> pd.DataFrame:
    """Put the intervals that decide into low and high, where there are any."""
    # Low and high of each row.
    ends = [deciding_interval(row) for row in rows.to_dict("records")]
    return rows.assign(low=[low for low, _ in ends], high=[high for _, high in ends])


def _draw_lines(
    ax: Axes,
    rows: pd.DataFrame,
    colours: dict[str, str],
    marks: dict[str, str],
    value: str,
    *,
    scale: float,
    apart: float = APART,
) -> None:
    """Draw one line a name against the number of real images, with the intervals as a band.

    Args:
        rows: n_real, line, the value, low and high, all three times `scale` on the axis.
        marks: by line, as the colours.
        apart: factor between the marks of lines that would stand at one number of images.
    """
    ax.axhline(0, color=INK, lw=1, zorder=1)
    series = ["line", "pool", "added", "class_shares"]
    order = rows.assign(place=rows["line"].map(list(colours).index)).sort_values("place")
    groups = list(order.groupby(["place", *series], sort=True))
    for place, ((_, name, *_), own) in enumerate(groups):
        # Marks at one number of images stand beside each other.
        own = own.sort_values("n_real")
        x = own["n_real"].to_numpy(float) * apart ** (place - (len(groups) - 1) / 2)
        low, high = (scale * own[end].to_numpy(float) for end in ("low", "high"))
        ax.plot(x, scale * own[value], marker=marks[name], ms=4, color=colours[name], zorder=3)

        # An interval without bounds is not drawn.
        finite = _are_finite(own)
        ax.fill_between(x, low, high, where=finite, color=colours[name], alpha=0.12, lw=0)
        ax.vlines(x[finite], low[finite], high[finite], color=colours[name], lw=1.2, zorder=2)


def _are_finite(rows: pd.DataFrame) -> np.ndarray:
    """Tell which rows have an interval, bool (N,)."""
    is_bounded = rows["interval"] == BOUNDED if "interval" in rows else True
    return np.isfinite(rows["low"].to_numpy(float)) & np.asarray(is_bounded)


def _use_marks(rows: pd.DataFrame) -> dict[str, str]:
    """Choose the mark of every line: the uses of one pool share its colour."""
    shares = sorted(rows.loc[rows["kind"] == "label_filtered", "share"].unique(), reverse=True)
    strengths = dict(zip(shares, STRENGTH_MARKS))

    # What tells lines of one colour apart.
    marks = {}
    for row in rows.to_dict("records"):
        mark = USE_MARKS.get(row["kind"]) or WAY_MARKS.get(row["only"], "o")
        if row["kind"] == "label_filtered":
            mark = strengths.get(row["share"], STRENGTH_MARKS[0])
        marks[row["line"]] = mark
    return marks


def _draw_curves(
    ax: Axes, rows: pd.DataFrame, colours: dict[str, str], marks: dict[str, str]
) -> None:
    """Draw accuracy on val against steps, one line an arm."""
    for _, own in rows.groupby("arm", sort=False):
        line, percent = own["line"].iloc[0], 100 * own["accuracy_val"]
        hue, mark = colours[line], marks[line]
        ax.plot(own["steps"], percent, marker=mark, ms=3, color=hue)

        # The chosen length stands out.
        chosen = own["chosen"].to_numpy(bool)
        ax.plot(own["steps"][chosen], percent[chosen], mark, ms=8, color=hue, mec="white")

    # Steps double from length to length.
    ax.set_xscale("log")
    steps = sorted(rows["steps"].unique())
    apart = max(LEAST_APART, (steps[-1] / steps[0]) ** (1 / MOST_STEPS))
    ax.xaxis.set_major_locator(FixedLocator(_spaced(steps, apart)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.tick_params(labelsize=TICK_POINTS)
    ax.grid(axis="y", color=GRID)
    ax.set(xlabel="optimiser steps", ylabel="validation accuracy, %")


def _draws_by_size(rows: pd.DataFrame) -> dict[int, str]:
    """Count the draws beside each number of real images, ascending: "6", or "4 to 6"."""
    # Arms of one number of real images may differ in the draws that finished.
    counts = rows.groupby("n_real")["n_seeds"].agg(["min", "max"])
    return {
        int(size): f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
        for size, low, high in counts.itertuples()
    }


def _number_axis(ax: Axes, draws: dict[int, str]) -> None:
    """Lay out the axis of the number of real images: logarithmic, with the trained ones named, and
    the draws of each below.
    """
    sizes = list(draws)
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(FixedLocator(sizes))
    ax.xaxis.set_major_formatter(FixedFormatter([f"{s:,}\nn = {draws[s]}" for s in sizes]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.tick_params(labelsize=TICK_POINTS)
    ax.grid(axis="y", color=GRID)
    ax.set_xlim(sizes[0] / MARGIN, sizes[-1] * MARGIN)
    ax.set_xlabel("real images (n: draws)")


def _spaced(values: Sequence[int], apart: float) -> list[int]:
    """Leave out values that would stand too close to the one before on a logarithmic axis.

    Args:
        values: ascending.
        apart: least factor between two that stay.
    """
    kept = []
    for value in values:
        if not kept or value >= apart * kept[-1]:
            kept.append(value)
    return kept
