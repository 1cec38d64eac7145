"""Charts of the classifier in use."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from lib.plots.colours import line_colours, line_names
from lib.plots.style import need, panels, shared_legend, styled

COLUMNS = ("model", "disturbance", "amount", "accuracy", "low", "high")
COLUMNS += ("ece_15", "ece_low", "ece_high")
# What an amount of each disturbance is measured in (lib.application.behaviour.DISTURBANCES).
UNITS = {
    "blur": "deviation, pixels",
    "darkness": "light missing",
    "rotation": "degrees",
    "occlusion": "side covered",
    "low_resolution": "times smaller",
}
SHARES = ("darkness", "occlusion")  # amounts from 0 to 1


@styled
def sweeps(swept: pd.DataFrame) -> Figure:
    """Draw how models fare as images get worse, one column a disturbance.

    Accuracy stands above, calibration error below, both with intervals.

    Args:
        swept: one row a model, disturbance and amount: accuracy, low, high, ece_15, ece_low,
            ece_high; ARM_FIELDS where the models are those of arms.
    """
    need(swept, COLUMNS, "sweeps")

    # Two rows of panels, one column a disturbance.
    kinds = list(dict.fromkeys(swept["disturbance"]))
    hues = line_colours(swept, "model")
    figure, axes = panels(2, len(kinds), height=2.0, width=8.0)
    axes = np.reshape(axes, (2, -1))

    for (above, below), kind in zip(axes.T, kinds, strict=True):
        # One line a model in both panels.
        for name, line in swept[swept["disturbance"] == kind].groupby("model", sort=False):
            hue = hues[str(name)]
            _line_with_band(above, line, "accuracy", "low", "high", hue)
            _line_with_band(below, line, "ece_15", "ece_low", "ece_high", hue)
        above.set(ylim=(0, 1), title=kind.replace("_", " "))
        below.set(ylim=(0, max(0.1, 1.05 * swept["ece_high"].max())))
        below.set_xlabel(UNITS.get(kind, "amount"), fontsize=9)

        # Amounts from 0 to 1 are shares.
        for ax in (above, below):
            if kind in SHARES:
                ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))

    # All columns share the scales of the first.
    for ax in axes.ravel():
        ax.grid(axis="y")
        ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for ax in axes[:, 1:].ravel():
        ax.set_yticklabels([])
    axes[0, 0].set_ylabel("accuracy")
    axes[1, 0].set_ylabel("calibration error")

    # One legend for all panels.
    if len(hues) > 1:
        words = line_names(swept, "model")
        height = shared_legend(figure, {words[name]: hue for name, hue in hues.items()})
        figure.set_figheight(figure.get_figheight() + height)
    return figure


def sweeps_text(swept: pd.DataFrame) -> str:
    """Describe sweeps for those who cannot see them: each model's accuracy at the strongest.

    Args:
        swept: as in `sweeps`.
    """
    words, parts = line_names(swept, "model"), []
    for kind, rows in swept.groupby("disturbance", sort=False):
        last = rows[rows["amount"] == rows["amount"].max()]
        ends = [f"{words[row.model]} {row.accuracy:.0%}" for row in last.itertuples()]
        parts.append(f"{kind.replace('_', ' ')}: {', '.join(ends)}")
    return f"Accuracy at the strongest of each disturbance. {'; '.join(parts)}."


def _line_with_band(
    ax: Axes, line: pd.DataFrame, value: str, low: str, high: str, hue: str
) -> None:
    """Draw one line over the amount, with the band of its interval."""
    # The line, then its band.
    ax.plot(line["amount"], line[value], color=hue)
    ax.fill_between(line["amount"], line[low], line[high], color=hue, alpha=0.15, lw=0)
