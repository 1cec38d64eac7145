"""Drawn faces: grey portraits from a parametric model, whose true expression is known.

Image i depends on its own label and seed alone: the seed sets identity, pose, light and flaws, the label sets the action units.
"""

import numpy as np
import pandas as pd

from lib.faces.drawn_expressions import action_units
from lib.faces.drawn_features import draw_brows, draw_eyes, draw_lines, draw_mouth, draw_nose
from lib.faces.drawn_heads import draw_background, draw_beard, draw_front_hair, draw_glasses, draw_head, draw_obstacle, light_up, place_head
from lib.faces.drawn_people import draw_people, draws
from lib.faces.faceset import CLASSES, FaceSet, concat
from lib.study.errors import StudyError

BATCH = 16  # images drawn at once: the arrays of a batch stay in the processor's cache
WRONG_STREAM, NOISE_STREAM = 14, 15
TOLD = ("identity", "age_lines", "glasses", "beard", "yaw", "pitch", "roll", "skin", "hidden", "intensity")  # columns of the table
# from back to front, each with the v (down the face) that it can touch: other rows need no work
PARTS = (
    (draw_lines, (-1.0, 1.5)),
    (draw_beard, (0.2, 2.2)),
    (draw_nose, (-0.9, 1.0)),
    (draw_mouth, (0.1, 1.7)),
    (draw_eyes, (-0.8, 0.5)),
    (draw_brows, (-1.1, 0.4)),
    (draw_glasses, (-0.7, 0.5)),
    (draw_front_hair, (-2.2, 1.0)),
)
CLASS_SHARES = (0.135, 0.035, 0.140, 0.245, 0.170, 0.165, 0.110)  # like FER2013, in the order of CLASSES; disgust 1.5 % there


def draw_faces(labels, seeds, *, px: int = 48, identities: int = 0, mislabelled_share: float = 0.0, zoom: float = 1.0) -> FaceSet:
    """Draw one face for each label and seed.

    Args:
        labels: int64 (N,) into CLASSES, the expressions to draw.
        seeds: int64 (N,), not negative; image i depends on labels[i] and seeds[i] alone, bitwise.
        px: side of the images.
        identities: 0 draws a new person an image; k > 0 takes one of k fixed people (and varies pose and light less).
        mislabelled_share: share of images, 0-1, whose class in the table is wrong; which, and what it says, is decided by the seed.
        zoom: size of the head, 1 for a tight crop; below 1 a loose frame.

    Returns:
        FaceSet with split train and source drawn; the table holds true_class, seed and TOLD's columns beside class.
    """
    labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)
    if len(labels) != len(seeds) or (len(seeds) and seeds.min() < 0):
        raise StudyError(f"drawn faces take one seed, not negative, for each label; got {len(labels)} labels and {len(seeds)} seeds")
    people = pd.concat([draw_people(seeds, identities), action_units(labels, seeds)], axis=1)
    traits = {name: _trait(people[name]) for name in people}
    images = np.empty((len(labels), px, px), np.uint8)
    for start in range(0, len(labels), BATCH):
        rows = slice(start, start + BATCH)
        images[rows] = _draw({name: trait[rows] for name, trait in traits.items()}, seeds[rows], px, zoom)
    names = np.array(CLASSES)
    table = pd.DataFrame(
        {
            "id": _ids(labels, seeds, identities),
            "class": names[_stated(labels, seeds, mislabelled_share)],
            "split": "train",
            "source": "drawn",
            "true_class": names[labels],
            "seed": seeds,
        }
    )
    return FaceSet(images, pd.concat([table, people[list(TOLD)]], axis=1))


