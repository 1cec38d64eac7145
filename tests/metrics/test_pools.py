"""Pools of known quality are measured as what they are, in every feature space."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet
from lib.metrics.distances import kernel_distance
from lib.metrics.memorised import memorised, memorised_pools
from lib.metrics.pools import (
    class_distances,
    diversity_curve,
    draw_like,
    measure,
    measure_pools,
    measure_spaces,
)
from lib.metrics.spaces import extract_all, pixel_space, remembering

CLASS_SHARES = [0.2, 0.05, 0.15, 0.25, 0.15, 0.1, 0.1]


@pytest.fixture(scope="module")
def world():
    """Draw samples of seven Gaussian classes in 12 dimensions; a narrow sample has four people."""
    centres = 2 * np.random.default_rng(0).normal(size=(7, 12))

    def sample(n, seed, narrow=False):
        rng = np.random.default_rng(seed)
        labels = rng.choice(7, n, p=CLASS_SHARES)
        if narrow:
            people = rng.normal(size=(4, 12))
            spread = people[rng.integers(4, size=n)] + 0.05 * rng.normal(size=(n, 12))
        else:
            spread = rng.normal(size=(n, 12))
        return (centres[labels] + spread).astype(np.float32), labels

    return sample


@pytest.fixture(scope="module")
def measured(world):
    features, labels = world(800, 1)
    pools = {"faithful": world(600, 2), "narrow": world(600, 3, narrow=True)}
    return measure_pools(features, labels, pools, n=400, seed=0).set_index(["pool", "metric"])


@pytest.mark.parametrize("metric", ["fd", "kd", "coverage", "recall", "vendi"])
def test_a_narrow_pool_is_further_from_real_faces_than_a_faithful_one(measured, metric):
    faithful, narrow = measured.loc["faithful", metric], measured.loc["narrow", metric]
    faithful_gap = abs(faithful["value"] - faithful["baseline"])
    assert faithful_gap < abs(narrow["value"] - narrow["baseline"])


def test_only_the_narrow_pool_differs_beyond_what_real_samples_give(measured):
    assert (measured["low"] <= measured["value"]).all()
    assert (measured["value"] <= measured["high"]).all()
    assert measured.loc["narrow", "differs"].sum() >= 5
    assert measured.loc["faithful", "differs"].sum() <= 2
    assert measured.loc["real", "differs"].sum() <= 1
    recall = measured.loc["narrow", "recall"]
    assert recall["high"] < recall["baseline"]


def test_the_same_faces_anew_do_not_differ_in_diversity():
    # 60 samples of one distribution, each beside 240 held-out ones: 3 are expected to differ;
    # halves of the same images alone would differ in 9.
    def sample(n, seed):
        rng = np.random.default_rng(seed)
        labels = rng.choice(7, n)
        features = rng.standard_t(3, size=(n, 12)) * np.exp(-np.arange(12) / 4)
        return features.astype(np.float32), labels

    differing = 0
    for seed in range(60):
        pools = {"anew": sample(400, 2 * seed + 1)}
        table = measure_pools(*sample(240, 2 * seed), pools, n=120, seed=seed)
        differing += table.set_index(["pool", "metric"]).loc[("anew", "vendi"), "differs"]
    assert differing <= 6


def test_jackknife_interval_covers_a_known_distance():
    # 60 pairs of samples with a known shift of 1: kd's interval must cover the value of a large
    # sample in 95% of them, less 3 standard errors.
    def pair(n, seed):
        rng = np.random.default_rng(seed)
        return rng.normal(size=(n, 6)), rng.normal(size=(n, 6)) + 1

    truth = kernel_distance(*pair(3000, 0), subset=3000)["kd"]
    inside = 0
    for seed in range(60):
        row = measure(*pair(120, seed + 1), seed=seed).set_index("metric").loc["kd"]
        inside += row["low"] <= truth <= row["high"]
    assert inside / 60 > 0.86


def test_draw_like_takes_the_real_shares():
    wanted_counts = [40, 5, 20, 60, 35, 20, 20]
    labels = np.repeat(np.arange(7), 100)
    wanted = np.repeat(np.arange(7), wanted_counts)
    drawn = np.bincount(labels[draw_like(labels, wanted, 200, 0)], minlength=7)
    assert np.allclose(drawn, wanted_counts, atol=1)

    # The class that runs out is the limit.
    assert len(draw_like(labels, wanted, 5000, 0)) <= 100 / (60 / 200) + 7


def test_draw_like_takes_any_number_of_classes_and_leaves_out_those_that_a_pool_lacks():
    labels, wanted = np.arange(500) % 10, np.arange(360) % 12
    drawn = np.bincount(labels[draw_like(labels, wanted, 100, 0)], minlength=12)
    assert (drawn[:10] == 10).all()
    assert (drawn[10:] == 0).all()


def test_memorisation_is_calibrated_by_real_images(world):
    train, held_out, fresh = (world(400, seed)[0] for seed in (5, 6, 7))
    assert memorised(train, held_out, fresh)["share"] < 0.05
    copied = memorised(train, held_out, train[:200] + 1e-3)
    assert copied["share"] == 1
    assert copied["median_ratio"] < 0.1
    assert copied["low"] > 0.95


def test_memorisation_of_pools_has_real_faces_beside_it(world):
    train, held_out = (world(400, seed)[0] for seed in (5, 6))
    features_of = {"space": {"real": (held_out, None), "copies": (train[:200] + 1e-3, None)}}
    table = memorised_pools({"space": train}, features_of, pd.DataFrame(index=range(400)))
    share = table.set_index("pool")["share"]
    assert share["real"] < 0.05
    assert share["copies"] == 1


def test_copies_among_the_held_out_images_do_not_make_copies_look_usual(world):
    train, held_out = (world(400, seed)[0] for seed in (5, 6))
    leaky = np.concatenate([held_out, train[:100]])
    held_out_table = pd.DataFrame({"leaked": np.arange(500) >= 400})
    features_of = {"space": {"real": (leaky, None), "copies": (train[:200] + 1e-3, None)}}
    table = memorised_pools({"space": train}, features_of, held_out_table)
    assert table.set_index("pool").loc["copies", "share"] == 1


def test_swapped_classes_are_far_from_real_ones_class_by_class(world):
    real, (features, labels) = world(800, 1), world(600, 2)
    features_of = {"space": {"real": real, "pool": (features, (labels + 1) % 7)}}
    table = class_distances(features_of, EMOTIONS, seed=0)
    low = table.query("metric == 'kd'").pivot(index="class", columns="pool", values="low")
    assert (low["pool"] > 0).all()
    # kd is unbiased: real against real lies around 0.
    assert (low["real"] < 0).sum() >= 5
    assert (table["low"] <= table["value"]).all()
    assert table["n"].min() >= 20


def test_a_set_of_few_images_stops_growing_in_diversity(world):
    features, _ = world(800, 1)
    curve = diversity_curve({"real": features, "few": features[np.arange(800) % 12]}, seed=0)
    last = curve.groupby("set")["vendi"].last()
    assert last["few"] < last["real"]
    assert curve.query("set == 'few'")["n"].max() == 800


def blobs(n: int, seed: int, people: int = 0) -> FaceSet:
    """Draw one bright spot an image; its place is the person, of which there may be few."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(12, 36, size=(people or n, 2))
    place = place[rng.integers(people, size=n)] if people else place
    grid = np.arange(48)
    across = (grid[None, :, None] - place[:, :1, None]) ** 2
    down = (grid[None, None] - place[:, 1:, None]) ** 2
    spot = np.exp(-(across + down) / 60)
    images = (200 * spot + rng.uniform(0, 20, size=(n, 1, 1))).astype(np.uint8)
    columns = {
        "id": [f"{seed}-{i}" for i in range(n)],
        "class": np.array(EMOTIONS)[np.arange(n) % 7],
        "split": "test",
        "source": "drawn",
    }
    return FaceSet(images, pd.DataFrame(columns))


