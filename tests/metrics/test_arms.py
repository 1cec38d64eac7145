"""Any metric spread over images averages back to itself and carries the metric's own sampling
variance; contrasts find the right controls.
"""

import numpy as np
import pandas as pd
import pytest

from lib.faces.faceset import CLASSES
from lib.metrics.arms import ArmPredictions, compare_arms, image_scores, level
from lib.metrics.contrasts import contrasts, design, effects, gather_arms, levels, result_rows, scorings
from lib.metrics.scores import class_scores, scores
from lib.metrics.statistics import cluster_weights
from lib.study.errors import StudyError


def predicted(labels: np.ndarray, n_seeds: int, skill: float, seed: int) -> ArmPredictions:
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(1, len(labels), 7))  # what is hard about an image is hard for every seed
    logits = shared + rng.normal(size=(n_seeds, len(labels), 7)) + skill * np.eye(7)[labels]
    p = np.exp(logits)
    return ArmPredictions(tuple(range(n_seeds)), (p / p.sum(2, keepdims=True)).astype(np.float32))


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(0).choice(7, 900, p=[0.2, 0.05, 0.15, 0.25, 0.15, 0.1, 0.1])


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1_macro", "auroc_macro"])
def test_image_scores_average_to_the_metric(labels, metric):
    arm = predicted(labels, 3, 1.5, 1)
    expected = [scores(p, labels)[metric] for p in arm.probabilities]
    assert image_scores(arm, labels, metric).mean(1) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", ["recall", "f1", "auroc"])
def test_image_scores_of_a_class(labels, metric):
    arm = predicted(labels, 1, 1.5, 1)
    table = class_scores(arm.probabilities[0], labels).set_index(["class", "metric"])["value"]
    assert image_scores(arm, labels, metric, "fear").mean() == pytest.approx(table["fear", metric], abs=1e-6)


@pytest.mark.parametrize("metric", ["f1_macro", "auroc_macro", "balanced_accuracy"])
def test_image_scores_carry_the_sampling_variance(labels, metric):
    arm = predicted(labels, 1, 1.5, 1)
    index = np.repeat(np.arange(len(labels)), 1)
    weights = cluster_weights(index, 300, 0).astype(int)
    draws = [scores(arm.probabilities[0][rows := np.repeat(index, w)], labels[rows])[metric] for w in weights]
    found = level(arm, labels, clusters=index, metric=metric)
    assert found.se == pytest.approx(np.std(draws), rel=0.12)  # 300 draws know a standard deviation to 4 %


def test_compare_arms_pairs_the_seeds_that_both_have(labels):
    good, poor = predicted(labels, 5, 1.5, 1), predicted(labels, 3, 1.0, 1)
    found = compare_arms(poor, good, labels, clusters=np.arange(900))
    assert found.n_seeds == 3 and found.low > 0
    with pytest.raises(StudyError, match="same seeds"):
        compare_arms(poor, ArmPredictions((7, 8, 9), poor.probabilities), labels, clusters=np.arange(900))
    with pytest.raises(StudyError, match="cannot spread"):
        image_scores(good, labels, "recall")


def test_contrasts_read_each_arm_against_controls_of_its_own_size():
    arms = ["base", "duplicate-0.5", "shuffled-0.5-dcgan", "supplement-0.5-dcgan", "supplement-0.0712-dcgan", "replace-0.5-dcgan"]
    arms += ["subset-0.5", "synthetic-1x-dcgan", "synthetic-1x-dcgan-shuffled", "scarce-0.25", "scarce-0.25-dcgan"]
    found = {(a, b) for a, b, role in contrasts(arms) if role == "control"}
    assert found == {
        ("duplicate-0.5", "supplement-0.5-dcgan"), ("shuffled-0.5-dcgan", "supplement-0.5-dcgan"),
        ("subset-0.5", "replace-0.5-dcgan"), ("synthetic-1x-dcgan-shuffled", "synthetic-1x-dcgan"), ("scarce-0.25", "scarce-0.25-dcgan"),
    }  # fmt: skip
    assert len([1 for *_, role in contrasts(arms) if role == "base"]) == len(arms) - 1


def test_the_family_is_one_question_asked_of_all_pools():
    arms = [
        "supplement-0.5-drawn-narrow",
        "replace-0.5-dcgan",
        "synthetic-1x-dcgan-shuffled",
        "duplicate-0.5",
        "base",
        "scarce-0.25",
        "balance-dcgan",
    ]
    assert [design(arm) for arm in arms] == [
        "supplement-0.5",
        "replace-0.5",
        "synthetic-1x-shuffled",
        "duplicate-0.5",
        "base",
        "scarce-0.25",
        "balance",
    ]


