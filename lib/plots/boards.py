"""The leaderboard of the overview: generated images by what they bring beside a number of real
ones, over all published studies, as tables and as a forest plot.
"""

from pathlib import Path

import pandas as pd

from lib.faces.arms import arm_of
from lib.metrics.amount_sentences import BOUND
from lib.metrics.evidence import of_first_classifier
from lib.metrics.wording import deciding_interval, points
from lib.plots.forest import intervals, rows_text
from lib.plots.vector import write_svg
from lib.report.leading import LEADERBOARD
from lib.report.names import READY_MADE, group_text, pool_text
from lib.study.records import write_json

LEAST_POOLS = 5  # that make a ranking
CAPTION = (
    "Change in accuracy against the same real images alone. Lines are the intervals that decide; "
    "marks are shaped by the verdict."
)
MARKED = " * Its generator learnt from all real images, more than these: an upper bound."


def ranked_gains(
    tables: dict[str, pd.DataFrame],
    ready_made: dict[str, str],
    knowledge: dict[str, dict[str, str]],
) -> pd.DataFrame:
    """Rank pools by their gain over the same real images alone, where many were added to as many.

    Args:
        tables: of `contrasts.effects`, on accuracy, by study.
        ready_made: what the ready-made images of each study are called.
        knowledge: what the generator of each pool knew, by study and pool.

    Returns:
        Rows of the tables with study, name (of the pool, marked where it is a bound) and group (how
        many images were added to how many real ones), few real images first, the largest gain of
        each group first.
    """
    parts = []
    for study, effects in tables.items():
        # Plain supplements of a number of images, against what they were added to.
        effects = of_first_classifier(effects)
        own = (effects["kind"] == "supplement") & (effects["added"] > 0) & (effects["real"] > 0)
        own &= (effects["role"] == "base") & (effects["generation"] == 1)
        rows = effects[own].to_dict("records")

        # Named for readers.
        for row in rows:
            is_bound = knowledge.get(study, {}).get(row["pool"]) == BOUND
            name = pool_name(row["pool"], ready_made.get(study, "")) + (" *" if is_bound else "")
            parts.append(row | {"study": study, "group": group_text(arm_of(row)), "name": name})

    # Few pools make no ranking.
    table = pd.DataFrame(parts)
    if not len(table):
        return table
    many = table.groupby("group")["pool"].transform("nunique") >= LEAST_POOLS
    order = {"by": ["real", "added", "difference"], "ascending": [True, True, False]}
    return table[many].sort_values(**order, kind="stable", ignore_index=True)


def write_leaderboard(reports: Path, rows: pd.DataFrame, *, margin: float) -> None:
    """Write leaderboard.json, and the forest plot for light and dark pages, into reports/.

    Args:
        rows: of `ranked_gains`; the plot shows those beside most real images.
        margin: half width of the band of differences that do not matter, 0 to 1.
    """
    # One plot is enough to look at.
    shown = rows[rows["group"] == rows["group"].iloc[-1]].drop(columns="group")
    figure = intervals(shown, margin=margin, xlabel="accuracy, points").get_figure()
    write_svg(figure, reports / f"{LEADERBOARD}.svg")

    # Tables, few real images first.
    boards = []
    for group, part in rows.groupby("group", sort=False):
        boards.append({"title": group, "rows": [board_row(row) for row in part.to_dict("records")]})
    mark = MARKED if rows["name"].str.endswith("*").any() else ""
    caption = f"{rows['group'].iloc[-1]}. {CAPTION}{mark}"
    words = {"alt": f"{caption} {rows_text(shown)}", "caption": caption, "boards": boards}
    write_json(reports / f"{LEADERBOARD}.json", words)


def pool_name(pool: str, ready_made: str) -> str:
    """Name a pool in words; of ready-made images the study says what they are."""
    return ready_made if pool == READY_MADE and ready_made else pool_text(pool)


def board_row(row: dict) -> dict:
    """Write one pool's row: pool, name, study, effect and values (difference, low, high: in words,
    and unrounded), verdict, n_seeds and n_images.
    """
    # The interval that decides stands beside the verdict.
    low, high = deciding_interval(row)
    about = {key: row[key] for key in ("pool", "name", "study", "verdict")}
    counts = {key: int(row[key]) for key in ("n_seeds", "n_images")}
    effect = f"{points(row['difference'])} ({points(low)} to {points(high)})"
    values = "|".join(f"{number:.6g}" for number in (row["difference"], low, high))
    return about | counts | {"effect": effect, "values": values}
