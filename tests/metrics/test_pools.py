"""Pools of known quality are measured as what they are, and gates stop what must not pass."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.faceset import CLASSES, FaceSet
from lib.metrics.gates import copies_agreement, flags, label_permutation, require_labels_in_order
from lib.metrics.pools import (
    class_distances,
    diversity_curve,
    draw_like,
    measure,
    measure_pools,
    measure_spaces,
    memorised,
    memorised_pools,
)  # fmt: skip
from lib.metrics.spaces import extract_all, pixel_space, remembering
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(0)
    centres = 2 * rng.normal(size=(7, 12))

    def sample(n, seed, narrow=False):
        own = np.random.default_rng(seed)
        labels = own.choice(7, n, p=[0.2, 0.05, 0.15, 0.25, 0.15, 0.1, 0.1])
        spread = (
            own.normal(size=(n, 12)) if not narrow else own.normal(size=(4, 12))[own.integers(4, size=n)] + 0.05 * own.normal(size=(n, 12))
        )
        return (centres[labels] + spread).astype(np.float32), labels

    return sample


def test_pools_are_told_apart(world):
    features, labels = world(800, 1)
    pools = {"faithful": world(600, 2), "narrow": world(600, 3, narrow=True)}
    table = measure_pools(features, labels, pools, n=400, seed=0).set_index(["pool", "metric"])
    for metric in ("fd", "kd", "coverage", "recall", "vendi"):
        faithful, narrow = table.loc["faithful", metric], table.loc["narrow", metric]
        assert abs(faithful["value"] - faithful["baseline"]) < abs(narrow["value"] - narrow["baseline"]), metric
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()
    assert (
        table.loc["narrow", "differs"].sum() >= 5
        and table.loc["faithful", "differs"].sum() <= 2
        and table.loc["real", "differs"].sum() <= 1
    )
    assert table.loc["narrow", "recall"]["high"] < table.loc["narrow", "recall"]["baseline"]


def test_the_same_faces_anew_do_not_differ_in_diversity():
    # 60 samples of one distribution, each beside 240 held-out ones: 3 are expected to differ; halves of the same images alone find 9
    def sample(n, seed):
        rng = np.random.default_rng(seed)
        labels = rng.choice(7, n)
        return (rng.standard_t(3, size=(n, 12)) * np.exp(-np.arange(12) / 4)).astype(np.float32), labels

    found = 0
    for seed in range(60):
        table = measure_pools(*sample(240, 2 * seed), {"again": sample(400, 2 * seed + 1)}, n=120, seed=seed)
        found += table.set_index(["pool", "metric"]).loc[("again", "vendi"), "differs"]
    assert found <= 6


def test_jackknife_interval_covers_a_known_distance():
    # 60 pairs of samples with a known shift of 1: kd's interval must cover the value of a large
    # sample in 95 % of them, less 3 standard errors
    def pair(n, seed):
        rng = np.random.default_rng(seed)
        return rng.normal(size=(n, 6)), rng.normal(size=(n, 6)) + 1

    from lib.metrics.distances import kernel_distance

    truth = kernel_distance(*pair(3000, 0), subset=3000)["kd"]
    inside = 0
    for seed in range(60):
        row = measure(*pair(120, seed + 1), seed=seed).set_index("metric").loc["kd"]
        inside += row["low"] <= truth <= row["high"]
    assert inside / 60 > 0.86


def test_draw_like_takes_the_real_shares():
    labels, wanted = np.repeat(np.arange(7), 100), np.repeat(np.arange(7), [40, 5, 20, 60, 35, 20, 20])
    shares = np.bincount(labels[draw_like(labels, wanted, 200, 0)], minlength=7)
    assert np.allclose(shares, [40, 5, 20, 60, 35, 20, 20], atol=1)
    assert len(draw_like(labels, wanted, 5000, 0)) <= 100 / (60 / 200) + 7  # the class that runs out is the limit


def test_memorisation_is_calibrated_by_real_images(world):
    train, held_out, fresh = (world(400, s)[0] for s in (5, 6, 7))
    assert memorised(train, held_out, fresh)["share"] < 0.05
    copied = memorised(train, held_out, train[:200] + 1e-3)
    assert copied["share"] == 1 and copied["median_ratio"] < 0.1 and copied["low"] > 0.95
    table = memorised_pools(
        {"space": train}, {"space": {"real": (held_out, None), "copies": (train[:200] + 1e-3, None)}}, pd.DataFrame(index=range(400))
    )
    share = table.set_index("pool")["share"]
    assert share["real"] < 0.05 and share["copies"] == 1
    # copies among the held-out images must not make copies look usual
    leaky = np.concatenate([held_out, train[:100]])
    told = pd.DataFrame({"leaked": np.arange(500) >= 400})
    table = memorised_pools({"space": train}, {"space": {"real": (leaky, None), "copies": (train[:200] + 1e-3, None)}}, told)
    assert table.set_index("pool").loc["copies", "share"] == 1


def test_class_distances_and_diversity(world):
    real, swapped = world(800, 1), world(600, 2)
    found = {"space": {"real": real, "pool": (swapped[0], (swapped[1] + 1) % 7)}}
    table = class_distances(found, seed=0)
    per_class = table.query("metric == 'kd'").pivot(index="class", columns="pool", values="low")
    assert (per_class["pool"] > 0).all() and (per_class["real"] < 0).sum() >= 5  # kd is unbiased: real against real lies around 0
    assert (table["low"] <= table["value"]).all() and table["n"].min() >= 20
    curve = diversity_curve({"real": real[0], "few": real[0][np.arange(800) % 12]}, seed=0)
    last = curve.groupby("set")["vendi"].last()
    assert last["few"] < last["real"] and curve.query("set == 'few'")["n"].max() == 800


def judge(labels: np.ndarray, accuracy: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(len(labels)) < accuracy, labels, rng.integers(7, size=len(labels)))


def test_permuted_labels_stop_the_study():
    true = np.random.default_rng(0).integers(7, size=700)
    ferplus_order = np.array([4, 3, 6, 5, 0, 1, 2])
    with pytest.raises(StudyError, match="'angry' looks like"):
        require_labels_in_order("folder", np.argsort(ferplus_order)[true], judge(true, 0.5, 1))
    two = np.arange(7)
    two[[0, 1]] = 1, 0
    assert label_permutation(two[true], judge(true, 0.5, 1)) == {CLASSES[0]: CLASSES[1], CLASSES[1]: CLASSES[0]}


@pytest.mark.parametrize("seed", range(20))
def test_honest_pools_pass_the_gate(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(7, size=500)
    require_labels_in_order("good", labels, judge(labels, 0.4, seed))
    wrong = np.where(rng.random(500) < 0.6, rng.integers(7, size=500), labels)
    require_labels_in_order("mislabelled", wrong, judge(labels, 0.7, seed))
    require_labels_in_order("noise", rng.integers(7, size=500), judge(labels, 0.7, seed))
    require_labels_in_order("collapsed", labels, np.full(500, 4))


def test_flags_and_the_ceiling_of_copies():
    labels = np.array([0, 0, 1, 2, 2, 2])
    assert flags(0.3, labels) == ["under chance (50.0 %, the largest class)"]
    assert "above what copies agree on" in flags(0.97, labels, ceiling=0.96)[0]
    assert flags(0.7, labels, ceiling=0.96) == []
    agreement, pairs = copies_agreement(np.array([0, 0, 1, 2, 3, 3, 3]), np.array([9, 9, 4, 4, 5, 5, 5]))
    assert (agreement, pairs) == (pytest.approx(4 / 5), 5)
    assert np.isnan(copies_agreement(np.array([0, 1]), np.array([0, 1]))[0])


def blobs(n: int, seed: int, people: int = 0) -> FaceSet:
    """Pictures of one bright spot each; its place is the person, of which there may be few."""
    rng = np.random.default_rng(seed)
    place = rng.uniform(12, 36, size=(people or n, 2))[rng.integers(people or n, size=n) if people else np.arange(n)]
    grid = np.arange(48)
    spot = np.exp(-((grid[None, :, None] - place[:, :1, None]) ** 2 + (grid[None, None] - place[:, 1:, None]) ** 2) / 60)
    images = (200 * spot + rng.uniform(0, 20, size=(n, 1, 1))).astype(np.uint8)
    table = pd.DataFrame(
        {"id": [f"{seed}-{i}" for i in range(n)], "class": np.array(CLASSES)[np.arange(n) % 7], "split": "test", "source": "drawn"}
    )
    return FaceSet(images, table)


def test_the_pixel_space_sees_that_a_pool_has_few_people():
    extract = pixel_space(blobs(300, 1).images, components=16)
    assert extract(blobs(5, 2).images).shape == (5, 16) and extract(np.zeros((2, 64, 64), np.uint8)).shape == (2, 16)
    sets = {"real": blobs(600, 5), "many": blobs(300, 3), "few": blobs(300, 4, people=5)}
    table = measure_spaces(extract_all({"pixels": extract}, sets), n=200, seed=0).query("space == 'pixels'").set_index(["pool", "metric"])
    many, few = table.loc["many"], table.loc["few"]
    assert few.loc["vendi", "high"] < few.loc["vendi", "baseline"] and few.loc["coverage", "value"] < 0.5 * many.loc["coverage", "value"]
    assert abs(many.loc["vendi", "value"] - many.loc["vendi", "baseline"]) < 0.1 * many.loc["vendi", "baseline"]


def test_no_image_is_extracted_twice():
    asked = []

    def extract(images):
        asked.append(len(images))
        return images.reshape(len(images), -1).astype(np.float32)

    images = np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2)
    space = remembering(extract)
    for chosen in ([0, 1, 1], [1, 0], [2, 0, 5]):
        assert np.array_equal(space(images[chosen]), images[chosen].reshape(-1, 4))
    assert asked == [2, 2]


def test_pixel_components_equal_scikit_learn():
    from sklearn.decomposition import PCA

    images = blobs(80, 6).images
    flat = np.stack([image.reshape(24, 2, 24, 2).mean((1, 3)) for image in images]).reshape(80, -1) / 255
    theirs, ours = PCA(5).fit_transform(flat), pixel_space(images, components=5)(images)
    assert np.allclose(np.abs(theirs), np.abs(ours), atol=0.02)  # signs are free; thumbnails are rounded to grey levels
