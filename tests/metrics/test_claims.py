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
from lib.metrics.claim_verdicts import NOT_AT_THIS_SIZE, Comparison, p_values
from lib.metrics.claims import (
    POOL_METRICS,
    Measurements,
    _comparisons,
    decide_claims,
    load_claims,
)
from lib.metrics.contrasts import BASE
from lib.metrics.distances import all_distances
from lib.metrics.statistics import effect_of
from lib.report.claims import NOT_APPLICABLE, NOT_DECIDABLE, claims_view
from lib.study.errors import StudyError
from lib.study.generations import generation_name
from lib.study.paths import ROOT

N = 1500
LABELS = np.arange(N) % 7
S1_SHARES = (0.0712, 0.1178, 0.15025)
FOLDER = [Arm("supplement", "folder", share) for share in S1_SHARES]
ONCE, TWICE = (Arm("synthetic", "dcgan", multiple) for multiple in (1.0, 2.0))


def made_arm(accuracy: float, seed: int, *, trainings: int = 1, **facts) -> ArmPredictions:
    """Five runs on each training of a generator that are right on a known share of images."""
    rng = np.random.default_rng(seed)
    # The same images are easy for every arm.
    noise = 0.005 * rng.normal(size=(trainings, 5, N))
    difficulty = np.random.default_rng(0).random(N) + noise
    predicted = np.where(difficulty < accuracy, LABELS, (LABELS + 1) % 7)
    first, *others = (0.1 + np.eye(7, dtype=np.float32)[predicted]) / 1.7
    return ArmPredictions((0, 1, 2, 3, 4), first, tuple(others), **facts)


def pools_table(trainings: int = 3) -> pd.DataFrame:
    rows = [("folder", "pixels", "vendi", 5.0, 0.3, 300, 9.0, 0.3)]
    for number in range(1, trainings + 1):
        pool, apart = generation_name("dcgan", number), 0.002 * number
        rows += [
            (pool, "classifier", "coverage", 0.93 + apart, 0.01, 300, 0.95, 0.01),
            (pool, "classifier", "recall", 0.2 + apart, 0.02, 300, 0.8, 0.02),
        ]
    columns = ["pool", "space", "metric", "value", "se", "n", "baseline", "baseline_se"]
    return pd.DataFrame(rows, columns=columns)


def study(
    accuracies: dict[Arm, float],
    *,
    epochs: float = 250.0,
    trainings: int = 3,
    images: float = 5e6,
    analyses: int = 1,
) -> Measurements:
    """A study whose classifiers and generators were trained for so long."""
    arms = {}
    for place, (arm, accuracy) in enumerate(accuracies.items()):
        # Ready-made images and real ones are there once.
        made = trainings if arm.pool not in ("", "folder") else 1
        facts = {"trainings": made, "epochs": epochs, "analyses": analyses}
        arms[arm, "small"] = made_arm(accuracy, place, **facts)
    trained = dict.fromkeys(("dcgan", "stylegan32", "stylegan64"), images)
    about = pools_table(trainings), EMOTIONS, "fer2013.csv", trained
    return Measurements(arms, LABELS, np.arange(N), *about)


def verdict_on(claim: str, measurements: Measurements) -> str:
    table = decide_claims(load_claims(), measurements).set_index("id")
    return table.loc[claim, "verdict"]


def test_pages_find_every_column_that_they_read():
    decided = decide_claims(load_claims(), study({BASE: 0.6, ONCE: 0.2}))
    shown = claims_view(decided).set_index("id")["difference (interval that decides)"]
    assert len(shown) == len(decided)
    assert shown["S1d"].startswith("Vendi score −4.0 (")
    assert shown["S2a"].startswith("accuracy −") and " points (" in shown["S2a"]


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


