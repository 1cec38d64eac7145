"""Copies: the first stays; a leak is found mirrored too; windows by mean miss nothing."""

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from lib.curation.copies import nearest_within, reject_exact_copies, reject_leaks, reject_near_copies
from lib.faces.faceset import FaceSet


def faces_of(images, name="i"):
    images = np.asarray(images, dtype=np.uint8)
    table = pd.DataFrame({"id": [f"{name}{k}" for k in range(len(images))], "class": "happy", "split": "train", "source": "test"})
    return FaceSet(images, table)


def noise(n, seed=0):
    return np.random.default_rng(seed).integers(0, 250, (n, 12, 12), dtype=np.uint8).repeat(4, axis=1).repeat(4, axis=2)


def test_first_of_identical_images_stays():
    images = noise(4)[[0, 1, 0, 2, 0, 3]]
    verdicts = reject_exact_copies(faces_of(images))
    assert verdicts["keep"].tolist() == [True, True, False, True, False, True]
    assert verdicts["score"].tolist() == [3, 1, 3, 1, 3, 1]
    assert verdicts["reason"][2] == "identical to i0"


def test_near_copies_go_and_the_distance_is_right():
    images = noise(3)
    images = np.concatenate([images, images[1:2] + 1])
    verdicts = reject_near_copies(faces_of(images), distance=2)
    assert verdicts["keep"].tolist() == [True, True, True, False]
    assert np.isclose(verdicts["score"][3], 1.0)
    assert "i1" in verdicts["reason"][3]


def test_a_chain_of_near_copies_is_not_thrown_away_whole():
    # Each is 1.5 grey levels from the next, the ends are 6 apart: with a threshold of 2 every other one is new.
    base = noise(1)[0, ::4, ::4].astype(float)
    half = np.zeros((12, 12))
    half[::2] = 3.0
    images = np.stack([base + k * half for k in range(5)]).repeat(4, axis=1).repeat(4, axis=2)
    verdicts = reject_near_copies(faces_of(images), distance=2)
    assert verdicts["keep"].tolist() == [True, False, True, False, True]


def test_leaks_are_found_mirrored_and_slightly_changed():
    tests = noise(5)
    pool = np.concatenate([noise(3, seed=1), tests[3:4] + 1, tests[2:3, :, ::-1]])
    verdicts = reject_leaks(faces_of(pool), faces_of(tests, "t"), distance=2)
    assert verdicts["keep"].tolist() == [True, True, True, False, False]
    assert "t3" in verdicts["reason"][3] and "t2" in verdicts["reason"][4]


def test_windows_by_mean_find_what_all_pairs_find():
    rng = np.random.default_rng(0)
    targets = rng.normal(128, 8, (300, 12, 12)).astype(np.float32) + rng.normal(0, 20, (300, 1, 1)).astype(np.float32)
    queries = targets[rng.integers(0, 300, 200)] + rng.normal(0, 2, (200, 12, 12)).astype(np.float32)
    found, nearest = nearest_within(queries, targets, 3.0, block=16)
    everything = cdist(queries.reshape(200, -1), targets.reshape(300, -1), "cityblock") / 144
    reachable = everything.min(axis=1) <= 3.0
    assert reachable.any() and (np.isfinite(found) == reachable).all()
    assert np.allclose(found[reachable], everything.min(axis=1)[reachable], atol=1e-4)
    assert (nearest[reachable] == everything.argmin(axis=1)[reachable]).all()
