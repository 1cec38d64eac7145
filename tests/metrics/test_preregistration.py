"""Every change of the claims is dated, and predictions are held against measurements."""

import pandas as pd
import pytest
import yaml

from lib.metrics.claims import load_claims
from lib.metrics.preregistration import (
    CLAIMS,
    COLUMNS,
    LOG_COLUMNS,
    amended_claims,
    decide_predictions,
    load_log,
    load_predictions,
    log_table,
    stated_hash,
)
from lib.study.errors import StudyError


def test_the_last_entry_of_the_log_is_of_the_claims_as_they_stand():
    # Who changes a claim or a prediction adds an entry with the date and the hash.
    assert load_log()["hash"].iloc[-1] == stated_hash()


def test_the_log_names_what_was_changed_after_results():
    log = load_log()
    assert list(log.columns) == list(LOG_COLUMNS)
    assert log["after_results"].tolist() == [False] * 3 + [True] * 8
    shown = log_table(log)
    assert shown["after results"].tolist() == ["no"] * 3 + ["yes"] * 8
    assert shown["claims"].iloc[3] == "S1a, S2f"
    amended = amended_claims(log)
    assert amended["S2b"] == "2026-11-23, 2026-11-26, 2026-11-27"
    assert amended["S1b"] == "2026-11-26, 2026-11-27"
    assert {claim.id: claim.amended for claim in load_claims()} == amended


def test_a_changed_claim_changes_the_hash(tmp_path):
    file = yaml.safe_load(CLAIMS.read_text(encoding="utf-8"))
    copy = tmp_path / "claims.yaml"
    copy.write_text(yaml.safe_dump(file))
    assert stated_hash(copy) == stated_hash()
    file["claims"][0]["margin"] = 0.01
    copy.write_text(yaml.safe_dump(file))
    assert stated_hash(copy) != stated_hash()


def written(tmp_path, **changes):
    file = yaml.safe_load(CLAIMS.read_text(encoding="utf-8")) | changes
    path = tmp_path / "claims.yaml"
    path.write_text(yaml.safe_dump(file))
    return path


ENTRY = {"date": "2026-11-27", "change": "x", "claims": ["S1a"], "after_results": True}
FILED = {"id": "P9", "filed": "2026-11-27", "sentence": "x", "pool": "folder"}


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ([ENTRY | {"dat": 1}], "entry 1 of the log: key is 'dat', did you mean 'date'"),
        ([{"date": "2026-11-27"}], "key 'change' is missing"),
        ([ENTRY, ENTRY | {"date": "2026-11-26"}], "dates do not ascend"),
    ],
)
def test_a_log_that_says_too_little_is_refused(tmp_path, log, message):
    with pytest.raises(StudyError, match=message):
        load_log(written(tmp_path, log=log))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantity": "crosing", "low": 1, "high": 2}, "did you mean 'crossing'"),
        ({"quantity": "crossing", "low": 1}, "prediction P9: key 'high' is missing"),
        ({"quantity": "verdict"}, "key 'verdict' is missing"),
        ({"quantity": "verdict", "verdict": "help"}, "did you mean 'helps'"),
        ({"quantity": "crossing", "low": 1, "high": 2, "pool": "foldr"}, "pool is 'foldr'"),
    ],
)
def test_a_prediction_that_nothing_could_decide_is_refused(tmp_path, changes, message):
    with pytest.raises(StudyError, match=message):
        load_predictions(written(tmp_path, predictions=[FILED | changes]))


def measured(recovered: tuple, crossing: tuple, verdict: str) -> dict[str, pd.DataFrame]:
    """Measurements with rows of other pools and numbers of images beside those predicted."""
    rows = [("folder", 287, *recovered), ("folder", 718, 9, 9, 9), ("dcgan", 287, 9, 9, 9)]
    columns = ["pool", "real", "value", "low", "high"]
    words = [("folder", 28709, verdict), ("folder", 287, "hurts")]
    return {
        "recovered_fraction": pd.DataFrame(rows, columns=columns),
        "crossing": pd.DataFrame([("folder", *crossing)], columns=["pool", "value", "low", "high"]),
        "verdict": pd.DataFrame(words, columns=["pool", "real", "verdict"]),
    }


@pytest.mark.parametrize(
    ("found", "outcomes"),
    [
        (
            measured((0.14, 0.08, 0.21), (1500, 800, 2900), "equivalent"),
            ["confirmed", "confirmed", "confirmed"],
        ),
        (
            measured((0.14, 0.02, 0.30), (1500, 300, float("inf")), "undecided"),
            ["undecided", "undecided", "undecided"],
        ),
        (
            measured((0.5, 0.4, 0.6), (9000, 5000, 20000), "hurts"),
            ["refuted", "refuted", "refuted"],
        ),
        ({}, ["not measured"] * 3),
    ],
)
def test_predictions_are_confirmed_refuted_or_left_open(found, outcomes):
    table = decide_predictions(load_predictions(), found)
    assert list(table.columns) == list(COLUMNS)
    assert table["outcome"].tolist() == outcomes
    assert table["filed"].eq("2026-11-26").all()


def test_a_missing_end_of_an_interval_confirms_nothing():
    nothing = float("nan")
    found = measured((0.14, nothing, nothing), (1500, nothing, 2900), "equivalent")
    outcomes = decide_predictions(load_predictions(), found)["outcome"]
    assert outcomes.tolist() == ["undecided", "undecided", "confirmed"]


def test_which_of_several_rows_was_meant_is_not_chosen_afterwards():
    found = measured((0.14, 0.08, 0.21), (1500, 800, 2900), "equivalent")
    found["crossing"] = pd.concat([found["crossing"]] * 2)
    with pytest.raises(StudyError, match="P2: 2 rows of crossing fit it"):
        decide_predictions(load_predictions(), found)
