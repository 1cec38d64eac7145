"""The verdict's tables as its page shows them."""

import pandas as pd

from lib.metrics.sequential import ERROR
from lib.metrics.wording import points
from lib.verdict.sentences import METRIC_NAMES, missed_text
from lib.verdict.trial import AGAINST, Trial

INTERVAL = f"{100 * (1 - ERROR):.0f}% interval"


def numbers_view(table: pd.DataFrame) -> pd.DataFrame:
    """Lay out a verdict's numbers in points.

    Args:
        table: of `sentences.verdict_table`.
    """
    # Numbers as text, each with its interval.
    changes = [
        f"{points(row['difference'])} ({points(row['low'])} to {points(row['high'])})"
        for row in table.to_dict("records")
    ]
    missed = [missed_text(effect) for effect in table["smallest_effect"]]
    return pd.DataFrame(
        {
            "pool": table["pool"],
            "measure": table["metric"].map(METRIC_NAMES),
            f"change, points ({INTERVAL})": changes,
            "verdict": table["word"],
            "changes likely to be missed": missed,
            "repetitions": table["repetitions"],
            "test images": table["n_images"],
        }
    )


def look_rows(trial: Trial) -> pd.DataFrame:
    """Lay out every look: pool, against, repetitions, difference, low, high, level, word."""
    # One row a look, the controls last.
    rows = []
    for comparison in (*trial.comparisons, *trial.controls):
        for look in comparison.looks:
            rows.append(
                {
                    "pool": comparison.arm.pool,
                    "against": AGAINST[comparison.reference.kind],
                    "repetitions": look.found.repetitions,
                    "difference": look.found.difference,
                    "low": look.low,
                    "high": look.high,
                    "level": look.level,
                    "word": look.word,
                }
            )
    columns = ["pool", "against", "repetitions", "difference", "low", "high", "level", "word"]
    return pd.DataFrame(rows, columns=columns)
