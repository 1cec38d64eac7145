"""Planted failures: a face set into which known faults are put, so that each step's precision and recall can be counted."""

import cv2
import numpy as np
import pandas as pd

from lib.curation.chain import curate
from lib.curation.intervals import wilson
from lib.curation.steps import Evidence
from lib.faces.faceset import CLASSES, FaceSet

# Which faults a step is there to find; other rejections of planted images are neither its merit nor its mistake.
MEANT_FOR = {
    "blank": ("blank",), "blur": ("blurred",), "exposure": ("overexposed",), "exact_copy": ("exact copy",), "near_copy": ("exact copy",
    "near copy"),
    "leak": ("leak",), "face": ("non-face", "collage", "blank"), "label": ("wrong label",), "memorised": ("memorised",),
}  # fmt: skip


def without_copies(held_out: FaceSet, *, n: int, seed: int) -> tuple[FaceSet, FaceSet]:
    """Split held-out images into some that are clean of the faults which will be planted, and the others to plant from.

    Args:
        held_out: real images; where copies are known (columns cluster and leaked of mark_copies) none stays within the first part,
            between the parts, or between the first part and the training images.
        n: size of the first part at most; never more than half of the images.
        seed: draws it.
    """
    order = np.random.default_rng(seed).permutation(len(held_out))
    clusters = held_out.table["cluster"].to_numpy() if "cluster" in held_out.table else np.arange(len(held_out))
    leaked = held_out.table["leaked"].to_numpy(bool) if "leaked" in held_out.table else np.zeros(len(held_out), bool)
    order = order[~leaked[order]]
    base = np.sort(order[np.sort(np.unique(clusters[order], return_index=True)[1])][: min(n, len(held_out) // 2)])
    return held_out.select(base), held_out.select(~np.isin(clusters, clusters[base]))


def plant_failures(faces: FaceSet, *, share: float, seed: int, train: FaceSet | None = None, held_out: FaceSet | None = None) -> FaceSet:
    """Put known faults into a face set, each kind the same number of times.

    Blank, overexposed, blurred, non-face, collage and wrong label replace images; copies, leaks and memorised images do too, with
    a neighbour, a held-out or a training image as their source.

    Args:
        faces: good images.
        share: share of the images that get each kind of fault, 0 to 0.09.
        seed: draws which images get which fault, and the faults.
        train: real training images, for memorised ones; None plants none.
        held_out: held-out images, for leaks; None plants none.

    Returns:
        The set with a column `planted`, the kind of fault or "".
    """
    rng = np.random.default_rng(seed)
    images, table = faces.images.copy(), faces.table.copy()
    kinds = [*FAULTS, "exact copy", "near copy", "wrong label", *["memorised"] * (train is not None), *["leak"] * (held_out is not None)]
    n, order = round(share * len(faces)), rng.permutation(len(faces))
    table["planted"] = ""
    clean = order[n * len(kinds) :]
    for kind, rows in zip(kinds, order[: n * len(kinds)].reshape(len(kinds), n), strict=True):
        table.loc[rows, "planted"] = kind
        if kind in FAULTS:
            images[rows] = [FAULTS[kind](faces.images, i, rng) for i in rows]
        elif kind == "wrong label":
            table.loc[rows, "class"] = [CLASSES[(CLASSES.index(name) + rng.integers(1, 7)) % 7] for name in table.loc[rows, "class"]]
        else:
            source = {"memorised": train, "leak": held_out}.get(kind, faces.select(clean)).resized(images.shape[1]).images
            picked = source[rng.permutation(len(source))[:n]]
            images[rows] = picked if kind == "exact copy" else _slightly_changed(picked, rng)
    placed = _copies_last(table["planted"].to_numpy())
    return FaceSet(images[placed], table.iloc[placed])


def _copies_last(planted: np.ndarray) -> np.ndarray:
    """Order the images so that a copy comes after its original: it is the later one that a step rejects."""
    return np.argsort(np.isin(planted, ("exact copy", "near copy")), kind="stable")


def _slightly_changed(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add a little noise and light, as recompression does."""
    noise = rng.normal(rng.uniform(-1, 1, (len(images), 1, 1)), 3.0, images.shape)
    return np.clip(images + noise, 0, 255).astype(np.uint8)


def _blank(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    return np.clip(rng.normal(rng.uniform(0, 255), 1.5, images[i].shape), 0, 255).astype(np.uint8)


def _overexposed(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    return np.clip(images[i] * rng.uniform(1.0, 2.0) + rng.uniform(150, 230), 0, 255).astype(np.uint8)


def _blurred(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(images[i], (0, 0), rng.uniform(0.05, 0.1) * images.shape[1])


def _non_face(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a texture, or shuffle the parts of a face."""
    high, wide = images[i].shape
    if rng.random() < 0.5:
        small = rng.integers(0, 255, (int(rng.integers(3, 12)),) * 2, dtype=np.uint8)
        return cv2.resize(small, (wide, high), interpolation=cv2.INTER_CUBIC)
    tiles = [part for row in np.array_split(images[i], 4) for part in np.array_split(row, 4, axis=1)]
    order = rng.permutation(16)
    return cv2.resize(
        np.vstack([np.hstack([cv2.resize(tiles[j], (16, 16)) for j in order[k : k + 4]]) for k in range(0, 16, 4)]), (wide, high)
    )


def _collage(images: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    """Put nine small images into one."""
    high, wide = images[i].shape
    parts = [cv2.resize(images[j], (wide, high), interpolation=cv2.INTER_AREA) for j in rng.integers(0, len(images), 9)]
    return cv2.resize(np.vstack([np.hstack(parts[k : k + 3]) for k in (0, 3, 6)]), (wide, high), interpolation=cv2.INTER_AREA)


FAULTS = {"blank": _blank, "overexposed": _overexposed, "blurred": _blurred, "non-face": _non_face, "collage": _collage}


def step_quality(planted: FaceSet, steps: list[str], params: dict, evidence: Evidence = Evidence()) -> pd.DataFrame:
    """Count how well each step, on its own, finds the faults that it is there to find.

    Args:
        planted: set of plant_failures.
        steps: names of steps; those that find no fault (balance, diverse) are left out.
        params: curation parameters.
        evidence: what steps may look at.

    Returns:
        Table with step, measure (recall of each kind, precision, clean images rejected), share, low, high (95 % Wilson), n.
    """
    kinds, rows = planted.table["planted"].to_numpy(), []
    for step in (name for name in steps if name in MEANT_FOR):
        gone = ~curate(planted, [step], params, evidence).verdicts["keep"].to_numpy()
        wanted = np.isin(kinds, MEANT_FOR[step])
        rows += [(step, f"recall of {kind}", *wilson(int(gone[kinds == kind].sum()), int((kinds == kind).sum())),
                 int((kinds == kind).sum()))
                 for kind in MEANT_FOR[step] if (kinds == kind).any()]  # fmt: skip
        judged = gone & (wanted | (kinds == ""))
        rows.append((step, "precision", *wilson(int((judged & wanted).sum()), int(judged.sum())), int(judged.sum())))
        rows.append(
            (step, "clean images rejected", *wilson(int(gone[kinds == ""].sum()), int((kinds == "").sum())), int((kinds == "").sum()))
        )
    return pd.DataFrame(rows, columns=["step", "measure", "share", "low", "high", "n"])
