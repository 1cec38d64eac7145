"""What a table of estimated differences decides: verdicts, family by family, and what is
missing.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.metrics.planner import sample_size_text
from lib.metrics.statistics import UNDECIDED, Effect, decide

# What follows from the numbers: how often a comparison is analysed, the p-values of no difference
# and of a difference beyond the margin (adjusted), the interval that decides, and what would show
# the margin ("" where the verdict is decided).
DECISION_COLUMNS = (
    "analyses",
    "p_holm",
    "p_equivalence",
    "low_decided",
    "high_decided",
    "verdict",
    "sample_size",
)


def decided(
    table: pd.DataFrame,
    estimates: list[Effect],
    margin: float | Sequence[float],
    seconds_per_run: float = 0.0,
) -> pd.DataFrame:
    """Decide estimated differences, those of one question as one family.

    Args:
        table: of `contrasts.estimated`, of one study or of several one after the other, rows
            numbered from 0.
        estimates: the effect of each row.
        margin: smallest effect of interest, one for all rows or one for each.
        seconds_per_run: of one training run, for the hours that a decision would take.

    Returns:
        The table with DECISION_COLUMNS.
    """
    # Family by family.
    margins, decisions = np.broadcast_to(margin, len(estimates)), {}
    for rows in table.groupby("family", sort=False).groups.values():
        effects, analyses = [estimates[row] for row in rows], table.loc[rows, "analyses"].tolist()
        of_family = decide(effects, margins[list(rows)], analyses=analyses)
        decisions |= dict(zip(rows, of_family))

    # An undecided comparison says what would decide it.
    numbers = []
    for row, effect in enumerate(estimates):
        decision, text = decisions[row], ""
        if decision.verdict == UNDECIDED:
            text = sample_size_text(effect, float(margins[row]), seconds_per_run=seconds_per_run)
        interval = decision.low, decision.high
        numbers.append((decision.p, decision.p_equivalence, *interval, decision.verdict, text))
    table[list(DECISION_COLUMNS[1:])] = pd.DataFrame(numbers, columns=DECISION_COLUMNS[1:])
    return table
