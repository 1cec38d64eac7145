"""Injected faults: known faults put into real images, so that each step's precision and recall can
be counted.
"""

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pandas as pd

from lib.curation.chain import curate
from lib.curation.consistency import probability_table
from lib.curation.intervals import wilson
from lib.curation.steps import FACE_STEPS, StepInputs
from lib.faces.faceset import FaceSet

MAX_IMAGES = 500  # images that faults are injected into, at most
FAULT_SHARE = 0.04  # of the images that get each kind of fault
NOISE_STD = 3.0  # grey levels; of a near-copy, about what recompression does
CELLS = 4  # of a scrambled image, each way

# Measures of step_quality.
RECALL = "recall"  # share of the faults of one kind that the step rejects
PRECISION = "precision"  # share of its rejections that are faults which it is there to find
COST = "clean images rejected"  # share of the images without a fault that it rejects

# The faults that a step is there to find. What it rejects of the other injected images counts
# neither for nor against it.
TARGETS = {
    "blank": ("blank",),
    "blur": ("blurred",),
    "exposure": ("overexposed",),
    "exact_copy": ("exact copy",),
    "near_copy": ("exact copy", "near copy"),
    "leak": ("leak",),
    "face": ("non-face", "collage", "blank"),
    "label": ("wrong label",),
    "memorised": ("memorised",),
}


def quality_of_steps(
    params: dict, inputs: StepInputs, classify: Callable[[np.ndarray], np.ndarray]
) -> pd.DataFrame:
    """Measure every step that finds faults on real images that no step has learnt from.

    Args:
        params: curation parameters, and seed.
        inputs: what the steps may use. Faults are injected into its held-out images, of which the
            steps get the others, and probabilities of the images with faults.
        classify: uint8 (N, H, W) -> probabilities (N, K), the reference classifier's.

    Returns:
        Table of step_quality.
    """
    # Put faults into images without copies, taken from images that are none of these.
    seed = params["seed"]
    clean, others = split_without_copies(inputs.held_out, n=MAX_IMAGES, seed=seed)
    faulty = inject_faults(
        clean,
        share=FAULT_SHARE,
        seed=seed,
        train=inputs.train,
        held_out=others,
        are_faces=inputs.are_faces,
    )

    # The steps compare with what the faults were taken from.
    probabilities = probability_table(faulty, classify(faulty.images))
    inputs = replace(inputs, held_out=others, probabilities=probabilities)
    return step_quality(faulty, list(TARGETS), params, inputs)


