"""Following faces: numbers stay, come back after a gap, and are never given twice."""

import numpy as np

from lib.application.tracking import overlaps, smooth, track


def test_overlap_of_known_boxes():
    a = np.array([[0, 0, 10, 10.0]])
    assert np.allclose(
        overlaps(a, np.array([[0, 0, 10, 10], [5, 0, 10, 10], [10, 0, 5, 5]])), [[1, 1 / 3, 0]]
    )
    assert overlaps(np.zeros((0, 4)), a).shape == (0, 1)


def test_numbers_stay_with_moving_faces_whatever_the_order_of_the_boxes():
    faces, free = track([], np.array([[0, 0, 50, 50], [200, 0, 50, 50.0]]), next_number=0)
    for step in range(1, 20):
        boxes = np.array([[200 - 5 * step, 0, 50, 50], [0, 5 * step, 50, 50.0]])
        faces, free = track(faces, boxes, next_number=free)
    assert free == 2
    assert {face.number: face.box[1] for face in faces} == {0: 95.0, 1: 0.0}


def test_a_face_survives_a_short_gap_and_not_a_long_one():
    box, none = np.array([[10, 10, 40, 40.0]]), np.zeros((0, 4))
    faces, free = track([], box, next_number=0)
    for _ in range(3):
        faces, free = track(faces, none, next_number=free, memory=3)
    assert faces[0].missed == 3
    back, free = track(faces, box, next_number=free, memory=3)
    assert (back[0].number, back[0].missed) == (0, 0)
    gone, free = track(faces, none, next_number=free, memory=3)
    assert gone == []
    assert track(gone, box, next_number=free)[0][0].number == 1


def test_one_box_continues_one_face_the_nearer_one():
    faces, free = track([], np.array([[0, 0, 40, 40], [10, 0, 40, 40.0]]), next_number=0)
    faces, _ = track(faces, np.array([[9, 0, 40, 40.0]]), next_number=free)
    assert {face.number: face.missed for face in faces} == {0: 1, 1: 0}


def test_steadiness_mixes_boxes_and_smoothing_mixes_answers():
    faces, free = track([], np.array([[0, 0, 40, 40.0]]), next_number=0)
    faces, _ = track(faces, np.array([[10, 0, 40, 40.0]]), next_number=free, steadiness=0.5)
    assert faces[0].box[0] == 5
    now = np.array([1, 0.0])
    assert smooth(None, now, 0.5) is now
    assert np.allclose(smooth(np.array([0, 1.0]), now, 0.75), [0.25, 0.75])
