"""Cross-fitting: every image is held out once, so that the test set is as wide as the data.

Train and test are put together and shared out; val stays what one chooses on. A pool must then hold nothing of the real faces, for all of
them are test faces once: no generator that learned from them, no copies of them.
"""

import json
from pathlib import Path

import numpy as np

from lib.faces.duplicates import near_groups
from lib.faces.faceset import FaceSet, resize
from lib.study.errors import StudyError

SHARED_OUT = ("train", "test")


def fold_of(clusters: np.ndarray, folds: int, *, seed: int) -> np.ndarray:
    """Share images out over folds of nearly one size, copies together, int64 (N,): the held-out fold of each image.

    Args:
        clusters: int64 (N,), of all images of the data, whatever their split.
    Raises:
        StudyError: where there are fewer clusters than folds, or fewer than 2 folds.
    """
    names, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if not 2 <= folds <= len(names):
        raise StudyError(f"{len(names)} groups of copies cannot be shared out over {folds} folds: take 2 folds, or at most one a group")
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]  # the largest first, so that the folds end equal
    filled, fold = np.zeros(folds, int), np.empty(len(names), np.int64)
    for name in order:
        fold[name] = filled.argmin()
        filled[fold[name]] += sizes[name]
    return fold[index]


def judged_faces(faces: FaceSet, folds: int, seed: int) -> tuple[FaceSet, np.ndarray]:
    """Take the images on which arms are judged, and the fold that holds each out.

    Args:
        faces: all real faces of a study.
        folds: 0 for none: the test split alone.
        seed: of the study.
    Returns:
        The images, as split `test`, and int64 (N,) from 1 on, or 0 everywhere without folds.
    """
    if not folds:
        test = faces.split("test")
        return test, np.zeros(len(test), np.int64)
    chosen = faces.select(faces.table["split"].isin(SHARED_OUT).to_numpy())
    table = chosen.table
    clusters = table["cluster"].to_numpy() if "cluster" in table else np.arange(len(table))
    clean = {name: False for name in ("leaked", "leaked_exact") if name in table}  # copies lie in one fold
    return FaceSet(chosen.images, table.assign(split="test", **clean)), 1 + fold_of(clusters, folds, seed=seed)


def in_fold(faces: FaceSet, folds: int, number: int, *, seed: int) -> FaceSet:
    """Split faces anew so that one fold is the test split and the others are train; val and extra stay, and so do all without folds.

    Args:
        number: of the fold, 1 to folds; 0 where there are none.
    """
    if not folds:
        return faces
    split = faces.table["split"].to_numpy(object).copy()
    shared = np.isin(split.astype(str), SHARED_OUT)
    split[shared] = np.where(judged_faces(faces, folds, seed)[1] == number, "test", "train")
    return FaceSet(faces.images, faces.table.assign(split=split))


def without_copies(pool: FaceSet, real: FaceSet, threshold: float) -> FaceSet:
    """Leave out the images of a pool that are copies of real ones, exact or near.

    Args:
        threshold: see lib.faces.duplicates.near_pairs.
    """
    groups = near_groups(np.concatenate([real.images, resize(pool.images, real.images.shape[1])]), threshold)
    return pool.select(~np.isin(groups[len(real) :], groups[: len(real)]))


def require_independent(name: str, folder: Path, pool: FaceSet) -> None:
    """Refuse a pool that knows the real faces: with folds each of them is a test face once.

    Raises:
        StudyError: the pool's generator was trained, or its images are edited real ones.
    """
    card = Path(folder) / "generator.json"
    trained = card.exists() and bool(json.loads(card.read_text(encoding="utf-8")).get("training"))
    edited = "edited_from" in pool.table and pool.table["edited_from"].fillna("").ne("").any()
    if trained or edited:
        how = "its generator was trained on" if trained else "its images are edited"
        raise StudyError(f"folds: pool {name} cannot be read over folds, for {how} real faces that are test faces of some fold; "
                         f"leave it out of arm_pools, or set folds to 0")  # fmt: skip
