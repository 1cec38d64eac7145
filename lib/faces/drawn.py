"""Drawn faces: grey portraits from a parametric model, whose true expression is known.

Image i depends on its own label and seed alone: the seed sets identity, pose, light and flaws, the
label sets the action units. Inside, `p` holds the traits of a batch by name, each (B, 1, 1), and
`at` the place of every pixel on the head, each (B, px, px).
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from lib.faces.classes import EMOTIONS, checked_classes
from lib.faces.drawn_expressions import action_units
from lib.faces.drawn_features import draw_brows, draw_eyes, draw_lines, draw_mouth, draw_nose
from lib.faces.drawn_heads import (
    draw_background,
    draw_beard,
    draw_front_hair,
    draw_glasses,
    draw_head,
    draw_obstacle,
    light_up,
    place_head,
)
from lib.faces.drawn_people import draw_people, draws
from lib.faces.faceset import FaceSet, concat
from lib.study.errors import StudyError

BATCH = 16  # images drawn at once: the arrays of a batch stay in the processor's cache
WRONG_STREAM, NOISE_STREAM = 14, 15  # of an image's seed
SEEDS_PER_SPLIT = 10_000_000  # distance between the image seeds of two splits

# What the table tells of each face.
RECORDED_TRAITS = (
    "identity",
    "age_lines",
    "glasses",
    "beard",
    "yaw",
    "pitch",
    "roll",
    "skin",
    "hidden",
    "intensity",
)

# From back to front, each with the v (down the face) that it can touch: other rows need no work.
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

# Shares of the classes in a drawn study, like FER2013's; disgust has 1.5% there.
CLASS_SHARES = {
    "angry": 0.135,
    "disgust": 0.035,
    "fear": 0.140,
    "happy": 0.245,
    "neutral": 0.170,
    "sad": 0.165,
    "surprise": 0.110,
}


def draw_faces(
    labels,
    seeds,
    *,
    classes: Sequence[str] = EMOTIONS,
    px: int = 48,
    identities: int = 0,
    mislabelled_share: float = 0.0,
    zoom: float = 1.0,
) -> FaceSet:
    """Draw one face for each label and seed.

    Args:
        labels: int64 (N,) into `classes`, the expressions to draw.
        seeds: int64 (N,), not negative; image i depends on the class of labels[i] and on seeds[i]
            alone, bitwise.
        classes: some of the seven emotions.
        px: side of the images.
        identities: 0 draws a new person an image; k > 0 takes one of k fixed people (and varies
            pose and light less).
        mislabelled_share: share of images, 0-1, whose class in the table is wrong; the seed decides
            which, and what class is stated.
        zoom: size of the head, 1 for a tight crop; below 1 a loose frame.

    Returns:
        FaceSet with split train and source drawn; the table holds true_class, seed and
        RECORDED_TRAITS beside class.

    Raises:
        StudyError: labels and seeds that do not fit, or a class that cannot be drawn.
    """
    labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)

    # Check the request.
    if len(labels) != len(seeds) or (len(seeds) and seeds.min() < 0):
        raise StudyError(
            "drawn faces take one seed, not negative, for each label; got "
            f"{len(labels)} labels and {len(seeds)} seeds"
        )
    classes = drawable(classes)

    # Traits of all faces: who it is, how the picture was taken, which muscles move.
    expressions = np.array([EMOTIONS.index(name) for name in classes])[labels]
    people = pd.concat([draw_people(seeds, identities), action_units(expressions, seeds)], axis=1)
    traits = {name: _trait(people[name]) for name in people}

    # Images, batch by batch.
    images = np.empty((len(labels), px, px), np.uint8)
    for start in range(0, len(labels), BATCH):
        rows = slice(start, start + BATCH)
        batch = {name: trait[rows] for name, trait in traits.items()}
        images[rows] = _draw(batch, seeds[rows], px, zoom)

    # What was drawn, and what the table states.
    names = np.array(classes)
    stated = _stated_labels(labels, seeds, mislabelled_share, len(classes))
    table = pd.DataFrame(
        {
            "id": _ids(names[labels], seeds, identities),
            "class": names[stated],
            "split": "train",
            "source": "drawn",
            "true_class": names[labels],
            "seed": seeds,
        }
    )
    table = pd.concat([table, people[list(RECORDED_TRAITS)]], axis=1)
    return FaceSet(images, table, classes)


def drawn_study(
    n_train: int,
    n_val: int,
    n_test: int,
    label_noise: float,
    seed: int,
    *,
    n_extra: int = 0,
    px: int = 48,
    classes: Sequence[str] = EMOTIONS,
) -> FaceSet:
    """Draw the embedded study: unbalanced classes, some wrong training labels, clean test labels.

    Args:
        n_train, n_val, n_test, n_extra: images of each split; extra ones are held back for the
            control with more real images.
        label_noise: share of wrong labels, 0-0.5, in train and extra.
        seed: not negative; two seeds share no image.
        px: side of the images.
        classes: some of the seven emotions; their shares stay in proportion.

    Raises:
        StudyError: a class that cannot be drawn.
    """
    classes = drawable(classes)
    counts = {"train": n_train, "val": n_val, "test": n_test, "extra": n_extra}
    sets = []
    for number, (split, count) in enumerate(counts.items()):
        if not count:
            continue

        # Each split has a stream of labels and a range of image seeds, whatever the others hold.
        labels = np.random.default_rng((seed, number)).permutation(_class_labels(count, classes))
        seeds = (seed * len(counts) + number) * SEEDS_PER_SPLIT + np.arange(count)

        # Labels to choose and report on are clean.
        noise = label_noise if split in ("train", "extra") else 0.0
        faces = draw_faces(labels, seeds, classes=classes, px=px, mislabelled_share=noise)
        sets.append(faces.with_columns(split=split, id=split + "-" + faces.table["id"]))
    return concat(sets)


def drawable(classes: Sequence[str]) -> tuple[str, ...]:
    """Sort classes that are to be drawn.

    Raises:
        StudyError: one that is none of the seven emotions.
    """
    for name in classes:
        if name not in EMOTIONS:
            raise StudyError(
                f"classes: drawn faces cannot show {name!r}; they show {', '.join(EMOTIONS)}"
            )
    return checked_classes(classes)


def _draw(p: dict, seeds: np.ndarray, px: int, zoom: float) -> np.ndarray:
    """Draw one batch from its traits, uint8 (B, px, px)."""
    at = place_head(p, px, zoom)
    canvas = np.empty(at["u"].shape, np.float32)

    # The head and what is on it, from back to front.
    draw_background(canvas, at, p)
    draw_head(canvas, at, p)
    for draw_part, reach in PARTS:
        rows = _rows(at["v"], reach)
        part_of = {name: at[name][:, rows] for name in ("u", "v", "rim")}
        draw_part(canvas[:, rows], at | part_of, p)

    # Light, what hides the face, and the camera's flaws.
    light_up(canvas, at, p)
    draw_obstacle(canvas, at, p)
    canvas = _blurred(canvas, p["blur"] * (px / 48))
    canvas = 128 + p["contrast"] * (canvas - 128) + p["brightness"]
    canvas += p["noise"] * _noise(seeds, px)
    return np.clip(canvas + 0.5, 0, 255).astype(np.uint8)


def _rows(v: np.ndarray, reach: tuple) -> slice:
    """Find the rows of the picture where any image of the batch has a pixel within reach.

    Args:
        v: place of every pixel down the face, (B, px, px).
        reach: lowest and highest v.
    """
    touched = np.flatnonzero(((v > reach[0]) & (v < reach[1])).any(axis=(0, 2)))
    if not len(touched):
        return slice(0, 0)
    return slice(touched[0], touched[-1] + 1)


def _trait(values: pd.Series) -> np.ndarray:
    """Shape one trait of all images to (N, 1, 1), float32 or bool."""
    kind = bool if values.dtype == bool else np.float32
    return values.to_numpy(kind)[:, None, None]


def _noise(seeds: np.ndarray, px: int) -> np.ndarray:
    """Draw the grain of the pictures, float32 (B, px, px), each from its own seed."""
    generators = [np.random.default_rng((NOISE_STREAM, int(seed))) for seed in seeds]
    return np.stack([rng.standard_normal((px, px), np.float32) for rng in generators])


def _blurred(canvas: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Blend each pixel with the mean of its four neighbours, twice.

    Args:
        canvas: float (B, px, px).
        amount: width of the blur, pixels, float (B, 1, 1).
    """
    for _ in range(2):
        # Beyond the edge of a picture its last pixels are repeated.
        wide = np.pad(canvas, ((0, 0), (1, 1), (1, 1)), mode="edge")
        above, below = wide[:, :-2, 1:-1], wide[:, 2:, 1:-1]
        left, right = wide[:, 1:-1, :-2], wide[:, 1:-1, 2:]
        mean = 0.25 * (above + below + left + right)
        canvas = canvas + np.minimum(amount, 0.8) * (mean - canvas)
    return canvas


