"""Claims of the earlier studies on pages: their units, and which study speaks on the overview."""

import pandas as pd
import pytest

from lib.report.claims import (
    OPEN,
    TABLE,
    claims_view,
    count_told,
    effect_text,
    published_claims,
)

ROW = {"metric": "accuracy", "space": "", "difference": -0.104, "low": -0.12, "high": -0.09}
NONE = {"difference": float("nan"), "low": float("nan"), "high": float("nan")}


@pytest.mark.parametrize(
    "changes, text",
    [
        ({}, "accuracy −10.4 points (−12.0 to −9.0)"),
        ({"metric": "recall", "space": "classifier"}, "recall −10.4 points (−12.0 to −9.0)"),
        (
            {"metric": "vendi", "space": "pixels", "difference": -11.0, "low": -11.5, "high": 2},
            "Vendi score −11.0 (−11.5 to +2.0)",
        ),
        (NONE, ""),
    ],
)
def test_a_difference_is_written_in_the_unit_of_its_metric(changes, text):
    assert effect_text(ROW | changes) == text


def claim(word, **changes):
    row = {"id": "S2a", "study": "S2", "sentence": "It is worse.", "verdict": word}
    return ROW | row | {"basis": "a pool", "missing": ""} | changes


def write(reports, study, *rows):
    (reports / study).mkdir()
    pd.DataFrame(rows).to_csv(reports / study / TABLE, index=False)


def test_of_each_claim_the_study_that_can_tell_speaks(tmp_path):
    write(tmp_path, "one", claim("not decidable from this study", **NONE), claim("x", id="S2b"))
    write(tmp_path, "two", claim("supported"))
    found = published_claims(tmp_path, ["one", "two", "three"])["S2"]
    assert [row["word"] for row in found] == ["supported", OPEN]
    assert found[0]["study"] == "two" and found[0]["effect"].startswith("accuracy −10.4")
    assert (found[1]["study"], found[1]["why"]) == ("", "needs a pool")


def test_the_view_holds_every_claim_and_no_column_of_mixed_units():
    open_ = claim("not decidable from this study", at_this_size="not decidable from this study")
    small = claim("not decidable at this size", id="S2b", at_this_size="supported")
    table = pd.DataFrame([open_, small]).assign(minimum_detectable_effect=1.0)
    shown = claims_view(table)
    assert shown["id"].tolist() == ["S2b", "S2a"] and count_told(table) == 1
    assert shown["at_this_size"].tolist() == ["supported", ""]
    assert "difference" not in shown
    assert shown["difference (interval that decides)"].iloc[0] == effect_text(ROW)
