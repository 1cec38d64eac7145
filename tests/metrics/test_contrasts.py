"""Each arm is compared with base and its own controls, one question is one family, and every table
carries the arm's fields.
"""

from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest

from lib.faces.arm_plan import plan_arms
from lib.faces.arms import ARM_FIELDS, KINDS, UNFILTERED, Arm, controls
from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS
from lib.metrics.arms import ArmPredictions
from lib.metrics.contrasts import (
    BASE,
    contrasts,
    effects,
    gather_arms,
    levels,
    over_generations,
    result_rows,
    scorings,
)
from lib.metrics.decisions import DECISION_COLUMNS
from lib.metrics.scores import scores
from lib.metrics.statistics import holm
from lib.study.errors import StudyError
from lib.study.results import COLUMNS

N = 900
LABELS = np.random.default_rng(0).choice(7, N, p=[0.2, 0.05, 0.15, 0.25, 0.15, 0.1, 0.1])
CLUSTERS = np.arange(N)
X = Arm("supplement", "x", 0.5)
EVERY_KIND = {
    "pools": ["a", "b-c"],
    "arm_pools": [],
    "only_arms": [],
    "train_steps": 100,
    "controls": ["duplicate", "shuffled", "subset", "extra", "fewer_steps"],
    "supplement_shares": [0.2],
    "replace_shares": [0.5],
    "synthetic_multiples": [1.0, 2.0],
    "scarce_shares": [0.25, 1.0],
    "real_counts": [20, 0],
    "added_counts": [30],
    "added_class_shares": ["real", "pool"],
    "added_uses": ["mixed", "weighted", "staged", "label_filtered", "soft_labels"],
    "label_shares": [0.5, 0.25],
    "real_ways": ["mixup"],
    "draws": False,
    "balance": True,
    "staged_shares": [0.5],
    "reversed_shares": [0.5],
    "weighted_shares": [0.2],
    "synthetic_weights": [0.25, 0.5],
    "auxiliary_norm_shares": [0.2],
    "filter_arms": ["near_copy", "blur"],
}


