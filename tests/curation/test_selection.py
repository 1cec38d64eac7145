"""Memorisation, balance and diversity, on points whose geometry is known."""

import numpy as np
import pandas as pd
import pytest

from lib.curation.balance import class_quota, reject_surplus
from lib.curation.diversity import (
    choose_covering,
    compare_with_random,
    coverage_of_choice,
    covering_distance,
    reject_redundant,
)
from lib.curation.memorisation import reject_memorised
from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet


def faces_of(n, labels=None, name="i", images=None, **columns):
    labels = np.zeros(n, int) if labels is None else np.asarray(labels)
    images = np.zeros((n, 8, 8), np.uint8) if images is None else images
    table = {
        "id": [f"{name}{k}" for k in range(n)],
        "class": np.array(EMOTIONS)[labels],
        "split": "train",
        "source": "t",
        **columns,
    }
    return FaceSet(images, pd.DataFrame(table))


def pixels(images):
    return images.reshape(len(images), -1).astype(np.float32)


@pytest.fixture
def spread():
    """Real and synthetic images of one distribution.

    The first ten synthetic ones are training images with a little noise.
    """
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 255, (2, 200, 8, 8)).astype(np.uint8)
    fake[:10] = np.clip(real[:10].astype(int) + rng.integers(-3, 4, (10, 8, 8)), 0, 255)
    return faces_of(200, name="real", images=real), faces_of(200, images=fake)


def test_memorised_images_are_flagged_with_their_pair(spread):
    real, fake = spread
    verdicts = reject_memorised(fake, real, pixels, quantile=0.01)
    assert not verdicts["keep"][:10].any()
    # The quantile is the share of false alarms.
    assert verdicts["keep"][10:].mean() > 0.95
    assert "real7" in verdicts["reason"][7]


@pytest.mark.parametrize("marked", [True, False], ids=["clusters", "no clusters"])
def test_copies_among_the_real_images_do_not_set_the_threshold(spread, marked):
    real, fake = spread
    table = real.table.iloc[np.arange(400) // 2].assign(id=[f"r{k}" for k in range(400)])
    if marked:
        table = table.assign(cluster=np.arange(400) // 2)
    twice = FaceSet(real.images.repeat(2, axis=0), table)
    verdicts = reject_memorised(fake, twice, pixels, quantile=0.01)
    assert not verdicts["keep"][:10].any()
    assert verdicts["keep"][10:].mean() > 0.95


def test_balance_keeps_the_first_of_each_class():
    faces = faces_of(9, labels=[0, 0, 0, 0, 1, 1, 3, 3, 3])
    verdicts = reject_surplus(faces, pd.Series({"angry": 1, "disgust": 1, "happy": 1}))
    assert verdicts["keep"].tolist() == [True, True, False, False, True, True, True, True, False]


def test_quota_has_the_wanted_shares_and_never_exceeds_what_there_is():
    counts = pd.Series({"angry": 100, "happy": 30, "sad": 50})
    quota = class_quota(counts, pd.Series({"angry": 0.5, "happy": 0.25, "sad": 0.25}))
    assert quota[["angry", "happy", "sad"]].tolist() == [60, 30, 30] and quota.sum() == 120


def test_there_is_no_set_with_a_share_of_a_class_that_is_absent():
    counts = pd.Series({"angry": 100, "happy": 30, "sad": 50})
    assert class_quota(counts, pd.Series({"fear": 1.0, "angry": 1.0})).sum() == 0


def test_covering_choice_beats_chance():
    rng = np.random.default_rng(0)
    # A small mode that chance misses.
    real = np.concatenate([rng.normal(0, 0.1, (300, 2)), rng.normal(5, 0.1, (20, 2))])
    pool = np.concatenate(
        [rng.normal(0, 0.1, (500, 2)), rng.normal(5, 0.1, (5, 2)), rng.uniform(20, 30, (50, 2))]
    )
    chosen = choose_covering(real, pool, 20)
    assert len(set(chosen)) == 20
    # Those far from every real image are never chosen.
    assert (chosen < 505).all()

    by_chance = []
    for _ in range(20):
        picked = rng.choice(len(pool), 20, replace=False)
        by_chance.append(covering_distance(real, pool[picked])["distance_p95"])
    assert covering_distance(real, pool[chosen])["distance_p95"] < min(by_chance)


def test_a_choice_is_compared_with_chance():
    rng = np.random.default_rng(0)
    real, pool = rng.normal(size=(200, 2)), rng.normal(size=(300, 2))
    chosen = np.isin(np.arange(300), choose_covering(real, pool, 30))
    table = compare_with_random(real, pool, chosen, seed=0).set_index("choice")
    assert table["images"].to_dict() == {"chosen": 30, "random": 30, "all": 300}
    distance = table["distance_p95"]
    assert distance["all"] < distance["chosen"] < table.loc["random", "low"]
    assert table.loc["random", "low"] <= table.loc["random", "high"]


def test_redundant_images_are_rejected_class_by_class():
    rng = np.random.default_rng(1)
    labels = np.repeat([0, 1], [60, 40])
    faces = faces_of(100, labels=labels)
    features, real_features = rng.normal(size=(2, 100, 3))
    verdicts = reject_redundant(faces, features, faces, real_features, n=50)
    assert verdicts["keep"].sum() == 50
    assert verdicts["keep"][:60].sum() == 30


def test_only_the_images_that_reached_the_step_are_compared(spread):
    real, fake = spread
    verdicts = pd.DataFrame(
        {"id": fake.table["id"][:50], "step": "diverse", "keep": np.arange(50) < 20}
    )
    table = coverage_of_choice(real, fake, verdicts, pixels, seed=0).set_index("choice")
    assert table["images"].to_dict() == {"chosen": 20, "random": 20, "all": 50}
    none = verdicts.assign(step="blank")
    assert coverage_of_choice(real, fake, none, pixels, seed=0).empty
