"""Copies: of another image of the pool, exact or near, and of a held-out real image (a leak).

Near-copies are found by lib.curation.likeness, which sees through light, mirrors and small shifts.
The audit of the real data is stricter (lib.faces.duplicates): there a near-copy decides which test
images count, here only which generated images are left out.
"""

import numpy as np
import pandas as pd

from lib.compute.progress import with_progress
from lib.curation.likeness import Signatures, blocks, candidates, likeness, signatures_of
from lib.curation.verdicts import verdict_table
from lib.faces.duplicates import exact_groups
from lib.faces.faceset import FaceSet


def reject_exact_copies(faces: FaceSet) -> pd.DataFrame:
    """Reject all but the first of identical images.

    Returns:
        Verdicts; score is the number of images in the group.
    """
    # An image stays where it is the first of its group.
    groups = exact_groups(faces.images)
    first = _first_of_group(groups)
    size = np.bincount(groups, minlength=groups.max(initial=-1) + 1)[groups]
    ids = faces.table["id"].to_numpy()
    reasons = [f"identical to {ids[i]}" for i in first]
    return verdict_table(faces, first == np.arange(len(faces)), size, reasons)


def reject_near_copies(faces: FaceSet, *, like: float) -> pd.DataFrame:
    """Reject images that show the same picture as an earlier image that is kept.

    Each image is compared with kept ones only, so of a chain (a like b, b like c, a unlike c) not
    all but the first are rejected.

    Args:
        faces: images to examine, in order of generation.
        like: likeness from which two images are near-copies, 0 to 1.

    Returns:
        Verdicts; score is the likeness to the most alike of the earlier kept images, 0 where none
        is a candidate.
    """
    signatures = signatures_of(faces.images)
    keep = np.ones(len(faces), bool)
    score = np.zeros(len(faces))
    most_alike = np.zeros(len(faces), np.int64)

    # Candidates are found block by block, then examined one by one, in order.
    work = blocks(len(faces), len(faces))
    for rows in with_progress(work, len(faces), "looking for near-copies"):
        # The block's own images count as kept until they are examined, so each image checks again
        # which of the earlier ones are.
        earlier = np.flatnonzero(keep[: rows[-1] + 1])
        pairs = candidates(signatures.hashes[rows], signatures.hashes[earlier])
        for i, mask in zip(rows, pairs, strict=True):
            others = earlier[mask]
            others = others[(others < i) & keep[others]]
            score[i], most_alike[i] = _most_alike(signatures, i, signatures, others)
            keep[i] = score[i] < like

    # Name the image that a rejected one repeats.
    ids = faces.table["id"].to_numpy()
    reasons = [
        f"near-copy of {ids[j]}, likeness {value:.3f}" if value >= like else ""
        for j, value in zip(most_alike, score, strict=True)
    ]
    return verdict_table(faces, keep, score, reasons)


def reject_leaks(faces: FaceSet, held_out: FaceSet, *, like: float) -> pd.DataFrame:
    """Reject images that show the same picture as an image of the validation or test set.

    Args:
        faces: images to examine.
        held_out: images that no training set may hold.
        like: likeness from which two images are near-copies, 0 to 1.

    Returns:
        Verdicts; score is the likeness to the most alike held-out image, 0 where none is a
        candidate.
    """
    signatures = signatures_of(faces.images)
    held_signatures = signatures_of(held_out.images)
    score = np.zeros(len(faces))
    most_alike = np.zeros(len(faces), np.int64)

    # No order matters here: held-out images are compared with, and never rejected.
    work = blocks(len(faces), len(held_out))
    for rows in with_progress(work, len(faces), "comparing with held-out images"):
        pairs = candidates(signatures.hashes[rows], held_signatures.hashes)
        for i, mask in zip(rows, pairs, strict=True):
            score[i], most_alike[i] = _most_alike(
                signatures, i, held_signatures, np.flatnonzero(mask)
            )

    # Name the held-out image that a rejected one shows.
    ids = held_out.table["id"].to_numpy()
    reasons = [
        f"near-copy of the held-out image {ids[j]}" if value >= like else ""
        for j, value in zip(most_alike, score, strict=True)
    ]
    return verdict_table(faces, score < like, score, reasons)


def _most_alike(left: Signatures, i: int, right: Signatures, rows: np.ndarray) -> tuple[float, int]:
    """Find the likeness and the row of the most alike of some images; 0, 0 where there are none."""
    if not len(rows):
        return 0.0, 0
    # The hash lets unrelated images through; the correlation tells them apart.
    values = likeness(left, i, right, rows)
    best = int(values.argmax())
    return float(values[best]), int(rows[best])


def _first_of_group(groups: np.ndarray) -> np.ndarray:
    """Give the row of each image's first group member, int64 (N,)."""
    _, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    return first[inverse]
