"""The human line and McNemar's test of single models."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.faceset import CLASSES
from lib.metrics.arms import ArmPredictions
from lib.metrics.contrasts import scorings
from lib.metrics.people import PERSON, human_line, levels_by_scoring, single_models


def split(n=40, plus="happy"):
    table = pd.DataFrame({"class": ["sad"] * n, "plus_class": [plus] * n, "leaked": [False] * (n - 4) + [True] * 4})
    votes = {"sad": 3, "happy": 6}  # and one for something else
    return table.assign(**{f"votes_{name}": votes.get(name, 0) for name in CLASSES})


def predictions(right, n_seeds=3):
    said = np.where(right, CLASSES.index("sad"), CLASSES.index("fear"))
    return ArmPredictions(tuple(range(n_seeds)), np.eye(7, dtype=np.float32)[np.broadcast_to(said, (n_seeds, right.shape[-1]))])


def test_a_random_annotator_is_right_as_often_as_votes_fell_on_the_label():
    table = split()
    line = human_line(table, scorings(table)).set_index("scoring")
    assert line.loc["test", "value"] == pytest.approx(0.3) and line.loc["test-plus", "value"] == pytest.approx(0.6)
    assert line.loc["test-leakfree", "n_images"] == 36


def test_without_votes_nothing_is_said_of_people():
    table = split().filter(regex="^(?!votes)")
    assert not len(human_line(table, scorings(table)))


def test_every_scoring_has_each_arm_and_a_person_on_one_axis():
    table = split()
    arms = {("base", "small"): predictions(np.arange(40) < 30), ("supplement-0.5-a", "small"): predictions(np.arange(40) < 20)}
    found = levels_by_scoring(arms, ["base"], scorings(table), np.arange(40), table)
    assert set(found["scoring"]) == {"test", "test-plus", "test-leakfree", "test-leakfree-plus"}
    assert set(found["arm"]) == {"base", PERSON}
    assert found.query("arm == 'base' and scoring == 'test'")["value"].item() == pytest.approx(0.75)


def test_runs_of_one_arm_among_themselves_come_first_and_equal_models_are_never_called_different():
    rng = np.random.default_rng(0)
    same = predictions(rng.random(200) < 0.6)
    worse = predictions(np.zeros(200, bool))
    found = single_models({("base", "s"): same, ("worse", "s"): worse}, ["base", "worse"], np.full(200, CLASSES.index("sad"))).set_index(
        "arm"
    )
    assert list(found.index) == ["base, other seed", "worse"] and list(found["pairs"]) == [3, 9]
    assert found.loc["base, other seed", "called_different"] == 0 and found.loc["worse", "called_different"] == 1
