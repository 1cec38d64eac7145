"""Each defect, switched on alone, tells what it must of arms whose truth is known."""

import numpy as np
import pytest

from lib.faces.faceset import CLASSES
from lib.metrics.arms import ArmPredictions
from lib.metrics.claims import Evidence, load_claims
from lib.metrics.survival import FER2013_ORDER, what_survives

N = 700
LABELS = np.arange(N) % 7


def arm(accuracy: float, seed: int, *, spread: float = 0.0) -> ArmPredictions:
    rng = np.random.default_rng(seed)
    chance = accuracy + spread * np.array([-1, 0, 1, 1, -1])[:, None]
    right = rng.random((5, N)) < chance
    said = np.where(right, LABELS, (LABELS + 1 + seed % 6) % 7)
    return ArmPredictions((0, 1, 2, 3, 4), (0.1 + np.eye(7, dtype=np.float32)[said]) / 1.7)


def told(arms: dict, leaked=None):
    evidence = Evidence({(name, "small"): value for name, value in arms.items()}, LABELS, np.arange(N), None)
    return what_survives([claim for claim in load_claims() if claim["id"] in ("S1a", "S2a", "S2d")], evidence, leaked).set_index("id")


def test_a_difference_that_is_there_survives_and_a_permutation_makes_one_of_nothing():
    real = told({"base": arm(0.8, 0), "synthetic-1x-dcgan": arm(0.3, 1)}).loc["S2a"]
    assert real[["one run", "two models", "batch means", "names permuted"]].tolist() == [1, 1, 1, 1] and real["survives"] == "survives"
    none = told({"base": arm(0.8, 0), "synthetic-1x-dcgan": arm(0.8, 1)}).loc["S2a"]
    assert none["one run"] == 0 and none["names permuted"] == 1 and none["survives"] == "does not"


def test_single_runs_tell_no_change_by_luck():
    # runs that scatter by 5 points: two models often differ, the arms do not
    shares = {f"supplement-{share}-folder": arm(0.6, place + 1, spread=0.05) for place, share in enumerate(("0.0712", "0.1178", "0.1502"))}
    row = told({"base": arm(0.6, 0)} | shares).loc["S1a"]
    assert row["runs"] == 5 and row["one run"] < 1 and row["two models"] < 1 and row["survives"] == "not shown"


def test_copies_are_left_out_of_what_survives():
    leaked = np.arange(N) % 2 == 0
    base, synthetic = arm(0.8, 0), arm(0.8, 1)
    worse = synthetic.probabilities.copy()
    worse[:, leaked] = np.eye(7, dtype=np.float32)[(LABELS[leaked] + 1) % 7]  # only on the copies
    row = told({"base": base, "synthetic-1x-dcgan": ArmPredictions(synthetic.seeds, worse)}, leaked).loc["S2a"]
    assert (row["copies kept"], row["copies left out"], row["survives"]) == ("supported", "contradicted", "does not")


def test_every_network_tells_for_itself_and_absent_arms_are_left_out():
    arms = {(name, own): arm(0.5, 0) for name in ("base", "synthetic-1x-dcgan") for own in ("resnet50", "resnet50-frozen")}
    table = what_survives(load_claims(), Evidence(arms, LABELS, np.arange(N), None))
    assert set(table["classifier"]) == {"resnet50", "resnet50-frozen"} and set(table["id"]) == {"S2a", "S2d"}
    assert len(what_survives(load_claims(), Evidence({("base", "s1"): arm(0.5, 0)}, LABELS, np.arange(N), None)).query("id != 'S1c'")) == 0


def test_the_order_is_a_true_permutation():
    assert sorted(FER2013_ORDER) == sorted(CLASSES) and FER2013_ORDER != CLASSES
    assert told({"base": arm(0.8, 0), "synthetic-1x-dcgan": arm(0.99, 1)}).loc["S2d", "names permuted"] == pytest.approx(1)  # 4 names stay
