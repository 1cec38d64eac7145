"""Handwritten digits in the place of faces: the study's method on ten classes, without a download.

Source: Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits (UCI), test part, as
scikit-learn ships it: 1,797 images of 8 x 8 pixels with 17 grey levels.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.faces.classes import classes_of
from lib.faces.faceset import FaceSet, resize
from lib.faces.kinds import SUBJECT
from lib.faces.sampling import stratified

INK = 16  # grey level of ink in the source, where paper is 0
STREAM = 12  # of the study's seed, for the split
TEST_SHARE, VAL_SHARE = 0.25, 0.15  # of all images; the others are train


def digits_study(seed: int, *, px: int = 48, classes: Sequence[str] = ()) -> FaceSet:
    """Read the digits, enlarge them and split them at random, by class share.

    Args:
        seed: of the split, not negative.
        px: side of the images.
        classes: some of "0" to "9"; none takes all.

    Returns:
        Face set of source digits, with splits train, val and test (60, 15 and 25%); the column
        subject says that these are no faces.

    Raises:
        StudyError: a class that is no digit.
    """
    from sklearn.datasets import load_digits

    # Choose the classes.
    images, digit = load_digits(return_X_y=True)
    names = np.array([str(value) for value in digit], object)
    chosen, matched = classes_of(dict.fromkeys(names, "digits"), classes)
    rows = np.flatnonzero(np.isin(names, list(matched)))

    # Name and split them; an id says which of the source's images it is.
    table = pd.DataFrame(
        {
            "id": [f"digit-{row:04d}" for row in rows],
            "class": names[rows],
            "split": _split(digit[rows], seed),
            "source": "digits",
            SUBJECT: "digits",
        }
    )

    # Stretch the 17 grey levels over 0 to 255.
    grey = np.rint(images[rows] * (255 / INK)).astype(np.uint8).reshape(-1, 8, 8)
    return FaceSet(resize(grey, px), table, chosen)


def _split(labels: np.ndarray, seed: int) -> np.ndarray:
    """Draw test and val by class share, object (N,); the others are train."""
    rng = np.random.default_rng([seed, STREAM])
    split = np.full(len(labels), "train", object)
    split[stratified(labels, round(TEST_SHARE * len(labels)), rng)] = "test"

    # Val is drawn from what is left.
    left = np.flatnonzero(split == "train")
    split[left[stratified(labels[left], round(VAL_SHARE * len(labels)), rng)]] = "val"
    return split
