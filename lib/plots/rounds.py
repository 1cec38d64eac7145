"""Round against round: what a generator's second pool changed, class by class."""

import pandas as pd

from lib.plots.style import MUTED, colour, need, panels, styled


@styled
def round_against_round(both: pd.DataFrame, measures: tuple[str, ...] = ("consistency", "coverage"), *, title: str = ""):
    """Draw each class as a line from the first round (open mark) to the second (filled mark), one panel a measure.

    Args:
        both: one row a class: class, and for each measure the columns "<measure> 1" and "<measure> 2", shares 0 to 1.
        measures: to draw.
        title: of the figure.

    Returns:
        The figure.

    Raises:
        StudyError: a column is missing.
    """
    need(both, ("class", *(f"{name} {part}" for name in measures for part in (1, 2))), "round_against_round")
    figure, axes = panels(1, len(measures), height=2.6)
    for ax, name in zip(axes, measures, strict=True):
        for place, row in enumerate(both.to_dict("records")):
            first, second, hue = row[f"{name} 1"], row[f"{name} 2"], colour(row["class"])
            ax.plot([first, second], [place, place], color=hue, lw=2, clip_on=False)
            ax.plot(first, place, "o", color=hue, mfc="white", clip_on=False)
            ax.plot(second, place, "o", color=hue, clip_on=False)
        ax.set_yticks(range(len(both)), both["class"] if ax is axes[0] else [""] * len(both))
        ax.set(xlim=(0, 1), ylim=(len(both) - 0.5, -0.5), xlabel=name)
        ax.tick_params(axis="y", length=0)
        ax.grid(axis="x")
    figure.suptitle(f"{title}\nopen: first round, filled: second".strip(), x=0.01, ha="left", fontsize=9.5, color=MUTED)
    return figure
