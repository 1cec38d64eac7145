"""Intervals, tests and verdicts against SciPy, against cases by hand, and on cases whose answer is known."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from lib.metrics.planner import advice, images_needed, plan, smallest_visible
from lib.metrics.simulation import simulated_study
from lib.metrics.statistics import (
    cluster_weights,
    compare,
    effect_of,
    equivalence_p,
    holm,
    mcnemar,
    one_sided_p,
    two_way_bootstrap,
    verdict,
)
from lib.study.errors import StudyError


def effect(difference: float, se: float, n_seeds: int = 5):
    return effect_of(difference, se**2, 0.0, 0.0, n_seeds, 1000, n_images=1000)


def test_one_seed_is_the_paired_t_interval_over_images():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(1, 300)), rng.normal(0.1, 1, size=(1, 300))
    expected = stats.ttest_rel(b[0], a[0])
    found = compare(a, b)
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(expected.pvalue)


def test_spread_of_seeds_alone_is_the_paired_t_interval_over_seeds():
    shift = np.array([0.01, 0.03, -0.02, 0.05, 0.02])
    a = np.tile(np.arange(100) % 2, (5, 1)).astype(float)
    found, expected = compare(a, a + shift[:, None]), stats.ttest_1samp(shift, 0)
    assert found.p == pytest.approx(expected.pvalue) and found.df == pytest.approx(4)


def test_bootstrap_agrees_with_scipy_on_one_seed():
    rng = np.random.default_rng(1)
    a, b = rng.random((1, 400)) < 0.6, rng.random((1, 400)) < 0.65
    draws = two_way_bootstrap(a, b, weights=cluster_weights(np.arange(400), 4000, 0), seed=0)
    theirs = stats.bootstrap((b[0] * 1.0 - a[0],), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(2))
    # a quantile of 4,000 draws is known to about a twentieth of a standard error
    tolerance = 0.12 * theirs.standard_error
    assert np.quantile(draws, [0.025, 0.975]) == pytest.approx(
        [theirs.confidence_interval.low, theirs.confidence_interval.high], abs=tolerance
    )
    assert compare(a, b).se == pytest.approx(theirs.standard_error, rel=0.06)


def test_copies_count_once():
    a, b, _ = simulated_study(np.random.default_rng(0), n_seeds=4, n_clusters=300, effect=0.05, seed_sd=0.01, copies=0.0)
    single = compare(a, b)
    doubled = compare(np.repeat(a, 2, axis=1), np.repeat(b, 2, axis=1), clusters=np.repeat(np.arange(300), 2))
    assert (doubled.low, doubled.high) == pytest.approx((single.low, single.high))
    assert doubled.n_clusters == 300 and doubled.n_images == 600
    one, blind = compare(a[:1], b[:1]), compare(np.repeat(a[:1], 2, axis=1), np.repeat(b[:1], 2, axis=1))
    assert blind.se == pytest.approx(one.se / np.sqrt(2), rel=0.01)  # what ignoring copies would pretend


def test_clusters_are_drawn_whole():
    weights = cluster_weights(np.array([0, 0, 1, 2, 2]), 50, 0)
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 3] == weights[:, 4]).all()
    assert (cluster_weights(np.arange(9), 5, 3) == cluster_weights(np.arange(9), 5, 3)).all()
    assert (cluster_weights(np.arange(9), 5, 3) != cluster_weights(np.arange(9), 5, 4)).any()


def test_difference_is_arm_minus_reference():
    a, b = np.zeros((3, 50)), np.zeros((3, 50))
    b[:, :10] = 1
    found = compare(a, b)
    assert found.difference == pytest.approx(0.2) and found.low > 0 and verdict(found, 0.005) == "helps"
    assert verdict(compare(b, a), 0.005) == "hurts"


def test_verdicts_by_hand():
    # t(0.975, 4 df) = 2.776, t(0.95, 4 df) = 2.132
    assert verdict(effect(0.010, 0.003), 0.005) == "helps"
    assert verdict(effect(-0.010, 0.003), 0.005) == "hurts"
    assert verdict(effect(0.000, 0.002), 0.005) == "equivalent"  # 2.132 * 0.002 < 0.005
    assert verdict(effect(0.000, 0.003), 0.005) == "undecided"  # 2.132 * 0.003 > 0.005: not significant is not equivalent
    assert verdict(effect(0.010, 0.003), 0.005, p=0.2) == "undecided"  # after Holm
    assert verdict(effect_of(0.5, np.nan, 1e-6, 0.0, 1, 100, n_images=100), 0.005) == "undecided"  # one seed decides nothing


def test_equivalence_is_two_one_sided_tests():
    e = effect(0.001, 0.002)
    both = [stats.t.sf((0.005 - 0.001) / 0.002, e.df), stats.t.sf((0.001 + 0.005) / 0.002, e.df)]
    assert equivalence_p(e, 0.005) == pytest.approx(max(both))
    assert one_sided_p(e, 0.0) == pytest.approx(e.p / 2)


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_mcnemar_is_the_exact_binomial():
    a, b = np.zeros(30, bool), np.zeros(30, bool)
    a[:3], b[3:15] = True, True
    assert mcnemar(a, b) == pytest.approx(stats.binomtest(12, 15).pvalue)
    assert mcnemar(a, a) == 1


def test_identical_arms():
    a = np.random.default_rng(0).random((5, 40)).round()
    found = compare(a, a)
    assert found.difference == 0 and found.p == 1 and verdict(found, 0.005) == "equivalent"


def test_planner_is_consistent_with_the_pilot():
    a, b, clusters = simulated_study(np.random.default_rng(5), n_seeds=40, n_clusters=2000, effect=0.0, seed_sd=0.01)
    found = compare(a, b, clusters=clusters)
    assert smallest_visible(found) == pytest.approx(found.smallest_visible, rel=0.02)
    sizes = [smallest_visible(found, seeds=s) for s in (3, 5, 10, 40)]
    assert sizes == sorted(sizes, reverse=True)
    design = plan(found, 0.02, seconds_per_run=3600)
    assert smallest_visible(found, seeds=design.seeds) <= 0.02 < smallest_visible(found, seeds=design.seeds - 1)
    assert design.hours == design.more_runs


def test_advice_names_what_would_decide():
    assert "more runs" in advice(effect_of(0.004, 1e-5, 1e-8, 1e-9, 5, 10_000, n_images=10_000), 0.005)
    two = replace(effect_of(0.2, 1e-6, 1e-8, 1e-9, 2, 10_000, n_images=10_000), generations=2)
    assert advice(two, 0.1) == "4 generations of the pools"  # two that lie close together promise nothing
    few_images = effect_of(0.004, 1e-5, 4e-5, 1e-9, 5, 500, n_images=500)
    assert advice(effect_of(0.004, 1e-6, 1e-8, 1e-9, 17, 10_000, n_images=10_000), 0.005) == "no more runs"
    assert "test images and more seeds" in advice(few_images, 0.005)
    needed = images_needed(few_images, 0.005)
    assert smallest_visible(few_images, seeds=500, clusters=needed) <= 0.005
    assert "5 seeds at least" in advice(effect_of(0.1, np.nan, 1e-6, 0.0, 1, 100, n_images=100), 0.005)


def test_refusals():
    with pytest.raises(StudyError, match="use seeds both have"):
        compare(np.zeros((2, 5)), np.zeros((3, 5)))
    with pytest.raises(StudyError, match="at least 2"):
        compare(np.zeros((2, 5)), np.ones((2, 5)), clusters=np.zeros(5, int))


def test_an_assumed_pilot_promises_what_simulated_studies_of_that_spread_show():
    from lib.metrics.planner import assumed, promises, smallest_visible

    pilot = assumed(5, 3000)
    assert pilot.smallest_visible == pytest.approx(smallest_visible(pilot), rel=0.02)
    rng, effect, found = np.random.default_rng(0), smallest_visible(pilot), 0
    for _ in range(300):
        seeds, images = rng.normal(0, 0.003, (5, 1)), rng.normal(0, 0.006**0.5, 3000)
        difference = effect + seeds + images + rng.normal(0, 0.12**0.5, (5, 3000))
        found += compare(np.zeros_like(difference), difference).p < 0.05
    assert 0.72 < found / 300 < 0.88
    table = promises(pilot, seconds_per_run=36)
    assert list(table["seeds an arm"]) == sorted(table["seeds an arm"], reverse=True)
    assert table["hours"].iloc[0] == pytest.approx(2 * table["seeds an arm"].iloc[0] / 100)
