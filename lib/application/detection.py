"""Faces in a frame, quickly: in each frame the surroundings of known faces, and every few frames the whole frame, reduced.

A detector is a function: grey frame uint8 (H, W), boxes known from the frame before float (N, 4) in, boxes float (M, 4) out.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from lib.application.tracking import overlaps
from lib.curation.detection import FaceSettings, haar_cascade, yunet_detector
from lib.study.errors import StudyError

SURROUNDINGS = 0.25  # of a face's side, on each side, searched in each frame
NONE = np.zeros((0, 4))


@dataclass(frozen=True)
class Near:
    """How the surroundings of a known face are searched; a face is expected there, so few hits make one."""

    px: int  # the face is shrunk to this first, so that large faces cost no more than small ones
    scale_factor: float
    min_neighbors: int


QUICK, THOROUGH = Near(36, 1.15, 1), Near(64, 1.1, 3)  # the second where the first finds nothing


@dataclass(frozen=True)
class Search:
    """How faces are looked for."""

    scale_factor: float = 1.2  # Haar: step between scales
    min_neighbors: int = 4  # Haar: overlapping hits that make a face
    min_px: int = 60  # smallest face, pixels of the frame
    reduce: int = 2  # the frame is shrunk by this before it is searched
    every: int = 8  # whole frames are searched once in so many; 1: always, and nothing else
    near: tuple[Near, ...] = (QUICK, THOROUGH)  # tried in order around each known face
    background: bool = False  # whole frames are searched in a second thread; new faces there are looked for half of `every` frames later
    yunet: str = ""  # path of a YuNet file, empty for Haar


S1 = Search(scale_factor=1.1, min_neighbors=5, min_px=30, reduce=1, every=1)


def make_detector(search: Search) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Make a detector. It counts frames, so one stream needs one of its own; what it finds depends on the frames, not on timing.

    Raises:
        StudyError: OpenCV without cascades, or a YuNet file that is none.
    """
    make = _yunet if search.yunet else _haar
    far, near = make(search), make(search)  # OpenCV's detectors hold state: one a thread
    helper = ThreadPoolExecutor(1) if search.background else None
    count, seen, pending = 0, 0, None

    def whole(grey: np.ndarray) -> np.ndarray:
        size = (grey.shape[1] // search.reduce, grey.shape[0] // search.reduce)
        small = grey if search.reduce == 1 else cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        return _boxes(far(small, search.scale_factor, search.min_neighbors, search.min_px / search.reduce, 0)) * search.reduce

    def arrivals(grey: np.ndarray) -> np.ndarray:
        """Give what a search of a whole frame found, in the frames in which one is due."""
        nonlocal pending
        turn = count % search.every
        if helper is None:
            return whole(grey) if turn == 0 else NONE
        if turn == 0:
            pending = helper.submit(whole, grey)
        if turn != search.every // 2 or pending is None:
            return NONE
        found, pending = pending.result(), None
        return found

    def detect(grey: np.ndarray, known: np.ndarray) -> np.ndarray:
        nonlocal count, seen, pending
        if search.every == 1 or not seen:  # with nothing to follow every frame is searched, so that a face is seen in its first frame
            count, pending, found = 0, None, whole(grey)
        else:
            count += 1
            new = arrivals(grey)
            found = _around(grey, np.concatenate([known, new[(overlaps(new, known) < 0.3).all(1)]]), near, search.near)
        seen = len(found)
        return found

    return detect


def _around(grey: np.ndarray, known: np.ndarray, look: Callable, ways: tuple[Near, ...]) -> np.ndarray:
    """Search the surroundings of each known face, at sizes near its own."""
    boxes = []
    for face in known:
        found = next((box for way in ways if (box := _near(grey, face, look, way)) is not None), None)
        # two followed faces that crossed may both find the same one
        if found is not None and not (overlaps(found[None], _boxes(boxes)) >= 0.5).any():
            boxes.append(found)
    return _boxes(boxes)


def _near(grey: np.ndarray, face: np.ndarray, look: Callable, way: Near) -> np.ndarray | None:
    """Find a known face again; None where it is not."""
    x, y, w, h = face
    left, top = max(0, int(x - SURROUNDINGS * w)), max(0, int(y - SURROUNDINGS * h))
    part = grey[top : int(y + h * (1 + SURROUNDINGS)) + 1, left : int(x + w * (1 + SURROUNDINGS)) + 1]
    scale = min(1.0, way.px / w)
    if min(part.shape) * scale < 24:
        return None
    small = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else part
    found = _boxes(look(small, way.scale_factor, way.min_neighbors, 0.8 * w * scale, 1.25 * w * scale)) / scale + (left, top, 0, 0)
    return found[overlaps(found, face[None])[:, 0].argmax()] if len(found) else None


def _boxes(found) -> np.ndarray:
    """Give boxes as float (N, 4), also when there are none."""
    return np.asarray(found, float).reshape(-1, 4)


def _haar(search: Search) -> Callable:
    cascade = haar_cascade()

    def look(image: np.ndarray, scale_factor: float, min_neighbors: int, smallest: float, largest: float) -> list:
        low, high = max(20, int(smallest)), int(largest) + 1 if largest else 0
        found = cascade.detectMultiScale(image, scale_factor, min_neighbors, 0, (low, low), (high, high))
        return sorted(map(tuple, found))  # OpenCV's threads leave them in any order

    return look


def _yunet(search: Search) -> Callable:
    try:
        detect = yunet_detector(FaceSettings(model=search.yunet))
    except StudyError as error:
        raise StudyError(str(error).replace("face_model:", "--yunet:")) from None
    return lambda image, *sizes: detect(image)[:, :4]
