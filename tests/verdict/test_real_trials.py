"""Trials on real faces: which images they take, and how words are held against a study."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.drawn import drawn_study
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.verdict import real_trials
from lib.verdict.measured import STOPPED
from lib.verdict.real_trials import POOLS, SIZES, STUDY, beside_study, contradicts, inputs_of


@pytest.fixture(scope="module")
def faces():
    """Drawn faces in place of real ones, and a pool."""
    real = drawn_study(200, 60, 0, 0.0, 5)
    return real, drawn_study(90, 0, 0, 0.0, 6)


@pytest.mark.parametrize("pool", [name for name in POOLS if name != "dcgan"])
def test_no_image_is_learnt_and_predicted_beyond(faces, pool, monkeypatch):
    monkeypatch.setattr(real_trials, "POOL_IMAGES", 80)
    inputs, beyond = inputs_of(pool, 60, *faces)
    assert not inputs.has_test and len(inputs.real) == 60
    learnt = {*inputs.real.table["id"], *inputs.pools[0].faces.table["id"]}
    assert len(inputs.pools[0].faces) == 80 and set(beyond.table["split"]) == {"val"}
    assert not learnt & set(beyond.table["id"])
    if pool == "real":
        assert not set(inputs.real.table["id"]) & set(inputs.pools[0].faces.table["id"])


def test_the_same_real_images_stand_beside_every_pool_and_shuffling_keeps_the_class_counts(
    faces, monkeypatch
):
    monkeypatch.setattr(real_trials, "POOL_IMAGES", 80)
    (given, _), (shuffled, _) = (inputs_of(pool, 60, *faces) for pool in ("generated", "shuffled"))
    assert given.digest == shuffled.digest
    one, other = given.pools[0].faces, shuffled.pools[0].faces
    assert np.array_equal(one.images, other.images)
    assert one.counts().equals(other.counts()) and not np.array_equal(one.labels, other.labels)


def test_a_word_contradicts_a_study_whose_interval_leaves_it_no_room():
    assert contradicts(HELPS, -0.03, -0.01) and not contradicts(HELPS, -0.03, 0.01)
    assert contradicts(HURTS, 0.01, 0.03) and not contradicts(HURTS, -0.01, 0.03)
    assert contradicts(EQUIVALENT, 0.03, 0.05) and not contradicts(EQUIVALENT, 0.01, 0.05)
    assert not contradicts(UNDECIDED, 0.1, 0.2) and not contradicts(STOPPED, 0.1, 0.2)


def test_the_published_study_has_an_arm_beside_every_size_and_pool_but_the_dcgan():
    rows = [{"pool": pool, "size": size, "word": UNDECIDED} for size in SIZES for pool in POOLS]
    table = beside_study(pd.DataFrame(rows), pd.read_csv(STUDY))
    told = table.groupby("pool")["study_difference"].count()
    assert told.to_dict() == {"dcgan": 0, "generated": 3, "real": 3, "shuffled": 3}
