"""The recorded errors are near their levels, and a small simulation finds them again."""

import numpy as np
import pandas as pd
import pytest

from lib.metrics.calibration import (
    COLUMNS,
    LEVELS,
    PUBLISHED,
    RECORD,
    STATISTICS,
    calibration,
    equivalence_error,
    false_coverage,
    family_error,
    single_errors,
    two_analyses_error,
)

STUDIES = 10_000


@pytest.fixture(scope="module")
def recorded() -> pd.DataFrame:
    return pd.read_csv(RECORD, dtype={"draws": str})


def rates(table: pd.DataFrame, what: str, statistics: str = "now", **fields) -> pd.DataFrame:
    chosen = (table["what"] == what) & (table["statistics"] == statistics)
    for name, value in fields.items():
        chosen &= table[name] == value
    assert chosen.any()
    return table[chosen]


def recorded_rate(table: pd.DataFrame, *which, **fields) -> float:
    return rates(table, *which, **fields)["rate"].item()


def near(rate: float, studies: int = STUDIES):
    # Four binomial standard errors.
    return pytest.approx(rate, abs=4 * np.sqrt(rate * (1 - rate) / studies))


def test_errors_are_between_four_fifths_and_six_fifths_of_their_level(recorded):
    ratios = rates(recorded, "error", spread=PUBLISHED.name)["ratio"]
    assert len(ratios) == 4 * len(LEVELS)
    assert ratios.between(0.8, 1.2).all()


def test_where_images_make_half_of_the_variance_errors_are_never_above(recorded):
    alike = rates(recorded, "error", spread="half from images")
    assert alike["ratio"].max() < 1.2
    assert alike[alike["draws"].isin(["10", "17"])]["ratio"].min() > 0.8


def test_the_plug_in_test_erred_in_the_tail(recorded):
    before = rates(recorded, "error", "before", spread=PUBLISHED.name, draws="5")
    by_level = before.set_index("level")["ratio"]
    assert by_level[0.001] > 3 > by_level[0.01] > 1.4


def test_one_family_in_twenty_finds_what_is_not_there(recorded):
    assert rates(recorded, "family")["rate"].between(0.04, 0.06).all()
    assert rates(recorded, "family", "before")["rate"].min() > 0.06


def test_equivalence_is_found_at_the_margin_once_in_twenty_families_at_most(recorded):
    assert rates(recorded, "equivalence")["rate"].max() < 0.05
    assert rates(recorded, "equivalence", "before")["rate"].min() > 0.1


def test_two_analyses_spend_five_percent_together(recorded):
    assert 0.03 < recorded_rate(recorded, "two analyses") < 0.05
    assert recorded_rate(recorded, "two analyses", "before") > 0.065


def test_the_intervals_of_pools_that_help_or_hurt_hold_the_truth(recorded):
    assert rates(recorded, "false coverage")["rate"].max() < 0.05


@pytest.mark.parametrize("name", STATISTICS)
def test_a_small_simulation_finds_the_recorded_errors(recorded, name):
    rng, tail = np.random.default_rng(1), STATISTICS[name]
    found = single_errors(rng, PUBLISHED, 5, tail, STUDIES)
    for level, rate in zip(LEVELS, found):
        fields = {"spread": PUBLISHED.name, "draws": "5", "level": level}
        assert rate == near(recorded_rate(recorded, "error", name, **fields))

    # Families, and two analyses.
    rate = family_error(rng, PUBLISHED, 5, 4, tail, STUDIES)
    assert rate == near(recorded_rate(recorded, "family", name, pools=4))
    rate = equivalence_error(rng, PUBLISHED, 17, 4, tail, name == "now", STUDIES)
    assert rate == near(recorded_rate(recorded, "equivalence", name, pools=4))
    counted = (2, 2) if name == "now" else (1, 2)
    rate = two_analyses_error(rng, PUBLISHED, tail, counted, STUDIES)
    assert rate == near(recorded_rate(recorded, "two analyses", name))


def test_intervals_at_a_narrower_level_would_miss_more():
    # A tail that is half as heavy as it should be.
    def light(*arguments):
        return STATISTICS["now"](*arguments) / 2

    rng = np.random.default_rng(2)
    right, wrong = (
        false_coverage(rng, PUBLISHED, 5, tail, 3000) for tail in (STATISTICS["now"], light)
    )
    assert right < 0.05
    assert wrong > 1.5 * right


def test_the_record_has_what_the_simulation_gives(recorded):
    table = calibration(200)
    assert list(table.columns) == list(recorded.columns) == list(COLUMNS)
    keys = ["what", "spread", "draws", "pools", "statistics", "level"]
    assert table[keys].astype(str).equals(recorded[keys].astype(str))


def test_no_published_verdict_changes_of_those_that_can_be_recomputed():
    # Made by tests/bench/bench_published_verdicts.py, which says what the tables do not tell.
    table = pd.read_csv(RECORD.with_name("published_verdicts.csv"))
    assert table.groupby("study").size().to_dict() == {
        "comp7055-cpu": 16,
        "full-cpu": 40,
        "internship-cpu": 10,
        "schuermann-cpu": 15,
    }
    assert set(table["changed"]) == {"no", "cannot be recomputed"}
    same = table[table["changed"] == "no"]
    assert (same["published"] == same["corrected"]).all()

    # Where p-values were published in full, the corrected ones stand beside them.
    full = table[table["study"] == "full-cpu"]
    assert (full["changed"] == "no").all()
    larger = full["p_holm_corrected"] >= 0.99 * full["p_holm_published"]
    assert larger.all()
    assert ((full["low_decided"] > 0) == (full["corrected"] == "helps")).all()
    assert ((full["high_decided"] < 0) == (full["corrected"] == "hurts")).all()
