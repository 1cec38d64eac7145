"""Intervals, tests and verdicts against SciPy, against cases by hand, and on cases whose answer is
known.
"""

import numpy as np
import pytest
from scipy import stats

from lib.metrics.simulation_study import simulated_predictions
from lib.metrics.statistics import (
    Effect,
    cluster_weights,
    compare,
    decide,
    effect_of,
    equivalence_p,
    holm,
    holm_standing,
    mcnemar,
    one_sided_p,
    two_way_bootstrap,
    verdict,
)
from lib.study.errors import StudyError

MARGIN = 0.005


def effect(difference: float, se: float, n_seeds: int = 5) -> Effect:
    return effect_of(difference, se**2, 0.0, 0.0, n_seeds, 1000, n_images=1000)


def test_one_seed_is_the_paired_t_interval_over_images():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(1, 300)), rng.normal(0.1, 1, size=(1, 300))
    expected = stats.ttest_rel(b[0], a[0])
    interval = expected.confidence_interval()
    found = compare(a, b)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.p == pytest.approx(expected.pvalue)


def test_spread_of_seeds_alone_is_the_paired_t_interval_over_seeds():
    shift = np.array([0.01, 0.03, -0.02, 0.05, 0.02])
    a = np.tile(np.arange(100) % 2, (5, 1)).astype(float)
    found, expected = compare(a, a + shift[:, None]), stats.ttest_1samp(shift, 0)
    assert found.p == pytest.approx(expected.pvalue)
    interval = expected.confidence_interval()
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_bootstrap_agrees_with_scipy_on_one_seed():
    rng = np.random.default_rng(1)
    a, b = rng.random((1, 400)) < 0.6, rng.random((1, 400)) < 0.65
    draws = two_way_bootstrap(a, b, weights=cluster_weights(np.arange(400), 4000, 0), seed=0)
    expected = stats.bootstrap(
        (b[0] * 1.0 - a[0],),
        np.mean,
        n_resamples=4000,
        method="percentile",
        rng=np.random.default_rng(2),
    )
    # A quantile of 4,000 draws is known to about a twentieth of a standard error.
    interval, se = expected.confidence_interval, expected.standard_error
    found = np.quantile(draws, [0.025, 0.975])
    assert found == pytest.approx([interval.low, interval.high], abs=0.12 * se)
    assert compare(a, b).se == pytest.approx(se, rel=0.06)


@pytest.fixture(scope="module")
def simulated() -> tuple[np.ndarray, np.ndarray]:
    design = {"n_seeds": 4, "n_clusters": 300, "effect": 0.05, "seed_sd": 0.01, "copies": 0.0}
    return simulated_predictions(np.random.default_rng(0), **design)[:2]


def test_copies_count_once(simulated):
    single = compare(*simulated)
    twice = [np.repeat(scores, 2, axis=1) for scores in simulated]
    doubled = compare(*twice, clusters=np.repeat(np.arange(300), 2))
    assert (doubled.low, doubled.high) == pytest.approx((single.low, single.high))
    assert (doubled.n_clusters, doubled.n_images) == (300, 600)


def test_ignoring_copies_would_pretend_more_images(simulated):
    single = compare(*(scores[:1] for scores in simulated))
    doubled = compare(*(np.repeat(scores[:1], 2, axis=1) for scores in simulated))
    assert doubled.se == pytest.approx(single.se / np.sqrt(2), rel=0.01)


def test_clusters_are_drawn_whole():
    weights = cluster_weights(np.array([0, 0, 1, 2, 2]), 50, 0)
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 3] == weights[:, 4]).all()


def test_the_seed_governs_the_draws():
    drawn = cluster_weights(np.arange(9), 5, 3)
    assert (drawn == cluster_weights(np.arange(9), 5, 3)).all()
    assert (drawn != cluster_weights(np.arange(9), 5, 4)).any()


def test_the_difference_is_arm_minus_reference():
    a, b = np.zeros((3, 50)), np.zeros((3, 50))
    b[:, :10] = 1
    found = compare(a, b)
    assert found.difference == pytest.approx(0.2)
    assert found.low > 0
    assert verdict(found, MARGIN) == "helps"
    assert verdict(compare(b, a), MARGIN) == "hurts"


# t(0.975, 4 df) = 2.776, t(0.95, 4 df) = 2.132.
@pytest.mark.parametrize(
    ("difference", "se", "expected"),
    [
        (0.010, 0.003, "helps"),
        (-0.010, 0.003, "hurts"),
        (0.000, 0.002, "equivalent"),  # 2.132 * 0.002 < 0.005
        (0.000, 0.003, "undecided"),  # 2.132 * 0.003 > 0.005: not significant is not equivalent
    ],
)
def test_verdicts_by_hand(difference, se, expected):
    assert verdict(effect(difference, se), MARGIN) == expected


