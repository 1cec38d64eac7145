"""The exchange rate finds what a synthetic image is worth where it is known."""

import numpy as np
import pytest

from lib.metrics.arms import ArmPredictions
from lib.metrics.exchange import exchange_rates, image_counts


def arm_like(n_useful: float, seed: int, n: int = 3000) -> ArmPredictions:
    """Runs as good as so many real images make them: 10 points of accuracy for each doubling from 30 % at 100."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % 7
    right = rng.random((5, n)) < 0.3 + 0.1 * np.log2(n_useful / 100)
    return ArmPredictions(tuple(range(5)), np.eye(7, dtype=np.float32)[np.where(right, labels, (labels + 1) % 7)])


def rates(worth: float):
    useful = {"base": 1000, "subset-0.25": 250, "replace-0.25-x": 250 + worth * 750}
    arms = {(name, "small"): arm_like(value, i) for i, (name, value) in enumerate(useful.items())}
    return exchange_rates(arms, np.arange(3000) % 7, np.arange(3000), n_real=1000, n_boot=400, seed=0).iloc[0]


@pytest.mark.parametrize("worth", [0.0, 0.3, 0.8])
def test_a_known_worth_is_found(worth):
    row = rates(worth)
    assert row["low"] <= worth <= row["high"] and row["high"] - row["low"] < 0.5
    assert (row["real"], row["synthetic"], row["n_seeds"]) == (250, 750, 5)


def test_a_flat_curve_gives_no_interval():
    arms = {(name, "small"): arm_like(500, 3) for name in ("base", "subset-0.25", "replace-0.25-x")}
    assert np.isnan(exchange_rates(arms, np.arange(3000) % 7, np.arange(3000), n_real=1000, n_boot=100, seed=0).iloc[0]["rate"])


def test_no_learning_curve_no_rate():
    arms = {(name, "small"): arm_like(500, 3) for name in ("base", "replace-0.25-x")}
    assert not len(exchange_rates(arms, np.arange(3000) % 7, np.arange(3000), n_real=1000, n_boot=100, seed=0))


def test_image_counts():
    assert image_counts("scarce-0.25-dcgan", 1000) == (250, 750) and image_counts("subset-0.5", 1000) == (500, 0)
    assert image_counts("supplement-0.5-dcgan", 1000) is None and image_counts("base", 1000) == (1000, 0)
