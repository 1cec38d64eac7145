"""Memorisation, balance and diversity, on points whose geometry is known."""

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist

from lib.curation.balance import class_quota, reject_surplus
from lib.curation.diversity import against_random, choose_covering, coverage, reject_redundant
from lib.curation.memorisation import reject_memorised
from lib.curation.nearest import nearest, neighbour_radius
from lib.faces.faceset import CLASSES, FaceSet


def faces_of(n, labels=None, name="i", images=None, **columns):
    labels = np.zeros(n, int) if labels is None else np.asarray(labels)
    images = np.zeros((n, 8, 8), np.uint8) if images is None else images
    return FaceSet(
        images,
        pd.DataFrame(
            {"id": [f"{name}{k}" for k in range(n)], "class": np.array(CLASSES)[labels], "split": "train", "source": "t", **columns}
        ),
    )


def test_blocks_find_what_all_pairs_find():
    rng = np.random.default_rng(0)
    a, b = rng.normal(50, 1, (70, 5)), rng.normal(50, 1, (90, 5))
    distance, index = nearest(a, b, block=16)
    assert np.allclose(distance, cdist(a, b).min(axis=1), atol=1e-4)
    assert (index == cdist(a, b).argmin(axis=1)).all()


def test_radius_is_the_distance_to_the_kth_other_point():
    points = np.random.default_rng(0).normal(size=(90, 5)) + 30
    expected = np.sort(np.linalg.norm(points[:, None] - points[None], axis=2), axis=1)[:, 3]
    assert np.allclose(neighbour_radius(points, 3, block=20), expected, rtol=1e-4)


def test_own_group_does_not_count():
    points = np.array([[0.0], [0.1], [5.0]])
    groups = np.array([0, 0, 1])
    distance, index = nearest(points, points, own_groups=(groups, groups))
    assert np.allclose(distance, [5.0, 4.9, 4.9]) and index.tolist() == [2, 2, 1]
    assert np.isinf(nearest(points, points, own_groups=(np.zeros(3), np.zeros(3)))[0]).all()


@pytest.fixture
def spread():
    """Real and synthetic images of one distribution; the first ten synthetic ones are training images with a little noise."""
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 255, (2, 200, 8, 8)).astype(np.uint8)
    fake[:10] = np.clip(real[:10].astype(int) + rng.integers(-3, 4, (10, 8, 8)), 0, 255)
    return faces_of(200, name="real", images=real), faces_of(200, images=fake)


def test_memorised_images_are_flagged_with_their_pair(spread):
    real, fake = spread
    verdicts = reject_memorised(fake, real, lambda x: x.reshape(len(x), -1).astype(np.float32), quantile=0.01)
    assert not verdicts["keep"][:10].any()
    assert verdicts["keep"][10:].mean() > 0.95  # the quantile is the share of false alarms
    assert "real7" in verdicts["reason"][7]


@pytest.mark.parametrize("told", [True, False])
def test_copies_among_the_real_images_do_not_set_the_scale(spread, told):
    real, fake = spread
    doubled = FaceSet(
        real.images.repeat(2, axis=0),
        pd.concat([real.table] * 2).sort_index().assign(id=[f"r{k}" for k in range(400)], cluster=np.arange(400) // 2),
    )
    doubled = doubled if told else FaceSet(doubled.images, doubled.table.drop(columns="cluster"))
    verdicts = reject_memorised(fake, doubled, lambda x: x.reshape(len(x), -1).astype(np.float32), quantile=0.01)
    assert not verdicts["keep"][:10].any() and verdicts["keep"][10:].mean() > 0.95


def test_balance_keeps_the_first_of_each_class():
    faces = faces_of(9, labels=[0, 0, 0, 0, 1, 1, 3, 3, 3])
    verdicts = reject_surplus(faces, pd.Series({"angry": 1, "disgust": 1, "happy": 1}))
    assert verdicts["keep"].tolist() == [True, True, False, False, True, True, True, True, False]


def test_quota_has_the_wanted_shares_and_never_exceeds_what_there_is():
    counts = pd.Series({"angry": 100, "happy": 30, "sad": 50})
    quota = class_quota(counts, pd.Series({"angry": 0.5, "happy": 0.25, "sad": 0.25}))
    assert quota[["angry", "happy", "sad"]].tolist() == [60, 30, 30] and quota.sum() == 120
    assert class_quota(counts, pd.Series({"fear": 1.0, "angry": 1.0})).sum() == 0  # no fear: no such set


def test_covering_choice_beats_chance():
    rng = np.random.default_rng(0)
    real = np.concatenate([rng.normal(0, 0.1, (300, 2)), rng.normal(5, 0.1, (20, 2))])  # a small mode that chance misses
    pool = np.concatenate([rng.normal(0, 0.1, (500, 2)), rng.normal(5, 0.1, (5, 2)), rng.uniform(20, 30, (50, 2))])
    chosen = choose_covering(real, pool, 20)
    assert len(set(chosen)) == 20 and (chosen < 505).all()  # far from every real image: never chosen
    chance = [coverage(real, pool[rng.choice(len(pool), 20, replace=False)])["distance_p95"] for _ in range(20)]
    assert coverage(real, pool[chosen])["distance_p95"] < min(chance)


def test_a_choice_stands_beside_chance():
    rng = np.random.default_rng(0)
    real, pool = rng.normal(size=(200, 2)), rng.normal(size=(300, 2))
    chosen = np.isin(np.arange(300), choose_covering(real, pool, 30))
    table = against_random(real, pool, chosen, seed=0).set_index("choice")
    assert table["images"].to_dict() == {"chosen": 30, "random": 30, "all": 300}
    assert (
        table.loc["all", "distance_p95"] < table.loc["chosen", "distance_p95"] < table.loc["random", "low"] <= table.loc["random", "high"]
    )


def test_redundant_images_go_class_by_class():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], [60, 40])
    faces, real = faces_of(100, labels=labels), faces_of(100, labels=labels)
    verdicts = reject_redundant(faces, rng.normal(size=(100, 3)), real, rng.normal(size=(100, 3)), n=50)
    assert verdicts["keep"].sum() == 50
    assert verdicts["keep"][:60].sum() == 30
