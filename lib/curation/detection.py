"""Find the face in each image: Haar cascade with S1's settings, or YuNet where its file is given.

A box is (x, y, side) in the image's own pixels; with a replicated border it may reach beyond the
image. A detector is a callable: grey image uint8 (H, W) in, float32 (faces, 5) out, the columns
being x, y, width, height and a score.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.compute.progress import with_progress
from lib.curation.verdicts import verdict_table
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.machine import own_threads

# OpenCV's frontal cascade, which S1 used.
FRONTAL = "haarcascade_frontalface_default.xml"
CHUNK = 64  # images that one thread takes at a time
NO_FACE = (np.nan, np.nan, np.nan, 0.0, 0)  # x, y, side, score, faces
YUNET_COLUMNS = [0, 1, 2, 3, 14]  # of its 15: the box and the confidence, without landmarks
INSTALL = (
    "install opencv-python 4.x as environment.yml pins it (OpenCV 5 has no cascade and ships no "
    "Haar files)"
)


@dataclass(frozen=True)
class FaceSettings:
    """How faces are searched; the defaults are S1's, without border, at the image's own size."""

    scale_factor: float = 1.1  # Haar: step between the sizes that are searched
    min_neighbors: int = 5  # Haar: overlapping detections that make a face
    min_px: int = 30  # Haar: smallest face, pixels of the image as it is searched
    border_share: float = 0.0  # replicated border on each side, share of the image's side
    retry_px: int = 0  # side to which an image without a face is enlarged; 0: no second search
    choice: str = "first"  # of several faces: first, as S1, or largest
    model: str = ""  # path of a YuNet file; empty: Haar


def haar_cascade() -> "cv2.CascadeClassifier":
    """Load OpenCV's frontal cascade.

    Raises:
        StudyError: this OpenCV has no cascades; the message names the version to install.
    """
    if not hasattr(cv2, "CascadeClassifier"):
        raise StudyError(f"cv2.CascadeClassifier is missing in OpenCV {cv2.__version__}: {INSTALL}")
    cascade = cv2.CascadeClassifier(os.path.join(cv2.data.haarcascades, FRONTAL))
    # OpenCV does not raise for a file that does not exist.
    if cascade.empty():
        raise StudyError(f"{FRONTAL} is missing in OpenCV {cv2.__version__}: {INSTALL}")
    return cascade


def haar_detector(settings: FaceSettings) -> Callable[[np.ndarray], np.ndarray]:
    """Make a detector of the Haar cascade; the score is the number of overlapping detections."""
    cascade = haar_cascade()
    # OpenCV takes sizes as (width, height).
    smallest = (settings.min_px, settings.min_px)

    def detect(image: np.ndarray) -> np.ndarray:
        boxes, overlaps = cascade.detectMultiScale2(
            image,
            scaleFactor=settings.scale_factor,
            minNeighbors=settings.min_neighbors,
            minSize=smallest,
        )
        if not len(boxes):
            return np.zeros((0, 5), np.float32)
        return np.column_stack([boxes, overlaps]).astype(np.float32)

    return detect


def yunet_detector(settings: FaceSettings) -> Callable[[np.ndarray], np.ndarray]:
    """Make a detector of a YuNet file; the score is the confidence, 0 to 1.

    Raises:
        StudyError: the file is missing or is not YuNet.
    """
    # Check the file before OpenCV does, whose errors name no parameter.
    path = Path(settings.model).expanduser()
    if not path.is_file():
        raise StudyError(
            f"face_model: {path} is no file; give the path of a YuNet ONNX file, or leave it empty "
            "for the Haar cascade"
        )
    try:
        net = cv2.FaceDetectorYN.create(str(path), "", (64, 64))
        # A network with other outputs fails here, not at the first image of the pool.
        net.detect(np.zeros((64, 64, 3), np.uint8))
    except cv2.error as error:
        cause = str(error).splitlines()[0][:120]
        raise StudyError(
            f"face_model: {path} is not a YuNet ONNX file ({cause}); leave it empty for Haar"
        ) from error

    def detect(image: np.ndarray) -> np.ndarray:
        net.setInputSize(image.shape[1::-1])
        faces = net.detect(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))[1]
        return np.zeros((0, 5), np.float32) if faces is None else faces[:, YUNET_COLUMNS]

    return detect


def choose_face(detections: np.ndarray, choice: str) -> np.ndarray:
    """Choose one of several detections.

    Args:
        detections: float (faces, 5), at least one.
        choice: first: detection 0, as S1; largest.
    """
    if choice == "first":
        return detections[0]
    areas = detections[:, 2] * detections[:, 3]
    return detections[np.argmax(areas)]


def detect_faces(images: np.ndarray, settings: FaceSettings) -> pd.DataFrame:
    """Search each image for a face, in as many threads as this notebook may use.

    Args:
        images: uint8 (N, H, W).
        settings: detector and its settings.

    Returns:
        One row an image: x, y, side (pixels of the image, NaN without a face), score (0 without a
        face) and faces (how many were found).

    Raises:
        StudyError: the detector cannot be made.
    """
    make_detector = yunet_detector if settings.model else haar_detector
    # A bad file is reported from here, once, and not from every thread.
    make_detector(settings)

    def work(start: int) -> list[tuple]:
        # OpenCV's detectors hold state, so each task has one of its own.
        detect = make_detector(settings)
        return [_find(image, detect, settings) for image in images[start : start + CHUNK]]

    # Threads share the images out; results come back in order.
    rows = []
    with _single_threaded_opencv(), ThreadPoolExecutor(own_threads()) as threads:
        parts = threads.map(work, range(0, len(images), CHUNK))
        for part in with_progress(parts, len(images), "looking for faces"):
            rows += part
    return pd.DataFrame(rows, columns=["x", "y", "side", "score", "faces"]).astype(float)


def crop_faces(
    images: np.ndarray, boxes: pd.DataFrame, *, px: int, margin_share: float = 0.0
) -> np.ndarray:
    """Crop each image to its face and resize it bilinearly, as S1 (OpenCV's default).

    Args:
        images: uint8 (N, H, W).
        boxes: table of detect_faces, one row an image; an image without a face is resized whole.
        px: side of the result, pixels.
        margin_share: widening of the box on each side, share of its side.

    Returns:
        uint8 (N, px, px).
    """
    crops = np.empty((len(images), px, px), np.uint8)
    for i, (x, y, side) in enumerate(boxes[["x", "y", "side"]].to_numpy()):
        crop = images[i]
        if np.isfinite(side):
            margin = margin_share * side
            width = max(1, round(side * (1 + 2 * margin_share)))
            crop = _cut_square(crop, round(x - margin), round(y - margin), width)
        crops[i] = cv2.resize(crop, (px, px), interpolation=cv2.INTER_LINEAR)
    return crops


def reject_faceless(
    faces: FaceSet, boxes: pd.DataFrame, *, least_share: float = 0.0
) -> pd.DataFrame:
    """Reject images without a face, or with one that is too small, as in a collage.

    Args:
        faces: images to examine.
        boxes: table of detect_faces, one row an image.
        least_share: side of the face as a share of the image's below which it is too small, 0 to
            1.

    Returns:
        Verdicts; score is the detector's, 0 without a face.
    """
    # Without a face the share is NaN, which is not below the limit.
    share = boxes["side"].to_numpy() / faces.images.shape[1]
    keep = (boxes["faces"].to_numpy() > 0) & ~(share < least_share)
    reasons = [
        "no face found" if np.isnan(part) else f"the face fills {part:.2f} of the image"
        for part in share
    ]
    return verdict_table(faces, keep, boxes["score"].to_numpy(), reasons)


def _find(image: np.ndarray, detect: Callable, settings: FaceSettings) -> tuple:
    """Search one image at its own size, then enlarged.

    A small face has too few pixels for the cascade's smallest window.

    Returns:
        x, y, side, score, faces: a row of detect_faces.
    """
    # The sizes at which the image is searched.
    border = round(settings.border_share * image.shape[0])
    bordered = _with_border(image, border)
    scales = [1.0]
    retry = settings.retry_px / image.shape[0]
    if retry > 1:
        scales.append(retry)

    for scale in scales:
        searched = bordered
        if scale != 1:
            searched = cv2.resize(
                bordered, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR
            )
        detections = detect(searched)
        if not len(detections):
            continue

        # Haar's boxes are square; YuNet's are made square around their centre.
        x, y, width, height, score = choose_face(detections, settings.choice)
        side = max(width, height)
        # Half of what was added lies on each side.
        left = x + (width - side) / 2
        top = y + (height - side) / 2
        # Back to the pixels of the image as it was given.
        return left / scale - border, top / scale - border, side / scale, score, len(detections)
    return NO_FACE


def _cut_square(image: np.ndarray, left: int, top: int, width: int) -> np.ndarray:
    """Cut a square out of an image, replicating its edge where the square reaches beyond it."""
    # How far the square reaches beyond the right and the lower edge, pixels.
    right = left + width - image.shape[1]
    bottom = top + width - image.shape[0]
    border = max(0, -left, -top, right, bottom)
    padded = _with_border(image, border)
    return padded[top + border : top + border + width, left + border : left + border + width]


def _with_border(image: np.ndarray, border: int) -> np.ndarray:
    """Replicate an image's edge on all four sides, by so many pixels."""
    if not border:
        return image
    return cv2.copyMakeBorder(image, border, border, border, border, cv2.BORDER_REPLICATE)


@contextmanager
def _single_threaded_opencv() -> Iterator[None]:
    """Keep OpenCV to one thread.

    The images are shared out over threads; more of them within one small image only cost.
    """
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)
