"""What a table of estimated differences decides: verdicts, family by family, and what is
missing.
"""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from lib.metrics.planner import sample_size_text
from lib.metrics.statistics import UNDECIDED, Effect, decide

# What follows from the numbers: how often a comparison is analysed, the p-values of no difference
# and of a difference beyond the margin (adjusted), the interval that decides, and what would show
# the margin ("" where the verdict is decided).
DECISIONS = {
    "p_holm": "p",
    "p_equivalence": "p_equivalence",
    "low_decided": "low",
    "high_decided": "high",
    "verdict": "verdict",
}  # columns, and the fields of a Decision
DECISION_COLUMNS = ("analyses", *DECISIONS, "sample_size")


def times_analysed(pair: Iterable[int], n_seeds: int, planned: int) -> int:
    """How often a comparison is analysed: twice where both arms may have further seeds, or where it
    has more than were planned.

    Args:
        pair: how often the comparisons of either arm are.
        n_seeds: of the comparison.
        planned: seeds of the first analysis, 0 where that is not known.
    """
    return max(min(pair), 1 + (n_seeds > planned > 0))


def with_decisions(
    table: pd.DataFrame,
    estimates: list[Effect],
    margin: float | Sequence[float],
    family: str | list[str],
) -> pd.DataFrame:
    """Add the columns of DECISIONS to a table of estimated differences, family by family.

    Args:
        table: with the column analyses, rows numbered from 0.
        estimates: the effect of each row.
        margin: smallest effect of interest, one for all rows or one for each.
        family: column, or columns, whose equal values are one family.
    """
    margins, decisions = np.broadcast_to(margin, len(estimates)), {}
    for rows in table.groupby(family, sort=False).groups.values():
        effects, analyses = [estimates[row] for row in rows], table.loc[rows, "analyses"].tolist()
        of_family = decide(effects, margins[list(rows)], analyses=analyses)
        decisions |= dict(zip(rows, of_family))

    # In the order of the rows.
    in_order = [decisions[row] for row in range(len(table))]
    columns = {name: [getattr(one, field) for one in in_order] for name, field in DECISIONS.items()}
    return table.assign(**columns)


def decided(
    table: pd.DataFrame,
    estimates: list[Effect],
    margin: float | Sequence[float],
) -> pd.DataFrame:
    """Decide estimated differences, those of one question as one family.

    Args:
        table: of `contrasts.estimated`, of one study or of several one after the other, rows
            numbered from 0.
        estimates: the effect of each row.
        margin: smallest effect of interest, one for all rows or one for each.

    Returns:
        The table with DECISION_COLUMNS.
    """
    table = with_decisions(table, estimates, margin, "family")

    # An undecided comparison says what would decide it.
    margins, texts = np.broadcast_to(margin, len(estimates)), []
    for effect, verdict, own in zip(estimates, table["verdict"], margins, strict=True):
        text = ""
        if verdict == UNDECIDED:
            text = sample_size_text(effect, float(own))
        texts.append(text)
    return table.assign(sample_size=texts)
