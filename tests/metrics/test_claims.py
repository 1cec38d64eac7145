"""Claims are decided as their making demands, and the file that states them covers the three
studies.
"""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml

from lib.faces.arms import Arm
from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS
from lib.metrics.arms import ArmPredictions
from lib.metrics.claims import (
    NOT_APPLICABLE,
    NOT_DECIDABLE,
    POOL_METRICS,
    Measurements,
    _p_values,
    claims_hash,
    decide_claims,
    load_claims,
)
from lib.metrics.contrasts import BASE
from lib.metrics.distances import all_distances
from lib.metrics.statistics import effect_of, verdict
from lib.study.errors import StudyError
from lib.study.paths import ROOT

N = 1500
LABELS = np.arange(N) % 7
S1_SHARES = (0.0712, 0.1178, 0.15025)
FOLDER = [Arm("supplement", "folder", share) for share in S1_SHARES]
ONCE, TWICE = (Arm("synthetic", "dcgan", multiple) for multiple in (1.0, 2.0))


def made_arm(accuracy: float, seed: int) -> ArmPredictions:
    """Five runs that are right on a known share of images."""
    rng = np.random.default_rng(seed)
    # The same images are easy for every arm.
    difficulty = np.random.default_rng(0).random(N) + 0.005 * rng.normal(size=(5, N))
    predicted = np.where(difficulty < accuracy, LABELS, (LABELS + 1) % 7)
    return ArmPredictions((0, 1, 2, 3, 4), (0.1 + np.eye(7, dtype=np.float32)[predicted]) / 1.7)


def pools_table() -> pd.DataFrame:
    rows = [
        ("folder", "pixels", "vendi", 5.0, 0.3, 300, 9.0, 0.3),
        ("dcgan", "classifier", "coverage", 0.93, 0.01, 300, 0.95, 0.01),
        ("dcgan", "classifier", "recall", 0.2, 0.02, 300, 0.8, 0.02),
    ]
    columns = ["pool", "space", "metric", "value", "se", "n", "baseline", "baseline_se"]
    return pd.DataFrame(rows, columns=columns)


def study(accuracies: dict[Arm, float]) -> Measurements:
    arms = {}
    for place, (arm, accuracy) in enumerate(accuracies.items()):
        arms[arm, "small"] = made_arm(accuracy, place)
    return Measurements(arms, LABELS, np.arange(N), pools_table(), EMOTIONS, "fer2013.csv")


def verdict_on(claim: str, measurements: Measurements) -> str:
    table = decide_claims(load_claims(), measurements).set_index("id")
    return table.loc[claim, "verdict"]


def test_claims_are_decided():
    equal = dict.fromkeys(FOLDER, 0.6)
    others = {ONCE: 0.2, TWICE: 0.4, Arm("supplement", "dcgan", 0.5): 0.7}
    table = decide_claims(load_claims(), study({BASE: 0.6} | equal | others)).set_index("id")
    expected = {
        "S1a": "supported",
        "S1b": NOT_DECIDABLE,
        "S1c": "undecided",
        "S1d": "supported",
        "S2a": "supported",
        "S2b": NOT_DECIDABLE,
        "S2c": "contradicted",
        "S2d": "contradicted",
        "S2e": "supported",
        "S3a": "supported",
        "S3b": "supported",
    }
    assert table.loc[list(expected), "verdict"].to_dict() == expected
    assert "by hand" in table.loc["S1e", "basis"]

    row = table.loc["S2a"]
    assert row["basis"] == "synthetic-1x-dcgan against base"
    assert row["low"] < row["difference"] < row["high"] < -0.1
    assert (row["n_images"], row["n_seeds"]) == (N, 5)


def test_a_claim_about_arms_alone_names_no_reference():
    table = decide_claims(load_claims(), study({BASE: 0.6, ONCE: 0.2})).set_index("id")
    assert table.loc["S2d", "basis"] == "synthetic-1x-dcgan"


def test_one_arm_that_differs_contradicts_no_change():
    accuracies = {BASE: 0.6} | dict(zip(FOLDER, (0.6, 0.6, 0.5)))
    assert verdict_on("S1a", study(accuracies)) == "contradicted"


@pytest.mark.parametrize(
    ("difference", "word", "supported", "contradicted"),
    [
        (-0.001, "equivalent", True, False),
        (-0.009, "hurts", False, True),
        (-0.004, "hurts", False, True),
    ],
)
def test_a_claim_of_no_change_agrees_with_the_verdict_on_its_arm(
    difference, word, supported, contradicted
):
    claim = next(claim for claim in load_claims() if claim.id == "S1a")
    effect = effect_of(difference, 0.0012**2, 0.0, 0.0, 30, 5000, n_images=5000)
    p_support, p_contradict = _p_values(claim, effect)
    assert verdict(effect, claim.margin) == word
    assert (p_support < 0.05) == supported
    assert (p_contradict < 0.05 and not p_support < 0.05) == contradicted


