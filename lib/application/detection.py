"""Fast face detection: around known faces in each frame, in a reduced whole frame now and then.

A detector is a function: grey frame uint8 (H, W) and the boxes known from the frame before,
float (N, 4), in; boxes float (M, 4) out.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from lib.application.tracking import overlaps
from lib.curation.detection import FaceSettings, haar_cascade, yunet_detector
from lib.study.errors import StudyError

SURROUNDINGS = 0.25  # share of a face's side that is searched on each side of it
LEAST_PX = 24  # side of an image part under which the cascade cannot find a face
SIZES = (0.8, 1.25)  # smallest and largest face around a known one, times its width
SAME = 0.5  # intersection over union from which two boxes are one face
NEW = 0.3  # the same, under which a box in a whole frame is a new face
NONE = np.zeros((0, 4))


@dataclass(frozen=True)
class LocalSearch:
    """How the surroundings of a known face are searched: few detections suffice there."""

    px: int  # the face is shrunk to this first, so that large faces cost no more than small ones
    scale_factor: float
    min_neighbors: int


QUICK = LocalSearch(36, 1.15, 1)
THOROUGH = LocalSearch(64, 1.1, 3)  # where the quick search finds nothing


@dataclass(frozen=True)
class Search:
    """How faces are looked for."""

    scale_factor: float = 1.2  # Haar: step between scales
    min_neighbors: int = 4  # Haar: overlapping detections that make a face
    min_px: int = 60  # smallest face, pixels of the frame
    reduce: int = 2  # the frame is shrunk by this before it is searched
    every: int = 8  # whole frames are searched once in so many; 1: always, and nothing else
    local: tuple[LocalSearch, ...] = (QUICK, THOROUGH)  # tried in order around each known face
    # Whole frames are searched in a second thread; their new faces arrive half of `every` later.
    background: bool = False
    yunet: str = ""  # path of a YuNet file, empty for Haar


S1 = Search(scale_factor=1.1, min_neighbors=5, min_px=30, reduce=1, every=1)


def make_detector(search: Search) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    """Make a detector for one stream.

    It counts frames, so a stream needs one of its own; what it detects depends on the frames, not
    on timing.

    Raises:
        StudyError: OpenCV without cascades, or a YuNet file that is none.
    """
    return _Detector(search).detect


class _Detector:
    """The state of a detector: frames since a face was first known, and a search under way."""

    def __init__(self, search: Search):
        make = _yunet if search.yunet else _haar
        self.search = search
        # OpenCV's detectors hold state: one a thread.
        self.look_everywhere = make(search)
        self.look_locally = make(search)
        self.helper = ThreadPoolExecutor(1) if search.background else None
        self.count = 0
        self.known = 0
        self.pending = None

    def detect(self, grey: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Detect the faces of one frame."""
        if self.search.every == 1 or not self.known:
            # With nothing to follow every frame is searched, so that a face is detected at once.
            self.count = 0
            self.pending = None
            boxes = self._whole(grey)
        else:
            self.count += 1
            arrived = self._arrivals(grey)
            new = arrived[(overlaps(arrived, known) < NEW).all(1)]
            boxes = self._around(grey, np.concatenate([known, new]))
        self.known = len(boxes)
        return boxes

    def _whole(self, grey: np.ndarray) -> np.ndarray:
        """Search a whole frame, reduced."""
        search = self.search
        if min(grey.shape) < search.reduce:
            return NONE  # nothing would be left of it
        small = grey
        if search.reduce > 1:
            size = (grey.shape[1] // search.reduce, grey.shape[0] // search.reduce)
            small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        smallest = search.min_px / search.reduce
        boxes = self.look_everywhere(small, search.scale_factor, search.min_neighbors, smallest, 0)
        return _boxes(boxes) * search.reduce

    def _arrivals(self, grey: np.ndarray) -> np.ndarray:
        """Give the boxes of a whole frame's search, in the frames in which one is due."""
        turn = self.count % self.search.every
        if self.helper is None:
            return self._whole(grey) if turn == 0 else NONE
        if turn == 0:
            self.pending = self.helper.submit(self._whole, grey)
        if turn != self.search.every // 2 or self.pending is None:
            return NONE
        boxes = self.pending.result()
        self.pending = None
        return boxes

    def _around(self, grey: np.ndarray, known: np.ndarray) -> np.ndarray:
        """Search the surroundings of each known face, at sizes near its own."""
        boxes = []
        for face in known:
            box = self._near(grey, face)
            # Two tracked faces that crossed may both find the same one.
            if box is not None and not (overlaps(box[None], _boxes(boxes)) >= SAME).any():
                boxes.append(box)
        return _boxes(boxes)

    def _near(self, grey: np.ndarray, face: np.ndarray) -> np.ndarray | None:
        """Find a known face again by the first search that does; None where it is not."""
        for local in self.search.local:
            box = self._near_by(grey, face, local)
            if box is not None:
                return box
        return None

    def _near_by(self, grey, face: np.ndarray, local: LocalSearch) -> np.ndarray | None:
        """Search the surroundings of a known face in one way."""
        # Cut the surroundings out, and shrink them.
        x, y, w, h = face
        left = max(0, int(x - SURROUNDINGS * w))
        top = max(0, int(y - SURROUNDINGS * h))
        bottom = int(y + h * (1 + SURROUNDINGS)) + 1
        right = int(x + w * (1 + SURROUNDINGS)) + 1
        part = grey[top:bottom, left:right]
        scale = min(1.0, local.px / w)
        if min(part.shape) * scale < LEAST_PX:
            return None
        if scale < 1:
            part = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)

        # Of the faces there, take the one that overlaps most.
        smallest, largest = (factor * w * scale for factor in SIZES)
        found = self.look_locally(part, local.scale_factor, local.min_neighbors, smallest, largest)
        boxes = _boxes(found) / scale + (left, top, 0, 0)
        if not len(boxes):
            return None
        return boxes[overlaps(boxes, face[None])[:, 0].argmax()]


def _boxes(boxes) -> np.ndarray:
    """Give boxes as float (N, 4), also when there are none."""
    return np.asarray(boxes, float).reshape(-1, 4)


def _haar(search: Search) -> Callable:
    """Make a function that runs the Haar cascade over an image."""
    cascade = haar_cascade()

    def look(
        image: np.ndarray, scale_factor: float, min_neighbors: int, smallest: float, largest: float
    ) -> list:
        low = max(20, int(smallest))
        high = int(largest) + 1 if largest else 0
        boxes = cascade.detectMultiScale(
            image, scale_factor, min_neighbors, 0, (low, low), (high, high)
        )
        return sorted(map(tuple, boxes))  # OpenCV's threads leave them in any order

    return look


def _yunet(search: Search) -> Callable:
    """Make a function that runs YuNet over an image; it needs no sizes."""
    try:
        detect = yunet_detector(FaceSettings(model=search.yunet))
    except StudyError as error:
        raise StudyError(str(error).replace("face_model:", "--yunet:")) from None

    def look(image: np.ndarray, *sizes: float) -> np.ndarray:
        return detect(image)[:, :4]

    return look
