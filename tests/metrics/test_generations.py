"""Intervals over generations of a pool cover, and pools that were made once stay as they were."""

from dataclasses import replace

import numpy as np
import pytest

from lib.faces.arms import Arm
from lib.metrics.arms import ArmPredictions, level
from lib.metrics.contrasts import (
    BASE,
    effects,
    generation_range,
    over_generations,
    why_no_generations,
)
from lib.metrics.generations import compare_generations
from lib.metrics.statistics import compare
from lib.study.errors import StudyError

LABELS = np.arange(700) % 7
CLUSTERS = np.arange(700)
DCGAN, ACGAN = (Arm("supplement", pool, 0.5) for pool in ("dcgan", "acgan"))
SHUFFLED = replace(DCGAN, kind="shuffled", control_of="supplement")


def made_generations(
    rng, *, n: int, n_seeds: int, n_images: int, sd: float, seed_sd: float
) -> tuple[np.ndarray, np.ndarray]:
    """Scores of base, and of an arm of which each generation is better or worse as a whole."""
    base_seeds = rng.normal(0, seed_sd, (n_seeds, 1))
    base_images = rng.normal(0, 0.3, n_images)
    base = base_seeds + base_images + rng.normal(0, 0.3, (n_seeds, n_images))
    generations = rng.normal(0, sd, (n, 1, 1))
    seeds = rng.normal(0, seed_sd, (n, n_seeds, 1))
    images = rng.normal(0, 0.05, n_images)
    noise = rng.normal(0, 0.3, (n, n_seeds, n_images))
    return base, base_images + generations + seeds + images + noise


@pytest.mark.parametrize(("sd", "seed_sd"), [(0.04, 0.01), (0.0, 0.01), (0.0, 0.0)])
def test_intervals_over_generations_cover(sd, seed_sd):
    rng = np.random.default_rng(4)
    inside, of_one = 0, 0
    for _ in range(200):
        a, b = made_generations(rng, n=4, n_seeds=5, n_images=100, sd=sd, seed_sd=seed_sd)
        several, one = compare_generations(a[None], b), compare(a, b[0])
        inside += several.low <= 0 <= several.high
        of_one += one.low <= 0 <= one.high
    # 95% less 2.6 standard errors; wider where a level is noise alone.
    assert inside / 200 > 0.91
    if sd:
        # A single generation knows nothing of another.
        assert of_one / 200 < 0.85


def made_arm(rng, accuracy: float, seeds=(0, 1, 2)) -> ArmPredictions:
    correct = rng.random((len(seeds), 700)) < accuracy
    predicted = np.where(correct, LABELS, (LABELS + 1) % 7)
    return ArmPredictions(seeds, np.eye(7, dtype=np.float32)[predicted])


@pytest.fixture(scope="module")
def single() -> dict:
    """Arms of one study, two of them of two generations."""
    rng = np.random.default_rng(0)
    accuracies = {
        BASE: 0.5,
        DCGAN: 0.7,
        replace(DCGAN, generation=2): 0.6,
        ACGAN: 0.6,
        SHUFFLED: 0.4,
        replace(SHUFFLED, generation=2): 0.4,
    }
    return {(arm, "small"): made_arm(rng, value) for arm, value in accuracies.items()}


@pytest.fixture(scope="module")
def joined(single) -> dict:
    return over_generations(single)


@pytest.fixture(scope="module")
def judged(joined):
    return effects(joined, LABELS, CLUSTERS, margin=0.005)


def test_generations_of_a_pool_are_one_arm(joined):
    assert [arm for arm, _ in joined] == [BASE, DCGAN, ACGAN, SHUFFLED]


def test_the_range_of_single_generations_stands_beside_the_effect(single, joined, judged):
    rows = generation_range(single, joined, judged, LABELS)
    assert rows["arm"].tolist() == [DCGAN.name, SHUFFLED.name]
    row = rows.iloc[0]
    assert (row["generations"], row["n_seeds"]) == (2, 3)
    assert row["lowest"] < row["difference"] < row["highest"]
    assert row["lowest"] == pytest.approx(0.1, abs=0.05)
    assert row["highest"] == pytest.approx(0.2, abs=0.05)
    # Two generations lie too far apart to decide.
    assert row["verdict"] == "undecided"


def test_each_generation_is_compared_with_its_own_shuffled_copy(judged):
    dcgan = judged[judged["pool"] == "dcgan"]
    control = dcgan[dcgan["reference_kind"] == "shuffled"]
    assert control["generations"].tolist() == [2]
    against_base = dcgan[(dcgan["kind"] == "supplement") & (dcgan["role"] == "base")]
    assert "generations" in against_base["sample_size"].item()
    assert judged[judged["pool"] == "acgan"]["generations"].tolist() == [1]


def test_an_arm_that_was_made_once_stays_as_it_was():
    rng = np.random.default_rng(1)
    arms = {(BASE, "small"): made_arm(rng, 0.5), (DCGAN, "small"): made_arm(rng, 0.6)}
    for key, predictions in over_generations(arms).items():
        assert predictions.other_generations == ()
        assert (predictions.probabilities == arms[key].probabilities).all()


def test_generations_keep_the_seeds_that_all_have():
    rng = np.random.default_rng(2)
    second = replace(DCGAN, generation=2)
    arms = {(DCGAN, "small"): made_arm(rng, 0.5), (second, "small"): made_arm(rng, 0.5, (1, 2, 3))}
    predictions = over_generations(arms)[DCGAN, "small"]
    assert predictions.seeds == (1, 2)
    assert len(predictions.other_generations) == 1
    assert level(predictions, LABELS, clusters=CLUSTERS).generations == 2


def test_matrices_without_generations_are_refused():
    with pytest.raises(StudyError, match="generations, seeds, images"):
        compare_generations(np.zeros((3, 9)), np.zeros((1, 3, 9)))


def test_a_study_whose_draws_have_generations_of_their_own_does_not_say_that_there_are_none():
    assert why_no_generations(["dcgan", "acgan"]).startswith("no pool was generated more than once")
    assert "every draw has its own" in why_no_generations(["dcgan", "dcgan-generation2"])
