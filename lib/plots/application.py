"""Charts of the classifier in use."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from lib.plots.style import colour, need, panels, styled


@styled
def sweeps(swept: pd.DataFrame) -> Figure:
    """Draw how models fare as images get worse: accuracy above, calibration error below, with intervals, one column a disturbance.

    Args:
        swept: one row a model, disturbance and amount: accuracy, low, high, ece_15, ece_low, ece_high.
    """
    need(swept, ("model", "disturbance", "amount", "accuracy", "low", "high", "ece_15", "ece_low", "ece_high"), "sweeps")
    kinds = list(dict.fromkeys(swept["disturbance"]))
    figure, axes = panels(2, len(kinds), height=2.0, width=8.0)
    for column, kind in enumerate(kinds):
        above, below = np.reshape(axes, (2, -1))[:, column]
        for name, line in swept[swept["disturbance"] == kind].groupby("model", sort=False):
            above.plot(line["amount"], line["accuracy"], color=colour(name), label=name)
            above.fill_between(line["amount"], line["low"], line["high"], color=colour(name), alpha=0.15, lw=0)
            below.plot(line["amount"], line["ece_15"], color=colour(name))
            below.fill_between(line["amount"], line["ece_low"], line["ece_high"], color=colour(name), alpha=0.15, lw=0)
        above.set(ylim=(0, 1), title=kind.replace("_", " "))
        below.set(ylim=(0, max(0.1, 1.05 * swept["ece_high"].max())), xlabel="amount")
        for ax in (above, below):
            ax.grid(axis="y")
            if column:
                ax.set_yticklabels([])
    left = np.reshape(axes, (2, -1))[:, 0]
    left[0].set_ylabel("accuracy")
    left[1].set_ylabel("calibration error")
    handles, labels = left[0].get_legend_handles_labels()
    if len(labels) > 1:
        figure.legend(handles, labels, loc="outside upper left", ncols=2, frameon=False)
    return figure
