"""What params/claims.yaml holds beside the claims: predictions that were filed before a look at the
results, and a dated log of every change.

    python -m lib.metrics.preregistration

prints the hash of claims and predictions, which the entry of a change in the log carries.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.metrics.statistics import UNDECIDED, VERDICTS
from lib.metrics.three_studies import check_pools, check_word
from lib.study.errors import StudyError
from lib.study.params import read_entries
from lib.study.paths import ROOT
from lib.study.records import content_hash, parsing

RIGHT = "put it right"  # what to do with an entry that does not read
CLAIMS = ROOT / "params" / "claims.yaml"
ALL = "all"  # claims of an entry of the log
LOG_COLUMNS = ("date", "commit", "claims", "after_results", "change", "hash")
LOG_REQUIRED = ("date", "change", "claims", "after_results")

CONFIRMED, REFUTED, NOT_MEASURED = "confirmed", "refuted", "not measured"
VERDICT = "verdict"  # the quantity that is a word
QUANTITIES = ("recovered_fraction", "crossing", VERDICT)
REQUIRED = ("id", "filed", "sentence", "pool", "quantity")
OPTIONAL = ("real", "low", "high", VERDICT)
COLUMNS = ("id", "filed", "sentence", "expected", "measured", "outcome")


@dataclass(frozen=True)
class Prediction:
    """One prediction; params/claims.yaml says what the keys mean."""

    id: str
    filed: str  # date
    sentence: str
    pool: str
    quantity: str  # one of QUANTITIES
    real: int = 0  # real images beside the pool's; 0: whatever the number
    low: float = float("nan")  # range of a number, NaN for a verdict
    high: float = float("nan")
    verdict: str = ""

    @property
    def expected(self) -> str:
        """What was expected, in words."""
        return self.verdict or f"{self.low:,g} to {self.high:,g}"


def load_log(path: Path = CLAIMS) -> pd.DataFrame:
    """Read the dated log of changes, oldest first: columns LOG_COLUMNS; claims is a tuple of ids.

    Raises:
        StudyError: an entry with a missing or unknown key, or one that is older than the one
            before it.
    """
    ids = tuple(str(claim.get("id", "?")) for claim in read_entries(path, "claims"))
    rows = []
    for place, entry in enumerate(read_entries(path, "log"), 1):
        where = f"{path}: entry {place} of the log"
        with parsing(where, RIGHT):
            _check_keys(entry, LOG_REQUIRED, LOG_COLUMNS, where)
            named = ids if entry["claims"] == ALL else tuple(map(str, entry["claims"]))
            row = {"commit": "", "hash": ""} | entry
            rows.append(row | {"date": str(entry["date"]), "claims": named})

    # A log is in order.
    table = pd.DataFrame(rows, columns=LOG_COLUMNS)
    if not table["date"].is_monotonic_increasing:
        raise StudyError(f"{path}: the log's dates do not ascend; add changes at its end")
    return table


def log_table(log: pd.DataFrame) -> pd.DataFrame:
    """Lay the log out for reading: columns date, change, claims, "after results" (yes or no).

    Args:
        log: of `load_log`.
    """
    after = log["after_results"].map({True: "yes", False: "no"})
    shown = log[["date", "change"]].assign(claims=log["claims"].str.join(", "))
    return shown.assign(**{"after results": after})


def amended_claims(log: pd.DataFrame) -> dict[str, str]:
    """Give for each claim that was changed after results the dates of these changes.

    Args:
        log: of `load_log`.
    """
    dates = {}
    for entry in log[log["after_results"].astype(bool)].to_dict("records"):
        for claim in entry["claims"]:
            dates.setdefault(claim, []).append(entry["date"])
    return {claim: ", ".join(dict.fromkeys(of_claim)) for claim, of_claim in dates.items()}


def stated_hash(path: Path = CLAIMS) -> str:
    """Hash claims and predictions as the file states them, 12 hex digits."""
    # Dates are no plain data.
    filed = read_entries(path, "predictions")
    predictions = [{key: str(value) for key, value in entry.items()} for entry in filed]
    return content_hash([read_entries(path, "claims"), predictions])[:12]


def load_predictions(path: Path = CLAIMS) -> list[Prediction]:
    """Read and check the predictions.

    Raises:
        StudyError: naming the file, the prediction, the key and the nearest valid one.
    """
    predictions = []
    for entry in read_entries(path, "predictions"):
        where = f"{path}: prediction {entry.get('id', '?')}"
        _check_keys(entry, REQUIRED, (*REQUIRED, *OPTIONAL), where)
        check_word(entry["quantity"], QUANTITIES, where, "quantity")
        check_pools([entry["pool"]], where, "pool")

        # A word for a verdict, a range for a number.
        needed = (VERDICT,) if entry["quantity"] == VERDICT else ("low", "high")
        _check_keys(entry, needed, entry, where)
        if entry["quantity"] == VERDICT:
            check_word(entry[VERDICT], VERDICTS, where, VERDICT)
        predictions.append(Prediction(**entry | {"filed": str(entry["filed"])}))
    return predictions


def decide_predictions(
    predictions: list[Prediction], measured: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Hold predictions against what was measured.

    Args:
        predictions: of `load_predictions`.
        measured: a table for each quantity that was measured: columns pool, real (number of real
            images, where the quantity depends on it), and value, low, high (an interval, whose
            ends may be infinite or missing) or, for the quantity verdict, verdict. Further columns
            are ignored; a prediction must fit one row.

    Returns:
        Columns COLUMNS; outcome is confirmed, refuted, undecided or not measured.

    Raises:
        StudyError: a prediction that fits several rows.
    """
    rows = []
    for prediction in predictions:
        row = _row_of(prediction, measured.get(prediction.quantity, pd.DataFrame()))
        outcome, text = NOT_MEASURED, ""
        if row:
            outcome, text = _outcome(prediction, row)
        about = prediction.id, prediction.filed, prediction.sentence, prediction.expected
        rows.append((*about, text, outcome))
    return pd.DataFrame(rows, columns=COLUMNS)


