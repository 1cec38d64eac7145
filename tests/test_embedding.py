"""Maps keep known clusters, pools of known difference are separable, and rules say so."""

from dataclasses import replace

import numpy as np
import pytest

from lib import embedding
from lib.embedding import MapSettings
from lib.faces.drawn import draw_faces
from lib.metrics.map_quality import class_separation
from lib.plots import class_palette, map_figure, palette
from lib.study.errors import StudyError

SETTINGS = MapSettings(perplexity=20, seed=1)


@pytest.fixture(scope="module")
def blobs():
    """Three clusters of 60 points in 20 dimensions, with labels."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 60)
    return (10 * np.eye(3, 20)[labels] + rng.normal(size=(180, 20))).astype(np.float32), labels


@pytest.mark.parametrize("method", embedding.METHODS)
def test_every_map_keeps_clusters_apart_and_repeats_with_its_seed(blobs, method):
    features, labels = blobs
    points = embedding.map_features(features, method, SETTINGS)
    assert points.shape == (180, 2)
    assert points.dtype == np.float32
    assert class_separation(points, labels) > 0.5
    assert np.array_equal(points, embedding.map_features(features, method, SETTINGS))


def test_another_seed_gives_another_umap(blobs):
    one = embedding.map_features(blobs[0], "umap", MapSettings(seed=1))
    other = embedding.map_features(blobs[0], "umap", MapSettings(seed=2))
    assert not np.allclose(one, other)


def test_a_perplexity_too_large_for_the_data_is_lowered(blobs):
    points = embedding.map_features(blobs[0][:20], "tsne", MapSettings(perplexity=500))
    assert np.isfinite(points).all()


def test_settings_and_seeds_beside_each_other(blobs):
    values = {"tsne": [5, 20], "umap": [5]}
    maps, table = embedding.maps_by_setting(blobs[0], values, seeds=2)
    assert list(maps)[:2] == ["t-SNE, perplexity 5, seed 0", "t-SNE, perplexity 5, seed 1"]
    assert len(maps) == 6
    assert all(points.shape == (180, 2) for points in maps.values())
    assert (table["trustworthiness"] > 0.8).all()
    assert table["alike"].between(0.2, 1).all()
    first, second = maps["UMAP, 5 neighbours, seed 0"], maps["UMAP, 5 neighbours, seed 1"]
    assert not np.array_equal(first, second)


def test_one_seed_alone_has_nothing_to_be_alike_with(blobs):
    _, table = embedding.maps_by_setting(blobs[0], {"umap": [5]}, seeds=1)
    assert table["alike"].isna().all()


def test_maps_are_measured_one_row_each(blobs):
    table = embedding.quality_of_maps(blobs[0], {"same": blobs[0], "cut": blobs[0][:, :2]})
    assert table["map"].tolist() == ["same", "cut"]
    assert table["kept"][0] == 1 > table["kept"][1]


def test_distances_on_a_map_are_of_each_pool_to_real():
    rng = np.random.default_rng(0)
    sources = np.repeat(["real", "near", "far"], 200)
    points = rng.normal(size=(600, 2)) + 3 * (sources == "far")[:, None]
    table = embedding.distances_of_maps(points, sources).set_index("pool")
    assert list(table.index) == ["near", "far"]
    assert table.loc["far", "js"] > table.loc["near", "js"]


@pytest.fixture(scope="module")
def compared():
    """The comparison of a pool like the real images, and of one that is shifted."""
    rng = np.random.default_rng(0)
    sets = {
        "real": rng.normal(size=(400, 8)),
        "good": rng.normal(size=(300, 8)),
        "shifted": rng.normal(size=(300, 8)) + 1.5,
    }
    labels = {name: np.arange(len(features)) % 7 for name, features in sets.items()}
    return embedding.compare_in_spaces({"space": sets}, labels)


def test_the_shifted_pool_is_told_apart(compared):
    assert list(compared)[0] == "space"
    table = compared.set_index("source")
    assert table.loc["shifted", "low"] > table.loc[["real", "good"], "high"].max()
    assert table.loc["shifted", "mixing"] < 0.6 < table.loc["good", "mixing"]


def test_the_verdict_on_each_pool_is_a_sentence(compared):
    good, shifted = embedding.separability_sentences(compared)
    assert good.startswith("good: not separable from real images (")
    assert shifted.startswith("shifted: separable from real images (")
    assert "two real halves give" in shifted


def test_real_halves_that_are_told_apart_stop_the_notebook(compared):
    assert embedding.require_halves_alike(compared).startswith("two halves of the real")
    real = compared["source"] == "real"
    told_apart = compared.assign(low=compared["low"].where(~real, 0.6))
    with pytest.raises(StudyError, match="halves of the real images are separable"):
        embedding.require_halves_alike(told_apart)


def test_another_mix_of_classes_is_not_told_apart():
    rng = np.random.default_rng(1)
    labels = {
        "real": rng.choice(7, 2000, p=[0.4, 0.3, 0.1, 0.05, 0.05, 0.05, 0.05]),
        "even": np.arange(4200) % 7,
    }
    sets = {}
    for name, source_labels in labels.items():
        sets[name] = 3 * np.eye(7)[source_labels] + rng.normal(size=(len(source_labels), 7))
    table = embedding.compare_pools(sets, labels).set_index("source")
    assert table.loc["even", "low"] < 0.53
    assert table.loc["even", "mixing"] > 0.9


def test_sources_are_drawn_equally_and_joined_row_by_row():
    sets = {
        "real": draw_faces(np.arange(30) % 7, np.arange(30)),
        "pool": draw_faces(np.arange(10) % 7, 100 + np.arange(10)),
    }
    features, labels, images = embedding.draw_features(
        sets, lambda images: images.reshape(len(images), -1), n=20
    )
    joint, sources, joint_labels = embedding.join_sources(features, labels)
    assert {name: len(drawn) for name, drawn in images.items()} == {"real": 20, "pool": 10}
    assert joint.shape == (30, 48 * 48)
    assert sources.tolist() == ["real"] * 20 + ["pool"] * 10
    assert np.array_equal(joint_labels[20:], labels["pool"])

    first = embedding.first_of_each(sources, 3)
    assert first.tolist() == [0, 1, 2, 20, 21, 22]


def test_photographs_are_not_shown_unasked():
    drawn = draw_faces(np.arange(7), np.arange(7))
    table = drawn.table.assign(source="fer2013").drop(columns="true_class")
    sets = {"real": replace(drawn, table=table), "pool": drawn}
    images = {name: faces.images for name, faces in sets.items()}
    assert list(embedding.images_to_show(sets, images, False)) == ["pool"]
    assert list(embedding.images_to_show(sets, images, True)) == ["real", "pool"]


def test_an_unknown_method_is_refused():
    with pytest.raises(StudyError, match="no method 'mds'"):
        embedding.map_features(np.zeros((9, 3)), "mds")


def test_features_that_are_not_finite_are_refused():
    features = np.zeros((9, 3))
    features[0] = np.nan
    with pytest.raises(StudyError, match="1 of 9 feature rows"):
        embedding.reduce_features(features)


def test_titles_and_captions_say_how_a_map_was_made():
    settings = MapSettings(perplexity=50, seed=3)
    assert embedding.method_text("tsne", settings) == "t-SNE, perplexity 50"
    caption = embedding.map_caption(12000, settings)
    assert caption == "seed 3, n = 12,000, real and synthetic fitted jointly"


def test_maps_of_other_classes_than_the_seven_have_a_legend_of_those_that_occur(blobs):
    features, labels = blobs
    classes = tuple("0123456789")
    sources = np.repeat(["real", "pool"], 90)
    maps = {"PCA": embedding.map_features(features, "pca")}
    by_class = map_figure(maps, np.array(classes)[labels], class_palette(classes))
    by_source = map_figure(maps, sources, palette(sources))
    names = [text.get_text() for text in by_class.legends[0].get_texts()]
    assert names == ["0", "1", "2"]
    assert len(by_source.legends[0].get_texts()) == 2