def split_without_copies(held_out: FaceSet, *, n: int, seed: int) -> tuple[FaceSet, FaceSet]:
    """Split held-out images into clean ones to inject faults into, and others to take faults from.

    Args:
        held_out: real images. Where copies are known (the columns cluster and leaked of
            mark_copies) none stays within the first part, between the parts, or between the first
            part and the training images.
        n: size of the first part, at most; never more than half of the images.
        seed: draws it.
    """
    # Images that the training set holds a copy of are left out.
    table = held_out.table
    order = np.random.default_rng(seed).permutation(len(held_out))
    clusters = held_out.clusters
    if "leaked" in table:
        order = order[~table["leaked"].to_numpy(bool)[order]]

    # The first image of each cluster, in the order drawn.
    firsts = np.sort(np.unique(clusters[order], return_index=True)[1])
    clean = np.sort(order[firsts][: min(n, len(held_out) // 2)])
    others = ~np.isin(clusters, clusters[clean])
    return held_out.select(clean), held_out.select(others)


def inject_faults(
    faces: FaceSet,
    *,
    share: float,
    seed: int,
    train: FaceSet | None = None,
    held_out: FaceSet | None = None,
    are_faces: bool = True,
) -> FaceSet:
    """Put known faults into a face set, each kind the same number of times.

    A faulty image takes the place of a clean one. Copies, leaks and memorised images are made
    from a clean, a held-out or a training image; the others from the image itself.

    Args:
        faces: good images.
        share: of the images that get each kind of fault, 0 to 0.09.
        seed: draws which images get which fault, and the faults.
        train: real training images, for memorised ones; None injects none.
        held_out: held-out images, for leaks; None injects none.
        are_faces: False leaves out the faults that only the search for a face can find.

    Returns:
        The set with a column `injected`, the kind of fault or "". A copy stands behind its
        original, for it is the later one that a step rejects.
    """
    # Draw which images get which fault: n of each kind, all different.
    rng = np.random.default_rng(seed)
    kinds = _kinds(train is not None, held_out is not None, are_faces)
    n = round(share * len(faces))
    order = rng.permutation(len(faces))
    clean = order[n * len(kinds) :]

    # Replace images, or labels, kind by kind.
    images = faces.images.copy()
    table = faces.table.copy()
    table["injected"] = ""

    for kind, rows in zip(kinds, order[: n * len(kinds)].reshape(len(kinds), n), strict=True):
        table.loc[rows, "injected"] = kind
        if kind in FAULTS:
            # Made from the image itself.
            images[rows] = [FAULTS[kind](faces.images, i, rng) for i in rows]
        elif kind == "wrong label":
            names = table.loc[rows, "class"]
            table.loc[rows, "class"] = [_other_class(name, faces.classes, rng) for name in names]
        else:
            # A copy: of a training, a held-out or else a clean image.
            source = {"memorised": train, "leak": held_out}.get(kind, faces.select(clean))
            originals = source.resized(images.shape[1]).images
            picked = originals[rng.permutation(len(originals))[:n]]
            images[rows] = picked if kind == "exact copy" else _slightly_changed(picked, rng)

    is_copy = np.isin(table["injected"].to_numpy(), ("exact copy", "near copy"))
    copies_last = np.argsort(is_copy, kind="stable")
    return replace(faces, images=images, table=table).select(copies_last)


def step_quality(
    faulty: FaceSet, steps: list[str], params: dict, inputs: StepInputs = StepInputs()
) -> pd.DataFrame:
    """Count how well each step, by itself, finds the faults that it is there to find.

    Args:
        faulty: set of inject_faults.
        steps: names of steps; those that find no fault (balance, diverse) are left out, and those
            about faces where the images are none.
        params: curation parameters.
        inputs: what steps may use.

    Returns:
        Columns step, measure (RECALL, PRECISION, COST), fault (the kind, for RECALL), share, low,
        high (95% Wilson interval), n.
    """
    # Each step examines all images, as if it were alone.
    kinds = faulty.table["injected"].to_numpy()
    rows = []
    for step in steps:
        if step not in TARGETS or (step in FACE_STEPS and not inputs.are_faces):
            continue
        rejected = ~curate(faulty, [step], params, inputs).verdicts["keep"].to_numpy()
        rows += [(step, *row) for row in _counts(step, rejected, kinds)]
    columns = ["step", "measure", "fault", "share", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _counts(step: str, rejected: np.ndarray, kinds: np.ndarray) -> list[tuple]:
    """Count recall, precision and cost of one step.

    Args:
        step: its name.
        rejected: bool (N,), its verdicts.
        kinds: str (N,), the fault of each image, "" for none.

    Returns:
        Rows measure, fault, share, low, high, n.
    """
    # Recall, by kind of fault.
    rows = []
    for kind in TARGETS[step]:
        injected = kinds == kind
        if injected.any():
            rows.append((RECALL, kind, *_share(rejected, among=injected)))

    # Precision and cost. Other faults than the step's own count neither for nor against it.
    wanted = np.isin(kinds, TARGETS[step])
    clean = kinds == ""
    rows.append((PRECISION, "", *_share(wanted, among=rejected & (wanted | clean))))
    rows.append((COST, "", *_share(rejected, among=clean)))
    return rows


def _share(having: np.ndarray, *, among: np.ndarray) -> tuple:
    """Count how many of some images (bool, N) have a property: share, low, high, n."""
    n = int(among.sum())
    return (*wilson(int((having & among).sum()), n), n)


def _kinds(memorised: bool, leaks: bool, are_faces: bool) -> list[str]:
    """List the kinds of faults, in the order in which they are injected."""
    kinds = [name for name in FAULTS if are_faces or name not in FACE_FAULTS]
    kinds += ["exact copy", "near copy", "wrong label"]
    if memorised:
        kinds.append("memorised")
    if leaks:
        kinds.append("leak")
    return kinds


def _other_class(name: str, classes: tuple[str, ...], rng: np.random.Generator) -> str:
    """Draw a class other than the given one."""
    k = len(classes)
    return classes[(classes.index(name) + rng.integers(1, k)) % k]


def _slightly_changed(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a little noise and light, as recompression does; uint8 (n, H, W) in and out."""
    light = rng.uniform(-1, 1, (len(images), 1, 1))
    noise = rng.normal(light, NOISE_STD, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


# Each fault takes all images uint8 (N, H, W), the row to replace and a generator, and returns the
# faulty image uint8 (H, W).


def _blank(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    """One grey level and hardly any noise."""
    noise = rng.normal(rng.uniform(0, 255), 1.5, images[i].shape)
    return np.clip(noise, 0, 255).astype(np.uint8)


def _overexposed(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    """So much gain and offset that most of the image is white."""
    brighter = images[i] * rng.uniform(1.0, 2.0) + rng.uniform(150, 230)
    return np.clip(brighter, 0, 255).astype(np.uint8)


def _blurred(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    """A Gaussian blur of 5 to 10% of the image's side."""
    sigma = rng.uniform(0.05, 0.1) * images.shape[1]
    return cv2.GaussianBlur(images[i], (0, 0), sigma)


def _non_face(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    """A smooth texture, or the parts of a face in another order."""
    size = images[i].shape[::-1]  # width, height
    if rng.random() < 0.5:
        cells = int(rng.integers(3, 12))
        texture = rng.integers(0, 255, (cells, cells), dtype=np.uint8)
        return cv2.resize(texture, size, interpolation=cv2.INTER_CUBIC)

    # Cut the face into tiles and put them together in another order.
    tiles = []
    for row in np.array_split(images[i], CELLS):
        tiles += np.array_split(row, CELLS, axis=1)
    order = rng.permutation(CELLS**2)
    # Tiles of an odd image differ in size by a pixel.
    shuffled = [cv2.resize(tiles[j], (16, 16)) for j in order]
    return cv2.resize(_grid(shuffled, CELLS), size)


def _collage(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    """Nine small images in one."""
    size = images[i].shape[::-1]  # width, height
    chosen = rng.integers(0, len(images), 9)
    parts = [cv2.resize(images[j], size, interpolation=cv2.INTER_AREA) for j in chosen]
    return cv2.resize(_grid(parts, 3), size, interpolation=cv2.INTER_AREA)


def _grid(parts: list[np.ndarray], columns: int) -> np.ndarray:
    """Put images of one size into rows of so many."""
    starts = range(0, len(parts), columns)
    return np.vstack([np.hstack(parts[start : start + columns]) for start in starts])


FAULTS = {
    "blank": _blank,
    "overexposed": _overexposed,
    "blurred": _blurred,
    "non-face": _non_face,
    "collage": _collage,
}
FACE_FAULTS = ("non-face", "collage")  # seen only by the search for a face