def made_arm(n_seeds: int, skill: float, seed: int) -> ArmPredictions:
    """Runs of a classifier that knows the labels in part."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n_seeds, N, 7)) + skill * np.eye(7)[LABELS]
    # What is hard about an image is hard for every seed.
    chances = np.exp(logits + rng.normal(size=(1, N, 7)))
    chances /= chances.sum(2, keepdims=True)
    return ArmPredictions(tuple(range(n_seeds)), chances.astype(np.float32))


def judged(arms: dict, **settings) -> pd.DataFrame:
    """Effects of arms of one classifier."""
    keyed = {(arm, "small"): predictions for arm, predictions in arms.items()}
    return effects(keyed, LABELS, CLUSTERS, margin=0.005, **settings)


def control_pairs(arms: list[Arm]) -> set[tuple[str, str]]:
    return {(a.name, b.name) for a, b, role in contrasts(arms) if role == "control"}


def test_every_arm_is_compared_with_base_and_with_controls_of_its_own_size():
    supplement, synthetic = Arm("supplement", "dcgan", 0.5), Arm("synthetic", "dcgan", 1.0)
    arms = [
        BASE,
        Arm("duplicate", share=0.5, control_of="supplement"),
        Arm("fewer_steps", share=0.0712, control_of="supplement"),
        replace(supplement, kind="shuffled", control_of="supplement"),
        supplement,
        Arm("supplement", "dcgan", 0.0712),
        Arm("replace", "dcgan", 0.5),
        Arm("subset", share=0.5, control_of="replace"),
        synthetic,
        replace(synthetic, kind="shuffled", control_of="synthetic"),
        Arm("subset", share=0.25, control_of="scarce"),
        Arm("scarce", "dcgan", 0.25),
    ]
    assert control_pairs(arms) == {
        ("duplicate-0.5", "supplement-0.5-dcgan"),
        ("supplement-0.5-dcgan-shuffled", "supplement-0.5-dcgan"),
        ("fewer_steps-0.0712", "supplement-0.0712-dcgan"),
        ("subset-0.5", "replace-0.5-dcgan"),
        ("synthetic-1x-dcgan-shuffled", "synthetic-1x-dcgan"),
        ("scarce-0.25", "scarce-0.25-dcgan"),
    }
    against_base = [arm for reference, arm, role in contrasts(arms) if role == "base"]
    assert against_base == arms[1:]


def test_the_statistics_pair_the_arms_that_the_planner_plans():
    arms = plan_arms(EVERY_KIND)
    pairs = contrasts(arms)
    for arm in arms:
        references = [reference for reference, own, role in pairs if own == arm and role != "base"]
        assert references == [control for control in controls(arm) if control in arms]
    used = {reference for reference, _, role in pairs if role == "control"}
    assert {arm for arm in arms if arm.is_control} <= used
    assert {arm.kind for arm in arms} == set(KINDS)


def test_a_filtered_arm_is_compared_with_the_unfiltered_pool():
    filtered = Arm("filtered", "a", 0.2, only="blur")
    unfiltered = replace(filtered, only=UNFILTERED)
    assert control_pairs([BASE, filtered, unfiltered]) == {(unfiltered.name, filtered.name)}


def test_without_base_only_controls_are_compared():
    synthetic = Arm("synthetic", "dcgan", 1.0)
    shuffled = replace(synthetic, kind="shuffled", control_of="synthetic")
    assert contrasts([synthetic, shuffled]) == [(shuffled, synthetic, "control")]


def test_the_same_runs_under_two_names_get_one_verdict():
    base, better, poor = made_arm(4, 1.0, 1), made_arm(4, 1.12, 2), made_arm(4, 0.9, 3)
    unfiltered = Arm("filtered", "x", 0.5, only=UNFILTERED)
    others = {Arm("supplement", pool, 0.5): poor for pool in ("y", "z")}
    table = judged({BASE: base, X: better, unfiltered: better} | others)
    same = table[(table["role"] == "base") & (table["pool"] == "x")]
    assert same["arm"].tolist() == [X.name, unfiltered.name]
    assert same["p_holm"].nunique() == 1
    assert same["verdict"].nunique() == 1
    assert (same["p_holm"] > same["p"]).all()


def test_a_family_is_one_question_asked_of_all_pools():
    runs = {pool: made_arm(4, 1.1, seed) for seed, pool in enumerate("xyz")}
    alone = {Arm("supplement", pool, 0.5): own for pool, own in runs.items()}
    table = judged({BASE: made_arm(4, 1.0, 9)} | alone)
    # Another share, a control and another way to mix are other questions.
    others = {
        Arm("supplement", "x", 0.2): runs["x"],
        Arm("staged", "x", 0.5): runs["y"],
        Arm("duplicate", share=0.5, control_of="supplement"): runs["z"],
    }
    more = judged({BASE: made_arm(4, 1.0, 9)} | alone | others)
    names = [arm.name for arm in alone]
    against_base = more[(more["reference"] == "base") & more["arm"].isin(names)]
    assert against_base["p_holm"].tolist() == table["p_holm"].tolist()
    assert (table["p_holm"] > table["p"]).any()


def test_at_numbers_of_images_all_numbers_are_one_family():
    arms = {BASE: made_arm(4, 1.0, 9)}
    for seed, real in enumerate((30, 60, 0)):
        if real:
            arms[Arm("subset", real=real)] = made_arm(4, 1.0, 20 + seed)
        for pool in ("x", "y"):
            arms[Arm("supplement", pool, real=real, added=50)] = made_arm(4, 1.1, 30 + seed)
            control = Arm("duplicate", pool, control_of="supplement", real=real, added=50)
            arms[control] = made_arm(4, 1.0, 40 + seed)
    table = judged(arms)
    alone = table[
        (table["kind"] == "supplement") & table["reference_kind"].isin(["subset", "base"])
    ]
    against = table[(table["kind"] == "supplement") & (table["reference_kind"] == "duplicate")]
    for family in (alone, against):
        assert len(family) == 6
        assert family["p_holm"].tolist() == pytest.approx(holm(family["p"].tolist()))


def test_an_arm_that_may_be_continued_counts_two_analyses_before_and_after():
    better = replace(made_arm(6, 1.25, 2), analyses=2)
    base = replace(made_arm(6, 1.0, 1), analyses=2)
    once = replace(better, analyses=1)
    first = judged({BASE: base.of_seeds([0, 1, 2, 3]), X: better.of_seeds([0, 1, 2, 3])})
    second = judged({BASE: base, X: better})
    plain = judged({BASE: base, X: once})
    found = [table["analyses"].item() for table in (first, second, plain)]
    assert found == [2, 2, 1]
    assert second["p_holm"].item() == pytest.approx(2 * plain["p_holm"].item())
    # A control that is not continued limits what its comparison can still become.
    duplicate = Arm("duplicate", share=0.5, control_of="supplement")
    against_it = judged({X: better, duplicate: once})
    assert against_it["analyses"].tolist() == [1]


def test_seeds_beyond_the_planned_ones_count_as_an_interim_analysis():
    better = made_arm(4, 1.25, 2)
    duplicate = Arm("duplicate", share=0.5, control_of="supplement")
    arms = {BASE: made_arm(4, 1.0, 1), X: better, duplicate: better.of_seeds([0, 1, 2])}
    table = judged(arms, planned_seeds=3).query("role == 'base'").set_index("arm")
    assert table["analyses"].to_dict() == {X.name: 2, duplicate.name: 1}


def test_the_interval_that_decides_stands_beside_the_plain_one():
    pools = [Arm("supplement", pool, 0.5) for pool in "xyz"]
    arms = {
        arm: made_arm(4, skill, place)
        for place, (arm, skill) in enumerate(zip(pools, (1.0, 1.3, 1.02)), 2)
    }
    table = judged({BASE: made_arm(4, 1.0, 1)} | arms)
    assert list(table.columns[-len(DECISION_COLUMNS) :]) == list(DECISION_COLUMNS)
    assert ((table["low_decided"] > 0) == (table["verdict"] == "helps")).all()
    assert ((table["high_decided"] < 0) == (table["verdict"] == "hurts")).all()
    open_ones = table[table["verdict"] == "undecided"]
    assert len(open_ones)
    wider = open_ones["high_decided"] - open_ones["low_decided"]
    assert (wider > open_ones["high"] - open_ones["low"]).all()


def test_effects_carry_the_fields_of_arm_and_reference():
    shuffled = replace(X, kind="shuffled", control_of="supplement")
    arms = {BASE: made_arm(3, 1.0, 1), X: replace(made_arm(3, 1.3, 2), steps=560)}
    table = judged(arms | {shuffled: made_arm(3, 0.9, 3)})
    row = table[table["reference_kind"] == "shuffled"].iloc[0]
    assert {name: row[name] for name in ARM_FIELDS} == asdict(X)
    assert (row["reference"], row["reference_control_of"]) == (shuffled.name, "supplement")
    assert (row["role"], row["steps"], row["reference_steps"]) == ("control", 560, 0)


def test_a_study_of_base_alone_has_an_empty_table_of_effects():
    table = judged({BASE: made_arm(3, 1.0, 1)})
    assert len(table) == 0
    assert {"role", "kind", "reference_kind", "verdict", "sample_size"} <= set(table.columns)


def test_one_class_is_compared_by_its_own_metric():
    arms = {BASE: made_arm(3, 1.0, 1), X: made_arm(3, 2.0, 2)}
    table = judged(arms, metric="recall", class_name="fear", classes=EMOTIONS)
    assert table["class"].tolist() == ["fear"]
    assert table["verdict"].tolist() == ["helps"]


def made_runs(seeds: tuple = (2, 0, 1)) -> pd.DataFrame:
    rows = []
    for arm in (BASE, X):
        rows += [asdict(arm) | {"classifier": "small", "seed": s, "steps": 90} for s in seeds]
    return pd.DataFrame(rows)


def test_runs_are_gathered_by_arm_and_sorted_by_seed():
    good, poor = made_arm(3, 2.5, 1), made_arm(3, 1.0, 1)
    predictions = [own.probabilities[seed] for own in (poor, good) for seed in (2, 0, 1)]
    arms = gather_arms(made_runs(), predictions)
    assert list(arms) == [(BASE, "small"), (X, "small")]
    assert arms[BASE, "small"].seeds == (0, 1, 2)
    assert arms[BASE, "small"].steps == 90
    assert (arms[BASE, "small"].probabilities == poor.probabilities).all()

    table = effects(arms, LABELS, CLUSTERS, margin=0.005)
    assert table["verdict"].tolist() == ["helps"]
    assert table["p_holm"].item() == table["p"].item()

    own = levels(arms, LABELS, CLUSTERS).set_index("kind")
    accuracies = [scores(run, LABELS)["accuracy"] for run in poor.probabilities]
    assert own.loc["base", "value"] == pytest.approx(np.mean(accuracies))
    assert {"arm", *ARM_FIELDS[1:], "steps", "n_seeds"} <= set(own.columns)


def test_runs_that_cannot_be_gathered_are_refused():
    run = made_arm(1, 1.0, 1).probabilities[0]
    with pytest.raises(StudyError, match="two runs of one seed"):
        gather_arms(made_runs((0, 0, 0)), [run] * 6)
    with pytest.raises(StudyError, match="40_training"):
        gather_arms(made_runs()[:0], [])
    with pytest.raises(StudyError, match="different numbers of images"):
        gather_arms(made_runs(), [run] * 5 + [run[:9]])


def test_generations_of_a_pool_are_one_arm():
    first, second = X, replace(X, generation=2)
    arms = {(arm, "small"): made_arm(3, 1.0, seed) for seed, arm in enumerate((second, first))}
    joined = over_generations(arms)
    assert list(joined) == [(first, "small")]
    several = joined[first, "small"].generations
    expected = [arms[arm, "small"].probabilities for arm in (first, second)]
    assert all((a == b).all() for a, b in zip(several, expected, strict=True))


def test_scorings_name_every_way_to_score():
    table = pd.DataFrame(
        {
            "class": ["angry", "fear", "sad", "happy"],
            "leaked": [True, False, False, True],
            "plus_class": ["sad", "fear", None, "happy"],
        }
    )
    found = scorings(table, EMOTIONS)
    assert list(found) == ["test", "test-plus", "test-leakfree", "test-leakfree-plus"]
    mask, labels = found["test-leakfree-plus"]
    assert mask.tolist() == [False, True, False, False]
    assert labels[mask].tolist() == [EMOTIONS.index("fear")]
    assert list(scorings(table[["class"]], EMOTIONS)) == ["test"]


def test_labels_of_a_class_that_the_set_lacks_are_not_scored():
    table = pd.DataFrame({"class": ["fear", "sad"], "plus_class": ["contempt", "sad"]})
    seven, eight = scorings(table, EMOTIONS), scorings(table, EIGHT_EMOTIONS)
    assert seven["test-plus"][0].tolist() == [False, True]
    assert eight["test-plus"][0].tolist() == [True, True]


def test_result_rows_are_rows_of_the_results_table():
    table = pd.DataFrame({"class": ["angry", "fear", "sad", "happy"], "plus_class": ["sad"] * 4})
    predicted = np.eye(7, dtype=np.float32)[[[0, 2, 5, 3]]]
    arms = {(X, "small"): ArmPredictions((0,), predicted, steps=90)}
    rows = pd.DataFrame(result_rows(arms, scorings(table, EMOTIONS), EMOTIONS, study="quick"))
    assert list(rows.columns) == list(COLUMNS)
    accuracy = rows[rows["metric"] == "accuracy"].set_index("split")["value"]
    assert accuracy.to_dict() == {"test": 1, "test-plus": 0.25}
    assert rows["pool"].eq("x").all()
    assert set(rows["class"]) == {"", *EMOTIONS}


def test_predictions_of_another_number_of_classes_are_refused():
    arms = {(BASE, "small"): made_arm(1, 1.0, 1)}
    scoring = {"test": (np.ones(N, bool), LABELS)}
    with pytest.raises(StudyError, match="7 classes for a set of 8"):
        result_rows(arms, scoring, EIGHT_EMOTIONS, study="quick")
