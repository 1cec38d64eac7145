"""What a map keeps: independent implementations, and the bounds that the definitions give."""

import numpy as np
import pytest
from sklearn.manifold import trustworthiness

from lib.metrics.map_quality import (
    S2_BINS,
    jensen_shannon,
    map_distances,
    map_quality,
    mixing,
    nearest_rows,
)
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def features():
    """Three clusters of 60 points in 20 dimensions."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    return (10 * np.eye(3, 20)[labels] + rng.normal(size=(180, 20))).astype(np.float32)


def test_trustworthiness_equals_scikit_learn(features):
    points = np.random.default_rng(3).normal(size=(180, 2)).astype(np.float32)
    expected = trustworthiness(features, points, n_neighbors=7)
    measured = map_quality(features, points, k=7)
    assert measured["trustworthiness"] == pytest.approx(expected, abs=1e-6)


def test_a_perfect_map_is_perfect(features):
    assert map_quality(features, features, k=7) == {"trustworthiness": 1.0, "kept": 1.0}


def test_both_ways_of_ranking_agree():
    # More points than are ranked by counting: these are ranked by sorting.
    rng = np.random.default_rng(0)
    features, points = rng.normal(size=(2100, 5)), rng.normal(size=(2100, 2))
    expected = trustworthiness(features, points, n_neighbors=10)
    measured = map_quality(features, points, k=10, queries=2100)
    assert measured["trustworthiness"] == pytest.approx(expected, abs=1e-6)


def test_mixing_is_one_for_one_distribution_and_zero_for_two_islands():
    rng = np.random.default_rng(0)
    points, synthetic = rng.normal(size=(1000, 2)), np.arange(1000) % 4 == 0
    assert mixing(points, synthetic) == pytest.approx(1, abs=0.05)
    assert mixing(points + 100 * synthetic[:, None], synthetic) == 0


def test_copies_of_one_point_have_neighbours_too():
    assert nearest_rows(np.zeros((30, 2)), np.arange(30), 5).shape == (30, 5)


def test_jensen_shannon_has_the_bounds_of_its_base():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(500, 2)), rng.normal(size=(500, 2)) + 100
    assert jensen_shannon(a, b, bins=20) == pytest.approx(1)
    assert jensen_shannon(a, b, bins=20, base=np.e) == pytest.approx(np.sqrt(np.log(2)))
    assert jensen_shannon(a, a, bins=20) == 0


def test_s2s_grid_gives_the_stated_value_between_two_samples_of_one_distribution():
    # S2's own size, 28,709 a side, spread over a disc as a t-SNE map is: about 0.13 (protocols of
    # the studies).
    rng = np.random.default_rng(0)
    radius, angle = np.sqrt(rng.random((2, 28709))), 2 * np.pi * rng.random((2, 28709))
    a, b = (np.stack([r * np.cos(t), r * np.sin(t)], 1) for r, t in zip(radius, angle))
    assert jensen_shannon(a, b, bins=S2_BINS, base=np.e) == pytest.approx(0.13, abs=0.01)


def test_map_distances_show_what_real_against_real_gives():
    rng = np.random.default_rng(0)
    same = map_distances(rng.normal(size=(800, 2)), rng.normal(size=(900, 2)))
    other = map_distances(rng.normal(size=(800, 2)), rng.normal(size=(900, 2)) + 3)
    assert same["js_s2_most"] == pytest.approx(0.8326, abs=1e-4)
    assert same["n"] == 400
    assert same["js"] < same["js_real_high"] < other["js"]
    # 400 points on 2,500 cells: nearly all of S2's scale is noise here.
    assert same["js_s2_real"] > 0.4


def test_too_few_points_are_refused():
    with pytest.raises(StudyError, match="raise embedding_images"):
        map_quality(np.zeros((9, 3)), np.zeros((9, 2)))


def test_mixing_of_one_source_is_refused():
    with pytest.raises(StudyError, match="one kind"):
        mixing(np.zeros((20, 2)), np.zeros(20, bool))
