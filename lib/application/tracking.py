"""Faces followed from frame to frame: each keeps its number while boxes overlap, survives short gaps, and its answer is smoothed.

A box is float (x, y, width, height), pixels of the frame.
"""

from dataclasses import dataclass, replace

import numpy as np

OVERLAP = 0.3  # intersection over union from which a box continues a face


@dataclass(frozen=True)
class Face:
    """One face that is being followed."""

    number: int  # never given twice in one stream
    box: np.ndarray  # float (4,)
    probabilities: np.ndarray | None = None  # float32 (C,), smoothed; None before the first answer
    missed: int = 0  # frames since it was last found


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute intersection over union of each pair of boxes, float (N, M), for float (N, 4) and (M, 4)."""
    a, b = np.reshape(a, (-1, 1, 4)), np.reshape(b, (1, -1, 4))
    low, high = np.maximum(a[..., :2], b[..., :2]), np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    return shared / np.maximum(a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - shared, 1e-9)


def follow(faces: list[Face], boxes: np.ndarray, *, next_number: int, memory: int = 10, steadiness: float = 0.0) -> tuple[list[Face], int]:
    """Continue known faces with the boxes of a new frame, best overlap first; other boxes are new faces.

    Args:
        faces: from the frame before.
        boxes: float (N, 4).
        next_number: of the next new face.
        memory: frames that a face may be missing before it is forgotten.
        steadiness: 0 to 1, weight of the old box in the new one.
    Returns:
        Faces (found ones have missed 0), and the next free number.
    """
    shared = overlaps(np.array([face.box for face in faces]), boxes)
    order = np.column_stack(np.unravel_index(np.argsort(-shared, axis=None, kind="stable"), shared.shape)) if shared.size else []
    of_face, of_box = {}, {}
    for i, j in order:
        if shared[i, j] >= OVERLAP and i not in of_face and j not in of_box:
            of_face[i], of_box[j] = j, i
    kept = []
    for i, face in enumerate(faces):
        if i in of_face:
            kept.append(replace(face, box=steadiness * face.box + (1 - steadiness) * boxes[of_face[i]], missed=0))
        elif face.missed < memory:
            kept.append(replace(face, missed=face.missed + 1))
    for j, box in enumerate(boxes):
        if j not in of_box:
            kept.append(Face(next_number, np.asarray(box, float)))
            next_number += 1
    return kept, next_number


def smooth(before: np.ndarray | None, now: np.ndarray, weight: float) -> np.ndarray:
    """Mix a face's earlier probabilities into the new ones: 0 takes the new ones as they are."""
    return now if before is None else weight * before + (1 - weight) * now
