"""Cross-fitting: every image is held out once, so that the test set is as wide as the data."""

import numpy as np

from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError

SHARED_OUT = ("train", "test")  # splits that folds share out; val stays what one chooses on


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
