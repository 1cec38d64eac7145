"""Finding faces: what a search costs in detections, and that threads change nothing."""

import cv2
import numpy as np
import pytest

from lib.application import filmed
from lib.application.detection import S1, Search, make_detector
from lib.application.tracking import overlaps
from lib.curation.detection import FaceSettings, haar_detector
from lib.faces.drawn import draw_faces


@pytest.fixture(scope="module")
def frames():
    """Thirty grey frames of two faces that move."""
    faces = draw_faces(np.arange(14) % 7, np.arange(14), px=150)
    return [
        cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        for frame, _ in filmed.film(faces, frames=30, at_once=2)
    ]


def followed(frames, search):
    """Boxes of each frame, each search knowing those of the frame before."""
    detect, boxes, found = make_detector(search), np.zeros((0, 4)), []
    for grey in frames:
        boxes = detect(grey, boxes)
        found.append(boxes)
    return found


def test_s1s_settings_find_what_s1s_call_finds(frames):
    theirs = haar_detector(FaceSettings())
    for grey, boxes in zip(frames[:4], followed(frames[:4], S1)):
        assert sorted(map(tuple, boxes)) == sorted(map(tuple, theirs(grey)[:, :4]))


def test_a_second_thread_changes_nothing_from_run_to_run(frames):
    a, b = (followed(frames, Search(background=True, every=4)) for _ in range(2))
    assert all(np.array_equal(x, y) for x, y in zip(a, b))
    assert np.mean([len(boxes) for boxes in a]) > 1.7


@pytest.mark.parametrize("background, late", [(False, 4), (True, 6)])
def test_a_face_that_arrives_is_found_by_the_next_whole_search(frames, background, late):
    empty = frames[0].copy()
    empty[:, 320:] = 120  # the right face is not there yet
    detect, boxes = make_detector(Search(every=4, background=background)), np.zeros((0, 4))
    for grey in [empty] * 2 + [frames[0]] * late:
        boxes = detect(grey, boxes)
    assert sorted(boxes[:, 0] > 320) == [False, True]


def test_a_large_face_is_found_again_where_it_was(frames):
    large = cv2.resize(frames[0][:, :320], None, fx=3, fy=3)
    boxes = make_detector(Search())(large, np.zeros((0, 4)))
    again = followed([large] * 3, Search())[-1]
    assert len(boxes) == len(again) == 1 and overlaps(boxes, again)[0, 0] > 0.6