@pytest.mark.parametrize("accuracy", [0.2, 0.45, 0.5, 0.52, 0.6, 0.8])
def test_the_interval_that_decides_says_what_the_verdict_says(accuracy):
    accuracies = {BASE: 0.6, ONCE: accuracy, TWICE: 0.5} | dict.fromkeys(FOLDER, accuracy)
    table = decide_claims(load_claims(), study(accuracies)).set_index("id")
    for claim in load_claims():
        row = table.loc[claim.id]
        low, high = row["low_decided"], row["high_decided"]
        word = row["at_this_size"]
        if np.isnan(low):
            assert word in (NOT_DECIDABLE, NOT_APPLICABLE)
            continue

        # One comparison, or the shown one of several that all support.
        assert low <= row["difference"] <= high
        if claim.test == "equivalent":
            within = -claim.margin < low and high < claim.margin
            assert word != "supported" or within
            continue
        bounds = {"greater": claim.margin, "above": 0.0, "pool_near": -claim.margin}
        bound = bounds.get(claim.test, -claim.margin)
        beyond, short = (low > bound, high < bound)
        if claim.test not in bounds:
            beyond, short = short, beyond
        assert (word == "supported") == beyond
        assert word == "contradicted" or not short


def test_a_claim_about_arms_alone_names_no_reference():
    table = decide_claims(load_claims(), study({BASE: 0.6, ONCE: 0.2})).set_index("id")
    assert table.loc["S2d", "basis"] == "synthetic-1x-dcgan"


def test_one_arm_that_differs_contradicts_no_change():
    accuracies = {BASE: 0.6} | dict(zip(FOLDER, (0.6, 0.6, 0.5)))
    assert verdict_on("S1a", study(accuracies)) == "contradicted"


def p_values_on(claim_id: str, difference: float, se: float, analyses: int = 1) -> tuple:
    claim = next(claim for claim in load_claims() if claim.id == claim_id)
    effect = effect_of(difference, se**2, 0.0, 0.0, 30, 5000, n_images=5000)
    return p_values(claim.test, claim.margin, Comparison("arm", effect, analyses))


# The margin of S1a is half a point.
@pytest.mark.parametrize(
    ("difference", "supported", "contradicted"),
    [
        (-0.001, True, False),
        (-0.009, False, True),
        (-0.004, False, False),  # a sure difference inside the margin contradicts nothing
        (0.0065, False, False),
    ],
)
def test_no_change_is_contradicted_by_a_difference_beyond_the_margin_alone(
    difference, supported, contradicted
):
    p_support, p_contradict = p_values_on("S1a", difference, 0.0012)
    assert (p_support < 0.05) == supported
    assert (p_contradict < 0.05) == contradicted


@pytest.mark.parametrize("claim_id", ["S1a", "S2a", "S3b"])
def test_claims_count_further_analyses(claim_id):
    once, twice = (p_values_on(claim_id, -0.005, 0.002, analyses) for analyses in (1, 2))
    assert twice == pytest.approx([min(2 * p, 1) for p in once])


def test_a_claim_is_analysed_as_often_as_its_arms():
    accuracies = {BASE: 0.6, ONCE: 0.485}
    once, twice = (study(accuracies, analyses=analyses) for analyses in (1, 2))
    assert verdict_on("S2a", once) == "supported"
    claim = next(claim for claim in load_claims() if claim.id == "S2a")
    (comparison,) = _comparisons(claim, twice)
    assert comparison.analyses == 2


