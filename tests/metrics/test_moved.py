"""After a parameter was changed, a notebook says what moved against the study's own values."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import Arm
from lib.metrics.moved import changed_parameters, say_what_moved, table_moves, what_moved
from lib.report.names import name_study
from lib.study.params import load_params
from lib.study.paths import StudyPaths

ARMS = [Arm("base"), Arm("supplement", "dcgan", 0.5)]


@dataclass
class Step:
    """What `begin` hands out, as far as it is asked for."""

    name: str
    paths: StudyPaths
    parameters: dict = field(default_factory=dict)


@pytest.fixture(autouse=True)
def named():
    name_study({}, ARMS)
    yield
    name_study({})


def step(tmp_path, name: str = "50_metrics", **changes) -> Step:
    own = load_params("quick", pool="dcgan" if name.startswith("20") else None)
    parameters = {key: own[key] for key in ("study", "output", "seed", "margin", "n_boot", "data")}
    return Step(name, StudyPaths(root=tmp_path, reports=tmp_path), parameters | changes)


def effects(verdict: str = "undecided", difference: float = 0.01) -> pd.DataFrame:
    rows = {"arm": [arm.name for arm in ARMS], "classifier": "small", "p": 0.5}
    return pd.DataFrame(rows).assign(difference=[0.0, difference], verdict=["undecided", verdict])


def test_the_study_s_own_values_are_kept_and_nothing_is_said(tmp_path, capsys):
    say_what_moved(step(tmp_path), {"effects": effects()})
    assert capsys.readouterr().out == ""
    assert len(pd.read_csv(tmp_path / "own" / "50_metrics" / "effects.csv")) == 2


def test_a_changed_verdict_is_named_first_then_the_largest_number(tmp_path):
    what_moved(step(tmp_path), {"effects": effects(), "levels": effects()})
    first, moved, same = what_moved(
        step(tmp_path, margin=0.02),
        {"effects": effects("equivalent"), "levels": effects()},
    )
    assert first == "Changed against the study's own values: margin from 0.005 to 0.02."
    assert moved == (
        "1 of 2 rows moved in effects: DCGAN, 50% of the training images, small: "
        "undecided → equivalent."
    )
    assert same == "Nothing moved in levels."


def test_a_number_is_named_in_its_unit_and_counts_are_not(tmp_path):
    (move,) = table_moves(effects(), effects(difference=-0.002).assign(p=0.9))
    assert move.text == "difference 1.0 points → \u22120.2 points"
    assert not table_moves(effects(), effects(difference=0.0101).assign(p=0.9))


def test_what_was_run_with_other_values_alone_has_nothing_to_compare_with(tmp_path):
    lines = what_moved(step(tmp_path, margin=0.02), {"effects": effects()})
    assert "has not run with the study's own values" in lines[1]
    assert not (tmp_path / "own").exists()


def test_other_values_do_not_take_the_place_of_the_study_s_own(tmp_path):
    what_moved(step(tmp_path), {"effects": effects()})
    for _ in range(2):
        lines = what_moved(step(tmp_path, margin=0.02), {"effects": effects("helps")})
        assert "undecided → helps" in lines[1]


def test_where_and_what_data_is_given_with_a_run_and_is_no_change(tmp_path):
    given = step(tmp_path, output="elsewhere")
    assert changed_parameters(given) == {}
    own = load_params("full")
    other = Step(
        "10_data", given.paths, {"study": "full", "data": "faces.zip", "seed": own["seed"]}
    )
    assert changed_parameters(other) == {}
    assert changed_parameters(step(tmp_path, seed=7)) == {"seed": (0, 7)}


def test_the_values_of_a_pool_are_those_of_its_file(tmp_path):
    own = load_params("quick", pool="dcgan")
    pool = step(tmp_path, "20_generation-dcgan", pool="dcgan", gan_steps=own["gan_steps"])
    assert changed_parameters(pool) == {}


def test_rows_that_came_or_went_are_named(tmp_path):
    moves = table_moves(effects(), effects().iloc[:1])
    assert [move.text for move in moves] == ["undecided → not there"]


def test_missing_numbers_do_not_count_as_moved():
    table = effects().assign(difference=np.nan)
    assert not table_moves(table, table)


def test_rows_that_nothing_tells_apart_are_compared_by_their_place():
    (move,) = table_moves(pd.DataFrame({"distance": [1.0]}), pd.DataFrame({"distance": [2.0]}))
    assert move.name == "row 1" and move.size == 1
