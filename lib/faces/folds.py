"""Cross-fitting: every image is held out once, so that the test set is as wide as the data.

Train and test are put together and divided into folds; val stays what one chooses on. A pool must
then know nothing of the real faces, for each of them is a test face once: no generator that learned
from them, no copies of them.
"""

from pathlib import Path

import numpy as np

from lib.faces.duplicates import near_groups
from lib.faces.faceset import FaceSet, resize
from lib.faces.pool import generator_facts
from lib.study.errors import StudyError

DIVIDED = ("train", "test")  # splits whose images are divided into folds


def assign_folds(clusters: np.ndarray, folds: int, *, seed: int) -> np.ndarray:
    """Divide images into folds of nearly one size, copies together.

    Args:
        clusters: int64 (N,), of all images of the data, whatever their split.
        folds: their number, 2 or more.
        seed: of the order in which clusters of one size are placed.

    Returns:
        int64 (N,), from 0: the fold that holds each image out.

    Raises:
        StudyError: fewer clusters than folds, or fewer than 2 folds.
    """
    # A fold takes whole clusters.
    names, index, sizes = np.unique(clusters, return_inverse=True, return_counts=True)
    if not 2 <= folds <= len(names):
        raise StudyError(
            f"{len(names)} groups of copies cannot be divided into {folds} folds: take 2 folds, or "
            "at most one a group"
        )

    # The largest clusters first, each to the emptiest fold, so that the folds end equal.
    order = np.random.default_rng(seed).permutation(len(names))
    order = order[np.argsort(-sizes[order], kind="stable")]
    filled, fold = np.zeros(folds, int), np.empty(len(names), np.int64)
    for name in order:
        fold[name] = filled.argmin()
        filled[fold[name]] += sizes[name]
    return fold[index]


def evaluation_faces(faces: FaceSet, folds: int, seed: int) -> tuple[FaceSet, np.ndarray]:
    """Take the images on which arms are evaluated, and the fold that holds each out.

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

    # All images that are in the test split of some fold.
    chosen = faces.select(faces.table["split"].isin(DIVIDED).to_numpy())

    # Copies lie in one fold, so that none of these images leaks into training.
    unleaked = {name: False for name in ("leaked", "leaked_exact") if name in chosen.table}
    return (
        chosen.with_columns(split="test", **unleaked),
        1 + assign_folds(chosen.clusters, folds, seed=seed),
    )


def in_fold(faces: FaceSet, folds: int, number: int, *, seed: int) -> FaceSet:
    """Split faces anew: one fold is the test split, the others are train; val and extra stay.

    Args:
        folds: 0 for none: all stays as it is.
        number: of the fold, 1 to folds; 0 where there are none.
    """
    if not folds:
        return faces

    # The fold's own images are test, those of the others train.
    split = faces.table["split"].to_numpy(object).copy()
    divided = np.isin(split.astype(str), DIVIDED)
    _, fold = evaluation_faces(faces, folds, seed)
    split[divided] = np.where(fold == number, "test", "train")
    return faces.with_columns(split=split)


def without_real_copies(pool: FaceSet, real: FaceSet, threshold: float) -> FaceSet:
    """Leave out the images of a pool that are copies of real ones, exact or near.

    Args:
        threshold: see lib.faces.duplicates.near_pairs.
    """
    # Group real and synthetic images together, at the real images' size.
    images = np.concatenate([real.images, resize(pool.images, real.images.shape[1])])
    groups = near_groups(images, threshold)
    of_real, of_pool = groups[: len(real)], groups[len(real) :]
    return pool.select(~np.isin(of_pool, of_real))


def require_independent(name: str, folder: Path, pool: FaceSet) -> None:
    """Refuse a pool that knows the real faces: with folds each of them is a test face once.

    Args:
        name: of the pool, for the message.
        folder: of the pool, with its generator.json.

    Raises:
        StudyError: the pool's generator was trained, or its images are edited real ones.
    """
    # generator.json tells whether anything was trained; drawn and ready-made pools were not.
    trained = bool(generator_facts(folder).get("training"))

    # Edited images name the real one that they come from.
    edited = "edited_from" in pool.table and pool.table["edited_from"].fillna("").ne("").any()
    if trained or edited:
        how = "its generator was trained on" if trained else "its images are edited"
        raise StudyError(
            f"folds: pool {name} cannot be read over folds, for {how} real faces that are test "
            "faces of some fold; leave it out of arm_pools, or set folds to 0"
        )
