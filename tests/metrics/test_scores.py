"""Scores equal scikit-learn's, hold on cases small enough to check by hand, and refuse what is no prediction."""

import numpy as np
import pytest
from sklearn import metrics as sk

from lib.faces.faceset import CLASSES
from lib.metrics.scores import SCORES, class_scores, confusion, reliability, scores
from lib.study.errors import StudyError


@pytest.fixture
def predictions() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    labels = rng.choice(7, 500, p=[0.3, 0.02, 0.1, 0.25, 0.13, 0.1, 0.1])
    logits = rng.normal(size=(500, 7)) + 1.5 * np.eye(7)[labels]
    return (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32), labels


def test_scores_equal_scikit_learn(predictions):
    probabilities, labels = predictions
    said = probabilities.argmax(1)
    expected = {
        "accuracy": sk.accuracy_score(labels, said),
        "balanced_accuracy": sk.balanced_accuracy_score(labels, said),
        "f1_macro": sk.f1_score(labels, said, average="macro"),
        "precision_macro": sk.precision_score(labels, said, average="macro", zero_division=0),
        "recall_macro": sk.recall_score(labels, said, average="macro"),
        "kappa": sk.cohen_kappa_score(labels, said),
        "auroc_macro": np.mean([sk.roc_auc_score(labels == k, probabilities[:, k]) for k in range(7)]),
    }
    found = scores(probabilities, labels)
    assert set(found) == set(SCORES)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name
    assert (confusion(probabilities, labels) == sk.confusion_matrix(labels, said, labels=range(7))).all()


def test_class_scores_equal_scikit_learn(predictions):
    probabilities, labels = predictions
    precision, recall, f1, support = sk.precision_recall_fscore_support(labels, probabilities.argmax(1), labels=range(7), zero_division=0)
    table = class_scores(probabilities, labels).pivot(index="class", columns="metric", values="value").loc[list(CLASSES)]
    for name, value in {"precision": precision, "recall": recall, "f1": f1, "support": support}.items():
        assert np.allclose(table[name], value), name


def test_macro_f1_of_a_case_by_hand():
    # labels a a b, predictions a b b: F1 is 2/3 for both classes
    assert scores(np.eye(7)[[0, 1, 1]], np.array([0, 0, 1]))["f1_macro"] == pytest.approx(2 / 3)


def test_a_class_without_images_does_not_count():
    probabilities, labels = np.eye(7)[[0, 1, 2]], np.array([0, 1, 2])
    assert scores(probabilities, labels)["f1_macro"] == 1
    table = class_scores(probabilities, labels).set_index(["class", "metric"])["value"]
    assert np.isnan(table["surprise", "f1"]) and table["surprise", "support"] == 0


def test_scores_are_pooled_not_averaged_over_batches(predictions):
    probabilities, labels = predictions
    order = np.argsort(labels)  # batches of one class each, the case in which batch means mislead most
    halves = [scores(probabilities[part], labels[part])["f1_macro"] for part in np.array_split(order, 5)]
    assert scores(probabilities[order], labels[order]) == pytest.approx(scores(probabilities, labels))
    assert abs(np.mean(halves) - scores(probabilities, labels)["f1_macro"]) > 0.05


def test_calibration_by_hand():
    # four predictions at confidence 0.9 (right, right, right, wrong): gap 0.15; two at 0.5, one right: gap 0
    sure, unsure = np.full(7, 0.1 / 6), np.full(7, 0.5 / 6)
    sure[0], unsure[1] = 0.9, 0.5
    probabilities = np.stack([sure] * 4 + [unsure] * 2)
    labels = np.array([0, 0, 0, 3, 1, 2])
    assert scores(probabilities, labels)["ece_15"] == pytest.approx(4 / 6 * 0.15)
    table = reliability(probabilities, labels)
    assert table["n"].sum() == 6 and len(table) == 15
    assert table.query("low <= 0.9 < high")["accuracy"].item() == 0.75


def test_a_perfect_and_a_constant_classifier():
    labels = np.arange(70) % 7
    assert scores(np.eye(7)[labels], labels)["kappa"] == 1
    constant = scores(np.tile(np.eye(7)[0], (70, 1)), labels)
    assert constant["kappa"] == pytest.approx(0) and constant["auroc_macro"] == 0.5 and constant["accuracy"] == pytest.approx(1 / 7)


def test_refusals_say_what_to_do():
    good = np.full((3, 7), 1 / 7)
    with pytest.raises(StudyError, match="same images"):
        scores(good, np.array([0, 1]))
    with pytest.raises(StudyError, match="travel by name"):
        scores(good, np.array([0, 1, 7]))
    with pytest.raises(StudyError, match="diverged"):
        scores(good * np.nan, np.array([0, 1, 2]))
