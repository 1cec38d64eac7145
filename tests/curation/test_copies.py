"""Copies: the first stays; chains are not rejected whole; a leak is found mirrored too."""

import cv2
import numpy as np
import pandas as pd

from lib.curation.copies import reject_exact_copies, reject_leaks, reject_near_copies
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet


def faces_of(images, name="i"):
    images = np.asarray(images, dtype=np.uint8)
    table = {
        "id": [f"{name}{k}" for k in range(len(images))],
        "class": "happy",
        "split": "train",
        "source": "test",
    }
    return FaceSet(images, pd.DataFrame(table))


def noise(n, seed=0):
    small = np.random.default_rng(seed).integers(0, 250, (n, 12, 12), dtype=np.uint8)
    return small.repeat(4, axis=1).repeat(4, axis=2)


def turning(n, angle):
    """Images of which each is like the next by the cosine of an angle, degrees, and less like the
    others.
    """
    a, b = (cv2.GaussianBlur(image.astype(np.float32), (0, 0), 3) for image in noise(2))

    # Two orthogonal pictures of length 1; each image is a mixture of them.
    a = a - a.mean()
    a = a / np.linalg.norm(a)
    b = b - b.mean()
    b = b - (b * a).sum() * a
    b = b / np.linalg.norm(b)
    turns = np.radians(angle) * np.arange(n)
    images = [128 + 1500 * (np.cos(turn) * a + np.sin(turn) * b) for turn in turns]
    return np.stack(images).round().astype(np.uint8)


def test_first_of_identical_images_stays():
    images = noise(4)[[0, 1, 0, 2, 0, 3]]
    verdicts = reject_exact_copies(faces_of(images))
    assert verdicts["keep"].tolist() == [True, True, False, True, False, True]
    assert verdicts["score"].tolist() == [3, 1, 3, 1, 3, 1]
    assert verdicts["reason"][2] == "identical to i0"


def test_near_copies_are_rejected_and_the_likeness_is_right():
    images = noise(3)
    images = np.concatenate([images, images[1:2] + 5])
    verdicts = reject_near_copies(faces_of(images), like=0.98)
    assert verdicts["keep"].tolist() == [True, True, True, False]
    assert np.isclose(verdicts["score"][3], 1.0, atol=1e-3) and verdicts["score"][0] == 0
    assert verdicts["reason"][3] == "near-copy of i1, likeness 1.000"


def test_a_chain_of_near_copies_is_not_rejected_whole():
    # The next image is a copy, the next but one is not.
    like = np.cos(np.radians(13))
    verdicts = reject_near_copies(faces_of(turning(5, 9)), like=like)
    assert verdicts["keep"].tolist() == [True, False, True, False, True]


def test_copies_of_one_image_by_the_thousand_are_no_trouble():
    one = draw_faces([3], [1]).images.astype(int)
    grain = np.random.default_rng(0).normal(0, 3, (3000, 48, 48))
    images = np.clip(one + grain, 0, 255).astype(np.uint8)
    assert reject_near_copies(faces_of(images), like=0.9)["keep"].sum() == 1


def test_leaks_are_found_mirrored_and_slightly_changed():
    held_out = noise(5)
    pool = np.concatenate([noise(3, seed=1), held_out[3:4] + 1, held_out[2:3, :, ::-1]])
    verdicts = reject_leaks(faces_of(pool), faces_of(held_out, "t"), like=0.98)
    assert verdicts["keep"].tolist() == [True, True, True, False, False]
    assert "t3" in verdicts["reason"][3] and "t2" in verdicts["reason"][4]


def test_without_held_out_images_nothing_leaks():
    none = faces_of(noise(5)[:0], "t")
    assert reject_leaks(faces_of(noise(3)), none, like=0.98)["keep"].all()
