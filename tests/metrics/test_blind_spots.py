"""A classifier that fails where its pool has no faces is found, and none is invented."""

import numpy as np
import pytest

from lib.compute.neighbours import covered
from lib.faces.arms import Arm, controls
from lib.metrics.arms import ArmPredictions
from lib.metrics.blind_spots import blind_spots
from lib.metrics.contrasts import BASE
from lib.metrics.distances import density_coverage

SUPPLEMENT, ALONE = Arm("supplement", "pool", 0.5), Arm("synthetic", "pool", 1.0)


@pytest.fixture(scope="module")
def world():
    """Real features and labels, and those of a pool that has one half of the real faces alone."""
    rng = np.random.default_rng(1)
    real = rng.normal(size=(1000, 4)).astype(np.float32)
    labels = rng.integers(7, size=1000)
    return real, labels, real[real[:, 0] > 0] + 0.01


def predictions(labels: np.ndarray, right, seed: int) -> ArmPredictions:
    """Predict with three seeds that are right with a given chance, image by image."""
    rng = np.random.default_rng(seed)
    predicted = np.where(rng.random((3, len(labels))) < right, labels, (labels + 1) % 7)
    return ArmPredictions((0, 1, 2), np.eye(7)[predicted])


def test_covered_images_are_those_that_coverage_counts():
    rng = np.random.default_rng(0)
    real, synth = rng.normal(size=(200, 5)), rng.normal(size=(200, 5)) + 0.5
    assert covered(real, synth).mean() == density_coverage(real, synth)["coverage"]


@pytest.mark.parametrize("blind", [True, False])
def test_a_blind_spot_is_found_and_none_is_invented(world, blind):
    real, labels, pool = world
    chance = np.full(1000, 0.6)
    if blind:
        chance = np.where(covered(real, pool), 0.7, 0.4)
    arms = {
        (BASE, "small"): predictions(labels, 0.7, 0),
        (ALONE, "small"): predictions(labels, chance, 1),
        (SUPPLEMENT, "small"): predictions(labels, 0.7, 2),
    }
    features_of = {"real": (real, labels), "pool": (pool, None)}
    row = blind_spots(features_of, arms, labels, np.arange(1000)).iloc[0]
    assert row["arm"] == ALONE.name
    assert (row["low"] > 0) == blind
    assert row["low"] < row["extra"] < row["high"]
    assert row["extra"] == pytest.approx(row["drop_uncovered"] - row["drop_covered"])


@pytest.mark.parametrize(
    ("kind", "most", "least"),
    [
        ("replace", 0.1, 0.5),
        ("scarce", 0.05, 0.25),
        ("supplement", 0.5, 0.1),
        ("synthetic", 2.0, 1.0),
    ],
)
def test_of_each_kind_the_arm_with_fewest_real_faces_is_read(world, kind, most, least):
    real, labels, pool = world
    arms = {(BASE, "small"): predictions(labels, 0.7, 0)}
    for seed, share in enumerate((least, most)):
        arm = Arm(kind, "pool", share)
        arms[arm, "small"] = predictions(labels, 0.6, seed)
        # Controls, and arms of other pools, do not count.
        for control in controls(arm):
            arms[control, "small"] = predictions(labels, 0.6, seed)
        arms[Arm("synthetic", "other", 9.0), "small"] = predictions(labels, 0.6, seed)
    features_of = {"real": (real, labels), "pool": (pool, None)}
    table = blind_spots(features_of, arms, labels, np.arange(1000))
    assert table["arm"].tolist() == [Arm(kind, "pool", most).name]


def test_a_pool_that_covers_everything_has_no_contrast(world):
    real, labels, _ = world
    arms = {
        (BASE, "small"): predictions(labels, 0.7, 0),
        (ALONE, "small"): predictions(labels, 0.6, 1),
    }
    features_of = {"real": (real, labels), "pool": (real + 1e-3, None)}
    row = blind_spots(features_of, arms, labels, np.arange(1000)).iloc[0]
    assert row["uncovered"] == 0
    assert np.isnan(row["extra"])