def test_the_pixel_space_sees_that_a_pool_has_few_people():
    extract = pixel_space(blobs(300, 1).images, components=16)
    assert extract(blobs(5, 2).images).shape == (5, 16)
    assert extract(np.zeros((2, 64, 64), np.uint8)).shape == (2, 16)

    sets = {"real": blobs(600, 5), "many": blobs(300, 3), "few": blobs(300, 4, people=5)}
    table = measure_spaces(extract_all({"pixels": extract}, sets), n=200, seed=0)
    assert set(table["space"]) == {"pixels"}
    table = table.set_index(["pool", "metric"])
    many, few = table.loc["many"], table.loc["few"]
    baseline = many.loc["vendi", "baseline"]
    assert few.loc["vendi", "high"] < few.loc["vendi", "baseline"]
    assert few.loc["coverage", "value"] < 0.5 * many.loc["coverage", "value"]
    assert abs(many.loc["vendi", "value"] - baseline) < 0.1 * baseline


def test_no_image_is_extracted_twice():
    extracted = []

    def extract(images):
        extracted.append(len(images))
        return images.reshape(len(images), -1).astype(np.float32)

    images = np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2)
    space = remembering(extract)
    for chosen in ([0, 1, 1], [1, 0], [2, 0, 5]):
        assert np.array_equal(space(images[chosen]), images[chosen].reshape(-1, 4))
    assert extracted == [2, 2]


def test_pixel_components_equal_scikit_learn():
    from sklearn.decomposition import PCA

    images = blobs(80, 6).images
    small = [image.reshape(24, 2, 24, 2).mean((1, 3)) for image in images]
    pixels = np.stack(small).reshape(80, -1) / 255
    expected, measured = PCA(5).fit_transform(pixels), pixel_space(images, components=5)(images)
    # Signs are free; thumbnails are rounded to grey levels.
    assert np.allclose(np.abs(expected), np.abs(measured), atol=0.02)
