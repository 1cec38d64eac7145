"""The two-sample test finds a shift and nothing where there is nothing; harmonising removes what is no content."""

import cv2
import numpy as np
import pandas as pd

from lib.faces.drawn import draw_faces
from lib.faces.faceset import CLASSES, FaceSet
from lib.metrics.harmonise import alike, crop_difference, harmonise
from lib.metrics.twosample import tell_apart, two_sample


def test_one_distribution_cannot_be_told_apart():
    rng = np.random.default_rng(0)
    found = two_sample(rng.normal(size=(400, 8)), rng.normal(size=(500, 8)))
    assert abs(found["accuracy"] - 0.5) < 3 * found["se"] + 0.01 and found["n"] == 400


def test_a_shift_is_found_with_its_known_accuracy():
    # two unit Gaussians 2 apart along one axis: the best accuracy is the normal distribution function at 1, 0.841
    rng = np.random.default_rng(0)
    real, synth = rng.normal(size=(2000, 4)), rng.normal(size=(2000, 4))
    synth[:, 0] += 2
    assert abs(two_sample(real, synth)["accuracy"] - 0.841) < 0.025


def textured(n: int, seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).normal(size=(n, 32, 32)).astype(np.float32)
    smooth = np.stack([cv2.GaussianBlur(image, (0, 0), 1.2) for image in noise])
    return np.clip(120 + 120 * smooth, 0, 255).astype(np.uint8)


def statistics(images: np.ndarray) -> np.ndarray:
    lap = [cv2.Laplacian(image, cv2.CV_32F).var() / image.var() for image in images]
    return np.stack([images.mean((1, 2)), images.std((1, 2)), lap], axis=1)


def faces_of(images: np.ndarray, labels: np.ndarray | None = None) -> FaceSet:
    labels = np.arange(len(images)) % 7 if labels is None else labels
    ids = [f"f{i}" for i in range(len(images))]
    return FaceSet(images, pd.DataFrame({"id": ids, "class": np.array(CLASSES)[labels], "split": "train", "source": "made"}))


def test_harmonising_removes_brightness_contrast_and_blur():
    like = np.stack([cv2.GaussianBlur(image, (0, 0), 1.0) for image in textured(200, 1)])
    other = np.clip(textured(200, 2) * 0.5 + 20, 0, 255).astype(np.uint8)
    before, after = two_sample(statistics(like), statistics(other)), two_sample(statistics(like), statistics(harmonise(other, like)))
    assert before["accuracy"] > 0.95 and after["accuracy"] < before["accuracy"] - 0.1
    assert abs(harmonise(other, like).mean() - like.mean()) < 2 and harmonise(other, like).dtype == np.uint8


def test_a_blurred_set_is_not_sharpened():
    sharp, dull = textured(50, 3), np.stack([cv2.GaussianBlur(image, (0, 0), 3) for image in textured(50, 4)])
    assert statistics(harmonise(dull, sharp))[:, 2].mean() < 1.5 * statistics(dull)[:, 2].mean()


def test_the_sharper_set_is_blurred_whichever_it_is():
    sharp, dull = textured(50, 3), np.stack([cv2.GaussianBlur(image, (0, 0), 1.5) for image in textured(50, 4)])
    for pair in ((sharp, dull), (dull, sharp)):
        one, other = alike(*pair, ("sharpness",))
        assert abs(statistics(one)[:, 2].mean() / statistics(other)[:, 2].mean() - 1) < 0.1


def test_a_loose_frame_is_cropped_to_the_same_faces():
    labels = np.arange(210) % 7
    tight, fresh, loose = (draw_faces(labels, np.arange(210) + 1000 * i, zoom=zoom).images for i, zoom in enumerate((1, 1, 0.85)))
    zoom, _, _, gain = crop_difference(loose, tight)
    assert 1.1 < zoom < 1.3 and gain > 0.02
    assert np.array_equal(harmonise(fresh, tight, aspects=("crop",)), fresh)
    assert crop_difference(harmonise(loose, tight, aspects=("crop",)), tight)[3] < gain / 3
    moved = np.roll(fresh, (3, -2), axis=(1, 2))
    assert crop_difference(moved, fresh)[1:3] == (2, -3)


def test_pools_are_told_apart_and_real_halves_are_not():
    images = {"real": textured(420, 5), "dark": textured(210, 6) // 2, "same": textured(210, 7)}
    table = tell_apart({"statistics": statistics}, {name: faces_of(own) for name, own in images.items()}, limit=203, seed=0)
    table = table.set_index("pool")
    assert table.loc["dark", "accuracy"] > 0.95 and table.loc["dark", ["accuracy_light", "accuracy_crop"]].max() < 0.7
    assert table.loc[["real", "same"], "accuracy"].max() < 0.6 and (table["n"] >= 203).all()


def test_another_mix_of_classes_is_not_another_look():
    rng = np.random.default_rng(0)
    labels = rng.choice(7, 1400, p=[0.4, 0.3, 0.1, 0.05, 0.05, 0.05, 0.05])
    sets = {name: faces_of((30 * own[:, None, None] + rng.integers(0, 30, (len(own), 8, 8))).astype(np.uint8), own)
            for name, own in (("real", labels), ("even", np.arange(2800) % 7))}  # fmt: skip
    assert tell_apart({"statistics": statistics}, sets, limit=600, seed=0)["accuracy"].max() < 0.56
