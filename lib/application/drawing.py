"""Crops out of a frame, and annotations drawn into it."""

import cv2
import numpy as np

GREEN = (80, 200, 60)  # blue, green, red
BLACK = (0, 0, 0)
FONT = cv2.FONT_HERSHEY_SIMPLEX


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
    # A square about the box's centre.
    x, y, w, h = box
    side = max(w, h) * (1 + 2 * margin_share)
    left = round(x + (w - side) / 2)
    top = round(y + (h - side) / 2)
    wide = max(2, round(side))

    # Positions outside of the frame take its edge.
    height, width = grey.shape
    if left >= 0 and top >= 0 and left + wide <= width and top + wide <= height:
        cut = grey[top : top + wide, left : left + wide]
    else:
        rows = np.clip(np.arange(top, top + wide), 0, height - 1)
        columns = np.clip(np.arange(left, left + wide), 0, width - 1)
        cut = grey[np.ix_(rows, columns)]
    interpolation = cv2.INTER_AREA if wide > px else cv2.INTER_LINEAR
    return cv2.resize(cut, (px, px), interpolation=interpolation)


def annotate(image: np.ndarray, faces, classes: tuple[str, ...]) -> np.ndarray:
    """Draw rectangle, number, class and probability of each detected face, in place.

    Args:
        image: uint8 (H, W, 3).
        faces: Face records.
        classes: names of the classes.
    """
    for face in faces:
        if face.missed or face.probabilities is None:
            continue

        # Round the box, and read the most probable class.
        x, y, w, h = np.round(face.box).astype(int).tolist()
        best = int(face.probabilities.argmax())
        text = f"{face.number}: {classes[best]} {100 * face.probabilities[best]:.0f} %"

        # Text above the box, or inside where there is no room; black behind green to be legible.
        baseline = max(y - 6, 12)
        cv2.rectangle(image, (x, y), (x + w, y + h), GREEN, 2)
        cv2.putText(image, text, (x, baseline), FONT, 0.5, BLACK, 3)
        cv2.putText(image, text, (x, baseline), FONT, 0.5, GREEN, 1)
    return image
