"""Nearest neighbours, coverage and memorisation, on points whose geometry is known."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from lib.compute import neighbours
from lib.compute.neighbours import (
    covered,
    memorisation,
    nearest,
    neighbour_distances,
    neighbour_radius,
    squared_distances,
)


@pytest.fixture(params=[2048, 16], ids=["whole", "blocks"])
def block(request, monkeypatch):
    """All rows at once, and in blocks that the number of rows is no multiple of."""
    monkeypatch.setattr(neighbours.squared_distances, "__defaults__", (request.param,))
    monkeypatch.setattr(neighbours, "SEARCH_BLOCK", request.param)


@pytest.fixture
def pair():
    """Two sets far from the origin, where the expansion of the square would lose digits."""
    rng = np.random.default_rng(0)
    return rng.normal(50, 1, (70, 5)), rng.normal(50, 1, (90, 5))


def test_nearest_is_what_all_pairs_find(pair, block):
    queries, targets = pair
    distance, index = nearest(queries, targets)
    all_pairs = cdist(queries, targets)
    assert np.allclose(distance, all_pairs.min(axis=1), atol=1e-6)
    assert (index == all_pairs.argmin(axis=1)).all()


def test_the_k_nearest_are_what_all_pairs_find(pair, block):
    left, right = pair
    distances = neighbour_distances(left, right, 4)
    assert distances.dtype == np.float32
    assert np.allclose(distances, np.sort(cdist(left, right))[:, :4], atol=1e-3)


def test_squared_distances_are_never_negative(block):
    points = np.random.default_rng(0).normal(1000, 1, (40, 3))
    for _, squared in squared_distances(points, points):
        assert (squared >= 0).all()


def test_the_radius_is_the_distance_to_the_kth_other_point(pair, block):
    points, _ = pair
    expected = np.sort(cdist(points, points))[:, 3]
    assert np.allclose(neighbour_radius(points, 3), expected, rtol=1e-3)


def test_the_own_group_does_not_count():
    points = np.array([[0.0], [0.1], [5.0]])
    groups = np.array([0, 0, 1])
    distance, index = nearest(points, points, query_groups=groups, target_groups=groups)
    assert np.allclose(distance, [5.0, 4.9, 4.9]) and index.tolist() == [2, 2, 1]


def test_where_no_target_counts_the_distance_is_infinite():
    points = np.array([[0.0], [0.1], [5.0]])
    groups = np.zeros(3, int)
    distance, _ = nearest(points, points, query_groups=groups, target_groups=groups)
    assert np.isinf(distance).all()


def test_real_images_are_covered_within_the_distance_to_their_kth_neighbour(block):
    real = np.arange(20.0)[:, None]  # the second neighbour of an inner point lies 1 away
    synthetic = np.array([[5.4], [40.0]])
    assert np.flatnonzero(covered(real, synthetic, k=2)).tolist() == [5, 6]
    assert covered(real, real + 0.01, k=2).all()


def test_memorised_images_are_those_at_or_under_the_quantile_of_real_ones():
    real = np.arange(1.0, 101.0)
    result = memorisation(np.array([0.0, 1.0, 1.98, 2.0, 50.5, 101.0]), real, quantile=0.01)
    assert result.threshold == pytest.approx(1.99)
    assert result.copies.tolist() == [True, True, True, False, False, False]
    assert result.relative[4] == 1.0
    assert result.median_ratio == pytest.approx(1.99 / 50.5)


def test_an_exact_copy_counts_even_where_real_images_have_copies():
    result = memorisation(np.array([0.0, 0.5]), np.array([0.0, 0.0, 1.0]), quantile=0.1)
    assert result.threshold == 0 and result.copies.tolist() == [True, False]
