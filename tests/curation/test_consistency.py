"""The label classifier: honest folds, wrong labels found and corrected."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.consistency import (
    label_agreement,
    label_probabilities,
    out_of_fold_probabilities,
    probability_table,
    reject_inconsistent,
)
from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError


def faces_of(labels, split="train", classes=EMOTIONS, **columns):
    """Images that show their class: a bar whose place is the class."""
    images = np.zeros((len(labels), 2 * len(classes), 2 * len(classes)), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] = 200
    table = {
        "id": [f"i{k}" for k in range(len(labels))],
        "class": [classes[i] for i in labels],
        "split": split,
        "source": "test",
        **columns,
    }
    return FaceSet(images, pd.DataFrame(table), classes)


def soft(shown, sure=0.85):
    """Probabilities of a classifier that sees `shown`."""
    out = np.full((len(shown), 7), (1 - sure) / 6)
    out[np.arange(len(shown)), shown] = sure
    return out


@pytest.mark.parametrize("classes", [EMOTIONS, ("no", "perhaps", "yes")], ids=["seven", "three"])
def test_no_label_classifier_predicts_what_it_learnt(classes):
    k = len(classes)
    real = faces_of(np.arange(70) % k, classes=classes, cluster=np.arange(70) // 14)
    pool = faces_of([0, 1, 2], classes=classes)
    calls = []

    def fit_predict(train, images):
        calls.append((set(train.table["id"]), set(train.table["cluster"]), len(images)))
        return np.full((len(images), k), 1 / k)

    of_pool, of_real = out_of_fold_probabilities(real, pool, fit_predict, folds=5, seed=0)
    assert of_pool.shape == (3, k) and of_real.shape == (70, k)
    assert np.allclose(of_pool.sum(axis=1), 1)
    for ids, clusters, n in calls:
        held = ~real.table["id"].isin(ids)
        assert n == held.sum() + 3
        # Copies lie on one side only.
        assert not clusters & set(real.table.loc[held, "cluster"])


def test_the_label_classifier_refuses_test_images():
    real = faces_of([0, 1] * 5, split=["train"] * 9 + ["test"])
    with pytest.raises(StudyError, match="splits test"):
        out_of_fold_probabilities(real, real, lambda train, images: None, folds=2, seed=0)


@pytest.mark.parametrize(("steps", "trained"), [(["blank", "label"], 2), (["blank"], 0)])
def test_label_classifiers_are_trained_only_for_the_step_that_rejects_by_them(steps, trained):
    real = faces_of([0, 1] * 5)
    calls = []

    def fit_predict(train, images):
        calls.append(len(train))
        return np.full((len(images), 7), 0.1)

    probabilities = label_probabilities(
        real,
        steps,
        real=real,
        fit_predict=fit_predict,
        reference=lambda images: np.full((len(images), 7), 0.5),
        folds=2,
        seed=0,
    )
    assert len(calls) == trained
    assert np.allclose(probabilities, 0.1 if trained else 0.5)


@pytest.fixture
def mislabelled():
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 7, 350)
    labels = shown.copy()
    labels[:35] = (shown[:35] + rng.integers(1, 7, 35)) % 7
    return faces_of(labels), shown, soft(shown)


def test_wrong_labels_are_dropped_and_right_ones_stay(mislabelled):
    faces, shown, probabilities = mislabelled
    verdicts = reject_inconsistent(faces, probabilities, action="drop", confidence=0.8)
    assert verdicts["keep"].tolist() == (faces.labels == shown).tolist()
    label, seen = EMOTIONS[faces.labels[0]], EMOTIONS[shown[0]]
    assert f"labelled {label}, predicted {seen} (85%)" in verdicts["reason"].tolist()
    assert (verdicts["relabel"] == "").all()


def test_relabelling_gives_the_class_that_is_shown_only_when_confident(mislabelled):
    faces, shown, probabilities = mislabelled
    verdicts = reject_inconsistent(faces, probabilities, action="relabel", confidence=0.8)
    assert verdicts["keep"].all()
    assert [EMOTIONS.index(c) for c in verdicts["relabel"][:35]] == shown[:35].tolist()
    unsure = reject_inconsistent(faces, probabilities, action="relabel", confidence=0.9)
    assert (~unsure["keep"]).sum() == 35 and (unsure["relabel"] == "").all()


def test_doubt_is_a_limit_on_the_probability_of_the_label():
    faces = faces_of([0, 0, 0])
    probabilities = np.array([[0.04] + [0.16] * 6, [0.06] + [0.94 / 6] * 6, [0.4] + [0.1] * 6])
    verdicts = reject_inconsistent(faces, probabilities, action="drop", confidence=0.8, doubt=0.05)
    assert verdicts["keep"].tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("labels", "shown", "kept"),
    [([1, 1, 3, 3, 3], [1, 1, 3, 3, 3], [True] * 5), ([2, 2], [2, 5], [True, False]), ([], [], [])],
    ids=["absent classes", "one class", "no images"],
)
def test_absent_classes_and_empty_pools_are_no_trouble(labels, shown, kept):
    probabilities = soft(np.array(shown, int))
    verdicts = reject_inconsistent(faces_of(labels), probabilities, action="drop", confidence=0.8)
    assert verdicts["keep"].tolist() == kept


def test_tables_have_the_classes_of_the_faces():
    faces = faces_of([0, 0, 1])
    table = label_agreement(faces, soft([0, 1, 1], 0.88))
    assert np.isclose(table.loc["angry", "disgust"], 0.45)
    assert np.isclose(table.loc["disgust", "disgust"], 0.88)
    assert table.loc["sad"].isna().all()
    other = faces_of([0, 1], classes=("no", "yes"))
    assert probability_table(other, np.eye(2)).loc["i1", "yes"] == 1
    assert label_agreement(other, np.eye(2)).loc["no", "no"] == 1
