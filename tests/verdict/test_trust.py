"""Records of verdicts whose answer is known: what is kept, and what the page says of it."""

import importlib
from functools import partial
from pathlib import Path

import pandas as pd
import pytest

from lib.metrics.statistics import HELPS, UNDECIDED
from lib.verdict import known_truth
from lib.verdict.measured import STOPPED, keep, reach_missing, recorded
from lib.verdict.protocol import Protocol
from lib.verdict.trust import POOLS, drawn_record, drawn_view, real_view

ONE = {"number": 0, "kind": "helping", "size": 300, "word": HELPS, "truth": 0.04, "probe": 1}
REFUSED = {"number": 6, "kind": "permuted", "size": 300, "word": STOPPED}


@pytest.fixture
def record(tmp_path):
    """A record of two verdicts on drawn faces."""
    path = tmp_path / "record.csv"
    rows = pd.DataFrame([REFUSED, ONE]).assign(seconds=9.0)
    keep(path, rows, known_truth.PROTOCOL, ["number"])
    return path


def test_a_record_is_read_back_and_added_to(record):
    rows = recorded(record, known_truth.PROTOCOL)
    assert rows["number"].tolist() == [0, 6] and rows["truth"].iloc[0] == 0.04
    first = record.read_bytes()
    keep(record, rows, known_truth.PROTOCOL, ["number"])
    assert record.read_bytes() == first
    more = pd.concat([rows, pd.DataFrame([ONE | {"number": 3, "seconds": 5.0}])])
    keep(record, more, known_truth.PROTOCOL, ["number"])
    assert recorded(record, known_truth.PROTOCOL)["number"].tolist() == [0, 3, 6]


def test_what_record_and_folder_hold_is_not_reached_again(record, tmp_path, monkeypatch):
    """Nor is it under other rules what it is under these."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    reach = importlib.import_module("simulated").reach

    def go_on(count, protocol=known_truth.PROTOCOL):
        return reach_missing(
            partial(reach, tmp_path),
            [(number,) for number in range(count)],
            ["number"],
            record=record,
            folder=tmp_path / "results",
            protocol=protocol,
            workers=1,
        )

    assert go_on(2)["number"].tolist() == [0, 6, 1]
    assert go_on(3)["number"].tolist() == [0, 6, 1, 2]
    assert {path.name for path in tmp_path.glob("reached-*")} == {"reached-1", "reached-2"}
    for path in tmp_path.glob("reached-*"):
        path.unlink()
    assert go_on(2, Protocol(margin=0.1))["number"].tolist() == [0, 1]


def test_verdicts_by_other_rules_do_not_count(record, tmp_path):
    assert not len(recorded(record, Protocol(margin=0.1)))
    assert not len(recorded(tmp_path / "none.csv", Protocol()))
    assert not len(drawn_record(tmp_path / "none.csv")) and not len(real_view(tmp_path / "none"))


def test_the_page_shows_what_was_right_by_kind_and_size(record):
    shown = drawn_view(drawn_record(record)).set_index("generated images")
    assert shown.loc["helping", "true effect, points"] == "+4.0"
    assert shown["wrong"].tolist() == [0, 0] and shown.loc["permuted", "words"] == "stopped 1"


def test_verdicts_on_real_faces_stand_beside_the_studys(tmp_path):
    path, number = tmp_path / "real.csv", {"difference": 0.01, "low": -0.02, "high": 0.04}
    rows = [
        {"pool": pool, "size": 300, "word": UNDECIDED, "truth": 0.005, **number} for pool in POOLS
    ]
    keep(path, pd.DataFrame(rows), Protocol(), ["size", "pool"])
    shown = real_view(path).set_index("generated images")
    assert set(shown["change, points"]) == {"+1.0 (−2.0 to +4.0)"}
    assert shown.loc[POOLS["real"], "the whole study"].startswith("helps, +18.0 (")
    assert shown.loc[POOLS["dcgan"], "the whole study"] == ""
