"""The exchange rate finds what a synthetic image is worth where it is known."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.arms import Arm
from lib.metrics.arms import ArmPredictions
from lib.metrics.contrasts import BASE
from lib.metrics.exchange import exchange_rates, image_counts

N = 3000
LABELS = np.arange(N) % 7
SUBSET = Arm("subset", share=0.25, control_of="replace")
REPLACED = Arm("replace", "x", 0.25)


def made_arm(n_useful: float, seed: int) -> ArmPredictions:
    """Runs as good as a number of real images makes them: 30% at 100, 10 points a doubling."""
    rng = np.random.default_rng(seed)
    correct = rng.random((5, N)) < 0.3 + 0.1 * np.log2(n_useful / 100)
    predicted = np.where(correct, LABELS, (LABELS + 1) % 7)
    return ArmPredictions(tuple(range(5)), np.eye(7, dtype=np.float32)[predicted])


def rates(useful: dict[Arm, float], n_boot: int = 100) -> pd.DataFrame:
    arms = {}
    for seed, (arm, n_useful) in enumerate(useful.items()):
        arms[arm, "small"] = made_arm(n_useful, seed)
    return exchange_rates(arms, LABELS, np.arange(N), n_real=1000, n_boot=n_boot, seed=0)


@pytest.mark.parametrize("worth", [0.0, 0.3, 0.8])
def test_a_known_worth_is_found(worth):
    useful = {BASE: 1000, SUBSET: 250, REPLACED: 250 + worth * 750}
    row = rates(useful, n_boot=400).iloc[0]
    assert row["low"] <= worth <= row["high"]
    assert row["high"] - row["low"] < 0.5
    assert (row["real"], row["synthetic"], row["n_seeds"]) == (250, 750, 5)


def test_a_flat_curve_gives_no_rate():
    same = made_arm(500, 3)
    arms = {(arm, "small"): same for arm in (BASE, SUBSET, REPLACED)}
    table = exchange_rates(arms, LABELS, np.arange(N), n_real=1000, n_boot=100, seed=0)
    assert np.isnan(table["rate"].item())
    assert np.isnan(table["low"].item())


def test_without_a_learning_curve_there_is_no_rate():
    assert not len(rates({BASE: 500, REPLACED: 500}))


@pytest.mark.parametrize(
    ("arm", "counts"),
    [
        (BASE, (1000, 0)),
        (Arm("scarce", "dcgan", 0.25), (250, 750)),
        (Arm("subset", share=0.25, control_of="scarce"), (250, 0)),
        (Arm("subset", share=0.5, control_of="replace"), (500, 0)),
        (Arm("replace", "dcgan", 0.1), (100, 900)),
        (Arm("supplement", "dcgan", 0.5), None),
        (Arm("duplicate", share=0.5, control_of="supplement"), None),
    ],
)
def test_images_are_counted_of_arms_that_take_real_ones_away(arm, counts):
    assert image_counts(arm, 1000) == counts
