"""What is drawn into a frame can be read, and leaves the face free."""

import numpy as np
import pytest

from lib.application.drawing import LETTERS, annotate
from lib.application.tracking import Face

SURE = np.array([0.02, 0.98], np.float32)
CLASSES = ("happy", "surprise")
HEIGHT, WIDTH = 480, 640
ON_THE_PAGE = 216  # points: a frame of notebook 70 is three inches high
SMALLEST_TYPE, CAPITALS = 8, 0.73  # points, and the share of them that a capital letter is high


def frame(side: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    return np.full((*side, 3), 120, np.uint8)


def changed(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    return (before != after).any(axis=2)


def test_the_label_is_in_type_of_eight_points_on_the_page():
    assert LETTERS * ON_THE_PAGE >= SMALLEST_TYPE * CAPITALS
    image = annotate(frame(), [Face(0, np.array([250, 180, 120, 120]), SURE)], CLASSES)
    # White letters on black, of the height that is asked for.
    rows = np.flatnonzero((image == 255).all(axis=2).any(axis=1))
    assert np.ptp(rows) + 1 >= 0.9 * LETTERS * HEIGHT


@pytest.mark.parametrize("y", [0, 180, 360], ids=["top", "middle", "bottom"])
@pytest.mark.parametrize("x", [0, 260, 520], ids=["left", "middle", "right"])
def test_the_label_leaves_the_face_free_and_stays_in_the_frame(x, y):
    before = frame()
    image = annotate(before.copy(), [Face(0, np.array([x, y, 120, 120]), SURE)], CLASSES)
    inside = changed(before, image)[y + 3 : y + 117, x + 3 : x + 117]
    assert not inside.any()
    # As many white pixels as where there is room on all sides: nothing is cut off.
    free = annotate(frame(), [Face(0, np.array([260, 180, 120, 120]), SURE)], CLASSES)
    white = [(drawn == 255).all(axis=2).sum() for drawn in (image, free)]
    assert white[0] == white[1]


def test_a_face_as_large_as_the_frame_has_its_label_inside():
    image = annotate(frame(), [Face(0, np.array([0, 0, WIDTH, HEIGHT]), SURE)], CLASSES)
    assert (image == 255).all(axis=2).any()


def test_a_small_picture_has_the_whole_label_in_smaller_type():
    image = annotate(frame((48, 48)), [Face(0, np.array([8, 4, 30, 30]), SURE)], CLASSES)
    # The last letter ends before the black ground does.
    ground = image[(image[:, 1] == 0).all(axis=1)]
    assert len(ground)
    assert (ground.max(axis=(0, 2))[10:30] > 0).all(), "letters in the middle"
    assert ground[:, -1].max() < 30, "and none at the edge"


def test_a_face_that_is_not_seen_or_not_classified_is_not_drawn():
    unseen = Face(0, np.array([250, 180, 120, 120]), SURE, missed=1)
    unknown = Face(1, np.array([250, 180, 120, 120]))
    assert np.array_equal(annotate(frame(), [unseen, unknown], CLASSES), frame())
