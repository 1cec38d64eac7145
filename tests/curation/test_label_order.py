"""Permuted labels stop the study; labels that are wrong in any other way do not."""

import numpy as np
import pytest

from lib.curation.label_order import label_permutation, require_labels_in_order
from lib.faces.classes import EMOTIONS
from lib.study.errors import StudyError

DIGITS = tuple("0123456789")
FERPLUS_ORDER = np.array([4, 3, 6, 5, 0, 1, 2])  # FER+'s classes in our numbers


def predicted(labels: np.ndarray, accuracy: float, seed: int, k: int = 7) -> np.ndarray:
    """Classes of a classifier that is right so often and guesses otherwise."""
    rng = np.random.default_rng(seed)
    guesses = rng.integers(k, size=len(labels))
    return np.where(rng.random(len(labels)) < accuracy, labels, guesses)


def test_another_order_of_the_classes_stops_the_study():
    true = np.random.default_rng(0).integers(7, size=700)
    labels = np.argsort(FERPLUS_ORDER)[true]
    with pytest.raises(StudyError, match="pool folder look permuted: 'angry' looks like"):
        require_labels_in_order("folder", labels, predicted(true, 0.5, 1), EMOTIONS)


@pytest.mark.parametrize("classes", [EMOTIONS, DIGITS], ids=["seven", "ten"])
def test_two_exchanged_classes_are_named(classes):
    k = len(classes)
    true = np.random.default_rng(0).integers(k, size=100 * k)
    exchanged = np.arange(k)
    exchanged[[0, 1]] = 1, 0
    renamed = label_permutation(exchanged[true], predicted(true, 0.5, 1, k), classes)
    assert renamed == {classes[0]: classes[1], classes[1]: classes[0]}


def test_a_shift_of_all_classes_is_named():
    true = np.random.default_rng(0).integers(7, size=700)
    renamed = label_permutation((true - 1) % 7, predicted(true, 0.6, 1), EMOTIONS)
    assert renamed == {EMOTIONS[i]: EMOTIONS[(i + 1) % 7] for i in range(7)}


def test_a_pool_that_lacks_classes_names_only_those_that_it_has():
    true = np.random.default_rng(0).integers(2, size=200)
    renamed = label_permutation(1 - true, predicted(true, 0.8, 1), EMOTIONS)
    assert renamed == {"angry": "disgust", "disgust": "angry"}


@pytest.mark.parametrize("classes", [EMOTIONS, DIGITS], ids=["seven", "ten"])
@pytest.mark.parametrize("seed", range(20))
def test_honest_pools_pass(seed, classes):
    k = len(classes)
    rng = np.random.default_rng(seed)
    labels = rng.integers(k, size=500)
    wrong = np.where(rng.random(500) < 0.6, rng.integers(k, size=500), labels)
    pools = {
        "weak classifier": (labels, predicted(labels, 0.4, seed, k)),
        "mislabelled": (wrong, predicted(labels, 0.7, seed, k)),
        "noise": (rng.integers(k, size=500), predicted(labels, 0.7, seed, k)),
        "collapsed": (labels, np.full(500, 4)),
    }
    for name, (pool_labels, classified) in pools.items():
        require_labels_in_order(name, pool_labels, classified, classes)


def test_few_images_are_no_evidence_and_none_are_no_trouble():
    few = np.arange(7)
    assert label_permutation((few + 1) % 7, few, EMOTIONS) == {}
    assert label_permutation(few[:0], few[:0], EMOTIONS) == {}
