"""Crops out of a frame, and what was found drawn into it."""

import cv2
import numpy as np

GREEN, BLACK = (80, 200, 60), (0, 0, 0)


def crop(grey: np.ndarray, box: np.ndarray, *, px: int, margin_share: float = 0.0) -> np.ndarray:
    """Cut a face out and resize it; beyond the frame the edge is repeated.

    Args:
        grey: uint8 (H, W).
        box: float (x, y, width, height).
        px: side of the result.
        margin_share: widening on each side, share of the box's longer side.
    Returns:
        uint8 (px, px): area when shrinking, bilinear when growing.
    """
    x, y, w, h = box
    side = max(w, h) * (1 + 2 * margin_share)
    left, top, wide = round(x + (w - side) / 2), round(y + (h - side) / 2), max(2, round(side))
    rows, columns = np.clip(np.arange(top, top + wide), 0, grey.shape[0] - 1), np.clip(np.arange(left, left + wide), 0, grey.shape[1] - 1)
    inside = left >= 0 and top >= 0 and left + wide <= grey.shape[1] and top + wide <= grey.shape[0]
    cut = grey[top : top + wide, left : left + wide] if inside else grey[np.ix_(rows, columns)]
    return cv2.resize(cut, (px, px), interpolation=cv2.INTER_AREA if wide > px else cv2.INTER_LINEAR)


def annotate(image: np.ndarray, faces, classes: tuple[str, ...]) -> np.ndarray:
    """Draw rectangle, number, class and probability of each face that was found into the frame, in place.

    Args:
        image: uint8 (H, W, 3).
        faces: Face records.
    """
    for face in faces:
        if face.missed or face.probabilities is None:
            continue
        x, y, w, h = np.round(face.box).astype(int).tolist()
        best = int(face.probabilities.argmax())
        text = f"{face.number}: {classes[best]} {100 * face.probabilities[best]:.0f} %"
        line = max(y - 6, 12)
        cv2.rectangle(image, (x, y), (x + w, y + h), GREEN, 2)
        cv2.putText(image, text, (x, line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, BLACK, 3)
        cv2.putText(image, text, (x, line), cv2.FONT_HERSHEY_SIMPLEX, 0.5, GREEN, 1)
    return image
