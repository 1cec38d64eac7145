"""Crops out of a frame, and annotations drawn into it."""

import cv2
import numpy as np

GREEN = (80, 200, 60)  # blue, green, red
BLACK, WHITE = (0, 0, 0), (255, 255, 255)
FONT = cv2.FONT_HERSHEY_SIMPLEX
LETTERS = (
    0.035  # height of capital letters, share of a frame's: 10 points where it is 3 inches high
)
LEAST_LETTERS = 10  # pixels, in small pictures
PADDING = 0.45  # of the letters' height, between them and the edge of their ground


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
        box = np.round(face.box).astype(int).tolist()
        best = int(face.probabilities.argmax())
        text = f"{face.number}: {classes[best]} {100 * face.probabilities[best]:.0f}%"

        x, y, w, h = box
        cv2.rectangle(image, (x, y), (x + w, y + h), GREEN, 2)
        _write(image, text, box)
    return image


def _write(image: np.ndarray, text: str, box: list[int]) -> None:
    """Write white on black beside a box: below it, else above it, else within its lower edge.

    Below first: a detected box ends at the chin, and cuts the hair off.
    """
    height, width = image.shape[:2]
    scale, thickness = _type(text, height, width)
    (wide, high), descent = cv2.getTextSize(text, FONT, scale, thickness)
    padding = round(PADDING * high)
    ground = high + descent + 2 * padding

    # Beside the box's line, which is two pixels wide.
    x, y, _, h = box
    below, above = y + h + 2, y - 1 - ground
    top = below
    if below + ground > height:
        top = above if above >= 0 else height - ground
    left = min(max(x - 1, 0), max(width - wide - 2 * padding, 0))

    # The ground, then the letters on it.
    corner = (left + wide + 2 * padding - 1, top + ground - 1)
    cv2.rectangle(image, (left, top), corner, BLACK, cv2.FILLED)
    place = (left + padding, top + padding + high)
    cv2.putText(image, text, place, FONT, scale, WHITE, thickness, cv2.LINE_AA)


def _type(text: str, height: int, width: int) -> tuple[float, int]:
    """Choose the scale and the thickness of a text's letters: as high as the frame asks for, and no
    wider than it.
    """
    letters = max(LEAST_LETTERS, LETTERS * height)
    thickness = max(1, round(letters / 8))
    scale = cv2.getFontScaleFromHeight(FONT, round(letters), thickness)

    # A small picture has smaller letters.
    wide = cv2.getTextSize(text, FONT, scale, thickness)[0][0] + 2 * (PADDING * letters + thickness)
    return scale * min(1.0, width / wide), thickness
