"""The error of a sum of estimated variances: exact where theory is, and near the stated level in
the tails elsewhere.
"""

import numpy as np
import pytest
from scipy import special, stats

from lib.metrics.error_variance import (
    ALPHA,
    KNOWN_DF,
    ErrorVariance,
    detectable,
    tail_probability,
)

SHARES = np.array([0.02, 0.1, 0.3, 0.5, 0.7, 0.84, 0.9, 0.95, 0.99])


def errors(n_seeds: int, level: float) -> np.ndarray:
    """Rejections without an effect over the level, by integration, for each of SHARES: the share of
    the variance that is of the seeds, while that of the images is known.
    """
    df, known = n_seeds - 1, 1 - SHARES[:, None]
    quantiles = (np.arange(400) + 0.5) / 400
    estimated = SHARES[:, None] * stats.chi2.ppf(quantiles, df) / df
    low, high = np.zeros_like(estimated), np.full_like(estimated, 200.0)
    for _ in range(40):
        middle = (low + high) / 2
        inside = tail_probability(middle, [(estimated, df), (known, np.inf)]) > level / 2
        low, high = np.where(inside, middle, low), np.where(inside, high, middle)
    return 2 * special.ndtr(-low).mean(1) / level


@pytest.mark.parametrize("df", [1, 2, 4, 9, 40])
@pytest.mark.parametrize("p", [0.2, 0.025, 1e-3, 1e-5])
def test_one_component_is_students_t(df, p):
    distance = 2e-3 * stats.t.isf(p, df)
    assert ErrorVariance(((4e-6, df),)).tail(distance) == pytest.approx(p)
    # The average over the chi-square comes to the same.
    nothing_else = [(4e-6, df), (1e-30, np.inf)]
    assert tail_probability(distance, nothing_else) == pytest.approx(p, rel=2e-3)


def test_known_variances_add_up_to_a_normal_error():
    variance = ErrorVariance(((3e-6, KNOWN_DF), (1e-6, np.inf)))
    assert variance.tail(2e-3 * 1.96) == pytest.approx(stats.norm.sf(1.96))
    assert variance.se == pytest.approx(2e-3)


def test_the_interval_is_the_test_turned_round():
    variance = ErrorVariance(((3e-6, 4), (2e-6, 20)))
    for alpha in (0.32, 0.05, 1e-4):
        assert 2 * variance.tail(variance.reach(alpha)) == pytest.approx(alpha)


def test_a_component_more_widens_the_interval():
    one = ErrorVariance(((3e-6, 4),))
    assert one.plus(1e-6, 9).reach(0.05) > one.reach(0.05)
    assert one.plus(0.0, 9).reach(0.05) == pytest.approx(one.reach(0.05))


def test_the_order_of_components_does_not_matter():
    one, other = (3e-6, 4), (2e-6, 20)
    assert ErrorVariance((one, other)).reach(0.01) == pytest.approx(
        ErrorVariance((other, one)).reach(0.01)
    )


def test_no_variance_leaves_no_doubt():
    nothing = ErrorVariance(((0.0, 4), (0.0, 100)))
    assert nothing.reach(0.05) == 0
    assert (nothing.tail(0.1), nothing.tail(-0.1)) == (0, 1)
    assert detectable(nothing) == 0


@pytest.mark.parametrize("n_seeds", [4, 5, 10, 17])
@pytest.mark.parametrize("level", [0.05, 0.01, 0.001])
def test_errors_are_as_stated_at_the_spread_of_published_runs_and_never_far_above(n_seeds, level):
    found = errors(n_seeds, level)
    # Seeds make 84% of the variance on FER2013's test images, 99% over draws of real images.
    published = found[SHARES >= 0.84]
    assert published.min() > 0.8
    assert found.max() < 1.2


@pytest.mark.parametrize("level", [0.05, 0.01, 0.001])
def test_with_ten_draws_errors_are_as_stated_whatever_the_shares(level):
    found = errors(10, level)
    assert 0.8 < found.min() and found.max() < 1.2


@pytest.mark.parametrize("n_seeds", [3, 5, 10, 17])
@pytest.mark.parametrize("share", [0.3, 0.84, 1.0])
def test_a_detectable_difference_is_found_as_often_as_stated(n_seeds, share):
    rng, df, n = np.random.default_rng(n_seeds), n_seeds - 1, 20_000
    difference = detectable(ErrorVariance(((share, df), (1 - share, np.inf))))
    estimated = share * rng.chisquare(df, n) / df
    components = [(estimated, df), (np.full(n, 1 - share), np.inf)]
    found = tail_probability(rng.normal(difference, 1, n), components) < ALPHA / 2
    # Three standard errors of 20,000 studies are 0.0085.
    assert found.mean() == pytest.approx(0.8, abs=0.01)


def test_a_pilot_in_doubt_asks_for_more():
    variance = ErrorVariance(((3e-6, 9), (1e-6, np.inf)))
    assert detectable(variance, pilot_df=4) > detectable(variance, pilot_df=40)
    assert detectable(variance, pilot_df=40) > detectable(variance)
