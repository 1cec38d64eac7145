"""Any metric spread over images averages back to itself and carries the metric's own sampling
variance.
"""

import numpy as np
import pytest

from lib.faces.classes import EMOTIONS
from lib.metrics.arms import ArmPredictions, compare_arms, image_scores, level
from lib.metrics.scores import class_scores, scores
from lib.metrics.statistics import cluster_weights
from lib.study.errors import StudyError

FEAR = EMOTIONS.index("fear")


def made_arm(labels: np.ndarray, n_seeds: int, skill: float, seed: int) -> ArmPredictions:
    """Runs of a classifier that knows the labels in part."""
    rng = np.random.default_rng(seed)
    # What is hard about an image is hard for every seed.
    shared = rng.normal(size=(1, len(labels), 7))
    own = rng.normal(size=(n_seeds, len(labels), 7))
    chances = np.exp(shared + own + skill * np.eye(7)[labels])
    chances /= chances.sum(2, keepdims=True)
    return ArmPredictions(tuple(range(n_seeds)), chances.astype(np.float32))


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return np.random.default_rng(0).choice(7, 900, p=[0.2, 0.05, 0.15, 0.25, 0.15, 0.1, 0.1])


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "f1_macro", "auroc_macro"])
def test_image_scores_average_to_the_metric(labels, metric):
    arm = made_arm(labels, 3, 1.5, 1)
    expected = [scores(run, labels)[metric] for run in arm.probabilities]
    assert image_scores(arm, labels, metric).mean(1) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("metric", ["recall", "f1", "auroc"])
def test_image_scores_of_a_class_average_to_its_metric(labels, metric):
    arm = made_arm(labels, 1, 1.5, 1)
    table = class_scores(arm.probabilities[0], labels, EMOTIONS)
    expected = table.set_index(["class", "metric"])["value"]["fear", metric]
    found = image_scores(arm, labels, metric, FEAR).mean()
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_set_of_other_classes_is_scored_by_the_same_code():
    labels = np.arange(90) % 3
    chances = np.eye(3, dtype=np.float32)[labels][None]
    arm = ArmPredictions((0,), chances)
    assert image_scores(arm, labels, "f1_macro").mean() == pytest.approx(1)
    assert level(arm, labels, clusters=np.arange(90)).difference == 1


@pytest.mark.parametrize("metric", ["f1_macro", "auroc_macro", "balanced_accuracy"])
def test_image_scores_carry_the_sampling_variance(labels, metric):
    arm = made_arm(labels, 1, 1.5, 1)
    run, clusters = arm.probabilities[0], np.arange(len(labels))
    draws = []
    for weights in cluster_weights(clusters, 300, 0).astype(int):
        rows = np.repeat(clusters, weights)
        draws.append(scores(run[rows], labels[rows])[metric])
    found = level(arm, labels, clusters=clusters, metric=metric)
    # 300 draws know a standard deviation to 4%.
    assert found.se == pytest.approx(np.std(draws), rel=0.12)


def test_compare_arms_pairs_the_seeds_that_both_have(labels):
    good, poor = made_arm(labels, 5, 1.5, 1), made_arm(labels, 3, 1.0, 1)
    found = compare_arms(poor, good, labels, clusters=np.arange(900))
    assert found.n_seeds == 3
    assert found.low > 0


def test_arms_without_a_common_seed_are_refused(labels):
    arm = made_arm(labels, 3, 1.0, 1)
    other = ArmPredictions((7, 8, 9), arm.probabilities)
    with pytest.raises(StudyError, match="same seeds"):
        compare_arms(arm, other, labels, clusters=np.arange(900))


@pytest.mark.parametrize(
    ("metric", "label"), [("recall", None), ("accuracy", FEAR), ("speed", None)]
)
def test_a_metric_without_its_class_or_with_one_too_many_is_refused(labels, metric, label):
    with pytest.raises(StudyError, match="cannot spread"):
        image_scores(made_arm(labels, 1, 1.0, 1), labels, metric, label)


def test_masks_and_seeds_reach_all_generations(labels):
    arm = made_arm(labels, 3, 1.0, 1)
    several = ArmPredictions(arm.seeds, arm.probabilities, (arm.probabilities,), steps=560)
    part = several.images(labels == FEAR).of_seeds([2, 0])
    n = (labels == FEAR).sum()
    assert [own.shape for own in part.generations] == [(2, n, 7)] * 2
    assert (part.seeds, part.steps) == ((2, 0), 560)
