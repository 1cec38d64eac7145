"""Scores equal scikit-learn's, hold on cases small enough to check by hand, and refuse what is no
prediction.
"""

import numpy as np
import pytest
from sklearn import metrics as sk

from lib.faces.classes import EMOTIONS
from lib.metrics.scores import SCORES, class_scores, confusion, reliability, scores
from lib.study.errors import StudyError


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.choice(7, 500, p=[0.3, 0.02, 0.1, 0.25, 0.13, 0.1, 0.1])
    chances = np.exp(rng.normal(size=(500, 7)) + 1.5 * np.eye(7)[labels])
    return (chances / chances.sum(1, keepdims=True)).astype(np.float32), labels


def test_scores_equal_scikit_learn(predictions):
    probabilities, labels = predictions
    predicted = probabilities.argmax(1)
    areas = [sk.roc_auc_score(labels == k, probabilities[:, k]) for k in range(7)]
    expected = {
        "accuracy": sk.accuracy_score(labels, predicted),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, predicted),
        "f1_macro": sk.f1_score(labels, predicted, average="macro"),
        "precision_macro": sk.precision_score(labels, predicted, average="macro", zero_division=0),
        "recall_macro": sk.recall_score(labels, predicted, average="macro"),
        "kappa": sk.cohen_kappa_score(labels, predicted),
        "auroc_macro": np.mean(areas),
    }
    found = scores(probabilities, labels)
    assert set(found) == set(SCORES)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


def test_the_confusion_matrix_equals_scikit_learn(predictions):
    probabilities, labels = predictions
    expected = sk.confusion_matrix(labels, probabilities.argmax(1), labels=range(7))
    assert (confusion(probabilities, labels) == expected).all()


def test_class_scores_equal_scikit_learn(predictions):
    probabilities, labels = predictions
    precision, recall, f1, support = sk.precision_recall_fscore_support(
        labels, probabilities.argmax(1), labels=range(7), zero_division=0
    )
    found = class_scores(probabilities, labels, EMOTIONS)
    table = found.pivot(index="class", columns="metric", values="value").loc[list(EMOTIONS)]
    expected = {"precision": precision, "recall": recall, "f1": f1, "support": support}
    for name, value in expected.items():
        assert np.allclose(table[name], value), name


def test_macro_f1_of_a_case_by_hand():
    # Labels a a b, predictions a b b: F1 is 2/3 for both classes.
    found = scores(np.eye(7)[[0, 1, 1]], np.array([0, 0, 1]))
    assert found["f1_macro"] == pytest.approx(2 / 3)


def test_a_class_without_images_does_not_count():
    probabilities, labels = np.eye(7)[[0, 1, 2]], np.array([0, 1, 2])
    assert scores(probabilities, labels)["f1_macro"] == 1
    table = class_scores(probabilities, labels, EMOTIONS).set_index(["class", "metric"])["value"]
    assert np.isnan(table["surprise", "f1"])
    assert table["surprise", "support"] == 0


def test_any_number_of_classes_is_scored():
    digits = tuple(f"digit{number}" for number in range(10))
    labels = np.arange(50) % 10
    assert scores(np.eye(10)[labels], labels)["accuracy"] == 1
    table = class_scores(np.eye(10)[labels], labels, digits)
    assert table[table["metric"] == "recall"]["class"].tolist() == list(digits)
    assert confusion(np.eye(10)[labels], labels).shape == (10, 10)


def test_scores_are_pooled_not_averaged_over_batches(predictions):
    probabilities, labels = predictions
    # Batches of one class each are the case in which batch means mislead most.
    batches = np.array_split(np.argsort(labels), 5)
    means = [scores(probabilities[rows], labels[rows])["f1_macro"] for rows in batches]
    assert abs(np.mean(means) - scores(probabilities, labels)["f1_macro"]) > 0.05


def test_calibration_by_hand():
    # Four predictions at confidence 0.9, three of them right: a gap of 0.15.
    # Two at 0.5, one right: no gap.
    sure, unsure = np.full(7, 0.1 / 6), np.full(7, 0.5 / 6)
    sure[0], unsure[1] = 0.9, 0.5
    probabilities = np.stack([sure] * 4 + [unsure] * 2)
    labels = np.array([0, 0, 0, 3, 1, 2])
    assert scores(probabilities, labels)["ece_15"] == pytest.approx(4 / 6 * 0.15)
    table = reliability(probabilities, labels)
    assert (table["n"].sum(), len(table)) == (6, 15)
    assert table.query("low <= 0.9 < high")["accuracy"].item() == 0.75


def test_a_perfect_and_a_constant_classifier():
    labels = np.arange(70) % 7
    assert scores(np.eye(7)[labels], labels)["kappa"] == 1
    constant = scores(np.tile(np.eye(7)[0], (70, 1)), labels)
    assert constant["kappa"] == pytest.approx(0)
    assert constant["auroc_macro"] == 0.5
    assert constant["accuracy"] == pytest.approx(1 / 7)


GOOD = np.full((3, 7), 1 / 7)


@pytest.mark.parametrize(
    ("probabilities", "labels", "message"),
    [
        (GOOD, [0, 1], "same images"),
        (GOOD, [0, 1, 7], "travel by name"),
        (GOOD * np.nan, [0, 1, 2], "diverged"),
        (GOOD[:0], [], "N > 0"),
    ],
)
def test_refusals_name_the_way_out(probabilities, labels, message):
    with pytest.raises(StudyError, match=message):
        scores(probabilities, np.array(labels, int))


def test_a_class_list_of_another_length_is_refused():
    with pytest.raises(StudyError, match="7 classes for a set of 6"):
        class_scores(GOOD, np.array([0, 1, 2]), EMOTIONS[:6])
