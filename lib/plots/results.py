"""Charts of results: differences with intervals, confusion, calibration. Data and `ax=None` in, the axis out."""

import numpy as np
import pandas as pd
import seaborn

from lib.plots.style import GRID, INK, MUTED, axis, colour, legend_above, need, styled

VERDICT_MARKS = {"helps": "^", "hurts": "v", "equivalent": "s", "undecided": "o"}


@styled
def intervals(effects: pd.DataFrame, ax=None, *, value: str = "difference", margin: float = 0.0, xlabel: str = "", title: str = ""):
    """Draw differences with their intervals as a forest plot, a zero line, and the band of differences that do not matter.

    Args:
        effects: one row a comparison: arm (or name), low, high and the column `value`; optional reference (named where rows differ in it)
            and verdict (helps, hurts, equivalent, undecided: written at the end of the row, and the shape of the mark); optional note,
            written there instead.
        value: "difference", or another column to draw without zero line (each arm's own accuracy, say).
        margin: half width of the equivalence band, in the unit of the values, 0 for none.

    Raises:
        StudyError: a column is missing.
    """
    effects = effects.rename(columns={"name": "arm"})
    need(effects, ("arm", value, "low", "high"), "intervals")
    ax = axis(ax, height=0.9 + 0.3 * len(effects))
    if value == "difference":
        ax.axvspan(-margin, margin, color=GRID, lw=0, zorder=0)
        ax.axvline(0, color=INK, lw=1)
    for place, row in enumerate(effects.to_dict("records")):
        hue, verdict = colour(str(row["arm"])), row.get("verdict", "")
        ax.plot([row["low"], row["high"]], [place, place], color=hue, lw=2, solid_capstyle="butt")
        ax.plot(row[value], place, VERDICT_MARKS.get(verdict, "o"), color=hue, ms=7, mec="white", mew=0.8, clip_on=False)
        ax.text(1.02, place, row.get("note", verdict), transform=ax.get_yaxis_transform(), va="center", fontsize=9, color=MUTED)
    ax.set_yticks(range(len(effects)), _comparisons(effects))
    ax.set_ylim(len(effects) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.grid(axis="x")
    ax.locator_params(axis="x", nbins=5)
    ax.set_xlabel((xlabel or value) + (f"   (grey: within ±{margin:g})" if margin else ""), loc="right")
    ax.set_title(title)
    return ax


@styled
def confusion_matrix(matrix: np.ndarray, names: list[str], ax=None, *, title: str = "", share: bool = True):
    """Draw a confusion matrix: true classes down, predicted classes across.

    Args:
        matrix: int (C, C), counts; may be a mean over seeds.
        share: colour and numbers are shares of each true class, in percent; else the counts.
    """
    ax = axis(ax, height=4.6, width=5.2)
    matrix = np.asarray(matrix, float)
    shown = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1e-12) if share else matrix
    seaborn.heatmap(shown, annot=True, fmt=".0f", cmap="Blues", vmin=0, cbar=False, square=True, linewidths=1, linecolor="white", ax=ax)
    ax.set_xticklabels(names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticklabels(names, rotation=0)
    ax.tick_params(length=0)
    ax.set(xlabel="predicted" + (", % of the true class" if share else ""), ylabel="true", title=title)
    return ax


@styled
def confusion_change(base: np.ndarray, arm: np.ndarray, names: list[str], ax=None, *, title: str = ""):
    """Draw what an arm takes for what more (red) or less (blue) often than base, in points of each true class.

    Args:
        base, arm: float (C, C), counts; may be means over seeds.
    """
    ax = axis(ax, height=4.6, width=5.2)
    shares = [100 * np.asarray(m, float) / np.maximum(np.sum(m, axis=1, keepdims=True), 1e-12) for m in (base, arm)]
    change = shares[1] - shares[0]
    reach = max(np.abs(change).max(), 1)
    seaborn.heatmap(change, annot=True, fmt="+.0f", cmap="RdBu_r", vmin=-reach, vmax=reach, cbar=False, square=True, linewidths=1, ax=ax)
    ax.set_xticklabels(names, rotation=40, ha="right", rotation_mode="anchor")
    ax.set_yticklabels(names, rotation=0)
    ax.tick_params(length=0)
    ax.set(xlabel="predicted, change in points of the true class", ylabel="true", title=title)
    return ax


@styled
def reliability_diagram(bins: pd.DataFrame, ax=None, *, name: str = "base", title: str = "accuracy against confidence"):
    """Draw how often a classifier is right at each level of confidence; the diagonal is perfect calibration.

    Args:
        bins: one row a bin: confidence (mean, 0-1), accuracy (0-1), n (images); empty bins are left out. Optional column arm: one line
            each.
        name: of the line where there is no column arm.
    """
    need(bins, ("confidence", "accuracy", "n"), "reliability_diagram")
    ax = axis(ax, height=3.8, width=4.2)
    ax.plot([0, 1], [0, 1], color=MUTED, lw=1, ls=(0, (4, 3)))
    filled = bins[bins["n"] > 0]
    for label, line in filled.groupby("arm", sort=False) if "arm" in filled else [(name, filled)]:
        ax.plot(line["confidence"], line["accuracy"], color=colour(str(label)), label=label)
        ax.scatter(line["confidence"], line["accuracy"], s=8 + 90 * line["n"] / line["n"].sum(), color=colour(str(label)))
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="share that is right", title=title, aspect="equal")
    ax.grid()
    legend_above(ax)
    return ax


def _comparisons(effects: pd.DataFrame) -> list[str]:
    """Name each row: the arm, and what it is held against where that differs from row to row."""
    if "reference" not in effects or effects["reference"].nunique() < 2:
        return [str(arm) for arm in effects["arm"]]
    return [f"{arm}\n– {reference}" for arm, reference in zip(effects["arm"], effects["reference"])]
