"""The human line and McNemar's test of single models."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import Arm
from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS
from lib.faces.faceset import FaceSet
from lib.metrics.arms import ArmPredictions
from lib.metrics.contrasts import BASE, scorings
from lib.metrics.human_baseline import PERSON, human_line, levels_by_scoring, single_models

SUPPLEMENT = Arm("supplement", "dcgan", 0.5)


def split(classes=EMOTIONS, votes_for=EMOTIONS) -> FaceSet:
    """Make 40 sad faces, of which ten annotators call three sad and six happy; four are leaked."""
    columns = {
        "id": [f"face-{i}" for i in range(40)],
        "class": "sad",
        "split": "test",
        "source": "fer2013",
        "plus_class": "happy",
        "leaked": [False] * 36 + [True] * 4,
    }
    votes = {"sad": 3, "happy": 6}  # and one for something else
    columns |= {f"votes_{name}": votes.get(name, 0) for name in votes_for}
    return FaceSet(np.zeros((40, 8, 8), np.uint8), pd.DataFrame(columns), classes)


def predictions(right: np.ndarray, n_seeds: int = 3) -> ArmPredictions:
    """Predict sad where it is right, fear elsewhere."""
    label = np.where(right, EMOTIONS.index("sad"), EMOTIONS.index("fear"))
    labels = np.broadcast_to(label, (n_seeds, label.shape[-1]))
    return ArmPredictions(tuple(range(n_seeds)), np.eye(7, dtype=np.float32)[labels])


def test_a_random_annotator_is_right_as_often_as_votes_fell_on_the_label():
    faces = split()
    line = human_line(faces, scorings(faces.table, faces.classes)).set_index("scoring")
    assert line.loc["test", "value"] == pytest.approx(0.3)
    assert line.loc["test-plus", "value"] == pytest.approx(0.6)
    assert line.loc["test-leakfree", "n_images"] == 36


@pytest.mark.parametrize(
    ("classes", "votes_for"), [(EMOTIONS, ()), (EIGHT_EMOTIONS, EMOTIONS)], ids=["none", "seven"]
)
def test_without_votes_on_every_class_nothing_is_known_of_people(classes, votes_for):
    faces = split(classes, votes_for)
    assert not len(human_line(faces, scorings(faces.table, faces.classes)))


def test_every_scoring_has_each_arm_and_a_person_on_one_axis():
    faces = split()
    arms = {
        (BASE, "small"): predictions(np.arange(40) < 30),
        (SUPPLEMENT, "small"): predictions(np.arange(40) < 20),
        (BASE, "deep"): predictions(np.arange(40) < 10),
    }
    ways = scorings(faces.table, faces.classes)
    table = levels_by_scoring(arms, [BASE], ways, np.arange(40), faces)
    assert set(table["scoring"]) == {"test", "test-plus", "test-leakfree", "test-leakfree-plus"}
    assert set(table["arm"]) == {"base", PERSON}
    of_base = table[(table["kind"] == "base") & (table["scoring"] == "test")]
    assert of_base["value"].item() == pytest.approx(0.75)

    # A person is no arm and has no interval.
    person = table[table["arm"] == PERSON]
    assert person["kind"].isna().all()
    assert (person["low"] == person["high"]).all()


def test_runs_of_base_among_themselves_come_first_and_equal_models_are_not_called_different():
    rng = np.random.default_rng(0)
    arms = {
        (BASE, "small"): predictions(rng.random(200) < 0.6),
        (SUPPLEMENT, "small"): predictions(np.zeros(200, bool)),
    }
    labels = np.full(200, EMOTIONS.index("sad"))
    table = single_models(arms, [BASE, SUPPLEMENT], labels).set_index("arm")
    assert list(table.index) == ["base, other seed", SUPPLEMENT.name]
    assert list(table["pairs"]) == [3, 9]
    assert list(table["called_different"]) == [0, 1]


def test_one_run_of_base_has_no_pair():
    arms = {(BASE, "small"): predictions(np.ones(40, bool), n_seeds=1)}
    row = single_models(arms, [BASE], np.full(40, EMOTIONS.index("sad"))).iloc[0]
    assert row["pairs"] == 0
    assert np.isnan(row["lowest_p"])
