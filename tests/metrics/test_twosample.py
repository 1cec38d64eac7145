"""The two-sample test finds a shift and nothing where there is nothing; harmonising removes what is
no content."""

import cv2
import numpy as np
import pandas as pd
import pytest

from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet
from lib.metrics.harmonise import alike, crop_difference, harmonise
from lib.metrics.twosample import two_sample, two_sample_tests


def test_one_distribution_cannot_be_told_apart():
    rng = np.random.default_rng(0)
    result = two_sample(rng.normal(size=(400, 8)), rng.normal(size=(500, 8)))
    assert abs(result["accuracy"] - 0.5) < 3 * result["se"] + 0.01
    assert result["n"] == 400


def test_a_shift_is_found_with_its_known_accuracy():
    # Two unit Gaussians 2 apart along one axis: the best accuracy is the normal distribution
    # function at 1, 0.841.
    rng = np.random.default_rng(0)
    real, synth = rng.normal(size=(2000, 4)), rng.normal(size=(2000, 4))
    synth[:, 0] += 2
    assert abs(two_sample(real, synth)["accuracy"] - 0.841) < 0.025


def textured(n: int, seed: int) -> np.ndarray:
    """Make images of smooth noise, uint8 (n, 32, 32)."""
    noise = np.random.default_rng(seed).normal(size=(n, 32, 32)).astype(np.float32)
    return np.clip(120 + 120 * blurred(noise, 1.2), 0, 255).astype(np.uint8)


def blurred(images: np.ndarray, sigma: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in images])


def statistics(images: np.ndarray) -> np.ndarray:
    """Describe each image by brightness, contrast and sharpness: a feature space."""
    sharpness = [cv2.Laplacian(image, cv2.CV_32F).var() / image.var() for image in images]
    return np.stack([images.mean((1, 2)), images.std((1, 2)), sharpness], axis=1)


def faces_of(images: np.ndarray, labels: np.ndarray | None = None) -> FaceSet:
    labels = np.arange(len(images)) % 7 if labels is None else labels
    columns = {
        "id": [f"f{i}" for i in range(len(images))],
        "class": np.array(EMOTIONS)[labels],
        "split": "train",
        "source": "made",
    }
    return FaceSet(images, pd.DataFrame(columns))


def test_harmonising_removes_brightness_contrast_and_blur():
    like = blurred(textured(200, 1), 1.0)
    other = np.clip(textured(200, 2) * 0.5 + 20, 0, 255).astype(np.uint8)
    harmonised = harmonise(other, like)
    before = two_sample(statistics(like), statistics(other))
    after = two_sample(statistics(like), statistics(harmonised))
    assert before["accuracy"] > 0.95
    assert after["accuracy"] < before["accuracy"] - 0.1
    assert abs(harmonised.mean() - like.mean()) < 2
    assert harmonised.dtype == np.uint8


def test_a_blurred_set_is_not_sharpened():
    sharp, dull = textured(50, 3), blurred(textured(50, 4), 3)
    after = statistics(harmonise(dull, sharp))[:, 2].mean()
    assert after < 1.5 * statistics(dull)[:, 2].mean()


@pytest.mark.parametrize("sharper_first", [True, False])
def test_the_sharper_set_is_blurred_whichever_it_is(sharper_first):
    pair = [textured(50, 3), blurred(textured(50, 4), 1.5)]
    if not sharper_first:
        pair.reverse()
    one, other = alike(*pair, ("sharpness",))
    ratio = statistics(one)[:, 2].mean() / statistics(other)[:, 2].mean()
    assert abs(ratio - 1) < 0.1


def test_a_loose_frame_is_cropped_to_the_same_faces():
    labels, seeds = np.arange(210) % 7, np.arange(210)
    tight = draw_faces(labels, seeds, zoom=1).images
    fresh = draw_faces(labels, seeds + 1000, zoom=1).images
    loose = draw_faces(labels, seeds + 2000, zoom=0.85).images

    zoom, _, _, gain = crop_difference(loose, tight)
    assert 1.1 < zoom < 1.3
    assert gain > 0.02
    assert crop_difference(harmonise(loose, tight, aspects=("crop",)), tight)[3] < gain / 3

    # The same frame is left as it is.
    assert np.array_equal(harmonise(fresh, tight, aspects=("crop",)), fresh)
    moved = np.roll(fresh, (3, -2), axis=(1, 2))
    assert crop_difference(moved, fresh)[1:3] == (2, -3)


def test_pools_are_told_apart_and_real_halves_are_not():
    images = {"real": textured(420, 5), "dark": textured(210, 6) // 2, "same": textured(210, 7)}
    sets = {name: faces_of(of_set) for name, of_set in images.items()}
    table = two_sample_tests({"statistics": statistics}, sets, limit=203, seed=0)
    table = table.set_index("pool")
    assert table.loc["dark", "accuracy"] > 0.95
    assert table.loc["dark", ["accuracy_light", "accuracy_crop"]].max() < 0.7
    assert table.loc[["real", "same"], "accuracy"].max() < 0.6
    assert (table["n"] >= 203).all()


def test_another_mix_of_classes_is_not_another_look():
    rng = np.random.default_rng(0)
    labels = rng.choice(7, 1400, p=[0.4, 0.3, 0.1, 0.05, 0.05, 0.05, 0.05])
    sets = {}
    for name, set_labels in (("real", labels), ("even", np.arange(2800) % 7)):
        grey = 30 * set_labels[:, None, None] + rng.integers(0, 30, (len(set_labels), 8, 8))
        sets[name] = faces_of(grey.astype(np.uint8), set_labels)
    table = two_sample_tests({"statistics": statistics}, sets, limit=600, seed=0)
    assert table["accuracy"].max() < 0.56
