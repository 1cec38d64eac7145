"""What each arm changes, class by class, and what a measure of the pools foretells."""

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from lib.faces.arms import arm_of, real_alone
from lib.metrics.wording import deciding_interval, points, signed
from lib.plots.colours import colour
from lib.plots.forest import stacked, write
from lib.plots.style import INK, WIDTH, axis, legend_above, need, panel_grid, shared_legend, styled
from lib.report.names import listed, pool_text
from lib.study.generations import family_of

# Inches: height of a coloured cell, and of a row its name above the middle, its cells below.
CELL, NAME_UP, CELLS_DOWN = 0.2, 0.13, 0.08
HEAD = 0.3  # inches for the classes' names above
MOST_NAMED = 8  # pools that a legend names one by one
TITLE_CHARACTERS = 32  # of a line of a panel's title
DARK = 0.55  # share of the largest change from which a number is white


@styled
def class_changes(recalls: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw how much each arm changes the recall of each class against the real images alone.

    Args:
        recalls: ARM_FIELDS, class, value (0 to 1); several rows of one arm and class are seeds.
            Base is one of the arms, and is what the others are compared with; arms that hold a
            number of real images, with these alone.
        ax: drawn into; None makes one.
    """
    table = change_table(recalls)
    classes = [name for name in table if name not in ("heading", "name")]
    places, headings, height = stacked(list(table["heading"]))

    # A scale of red (less) over white to blue (more), the same on both sides.
    values = table[classes].to_numpy(float)
    reach = max(float(np.nanmax(np.abs(values), initial=0.0)), 1.0)
    ax = axis(ax, height=height + HEAD + 0.15, width=WIDTH)
    ax.set(xlim=(0, len(classes)), ylim=(height, -HEAD))
    ax.set_axis_off()
    for column, name in enumerate(classes):
        ax.text(column + 0.5, -HEAD / 2, name, ha="center", va="center", fontsize=9)

    # One line of cells an arm, its name above.
    for place, row, of_row in zip(places, table.to_dict("records"), values, strict=True):
        write(ax, 0.0, place - NAME_UP, row["name"])
        for column, value in enumerate(of_row):
            _draw_cell(ax, column, place + CELLS_DOWN, value, reach)
    for place, heading in headings:
        write(ax, 0.0, place, heading, weight="bold", size=10)
    return ax


def change_table(recalls: pd.DataFrame) -> pd.DataFrame:
    """Average each arm's change of recall against its real images alone over seeds.

    Args:
        recalls: as in `class_changes`.

    Returns:
        Columns heading, name, and one for each class: points.
    """
    need(recalls, ("kind", "class", "value"), "class_changes")

    # Means over seeds.
    means = {}
    for _, of_arm in recalls.groupby("arm", sort=False):
        means[arm_of(of_arm.iloc[0])] = of_arm.groupby("class")["value"].mean()

    # Each arm minus its own real images alone.
    shown = [arm for arm in means if real_alone(arm) in means and arm != real_alone(arm)]
    rows = []
    for arm, (heading, name) in zip(shown, listed(shown), strict=True):
        change = 100 * (means[arm] - means[real_alone(arm)])
        rows.append({"heading": heading, "name": name} | dict(change))
    classes = sorted(recalls["class"].unique())
    table = pd.DataFrame(rows, columns=["heading", "name", *classes])

    # Fewest real images first; arms of one heading together, headings in order of appearance.
    sizes = [arm.real or np.inf for arm in shown]
    table = table.iloc[np.argsort(sizes, kind="stable")]
    order = list(dict.fromkeys(table["heading"]))
    return table.sort_values("heading", key=lambda column: column.map(order.index), kind="stable")


def changes_text(recalls: pd.DataFrame) -> str:
    """Describe the largest gain and the largest loss of recall, for those who cannot see them."""
    table = change_table(recalls)
    long = table.melt(["heading", "name"], var_name="class", value_name="points").dropna()
    if not len(long):
        return "No arm beside all real images was trained."

    # The two extremes say most in a sentence.
    parts = []
    for what, row in (
        ("largest gain", long.loc[long["points"].idxmax()]),
        ("largest loss", long.loc[long["points"].idxmin()]),
    ):
        change = signed(row["points"])
        parts.append(f"{what} {change} points for {row['class']} with {row['name']}")
    return f"Change of recall by class: {'; '.join(parts)}."


@styled
def gain_against(table: pd.DataFrame, even: Sequence[dict], *, xlabel: str) -> Figure:
    """Draw every pool's gain in training against one measure of the pool, a panel a setting; where
    the gain breaks even stands a line, its interval a band.

    Args:
        table: of `break_even.measured_gains`, one row a pool and setting.
        even: of `break_even.of_measure`, about this measure.
        xlabel: of the measure.
    """
    need(table, ("pool", "setting", "measure", "gain", "low", "high"), "gain_against")
    settings = list(dict.fromkeys(table["setting"]))
    figure, axes = panel_grid(len(settings), 2, height=5.0)
    crossings = {row["setting"]: (row["break_even"], row["low"], row["high"]) for row in even}

    # Many pools are known by their family, which has one colour.
    names = table["pool"].map(family_of if table["pool"].nunique() > MOST_NAMED else str)
    legend = {pool_text(name): colour(name) for name in dict.fromkeys(names)}
    for ax, setting in zip(axes, settings, strict=True):
        ax.axhline(0, color=INK, lw=1)
        own = table[table["setting"] == setting]
        for row in own.to_dict("records"):
            # The pool is the unit: one mark, with the interval of its gain.
            hue, x = colour(row["pool"]), row["measure"]
            ax.plot([x, x], [100 * row["low"], 100 * row["high"]], color=hue, lw=1.5)
            ax.plot(x, 100 * row["gain"], "o", color=hue, ms=6)
        if setting in crossings:
            _mark_crossing(ax, *crossings[setting])
        ax.set(xlabel=xlabel, ylabel="gain in accuracy, points")
        ax.grid(axis="y")
        if len(settings) > 1:
            ax.set_title("\n".join(textwrap.wrap(setting, TITLE_CHARACTERS)))
    figure.set_figheight(figure.get_figheight() + shared_legend(figure, legend))
    return figure


def gain_text(table: pd.DataFrame) -> str:
    """Describe gains against a measure for those who cannot see them: every pool with both.

    Args:
        table: as in `gain_against`.
    """
    parts = []
    for setting, own in table.groupby("setting", sort=False):
        pairs = [
            f"{pool_text(row['pool'])} {row['measure']:.2f}: {points(row['gain'])}"
            for row in own.to_dict("records")
        ]
        parts.append(f"{setting}: {'; '.join(pairs)}")
    return f"Measure and gain in points of each pool. {'. '.join(parts)}."


def _mark_crossing(ax: Axes, at: float, low: float, high: float) -> None:
    """Mark where gains break even; an end that is not known is that of what was measured."""
    left, right = ax.get_xlim()
    if np.isfinite([at, low, high]).any():
        ends = (low if np.isfinite(low) else left, high if np.isfinite(high) else right)
        ax.axvspan(*ends, color=INK, alpha=0.08, lw=0, zorder=0)
    if np.isfinite(at):
        ax.axvline(at, color=INK, lw=1, ls=(0, (4, 3)), zorder=1)
    ax.set_xlim(left, right)


@styled
def dose_response(effects: pd.DataFrame, ax: Axes | None = None) -> Axes:
    """Draw the gain of each pool against the amount that was added, one line a pool.

    Args:
        effects: of `contrasts.effects`, of supplements against base at several shares.
        ax: drawn into; None makes one.
    """
    need(effects, ("pool", "share", "difference", "low", "high"), "dose_response")
    ax = axis(ax, height=3.4)
    ax.axhline(0, color=INK, lw=1)
    for pool, line in effects.sort_values("share").groupby("pool", sort=False):
        low, high = zip(*(deciding_interval(row) for row in line.to_dict("records")), strict=True)

        # The line is the gain, the band its interval.
        dose, hue = 100 * line["share"], colour(str(pool))
        ax.plot(dose, 100 * line["difference"], "o-", color=hue, label=pool_text(str(pool)))
        ax.fill_between(
            dose, 100 * np.array(low), 100 * np.array(high), color=hue, alpha=0.15, lw=0
        )
    ax.set(xlabel="synthetic share of the training images, %", ylabel="gain in accuracy, points")
    ax.grid(axis="y")
    legend_above(ax)
    return ax


def _draw_cell(ax: Axes, column: int, middle: float, value: float, reach: float) -> None:
    """Draw one cell: its colour is the change, its number too."""
    if np.isnan(value):
        return

    # No change lies in the middle of the scale.
    hue = colormaps["RdBu"](0.5 + 0.5 * value / reach)
    ax.add_patch(Rectangle((column + 0.01, middle - CELL / 2), 0.98, CELL, color=hue, lw=0))

    # White on the dark ends, so that the number stays readable.
    number = signed(value)
    ink = "white" if abs(value) > DARK * reach else INK
    ax.text(column + 0.5, middle, number, ha="center", va="center", fontsize=8.5, color=ink)
