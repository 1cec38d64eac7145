"""Each way of scoring, alone, reads what it must of arms whose truth is known."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import Arm
from lib.faces.classes import EMOTIONS, FER2013_CODES
from lib.metrics.arms import ArmPredictions
from lib.metrics.claims import Measurements, load_claims
from lib.metrics.contrasts import BASE
from lib.metrics.replication import replication

N = 700
LABELS = np.arange(N) % 7
ALONE = Arm("synthetic", "dcgan", 1.0)
FOLDER = [Arm("supplement", "folder", share) for share in (0.0712, 0.1178, 0.15025)]
READINGS = ["one run", "two models", "batch means", "names permuted"]


def made_arm(accuracy: float, seed: int, *, spread: float = 0.0) -> ArmPredictions:
    """Five long runs, apart by the spread, on each of three trainings of a generator."""
    rng = np.random.default_rng(seed)
    chance = accuracy + spread * np.array([-1, 0, 1, 1, -1])[:, None]
    correct = rng.random((5, N)) < chance
    predicted = np.where(correct, LABELS, (LABELS + 1 + seed % 6) % 7)
    chances = (0.1 + np.eye(7, dtype=np.float32)[predicted]) / 1.7
    return ArmPredictions((0, 1, 2, 3, 4), chances, (chances, chances), epochs=250.0)


def measured(arms: dict, classifiers: tuple = ("small",), data: str = "fer") -> Measurements:
    keyed = {(arm, name): own for arm, own in arms.items() for name in classifiers}
    trained = {"dcgan": 5e6}
    return Measurements(keyed, LABELS, np.arange(N), pd.DataFrame(), EMOTIONS, data, trained)


def read(arms: dict, leaked: np.ndarray | None = None) -> pd.DataFrame:
    """The claims S1a, S2a and S2d, by their ids."""
    claims = [claim for claim in load_claims() if claim.id in ("S1a", "S2a", "S2d")]
    return replication(claims, measured(arms), leaked).set_index("id")


def test_a_difference_that_is_there_replicates():
    row = read({BASE: made_arm(0.8, 0), ALONE: made_arm(0.3, 1)}).loc["S2a"]
    assert row[READINGS].tolist() == [1, 1, 1, 1]
    assert row["replicates"] == "replicates"


def test_permuted_names_make_a_difference_of_nothing():
    row = read({BASE: made_arm(0.8, 0), ALONE: made_arm(0.8, 1)}).loc["S2a"]
    assert (row["one run"], row["names permuted"]) == (0, 1)
    assert row["replicates"] == "does not"


def test_single_runs_show_no_change_by_luck():
    # Runs that scatter by 5 points: two models often differ, the arms do not.
    arms = {arm: made_arm(0.6, place, spread=0.05) for place, arm in enumerate(FOLDER, 1)}
    row = read({BASE: made_arm(0.6, 0)} | arms).loc["S1a"]
    assert row["runs"] == 5
    assert row["one run"] < 1
    assert row["two models"] < 1
    assert row["replicates"] == "not shown"


def test_what_rests_on_copies_alone_does_not_replicate():
    leaked = np.arange(N) % 2 == 0
    synthetic = made_arm(0.8, 1)
    worse = synthetic.probabilities.copy()
    worse[:, leaked] = np.eye(7, dtype=np.float32)[(LABELS[leaked] + 1) % 7]
    synthetic = replace(synthetic, probabilities=worse, other_generations=(worse, worse))
    arms = {BASE: made_arm(0.8, 0), ALONE: synthetic}
    row = read(arms, leaked).loc["S2a"]
    assert row["copies kept"] == "supported"
    assert row["copies left out"] == "contradicted"
    assert row["replicates"] == "does not"


def test_every_network_has_rows_of_its_own():
    arms = {arm: made_arm(0.5, 0) for arm in (BASE, ALONE)}
    table = replication(load_claims(), measured(arms, ("resnet50", "resnet50-frozen")))
    assert set(table["classifier"]) == {"resnet50", "resnet50-frozen"}
    assert set(table["id"]) == {"S2a", "S2d"}


def test_claims_whose_arms_are_absent_are_left_out():
    assert not len(replication(load_claims(), measured({BASE: made_arm(0.5, 0)})))


def test_drawn_faces_replicate_nothing():
    arms = {BASE: made_arm(0.8, 0), ALONE: made_arm(0.3, 1)}
    assert not len(replication(load_claims(), measured(arms, data="drawn")))


def test_the_other_order_is_a_true_permutation():
    assert sorted(FER2013_CODES) == sorted(EMOTIONS)
    assert FER2013_CODES != EMOTIONS
    # Four names stay in their places: enough for an AUROC above 0.6.
    arms = {BASE: made_arm(0.8, 0), ALONE: made_arm(0.99, 1)}
    assert read(arms).loc["S2d", "names permuted"] == pytest.approx(1)