def drawn_study(n_train: int, n_val: int, n_test: int, label_noise: float, seed: int, *, n_extra: int = 0, px: int = 48) -> FaceSet:
    """Draw the embedded study: unbalanced classes, some wrong training labels, clean labels to choose and report on.

    Args:
        n_train, n_val, n_test, n_extra: images of each split; extra ones are held back for the control with more real images.
        label_noise: share of wrong labels, 0-0.5, in train and extra.
        seed: not negative; two seeds share no image.
    """
    sets = []
    for number, (split, count) in enumerate({"train": n_train, "val": n_val, "test": n_test, "extra": n_extra}.items()):
        if not count:
            continue
        labels = np.random.default_rng((seed, number)).permutation(_class_counts(count))
        seeds = (seed * 4 + number) * 10_000_000 + np.arange(count)
        faces = draw_faces(labels, seeds, px=px, mislabelled_share=label_noise if split in ("train", "extra") else 0.0)
        table = faces.table.assign(split=split, id=split + "-" + faces.table["id"])
        sets.append(FaceSet(faces.images, table))
    return concat(sets)


def _draw(p: dict, seeds: np.ndarray, px: int, zoom: float) -> np.ndarray:
    """Draw one batch from its traits, each (B, 1, 1): uint8 (B, px, px)."""
    at = place_head(p, px, zoom)
    canvas = np.empty(at["u"].shape, np.float32)
    draw_background(canvas, at, p)
    draw_head(canvas, at, p)
    for part, reach in PARTS:
        rows = _rows(at["v"], reach)
        part(canvas[:, rows], at | {name: at[name][:, rows] for name in ("u", "v", "rim")}, p)
    light_up(canvas, at, p)
    draw_obstacle(canvas, at, p)
    canvas = _blurred(canvas, p["blur"] * (px / 48))
    canvas = 128 + p["contrast"] * (canvas - 128) + p["brightness"]
    canvas += p["noise"] * _noise(seeds, px)
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def _rows(v: np.ndarray, reach: tuple) -> slice:
    """The rows of the picture where any image of the batch has a pixel within reach."""
    touched = np.flatnonzero(((v > reach[0]) & (v < reach[1])).any(axis=(0, 2)))
    return slice(touched[0], touched[-1] + 1) if len(touched) else slice(0, 0)


def _trait(values: pd.Series) -> np.ndarray:
    """One trait of all images, (N, 1, 1), float32 or bool."""
    kind = bool if values.dtype == bool else np.float32
    return values.to_numpy(kind)[:, None, None]


def _noise(seeds: np.ndarray, px: int) -> np.ndarray:
    """Grain of the pictures, float32 (B, px, px), each from its own seed."""
    return np.stack([np.random.default_rng((NOISE_STREAM, int(seed))).standard_normal((px, px), np.float32) for seed in seeds])


def _blurred(canvas: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Blend with the mean of the four neighbours, twice: a blur of about `amount` pixels."""
    for _ in range(2):
        wide = np.pad(canvas, ((0, 0), (1, 1), (1, 1)), mode="edge")
        mean = 0.25 * (wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] + wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:])
        canvas = canvas + np.minimum(amount, 0.8) * (mean - canvas)
    return canvas


def _stated(labels: np.ndarray, seeds: np.ndarray, share: float) -> np.ndarray:
    """The labels that the table states: wrong, and any other class, for a share of the seeds."""
    chance = draws(WRONG_STREAM, seeds, 2)
    wrong = (labels + 1 + (chance[:, 1] * (len(CLASSES) - 1)).astype(np.int64)) % len(CLASSES)
    return np.where(chance[:, 0] < share, wrong, labels)


def _ids(labels: np.ndarray, seeds: np.ndarray, identities: int) -> list[str]:
    """Name each image after all that sets it apart."""
    kind = f"drawn{identities or ''}"
    return [f"{kind}-{seed:06d}-{CLASSES[label]}" for label, seed in zip(labels, seeds, strict=True)]


def _class_counts(count: int) -> np.ndarray:
    """Labels of `count` images in CLASS_SHARES, rounded so that they sum to it."""
    edges = np.rint(np.cumsum(CLASS_SHARES) * count / sum(CLASS_SHARES)).astype(int)
    return np.repeat(np.arange(len(CLASSES)), np.diff(edges, prepend=0))
