"""Copies: known cases, copies of copies, independence of the order, no matrix of all pairs."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest

from lib.faces.duplicates import (
    BLOCK,
    exact_groups,
    mark_copies,
    near_groups,
    near_pairs,
    thumbnails,
)
from lib.faces.faceset import FaceSet


def noise(n, seed=0, px=24):
    return np.random.default_rng(seed).integers(40, 216, (n, px, px), dtype=np.uint8)


def partition(groups):
    return {frozenset(np.flatnonzero(groups == g).tolist()) for g in set(groups.tolist())}


def test_exact_groups_by_first_appearance():
    a, b, c = noise(3)
    assert exact_groups(np.stack([a, b, a, c, b])).tolist() == [0, 1, 0, 2, 1]
    one_off = a.copy()
    one_off[0, 0] ^= 1
    assert exact_groups(np.stack([a, one_off])).tolist() == [0, 1]
    assert len(exact_groups(noise(0))) == 0


def test_near_copies_at_a_known_distance():
    a, b = noise(2)
    images = np.stack([a, b, a + 1, a + 3])  # thumbnails differ by 1 and 3 grey levels

    # The last is near the third, and so in one group with the first.
    assert near_groups(images, 2.5).tolist() == [0, 1, 0, 0]
    assert near_groups(images, 1.5).tolist() == [0, 1, 0, 2]
    assert near_groups(images, 0).tolist() == [0, 1, 2, 3]


def test_a_copy_of_a_copy_is_in_the_same_group():
    chain = np.stack([noise(1)[0] + step for step in (0, 2, 4, 6)])
    assert near_groups(chain, 2.1).tolist() == [0, 0, 0, 0]
    assert len(near_pairs(chain, 2.1)) == 3


def test_groups_do_not_depend_on_the_order():
    images = np.concatenate([noise(30), noise(30)[:10] + 1, noise(30)[5:15] + 2, noise(5)])
    order = np.random.default_rng(1).permutation(len(images))
    shuffled = near_groups(images[order], 1.5)
    restored = np.empty_like(shuffled)
    restored[order] = shuffled
    assert partition(restored) == partition(near_groups(images, 1.5))
    assert any(len(group) > 2 for group in partition(restored))


def test_pairs_equal_the_comparison_of_all_with_all():
    soft = np.repeat(np.repeat(noise(300, px=3), 8, 1), 8, 2) // 16 + 100
    small = thumbnails(soft)
    distance = np.abs(small[:, None] - small[None]).mean(-1)
    expected = {(i, j) for i, j in zip(*np.nonzero(distance < 2.2)) if i < j}
    assert len(expected) > 20
    assert {tuple(pair) for pair in near_pairs(soft, 2.2)} == expected


def test_pairs_across_blocks():
    images = noise(BLOCK + 50, px=12)
    images[-1] = images[3] + 1
    assert near_pairs(images, 1.5).tolist() == [[3, BLOCK + 49]]


def test_memory_grows_with_the_images_not_with_their_pairs():
    images = noise(3 * BLOCK, px=12)
    near_pairs(images[:10], 1.0)
    tracemalloc.start()
    near_pairs(images, 1.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.75 * len(images) ** 2 * 4


def test_blank_images_do_not_link():
    blank = np.full((3, 24, 24), 128, np.uint8)
    blank[1] += 1
    blank[2, 0, 0] = 0
    assert near_groups(np.concatenate([blank, blank[:1]]), 3.0).tolist() == [0, 1, 2, 0]


@pytest.fixture
def marked():
    a, b, c, d = noise(4)
    images = np.stack([a, b, c, a, b + 1, d, a, c])
    splits = ["train", "train", "extra", "test", "val", "test", "train", "test"]
    table = pd.DataFrame(
        {"id": [str(i) for i in range(8)], "class": "angry", "split": splits, "source": "made"}
    )
    return mark_copies(FaceSet(images, table), 2.0).table


def test_leaked_are_held_out_images_with_a_copy_in_train(marked):
    assert marked["leaked_exact"].tolist() == [False] * 3 + [True] + [False] * 4
    # A copy in extra is no leak.
    assert marked["leaked"].tolist() == [False] * 3 + [True, True] + [False] * 3
    assert marked["cluster"].tolist() == [0, 1, 2, 0, 1, 3, 0, 2]
