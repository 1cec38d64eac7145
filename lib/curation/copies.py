"""Copies: of another image of the pool, exact or near, and of a test image (a leak).

Two images are near-copies when the mean absolute difference of their 12 x 12 thumbnails is under a threshold in grey levels,
the definition that the audit of the real data uses.
"""

import numpy as np
import pandas as pd
from scipy.spatial.distance import cdist

from lib.curation.progress import watched
from lib.curation.verdicts import verdict_table
from lib.faces.duplicates import THUMBNAIL_PX, exact_groups, near_groups, thumbnails
from lib.faces.faceset import FaceSet


def reject_exact_copies(faces: FaceSet) -> pd.DataFrame:
    """Reject all but the first of identical images.

    Returns:
        Verdicts; score is the number of images in the group.
    """
    groups = exact_groups(faces.images)
    first, size = _first_of_group(groups), np.bincount(groups, minlength=groups.max(initial=-1) + 1)[groups]
    ids = faces.table["id"].to_numpy()
    return verdict_table(faces, first == np.arange(len(faces)), size, [f"identical to {ids[i]}" for i in first])


def reject_near_copies(faces: FaceSet, *, distance: float) -> pd.DataFrame:
    """Reject images that nearly equal an earlier one that is kept.

    Groups of near-copies are chains (a like b, b like c), so within a group each image is held
    against the kept ones, not against the group.

    Args:
        faces: images to judge, in order of generation.
        distance: mean absolute difference of thumbnails under which two images are near-copies, grey levels.

    Returns:
        Verdicts; score is the distance to the nearest earlier kept image of the group, infinite where there is none.
    """
    groups = near_groups(faces.images, distance)
    thumbs = _thumbnails(faces)
    score, nearest = np.full(len(faces), np.inf), np.arange(len(faces))
    keep = np.ones(len(faces), dtype=bool)
    for members in _groups_of_several(groups):
        kept = members[:1]
        for i in members[1:]:
            far = np.abs(thumbs[kept] - thumbs[i]).mean(axis=(1, 2))
            score[i], nearest[i] = far.min(), kept[far.argmin()]
            keep[i] = score[i] > distance
            kept = np.append(kept, i) if keep[i] else kept
    ids = faces.table["id"].to_numpy()
    return verdict_table(
        faces, keep, score, [f"near-copy of {ids[j]}, {s:.1f} grey levels apart" for j, s in zip(nearest, score, strict=True)]
    )


def reject_leaks(faces: FaceSet, tests: FaceSet, *, distance: float) -> pd.DataFrame:
    """Reject images that nearly equal an image of the test or validation set, mirrored or not.

    Args:
        faces: images to judge.
        tests: images that no arm may hold.
        distance: mean absolute difference of thumbnails under which two images are near-copies, grey levels.

    Returns:
        Verdicts; score is the distance to the nearest test image, in grey levels, infinite where none is within reach.
    """
    ours, theirs = _thumbnails(faces), _thumbnails(tests)
    score, nearest = nearest_within(ours, theirs, distance)
    mirrored, which = nearest_within(ours[:, :, ::-1], theirs, distance)
    nearest, score = np.where(mirrored < score, which, nearest), np.minimum(score, mirrored)
    ids = tests.table["id"].to_numpy()
    return verdict_table(faces, score > distance, score, [f"near-copy of the held-out image {ids[j]}" for j in nearest])


def _thumbnails(faces: FaceSet) -> np.ndarray:
    """Thumbnails as pictures, float32 (N, 12, 12)."""
    return thumbnails(faces.images).reshape(-1, THUMBNAIL_PX, THUMBNAIL_PX)


def nearest_within(queries: np.ndarray, targets: np.ndarray, distance: float, *, block: int = 256) -> tuple[np.ndarray, np.ndarray]:
    """Find each query's nearest target by mean absolute difference, among those within a distance.

    The means of two images differ by no more than their mean absolute difference, so after sorting by mean only a window is compared.

    Args:
        queries: float32 (N, h, w), grey levels.
        targets: float32 (M, h, w), grey levels.
        distance: largest difference of interest, grey levels.
        block: queries compared at a time.

    Returns:
        distance (N,), infinite where no target is within reach, and the target's index (N,), 0 there.
    """
    queries, targets = queries.reshape(len(queries), -1), targets.reshape(len(targets), -1)
    order, sorted_queries = np.argsort(targets.mean(axis=1)), np.argsort(queries.mean(axis=1))
    means = targets.mean(axis=1)[order]
    best, nearest = np.full(len(queries), np.inf), np.zeros(len(queries), dtype=np.int64)
    blocks = (sorted_queries[start : start + block] for start in range(0, len(queries), block))
    for rows in watched(blocks, len(queries), "comparing with held-out images"):
        grey = queries[rows].mean(axis=1)
        low, high = np.searchsorted(means, [grey.min() - distance - 1e-3, grey.max() + distance + 1e-3])
        if low == high:
            continue
        far = cdist(queries[rows], targets[order[low:high]], "cityblock") / queries.shape[1]
        best[rows], nearest[rows] = far.min(axis=1), order[low + far.argmin(axis=1)]
    best[best > distance] = np.inf
    return best, nearest


def _first_of_group(groups: np.ndarray) -> np.ndarray:
    """Index of each image's first group member."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return first[inverse]


def _groups_of_several(groups: np.ndarray) -> list[np.ndarray]:
    """Member indices of each group of two or more, in order."""
    order = np.argsort(groups, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(groups[order])) + 1)
    return [part for part in parts if len(part) > 1]
