"""What was predicted of numbers of real images, held against what was measured."""

import numpy as np
import pandas as pd

from lib.metrics.amount_sentences import headline_gains
from lib.metrics.amounts import ALONE, BEST
from lib.metrics.crossing import CROSSES, FADES, LASTS
from lib.metrics.preregistration import (
    COLUMNS,
    NOT_MEASURED,
    VERDICT,
    decide_predictions,
    load_predictions,
)


def decided_predictions(
    gains: pd.DataFrame, recovered: pd.DataFrame, crossings: pd.DataFrame, *, why_not: str = ""
) -> pd.DataFrame:
    """Decide the predictions of params/claims.yaml at the best length, in accuracy, in the first
    scoring, against the real images alone.

    Args:
        gains: of `gains.gain_table`.
        recovered: of `recovered.recovered_table`.
        crossings: of `crossing.crossing_table`.
        why_not: of `three_studies.why_not_applicable`: why they are not about these data.

    Returns:
        Columns `preregistration.COLUMNS`; none where nothing that was predicted was measured.
    """
    # Predictions about photographs say nothing about drawings.
    if why_not or not len(gains):
        return pd.DataFrame(columns=COLUMNS)
    measured = _measured(gains, recovered, crossings)
    decided = decide_predictions(load_predictions(), measured)

    # A study of other numbers or pools says nothing about any of them.
    if (decided["outcome"] == NOT_MEASURED).all():
        return decided[:0]
    return decided


def _measured(
    gains: pd.DataFrame, recovered: pd.DataFrame, crossings: pd.DataFrame
) -> dict[str, pd.DataFrame]:
    """Bring the leading reading into the columns of `preregistration.decide_predictions`."""
    # What the first figure shows of the pools.
    shown = headline_gains(gains)
    shown = shown[(shown["kind"] == "supplement") & (shown["reading"] == BEST)]
    shown = shown[shown["against"] == ALONE]
    keys = ["arm", "classifier", "reading", "scoring", "metric"]
    fractions = recovered.merge(shown[keys], on=keys)
    design = ["pool", "added", "class_shares", "classifier", "against", "reading", "generation"]
    ends = crossings.merge(shown[design].drop_duplicates(), on=design)
    ends = ends[ends["kind"] == "supplement"]

    # The number of real images has one name.
    fractions = fractions.assign(real=fractions["n_real"], value=fractions["recovered"])
    rows = [_end(row) for row in ends.to_dict("records")]
    return {
        "recovered_fraction": fractions[["pool", "real", "value", "low", "high"]],
        "crossing": pd.DataFrame([row for row in rows if row]),
        VERDICT: shown.assign(real=shown["n_real"])[["pool", "real", "verdict"]],
    }


def _end(row: dict) -> dict:
    """Where help ends, as value, low and high; {} where no help is shown."""
    about, open_end = {"pool": row["pool"]}, {"high": np.inf}
    if row["outcome"] == CROSSES:
        return about | {"value": row["crossing"], "low": row["low"], "high": row["high"]}

    # An end that was not found lies above what was shown.
    if row["outcome"] == FADES:
        return about | {"value": np.nan, "low": row["low"]} | open_end
    if row["outcome"] == LASTS:
        return about | {"value": np.nan, "low": row["largest"]} | open_end
    return {}
