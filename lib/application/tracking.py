"""Faces tracked from frame to frame: numbers stay while boxes overlap, and survive short gaps.

A box is float (x, y, width, height), pixels of the frame.
"""

from dataclasses import dataclass, replace

import numpy as np

OVERLAP = 0.3  # intersection over union from which a box continues a face


@dataclass(frozen=True)
class Face:
    """One tracked face."""

    number: int  # never given twice in one stream
    box: np.ndarray  # float (4,)
    probabilities: np.ndarray | None = None  # float32 (C,), smoothed; None before the first ones
    missed: int = 0  # frames since it was last detected


def overlaps(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Compute the intersection over union of every pair of boxes.

    Args:
        a: float (N, 4).
        b: float (M, 4).

    Returns:
        float (N, M).
    """
    a = np.reshape(a, (-1, 1, 4))
    b = np.reshape(b, (1, -1, 4))

    # Corners of the intersections.
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])

    # Areas.
    shared = np.clip(high - low, 0, None).prod(-1)
    union = a[..., 2:].prod(-1) + b[..., 2:].prod(-1) - shared
    return shared / np.maximum(union, 1e-9)


def track(
    faces: list[Face],
    boxes: np.ndarray,
    *,
    next_number: int,
    memory: int = 10,
    steadiness: float = 0.0,
) -> tuple[list[Face], int]:
    """Continue known faces with the boxes of a new frame, best overlap first.

    Boxes that continue no face are new faces.

    Args:
        faces: from the frame before.
        boxes: float (N, 4).
        next_number: of the next new face.
        memory: frames that a face may be missing before it is forgotten.
        steadiness: weight of the old box in the new one, 0 to 1.

    Returns:
        Faces (detected ones have missed 0), and the next free number.
    """
    # Continue the faces that have a box, keep the others for a while.
    box_of_face = _matched(faces, boxes)
    kept = []
    for i, face in enumerate(faces):
        if i in box_of_face:
            box = steadiness * face.box + (1 - steadiness) * boxes[box_of_face[i]]
            kept.append(replace(face, box=box, missed=0))
        elif face.missed < memory:
            kept.append(replace(face, missed=face.missed + 1))

    # The remaining boxes are new faces.
    continued = set(box_of_face.values())
    for j, box in enumerate(boxes):
        if j not in continued:
            kept.append(Face(next_number, np.asarray(box, float)))
            next_number += 1
    return kept, next_number


def smooth(before: np.ndarray | None, latest: np.ndarray, weight: float) -> np.ndarray:
    """Mix a face's earlier probabilities into the latest; weight 0 takes the latest as they are."""
    if before is None:
        return latest
    return weight * before + (1 - weight) * latest


def _matched(faces: list[Face], boxes: np.ndarray) -> dict[int, int]:
    """Pair faces with boxes greedily, largest overlap first: position of face to that of box."""
    # All pairs, best first.
    shared = overlaps(np.array([face.box for face in faces]), boxes)
    order = np.argsort(-shared, axis=None, kind="stable")
    box_of_face = {}
    for i, j in zip(*np.unravel_index(order, shared.shape)):
        free = i not in box_of_face and j not in box_of_face.values()
        if shared[i, j] >= OVERLAP and free:
            box_of_face[i] = j
    return box_of_face
