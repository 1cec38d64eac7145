"""Copies: of another image of the pool, exact or near, and of a test image (a leak).

Near-copies are found by lib.curation.likeness, which sees through light, mirrors and small shifts. The audit of the real data is stricter
(lib.faces.duplicates): there a near-copy decides which test images count, here only which generated images are left out.
"""

import numpy as np
import pandas as pd

from lib.curation.likeness import Looks, blocks, candidates, likeness, looks_of
from lib.curation.progress import watched
from lib.curation.verdicts import verdict_table
from lib.faces.duplicates import exact_groups
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


def reject_near_copies(faces: FaceSet, *, like: float) -> pd.DataFrame:
    """Reject images that show the same picture as an earlier one that is kept.

    Each image is held against the kept ones alone, so of a chain (a like b, b like c, a unlike c) not all but the first go.

    Args:
        faces: images to judge, in order of generation.
        like: likeness from which two images are near-copies, 0 to 1.

    Returns:
        Verdicts; score is the likeness to the most alike of the earlier kept images, 0 where none comes near.
    """
    looks, ids = looks_of(faces.images), faces.table["id"].to_numpy()
    keep, score, nearest = np.ones(len(faces), bool), np.zeros(len(faces)), np.zeros(len(faces), np.int64)
    for rows in watched(blocks(len(faces), len(faces)), len(faces), "looking for near-copies"):
        earlier = np.flatnonzero(keep[: rows[-1] + 1])
        maybe = candidates(looks.hashes[rows], looks.hashes[earlier])
        for i, mask in zip(rows, maybe, strict=True):
            others = earlier[mask]
            score[i], nearest[i] = _most_alike(looks, i, looks, others[(others < i) & keep[others]])
            keep[i] = score[i] < like
    reasons = [f"near-copy of {ids[j]}, likeness {s:.3f}" if s >= like else "" for j, s in zip(nearest, score, strict=True)]
    return verdict_table(faces, keep, score, reasons)


def reject_leaks(faces: FaceSet, tests: FaceSet, *, like: float) -> pd.DataFrame:
    """Reject images that show the same picture as an image of the test or validation set.

    Args:
        faces: images to judge.
        tests: images that no arm may hold.
        like: likeness from which two images are near-copies, 0 to 1.

    Returns:
        Verdicts; score is the likeness to the most alike test image, 0 where none comes near.
    """
    ours, theirs, ids = looks_of(faces.images), looks_of(tests.images), tests.table["id"].to_numpy()
    score, nearest = np.zeros(len(faces)), np.zeros(len(faces), np.int64)
    for rows in watched(blocks(len(faces), len(tests)), len(faces), "comparing with held-out images"):
        for i, mask in zip(rows, candidates(ours.hashes[rows], theirs.hashes), strict=True):
            score[i], nearest[i] = _most_alike(ours, i, theirs, np.flatnonzero(mask))
    reasons = [f"near-copy of the held-out image {ids[j]}" if s >= like else "" for j, s in zip(nearest, score, strict=True)]
    return verdict_table(faces, score < like, score, reasons)


def _most_alike(ours: Looks, i: int, theirs: Looks, rows: np.ndarray) -> tuple[float, int]:
    """Find the most alike of some images; likeness 0 where there are none."""
    if not len(rows):
        return 0.0, 0
    found = likeness(ours, i, theirs, rows)
    best = int(found.argmax())
    return float(found[best]), int(rows[best])


def _first_of_group(groups: np.ndarray) -> np.ndarray:
    """Index of each image's first group member."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return first[inverse]