def test_every_planned_control_is_read_and_every_variant_against_its_plain_supplement():
    from lib.faces.arms import plan_arms

    params = {"pools": ["a", "b-c"], "arm_pools": [], "only_arms": [], "train_steps": 100,
              "controls": ["duplicate", "shuffled", "subset", "extra", "fewer"], "supplement_shares": [0.2],
              "replace_shares": [0.5], "synthetic_multiples": [1.0, 2.0], "scarce_shares": [0.25, 1.0], "balance": True,
              "staged_shares": [0.5],
              "reversed_shares": [0.5], "weighted_shares": [0.2], "synthetic_weights": [0.25, 0.5], "split_norm_shares": [0.2],
              "filter_arms": ["near_copy", "blur"]}  # fmt: skip
    arms = plan_arms(params)
    found = [(a, b) for a, b, role in contrasts([arm.name for arm in arms]) if role == "control"]
    assert {arm.name for arm in arms if arm.control_of} <= {reference for reference, _ in found}
    for arm in arms:
        references = {reference for reference, own in found if own == arm.name}
        text = f"{arm.share:.4g}-{arm.pool}"
        if arm.kind in ("staged", "reversed", "weighted", "splitnorm"):
            assert references == {f"supplement-{text}", f"duplicate-{arm.share:.4g}", f"{arm.name}-shuffled"}
        if arm.kind == "filtered":
            assert references == ({f"supplement-{text}-only_none"} if arm.only != "none" else set())
    families = {design(arm.name) for arm in arms if arm.pool}
    assert families == {design(arm.name.replace("b-c", "a")) for arm in arms if arm.pool} and not any(
        "b-c" in family for family in families
    )
    assert {"weighted-0.2-at-0.25-shuffled", "supplement-0.2-only_near_copy", "splitnorm-0.2", "balance-shuffled"} <= families


def test_the_same_runs_under_two_names_get_one_word(labels):
    base, better, poor = predicted(labels, 4, 1.0, 1), predicted(labels, 4, 1.12, 2), predicted(labels, 4, 0.9, 3)
    arms = {"base": base, "supplement-0.5-x": better, "supplement-0.5-x-only_none": better}
    arms |= {"supplement-0.5-y": poor, "supplement-0.5-z": poor}
    table = effects({(name, "small"): own for name, own in arms.items()}, labels, np.arange(900), margin=0.005).query("role == 'base'")
    same = table[table["arm"].str.startswith("supplement-0.5-x")]
    assert len(same) == 2 and same["p_holm"].nunique() == 1 and same["verdict"].nunique() == 1
    assert (same["p_holm"] > same["p"]).all()


def test_what_was_looked_at_twice_counts_double(labels):
    base, better = predicted(labels, 4, 1.0, 1), predicted(labels, 4, 1.12, 2)
    arms = {("base", "small"): base, ("supplement-0.5-x", "small"): better, ("duplicate-0.5", "small"): better.of_seeds([0, 1, 2])}
    once, twice = (
        effects(arms, labels, np.arange(900), margin=0.005, planned_seeds=planned).query("role == 'base'").set_index("arm")
        for planned in (0, 3)
    )
    assert once["looks"].eq(1).all() and twice["looks"].to_dict() == {"supplement-0.5-x": 2, "duplicate-0.5": 1}
    assert twice.loc["supplement-0.5-x", "p_holm"] == pytest.approx(2 * once.loc["supplement-0.5-x", "p_holm"])
    assert twice.loc["duplicate-0.5", "p_holm"] == once.loc["duplicate-0.5", "p_holm"]


def test_gather_and_judge(labels):
    runs = pd.DataFrame(
        [(arm, "small", s) for arm in ("base", "supplement-0.5-x") for s in (2, 0, 1)], columns=["arm", "classifier", "seed"]
    )
    good, poor = predicted(labels, 3, 2.5, 1), predicted(labels, 3, 1.0, 1)
    arms = gather_arms(runs, [x.probabilities[s] for x in (poor, good) for s in (2, 0, 1)])
    assert arms["base", "small"].seeds == (0, 1, 2) and (arms["base", "small"].probabilities == poor.probabilities).all()
    table = effects(arms, labels, np.arange(900), margin=0.005)
    assert table["verdict"].tolist() == ["helps"] and table["p_holm"].item() == table["p"].item()
    assert levels(arms, labels, np.arange(900)).set_index("arm").loc["base", "value"] == pytest.approx(
        np.mean([scores(p, labels)["accuracy"] for p in poor.probabilities])
    )
    with pytest.raises(StudyError, match="two runs of one seed"):
        gather_arms(runs.assign(seed=0), [good.probabilities[0]] * 6)
    with pytest.raises(StudyError, match="40_training"):
        gather_arms(runs[:0], [])


def test_scorings_and_rows():
    table = pd.DataFrame(
        {"class": ["angry", "fear", "sad", "happy"], "leaked": [True, False, False, True], "plus_class": ["sad", "fear", None, "happy"]}
    )
    found = scorings(table)
    assert list(found) == ["test", "test-plus", "test-leakfree", "test-leakfree-plus"]
    mask, truth = found["test-leakfree-plus"]
    assert mask.tolist() == [False, True, False, False] and truth[mask].tolist() == [CLASSES.index("fear")]
    arms = {("base", "small"): ArmPredictions((0,), np.eye(7, dtype=np.float32)[[[0, 2, 5, 3]]])}
    rows = pd.DataFrame(result_rows(arms, found, study="quick"))
    assert set(rows.columns) == {"study", "arm", "classifier", "seed", "split", "metric", "class", "value"}
    accuracy = rows.query("metric == 'accuracy'").set_index("split")["value"]
    assert accuracy["test"] == 1 and accuracy["test-plus"] == pytest.approx(2 / 3)
