"""Digits: all of scikit-learn's, the same split for the same seed, classes as asked for."""

import numpy as np
import pytest

from lib.faces.digits import digits_study
from lib.faces.duplicates import exact_groups
from lib.study.errors import StudyError

SPLITS = ("train", "val", "test")


@pytest.fixture(scope="module")
def digits():
    return digits_study(0, px=32)


def test_every_digit_is_there_enlarged_and_bright_on_dark(digits):
    assert digits.images.shape == (1797, 32, 32) and digits.images.dtype == np.uint8
    assert digits.classes == tuple("0123456789") and digits.counts().min() > 170
    assert digits.images.max() == 255 and digits.images[:, :4, :4].mean() < 5
    assert set(digits.table["source"]) == {"digits"}
    assert len(set(exact_groups(digits.images))) == 1797


def test_splits_have_their_shares_in_every_class(digits):
    counts = digits.table.groupby("class")["split"].value_counts(normalize=True).unstack()
    assert np.abs(counts[list(SPLITS)] - [0.60, 0.15, 0.25]).max().max() < 0.01
    assert [len(digits.split(name)) for name in SPLITS] == [1078, 270, 449]


def test_the_seed_governs_the_split_alone(digits):
    assert digits_study(0, px=32).digest() == digits.digest()
    other = digits_study(1, px=32)
    assert other.digest() != digits.digest() and (other.images == digits.images).all()


def test_classes_are_selected():
    some = digits_study(0, px=8, classes=["3", "8"])
    assert some.classes == ("3", "8") and set(some.table["class"]) == {"3", "8"}
    assert all(len(some.split(name)) for name in SPLITS)


@pytest.mark.parametrize("classes", [["3", "happy"], ["3", "11"]])
def test_a_class_that_is_no_digit_is_named(classes):
    with pytest.raises(StudyError, match=f"no images of {classes[1]}"):
        digits_study(0, classes=classes)
