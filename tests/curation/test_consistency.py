"""The judge: honest folds, wrong labels found and corrected, permuted labels stopped."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.consistency import check_label_order, judge, label_agreement, reject_inconsistent
from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError


def faces_of(labels, split="train", name="i", **columns):
    """Images that show their class: a bar whose place is the class."""
    images = np.zeros((len(labels), 14, 14), np.uint8)
    for image, label in zip(images, labels, strict=True):
        image[2 * label : 2 * label + 2] = 200
    table = {
        "id": [f"{name}{k}" for k in range(len(labels))],
        "class": [CLASSES[i] for i in labels],
        "split": split,
        "source": "test",
        **columns,
    }
    return FaceSet(images, pd.DataFrame(table))


def soft(shown, sure=0.85):
    """Probabilities of a judge who sees `shown`."""
    out = np.full((len(shown), 7), (1 - sure) / 6)
    out[np.arange(len(shown)), shown] = sure
    return out


def test_no_judge_sees_what_it_judges():
    real = faces_of(np.arange(70) % 7, cluster=np.arange(70) // 14)
    seen = []

    def fit_predict(train, images):
        seen.append((set(train.table["id"]), set(train.table["cluster"]), len(images)))
        return np.full((len(images), 7), 1 / 7)

    ours, theirs = judge(real, faces_of([0, 1, 2]), fit_predict, folds=5, seed=0)
    assert ours.shape == (3, 7) and theirs.shape == (70, 7)
    assert np.allclose(ours.sum(axis=1), 1)
    for ids, clusters, n in seen:
        held = set(real.table["id"]) - ids
        assert n == len(held) + 3
        assert not clusters & set(real.table.loc[real.table["id"].isin(held), "cluster"])  # copies on one side only


def test_judge_refuses_test_images():
    real = faces_of([0, 1] * 5)
    mixed = FaceSet(real.images, real.table.assign(split=["train"] * 9 + ["test"]))
    with pytest.raises(StudyError, match="splits test"):
        judge(mixed, real, lambda train, images: None, folds=2, seed=0)


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
    assert f"labelled {CLASSES[faces.labels[0]]}, looks {CLASSES[shown[0]]} (85%)" in verdicts["reason"].tolist()
    assert (verdicts["relabel"] == "").all()


def test_relabelling_gives_the_class_that_is_shown_only_when_sure(mislabelled):
    faces, shown, probabilities = mislabelled
    verdicts = reject_inconsistent(faces, probabilities, action="relabel", confidence=0.8)
    assert verdicts["keep"].all()
    assert [CLASSES.index(c) for c in verdicts["relabel"][:35]] == shown[:35].tolist()
    unsure = reject_inconsistent(faces, probabilities, action="relabel", confidence=0.9)
    assert (~unsure["keep"]).sum() == 35 and (unsure["relabel"] == "").all()


def test_doubt_is_a_limit_on_the_probability_of_the_label():
    faces = faces_of([0, 0, 0])
    probabilities = np.array([[0.04] + [0.16] * 6, [0.06] + [0.94 / 6] * 6, [0.4] + [0.1] * 6])
    assert reject_inconsistent(faces, probabilities, action="drop", confidence=0.8, doubt=0.05)["keep"].tolist() == [False, True, True]


def test_absent_classes_and_empty_pools_are_no_trouble():
    faces = faces_of([1, 1, 3, 3, 3])
    assert reject_inconsistent(faces, soft([1, 1, 3, 3, 3]), action="drop", confidence=0.8)["keep"].all()
    assert reject_inconsistent(faces_of([2, 2]), soft([2, 5]), action="drop", confidence=0.8)["keep"].tolist() == [True, False]
    assert len(reject_inconsistent(faces_of([]), np.zeros((0, 7)), action="drop", confidence=0.8)) == 0


def test_permuted_labels_stop_the_study_and_random_ones_do_not():
    rng = np.random.default_rng(0)
    shown = rng.integers(0, 7, 700)
    with pytest.raises(StudyError, match="angry looks disgust"):
        check_label_order(faces_of((shown - 1) % 7), soft(shown, 0.6))
    check_label_order(faces_of(shown), soft(shown, 0.6))
    check_label_order(faces_of(rng.integers(0, 7, 700)), soft(shown))
    check_label_order(faces_of(np.where(rng.random(700) < 0.6, rng.integers(0, 7, 700), shown)), soft(shown))


def test_agreement_has_labels_in_rows():
    table = label_agreement(faces_of([0, 0, 1]), soft([0, 1, 1], 0.88))
    assert np.isclose(table.loc["angry", "disgust"], 0.45) and np.isclose(table.loc["disgust", "disgust"], 0.88)
    assert table.loc["sad"].isna().all()