def test_supplements_are_held_against_real_images_seen_as_often():
    fewer = [Arm("fewer_steps", share=share, control_of="supplement") for share in S1_SHARES]
    measured = study({BASE: 0.6} | dict.fromkeys(FOLDER, 0.5) | dict.fromkeys(fewer, 0.5))
    row = decide_claims(load_claims(), measured).set_index("id").loc["S1a"]
    assert "against base" in row["basis"]
    assert (row["verdict"], row["reading"]) == ("contradicted", "equal real passes")

    # Equal steps are fewer passes of a supplement: its control stands for base.
    arms = {key: replace(own, epochs=200.0) for key, own in measured.arms.items()}
    arms[BASE, "small"] = measured.arms[BASE, "small"]
    row = decide_claims(load_claims(), replace(measured, arms=arms)).set_index("id").loc["S1a"]
    assert "against fewer_steps" in row["basis"]
    assert row["verdict"] == "supported"

    # Without the control the protocol is not that of the claim.
    for control in fewer:
        del arms[control, "small"]
    row = decide_claims(load_claims(), replace(measured, arms=arms)).set_index("id").loc["S1a"]
    assert (row["verdict"], row["at_this_size"]) == (NOT_AT_THIS_SIZE, "contradicted")
    assert "equal epochs or the arm fewer_steps-0.0712" in row["missing"]


@pytest.mark.parametrize(
    ("size", "missing"),
    [
        ({"epochs": 19.0}, "19 of 40 passes over the images"),
        ({"images": 2e6}, "dcgan was trained on 2,000,000 of 4,032,000 images"),
        ({"images": 0.0}, "dcgan was trained on 0 of 4,032,000 images"),
        ({"trainings": 2}, "2 of 3 trainings of each generator"),
    ],
)
def test_under_half_of_the_budget_a_claim_is_not_decidable(size, missing):
    enough = study({BASE: 0.6, ONCE: 0.2}, epochs=19.97, images=2.1e6)
    assert verdict_on("S2a", enough) == "supported"
    row = decide_claims(load_claims(), study({BASE: 0.6, ONCE: 0.2}, **size)).set_index("id")
    assert row.loc["S2a", "verdict"] == NOT_AT_THIS_SIZE
    assert row.loc["S2a", "at_this_size"] == "supported"
    assert row.loc["S2a", "missing"] == missing
    assert row.loc["S2a", "high"] < -0.1


@pytest.mark.parametrize("claim_id", ["S2e", "S3a"])
def test_a_claim_about_a_generator_needs_several_trainings_not_several_groups_of_images(claim_id):
    few, enough = (study({BASE: 0.6}, trainings=trainings) for trainings in (1, 3))
    assert verdict_on(claim_id, enough) == "supported"
    assert verdict_on(claim_id, few) == NOT_AT_THIS_SIZE


def test_fewer_than_five_seeds_decide_no_claim():
    measured = study({BASE: 0.6, ONCE: 0.2})
    few = {key: arm.of_seeds([0, 1, 2, 3]) for key, arm in measured.arms.items()}
    assert verdict_on("S2a", measured) == "supported"
    assert verdict_on("S2a", replace(measured, arms=few)) == "undecided"


def test_single_trainings_of_two_generators_decide_nothing_about_generators():
    pair = [Arm("synthetic", pool, 1.0) for pool in ("stylegan32", "stylegan64")]
    accuracies = {BASE: 0.6} | dict(zip(pair, (0.3, 0.5)))
    row = decide_claims(load_claims(), study(accuracies, trainings=1)).set_index("id").loc["S2b"]
    assert row["verdict"] == NOT_AT_THIS_SIZE
    assert "1 of 3 trainings" in row["missing"]
    assert verdict_on("S2b", study(accuracies)) == "supported"


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
    assert all(claim.generations == 3 for claim in claims if claim.study != "S1")


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
        ({"budget": {"passses": 250}}, "budget is 'passses', did you mean 'passes'"),
        ({"budget": {"protocol": "epoch"}}, "budget.protocol is 'epoch', did you mean 'epochs'"),
    ],
)
def test_a_claim_that_nothing_could_decide_is_refused(tmp_path, changes, message):
    file = tmp_path / "claims.yaml"
    file.write_text(yaml.safe_dump({"claims": [stated(**changes)]}))
    with pytest.raises(StudyError, match=message) as raised:
        load_claims(file)
    assert f"{file}: claim S1a" in str(raised.value)
