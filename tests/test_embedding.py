"""Maps: known clusters, known overlaps, independent implementations, the bounds that the definitions give."""

import numpy as np
import pytest

from lib import embedding
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def blobs():
    """Three clusters of 60 points in 20 dimensions, with labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    return (10 * np.eye(3, 20)[labels] + rng.normal(size=(180, 20))).astype(np.float32), labels


@pytest.mark.parametrize("method", ["pca", "tsne", "umap"])
def test_every_map_keeps_clusters_apart_and_repeats_with_its_seed(blobs, method):
    features, labels = blobs
    points = embedding.map_features(features, method, perplexity=20, seed=1)
    assert points.shape == (180, 2) and points.dtype == np.float32
    assert embedding.class_separation(points, labels) > 0.5
    assert np.array_equal(points, embedding.map_features(features, method, perplexity=20, seed=1))


def test_another_seed_gives_another_umap(blobs):
    a, b = (embedding.map_features(blobs[0], "umap", seed=seed) for seed in (1, 2))
    assert not np.allclose(a, b)


def test_a_perplexity_too_large_for_the_data_is_lowered(blobs):
    assert np.isfinite(embedding.map_features(blobs[0][:20], "tsne", perplexity=500)).all()


def test_quality_equals_scikit_learn_and_a_perfect_map_is_perfect(blobs):
    from sklearn.manifold import trustworthiness

    features = blobs[0]
    points = np.random.default_rng(3).normal(size=(180, 2)).astype(np.float32)
    found = embedding.map_quality(features, points, k=7)
    assert found["trustworthiness"] == pytest.approx(trustworthiness(features, points, n_neighbors=7), abs=1e-6)
    assert embedding.map_quality(features, features, k=7) == {"trustworthiness": 1.0, "kept": 1.0}


def test_both_ways_of_ranking_agree():
    rng = np.random.default_rng(0)
    features, points = rng.normal(size=(2100, 5)), rng.normal(size=(2100, 2))
    from sklearn.manifold import trustworthiness

    found = embedding.map_quality(features, points, k=10, queries=2100)
    assert found["trustworthiness"] == pytest.approx(trustworthiness(features, points, n_neighbors=10), abs=1e-6)


def test_mixing_is_one_for_one_distribution_and_zero_for_two_islands():
    rng = np.random.default_rng(0)
    points, synthetic = rng.normal(size=(1000, 2)), np.arange(1000) % 4 == 0
    assert embedding.mixing(points, synthetic) == pytest.approx(1, abs=0.05)
    assert embedding.mixing(points + 100 * synthetic[:, None], synthetic) == 0


def test_copies_of_one_point_have_neighbours_too():
    found = embedding.neighbours(np.zeros((30, 2)), np.arange(30), 5)
    assert found.shape == (30, 5)


def test_jensen_shannon_has_the_bounds_of_its_base():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(500, 2)), rng.normal(size=(500, 2)) + 100
    assert embedding.jensen_shannon(a, b, bins=20) == pytest.approx(1)
    assert embedding.jensen_shannon(a, b, bins=20, base=np.e) == pytest.approx(np.sqrt(np.log(2)))
    assert embedding.jensen_shannon(a, a, bins=20) == 0


def test_s2s_grid_gives_the_stated_value_between_two_samples_of_one_distribution():
    """S2's own size, 28,709 a side, spread over a disc as a t-SNE map is: about 0.13 (protocols of the studies)."""
    rng = np.random.default_rng(0)
    radius, angle = np.sqrt(rng.random((2, 28709))), 2 * np.pi * rng.random((2, 28709))
    a, b = (np.stack([r * np.cos(t), r * np.sin(t)], 1) for r, t in zip(radius, angle))
    assert embedding.jensen_shannon(a, b, bins=embedding.S2_BINS, base=np.e) == pytest.approx(0.13, abs=0.01)


def test_map_distances_show_what_real_against_real_gives():
    rng = np.random.default_rng(0)
    same = embedding.map_distances(rng.normal(size=(800, 2)), rng.normal(size=(900, 2)))
    other = embedding.map_distances(rng.normal(size=(800, 2)), rng.normal(size=(900, 2)) + 3)
    assert same["js_s2_most"] == pytest.approx(0.8326, abs=1e-4) and same["n"] == 400 and same["js"] < same["js_real_high"] < other["js"]
    assert same["js_s2_real"] > 0.4  # 400 points on 2,500 cells: nearly all of S2's scale is noise here


def test_settings_and_seeds_side_by_side(blobs):
    maps, table = embedding.maps_by_setting(blobs[0], {"tsne": [5, 20], "umap": [5]}, seeds=2)
    assert len(maps) == 6 and all(points.shape == (len(blobs[0]), 2) for points in maps.values())
    assert (table["trustworthiness"] > 0.8).all() and table["alike"].between(0.2, 1).all()
    assert not np.array_equal(maps["umap", 5, 0], maps["umap", 5, 1])


def test_compare_pools_names_the_shifted_pool():
    rng = np.random.default_rng(0)
    sets = {"real": rng.normal(size=(400, 8)), "good": rng.normal(size=(300, 8)), "shifted": rng.normal(size=(300, 8)) + 1.5}
    table = embedding.compare_pools(sets, {name: np.arange(len(x)) % 7 for name, x in sets.items()}).set_index("source")
    assert table.loc["shifted", "low"] > table.loc[["real", "good"], "high"].max()
    assert table.loc["shifted", "mixing"] < 0.6 < table.loc["good", "mixing"]


def test_another_mix_of_classes_is_not_told_apart():
    rng = np.random.default_rng(1)
    labels = {"real": rng.choice(7, 2000, p=[0.4, 0.3, 0.1, 0.05, 0.05, 0.05, 0.05]), "even": np.arange(4200) % 7}
    sets = {name: 3 * np.eye(7)[own] + rng.normal(size=(len(own), 7)) for name, own in labels.items()}
    table = embedding.compare_pools(sets, labels).set_index("source")
    assert table.loc["even", "low"] < 0.53 and table.loc["even", "mixing"] > 0.9


def test_bad_input_is_named():
    with pytest.raises(StudyError, match="no method 'mds'"):
        embedding.map_features(np.zeros((9, 3)), "mds")
    with pytest.raises(StudyError, match="1 of 9 feature rows"):
        embedding.reduce_features(np.r_[np.full((1, 3), np.nan), np.zeros((8, 3))])
    with pytest.raises(StudyError, match="raise embedding_images"):
        embedding.map_quality(np.zeros((9, 3)), np.zeros((9, 2)))
    with pytest.raises(StudyError, match="one kind"):
        embedding.mixing(np.zeros((20, 2)), np.zeros(20, bool))


def test_captions_say_how_a_map_was_made():
    assert (
        embedding.map_caption("tsne", 12000, perplexity=50, seed=3)
        == "t-SNE, perplexity 50, seed 3, n = 12,000, real and synthetic fitted jointly"
    )
