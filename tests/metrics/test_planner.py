"""Sample sizes agree with the pilot that they come from, and name what would decide."""

from dataclasses import replace

import numpy as np
import pytest

from lib.metrics.planner import (
    assumed_pilot,
    images_needed,
    minimum_detectable_effect,
    power_table,
    sample_size,
    sample_size_text,
)
from lib.metrics.simulation_study import simulated_predictions
from lib.metrics.statistics import compare, effect_of
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def pilot():
    design = {"n_seeds": 40, "n_clusters": 2000, "effect": 0.0, "seed_sd": 0.01}
    a, b, clusters = simulated_predictions(np.random.default_rng(5), **design)
    return compare(a, b, clusters=clusters)


def test_the_pilots_own_design_finds_what_its_test_says(pilot):
    found = minimum_detectable_effect(pilot)
    assert found == pytest.approx(pilot.minimum_detectable_effect, rel=0.02)


def test_more_seeds_detect_smaller_effects(pilot):
    sizes = [minimum_detectable_effect(pilot, seeds=seeds) for seeds in (3, 5, 10, 40)]
    assert sizes == sorted(sizes, reverse=True)


def test_the_sample_size_is_the_smallest_that_suffices(pilot):
    design = sample_size(pilot, 0.02)
    assert minimum_detectable_effect(pilot, seeds=design.seeds) <= 0.02
    assert minimum_detectable_effect(pilot, seeds=design.seeds - 1) > 0.02


def effect(difference: float, v_seed: float, v_image: float, n_seeds: int, n_images: int):
    return effect_of(difference, v_seed, v_image, 1e-9, n_seeds, n_images, n_images=n_images)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (effect(0.004, 1e-5, 1e-8, 5, 10_000), "more runs"),
        (effect(0.004, 1e-6, 1e-8, 17, 10_000), "no more runs"),
        (effect(0.004, 1e-5, 4e-5, 5, 500), "test images and more seeds"),
        (effect_of(0.1, np.nan, 1e-6, 0.0, 1, 100, n_images=100), "5 seeds at least"),
    ],
)
def test_the_text_names_what_would_decide(found, words):
    assert words in sample_size_text(found, 0.005)


def test_two_generations_that_lie_close_together_ask_for_more():
    two = replace(effect(0.2, 1e-6, 1e-8, 2, 10_000), generations=2)
    assert sample_size_text(two, 0.1) == "4 generations of the pools"


def test_the_number_of_images_suffices():
    few_images = effect(0.004, 1e-5, 4e-5, 5, 500)
    needed = images_needed(few_images, 0.005)
    assert minimum_detectable_effect(few_images, seeds=500, clusters=needed) <= 0.005


def test_an_assumed_pilot_has_the_power_that_simulated_studies_of_that_spread_show():
    pilot = assumed_pilot(5, 3000)
    effect = minimum_detectable_effect(pilot)
    assert pilot.minimum_detectable_effect == pytest.approx(effect, rel=0.02)
    rng, significant = np.random.default_rng(0), 0
    for _ in range(300):
        seeds, images = rng.normal(0, 0.003, (5, 1)), rng.normal(0, 0.006**0.5, 3000)
        noise = rng.normal(0, 0.12**0.5, (5, 3000))
        difference = effect + seeds + images + noise
        significant += compare(np.zeros_like(difference), difference).p < 0.05
    assert 0.72 < significant / 300 < 0.88


def test_the_power_table_prices_smaller_differences_higher():
    table = power_table(assumed_pilot(5, 3000))
    seeds = list(table["seeds an arm"])
    assert seeds == sorted(seeds, reverse=True)
    assert set(table["detected"]) <= {"yes", "no"}


def test_a_plan_for_one_seed_is_refused():
    with pytest.raises(StudyError, match="at least 2 seeds"):
        assumed_pilot(1, 3000)
