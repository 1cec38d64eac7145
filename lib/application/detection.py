"""Faces in a frame, quickly: the whole frame, reduced, every few frames; in between only the surroundings of known faces.

A detector is a function: grey frame uint8 (H, W), boxes known from the frame before float (N, 4) in, boxes float (M, 4) out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from lib.application.tracking import overlaps
from lib.curation.detection import FaceSettings, haar_cascade, yunet_detector

SURROUNDINGS = 0.3  # of a face's side, on each side, searched between two whole frames
NEAR_SCALE_FACTOR, NEAR_NEIGHBORS = 1.1, 3  # there a face is expected, so fewer hits make one, and finer steps cost little


@dataclass(frozen=True)
class Search:
    """How faces are looked for."""

    scale_factor: float = 1.2  # Haar: step between scales
    min_neighbors: int = 4  # Haar: overlapping hits that make a face
    min_px: int = 60  # smallest face, pixels of the frame
    reduce: int = 2  # the frame is shrunk by this before it is searched
    every: int = 8  # whole frames are searched once in so many; 1: always
    yunet: str = ""  # path of a YuNet file, empty for Haar


S1 = Search(scale_factor=1.1, min_neighbors=5, min_px=30, reduce=1, every=1)


def make_detector(search: Search) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Make a detector. It counts frames, so one stream needs one of its own.

    Raises:
        StudyError: OpenCV without cascades, or a YuNet file that is none.
    """
    look, count = (_yunet(search) if search.yunet else _haar(search)), 0

    def detect(grey: np.ndarray, known: np.ndarray) -> np.ndarray:
        nonlocal count
        size = (grey.shape[1] // search.reduce, grey.shape[0] // search.reduce)
        small = grey if search.reduce == 1 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        whole = count % search.every == 0 or not len(known)
        # with nothing to follow every frame is searched, so that a face is seen in its first frame
        count = 1 if whole else count + 1
        found = look(small, None, None) if whole else _around(small, known / search.reduce, look)
        return np.asarray(found, float).reshape(-1, 4) * search.reduce

    return detect


def _around(small: np.ndarray, known: np.ndarray, look: Callable) -> np.ndarray:
    """Search the surroundings of each known face, at sizes near its own."""
    boxes = []
    for x, y, w, h in known:
        left, top = max(0, int(x - SURROUNDINGS * w)), max(0, int(y - SURROUNDINGS * h))
        part = small[top : int(y + h * (1 + SURROUNDINGS)) + 1, left : int(x + w * (1 + SURROUNDINGS)) + 1]
        found = look(part, 0.8 * w, 1.25 * w) if min(part.shape) >= 24 else []
        if len(found):
            shifted = np.asarray(found, float) + (left, top, 0, 0)
            boxes.append(shifted[overlaps(shifted, np.array([[x, y, w, h]])).argmax()])
    keep = [box for i, box in enumerate(boxes) if not i or overlaps(np.array([box]), np.array(boxes[:i])).max() < 0.5]
    return np.array(keep)  # two followed faces that crossed may both have found the same one


def _haar(search: Search) -> Callable:
    cascade, least = haar_cascade(), max(20, search.min_px // search.reduce)

    def look(image: np.ndarray, smallest: float | None, largest: float | None) -> np.ndarray:
        low = least if smallest is None else max(20, int(smallest))
        high = (0, 0) if largest is None else (int(largest) + 1,) * 2
        step, hits = (search.scale_factor, search.min_neighbors) if largest is None else (NEAR_SCALE_FACTOR, NEAR_NEIGHBORS)
        return cascade.detectMultiScale(image, step, hits, 0, (low, low), high)

    return look


def _yunet(search: Search) -> Callable:
    detect = yunet_detector(FaceSettings(model=search.yunet))
    return lambda image, smallest, largest: detect(image)[:, :4]