def test_fewer_than_five_seeds_decide_no_claim():
    measured = study({BASE: 0.6, ONCE: 0.2})
    few = {key: arm.of_seeds([0, 1, 2, 3]) for key, arm in measured.arms.items()}
    assert verdict_on("S2a", measured) == "supported"
    assert verdict_on("S2a", replace(measured, arms=few)) == "undecided"


def test_single_trainings_of_two_generators_decide_nothing_about_generators():
    pair = [Arm("synthetic", pool, 1.0) for pool in ("stylegan32", "stylegan64")]
    measured = study({BASE: 0.6} | dict(zip(pair, (0.3, 0.5))))
    row = decide_claims(load_claims(), measured).set_index("id").loc["S2b"]
    assert row["verdict"] == "undecided"
    assert "trained once" in row["basis"]

    rng, several = np.random.default_rng(1), dict(measured.arms)
    for arm in pair:
        own = several[arm, "small"]
        others = tuple(own.probabilities[rng.permutation(5)] for _ in range(3))
        several[arm, "small"] = replace(own, other_generations=others)
    assert verdict_on("S2b", replace(measured, arms=several)) == "supported"


def test_a_missing_arm_leaves_a_claim_open():
    assert verdict_on("S1a", study({BASE: 0.6, FOLDER[0]: 0.6})) == NOT_DECIDABLE


def test_a_study_that_can_decide_no_claim_still_lists_them_all():
    measured = replace(study({BASE: 0.6}), pools=pools_table().iloc[:0])
    claims = [claim for claim in load_claims() if claim.id == "S1a"]
    table = decide_claims(claims, measured)
    assert list(table["verdict"]) == [NOT_DECIDABLE]
    shown = {"difference", "low", "high", "n_images", "n_seeds", "minimum_detectable_effect"}
    assert shown <= set(table.columns)


@pytest.mark.parametrize(
    "other", [{"data": "drawn"}, {"classes": EIGHT_EMOTIONS}, {"classes": ("cat", "dog")}]
)
def test_claims_do_not_apply_to_drawn_faces_or_other_classes(other):
    measured = replace(study({BASE: 0.6, ONCE: 0.2}), **other)
    table = decide_claims(load_claims(), measured)
    assert len(table) == len(load_claims())
    assert table["verdict"].eq(NOT_APPLICABLE).all()
    assert table["basis"].str.startswith("does not apply").all()


def test_every_claim_of_the_studies_is_stated():
    claims = load_claims()
    expected = [f"S1{x}" for x in "abcde"] + [f"S2{x}" for x in "abcdef"] + ["S3a", "S3b"]
    assert [claim.id for claim in claims] == expected
    assert claims_hash(claims) != claims_hash(claims[1:])
    assert len(claims_hash(claims)) == 12


def test_pool_metrics_are_those_that_distances_have():
    features = np.random.default_rng(0).normal(size=(30, 4))
    assert set(POOL_METRICS) == set(all_distances(features, features + 1, seed=0))


def stated(**changes) -> dict:
    """The claim S1a as the file states it, with changes."""
    text = (ROOT / "params" / "claims.yaml").read_text(encoding="utf-8")
    claim = yaml.safe_load(text)["claims"][0] | changes
    return {key: value for key, value in claim.items() if value is not None}


ONE_SIDED = [{"arm": {"kind": "base"}}]
LATE = [{"reference": {"kind": "base"}, "arm": {"kind": "supplement", "share": 0.07}}]
ODD = [{"reference": {"kind": "base"}, "arm": {"kind": "addition", "share": 0.5}}]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"needs": None}, "key 'needs' is missing"),
        ({"pool": ["folder"]}, "key is 'pool', did you mean 'pools'"),
        ({"pools": ["folder", "stable-diffusion"]}, "pools is 'stable-diffusion'"),
        ({"metric": "acuracy"}, "metric is 'acuracy', did you mean 'accuracy'"),
        ({"test": "equal"}, "test is 'equal'"),
        ({"test": "pool_near", "metric": "recal", "space": "pixels"}, "did you mean 'recall'"),
        ({"test": "pool_near", "metric": "recall", "space": "pixel"}, "did you mean 'pixels'"),
        ({"test": "class_below", "metric": "recall", "class": "sadness"}, "class is 'sadness'"),
        ({"comparisons": ONE_SIDED}, "a comparison of the test equivalent names"),
        ({"comparisons": LATE}, "arm.share is 0.07"),
        ({"comparisons": ODD}, "arm.kind is 'addition'"),
    ],
)
def test_a_claim_that_nothing_could_decide_is_refused(tmp_path, changes, message):
    file = tmp_path / "claims.yaml"
    file.write_text(yaml.safe_dump({"claims": [stated(**changes)]}))
    with pytest.raises(StudyError, match=message) as raised:
        load_claims(file)
    assert f"{file}: claim S1a" in str(raised.value)