def _stated_labels(labels: np.ndarray, seeds: np.ndarray, share: float, count: int) -> np.ndarray:
    """Draw the labels that the table states: for a share of the seeds any wrong one of `count`."""
    # The first number decides whether, the second which of the other classes.
    chance = draws(WRONG_STREAM, seeds, 2)
    wrong = (labels + 1 + (chance[:, 1] * (count - 1)).astype(np.int64)) % count
    return np.where(chance[:, 0] < share, wrong, labels)


def _ids(names: np.ndarray, seeds: np.ndarray, identities: int) -> list[str]:
    """Name each image after all that sets it apart: drawn-000013-angry, drawn5-000013-angry."""
    kind = f"drawn{identities or ''}"
    return [f"{kind}-{seed:06d}-{name}" for name, seed in zip(names, seeds, strict=True)]


def _class_labels(count: int, classes: tuple[str, ...]) -> np.ndarray:
    """List labels of `count` images in CLASS_SHARES, int64 (count,), rounded so as to sum to it."""
    # Round the cumulative counts, so that the classes sum to `count`.
    shares = [CLASS_SHARES[name] for name in classes]
    edges = np.rint(np.cumsum(shares) * count / sum(shares)).astype(int)
    return np.repeat(np.arange(len(classes)), np.diff(edges, prepend=0))