def _row_of(prediction: Prediction, table: pd.DataFrame) -> dict:
    """The row that a prediction is about; {} for none."""
    if not len(table):
        return {}
    rows = table[table["pool"] == prediction.pool]
    if prediction.real:
        rows = rows[rows["real"] == prediction.real]

    # Which of several was meant would be chosen after the fact.
    if len(rows) > 1:
        raise StudyError(
            f"prediction {prediction.id}: {len(rows)} rows of {prediction.quantity} fit it; pass "
            "the table of one reading, classifier and amount"
        )
    return rows.iloc[0].to_dict() if len(rows) else {}


def _outcome(prediction: Prediction, row: dict) -> tuple[str, str]:
    """Whether a prediction came true, and what was measured, in words."""
    # A verdict is a word, and an undecided study has none.
    if prediction.quantity == VERDICT:
        found = row[VERDICT]
        if found == UNDECIDED:
            return UNDECIDED, found
        return CONFIRMED if found == prediction.verdict else REFUTED, found

    # An interval within the range, outside it, or across its ends.
    ends = f"{_number(row['low'])} to {_number(row['high'])}"
    text = f"{_number(row['value'])} ({ends})"
    if prediction.low <= row["low"] and row["high"] <= prediction.high:
        return CONFIRMED, text
    if row["high"] < prediction.low or row["low"] > prediction.high:
        return REFUTED, text
    return UNDECIDED, text


def _number(value: float) -> str:
    """Write a number with three digits; one that was not found, or has no end, in words."""
    if np.isnan(value):
        return "not found"
    if not np.isfinite(value):
        return "no end"
    return f"{float(f'{value:.3g}'):,g}".replace("-", "\u2212")


def _check_keys(entry: Mapping, required: tuple, known, where: str) -> None:
    """Refuse an entry with a missing or an unknown key."""
    for key in entry:
        check_word(key, known, where, "key")
    missing = [key for key in required if key not in entry]
    if missing:
        raise StudyError(f"{where}: key {missing[0]!r} is missing")


if __name__ == "__main__":
    print(stated_hash())