def words(effects: list[Effect], **settings) -> list[str]:
    return [decision.verdict for decision in decide(effects, MARGIN, **settings)]


def test_a_family_and_interim_analyses_make_a_verdict_harder():
    # p is .029 alone, .087 beside two others.
    close, nothing = effect(0.010, 0.003), effect(0.0, 0.01)
    assert words([close]) == ["helps"]
    assert words([close, nothing, nothing])[0] == "undecided"
    assert words([close], analyses=[2]) == ["undecided"]


def test_equivalence_is_tested_within_the_family_too():
    # The two one-sided tests have p .043: twice that is not enough.
    close, far = effect(0.0, 0.0022), effect(-0.01, 0.02)
    assert words([close]) == ["equivalent"]
    assert words([close, far])[0] == "undecided"
    assert words([close], analyses=[2]) == ["undecided"]
    # Beside one that is surely equivalent it is the last that stands.
    assert words([close, effect(0.0, 0.0005)]) == ["equivalent", "equivalent"]


def random_family(rng) -> list[Effect]:
    """Effects of every kind: none, small, large, certain and not."""
    differences = rng.choice([0.0, 0.002, -0.004, 0.01, -0.03], 4) + rng.normal(0, 0.002, 4)
    return [effect(d, se) for d, se in zip(differences, rng.uniform(0.0002, 0.006, 4))]


def test_the_interval_that_decides_agrees_with_the_verdict():
    rng, seen = np.random.default_rng(0), set()
    for _ in range(60):
        analyses = rng.integers(1, 3, 4).tolist()
        for decision in decide(random_family(rng), MARGIN, analyses=analyses):
            seen.add(decision.verdict)
            assert (decision.low > 0) == (decision.verdict == "helps")
            assert (decision.high < 0) == (decision.verdict == "hurts")
            if decision.verdict == "equivalent":
                assert -MARGIN < decision.low <= 0 <= decision.high < MARGIN
    assert seen == {"helps", "hurts", "equivalent", "undecided"}


def test_the_interval_that_decides_of_one_question_is_the_95_percent_interval():
    alone = effect(0.010, 0.003)
    (decision,) = decide([alone], MARGIN)
    assert (decision.low, decision.high) == pytest.approx((alone.low, alone.high))
    (twice,) = decide([alone], MARGIN, analyses=[2])
    assert twice.high - twice.low == pytest.approx(2 * alone.variance.reach(0.025))


def test_holm_tests_among_those_that_still_stand():
    # .01 among three, then .02 among two; .04 and .5 fail it, and stand together.
    assert holm_standing(np.array([0.5, 0.001, 0.04, 0.01])).tolist() == [2, 4, 2, 3]
    # Equal p-values have equal intervals.
    assert holm_standing(np.array([0.001, 0.001])).tolist() == [2, 2]
    assert holm_standing(np.array([0.02, 0.001, 0.001])).tolist() == [1, 3, 3]


def test_a_single_seed_is_no_part_of_a_family():
    single = effect_of(0.5, np.nan, 1e-6, 0.0, 1, 100, n_images=100)
    close = effect(0.010, 0.003)
    found = decide([single, close], MARGIN)
    assert [decision.verdict for decision in found] == ["undecided", "helps"]
    assert np.isnan(found[0].low)
    assert decide([], MARGIN) == []


def test_one_seed_decides_nothing():
    single = effect_of(0.5, np.nan, 1e-6, 0.0, 1, 100, n_images=100)
    assert verdict(single, MARGIN) == "undecided"


def test_equivalence_is_two_one_sided_tests():
    e = effect(0.001, 0.002)
    both = [stats.t.sf((0.005 - 0.001) / 0.002, 4), stats.t.sf((0.001 + 0.005) / 0.002, 4)]
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


def test_identical_arms_are_equivalent():
    a = np.random.default_rng(0).random((5, 40)).round()
    found = compare(a, a)
    assert (found.difference, found.p) == (0, 1)
    assert verdict(found, MARGIN) == "equivalent"


def test_matrices_that_are_no_pair_are_refused():
    with pytest.raises(StudyError, match="use seeds both have"):
        compare(np.zeros((2, 5)), np.zeros((3, 5)))
    with pytest.raises(StudyError, match="at least 2"):
        compare(np.zeros((2, 5)), np.ones((2, 5)), clusters=np.zeros(5, int))
