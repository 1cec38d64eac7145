"""Find the face in each image: Haar cascade with S1's settings, or YuNet when its file is given.

A box is (x, y, side) in the image's own pixels; with a replicated border it may reach beyond the image.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.curation.progress import watched
from lib.curation.verdicts import verdict_table
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.machine import cores

PIN = "install opencv-python 4.x as environment.yml pins it (OpenCV 5 has no cascade and ships no Haar files)"
FRONTAL = "haarcascade_frontalface_default.xml"
CHUNK = 64  # images that one thread takes at a time


@dataclass(frozen=True)
class FaceSettings:
    """How faces are looked for; the defaults are S1's, without border and at the image's own size."""

    scale_factor: float = 1.1
    min_neighbors: int = 5
    min_px: int = 30  # smallest face, pixels of the enlarged image
    border_share: float = 0.0  # replicated border on each side, share of the image's side
    retry_px: int = 0  # an image without a face is looked at again, enlarged to this side; 0 or no larger than the image: once only
    choice: str = "first"  # first, as S1, or largest
    model: str = ""  # path of a YuNet file; empty for Haar


def haar_cascade() -> "cv2.CascadeClassifier":
    """Load OpenCV's frontal cascade.

    Raises:
        StudyError: this OpenCV has no cascades; the message names the pin.
    """
    if not hasattr(cv2, "CascadeClassifier"):
        raise StudyError(f"cv2.CascadeClassifier is missing in OpenCV {cv2.__version__}: {PIN}")
    cascade = cv2.CascadeClassifier(os.path.join(cv2.data.haarcascades, FRONTAL))
    if cascade.empty():  # OpenCV does not raise for a file that is not there
        raise StudyError(f"{FRONTAL} is missing in OpenCV {cv2.__version__}: {PIN}")
    return cascade


def haar_detector(settings: FaceSettings) -> Callable[[np.ndarray], np.ndarray]:
    """Make a detector: grey image in, float rows (x, y, width, height, overlapping hits) out."""
    cascade = haar_cascade()
    size = (settings.min_px, settings.min_px)

    def detect(image: np.ndarray) -> np.ndarray:
        boxes, hits = cascade.detectMultiScale2(image, scaleFactor=settings.scale_factor, minNeighbors=settings.min_neighbors, minSize=size)
        return np.column_stack([boxes, hits]).astype(np.float32) if len(boxes) else np.zeros((0, 5), np.float32)

    return detect


def yunet_detector(settings: FaceSettings) -> Callable[[np.ndarray], np.ndarray]:
    """Make a detector from a YuNet file: grey image in, float rows (x, y, width, height, confidence) out.

    Raises:
        StudyError: the file is missing or is not YuNet.
    """
    path = Path(settings.model).expanduser()
    if not path.is_file():
        raise StudyError(f"face_model: {path} is no file; give the path of a YuNet ONNX file, or leave it empty for the Haar cascade")
    try:
        net = cv2.FaceDetectorYN.create(str(path), "", (64, 64))
        net.detect(np.zeros((64, 64, 3), np.uint8))  # a network with other outputs fails here, not at the first real image
    except cv2.error as error:
        raise StudyError(
            f"face_model: {path} is not a YuNet ONNX file ({str(error).splitlines()[0][:120]}); leave it empty for Haar"
        ) from error

    def detect(image: np.ndarray) -> np.ndarray:
        net.setInputSize(image.shape[1::-1])
        found = net.detect(cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))[1]
        return np.zeros((0, 5), np.float32) if found is None else found[:, [0, 1, 2, 3, 14]]

    return detect


def choose_face(found: np.ndarray, choice: str) -> np.ndarray:
    """Choose one of several detections: detection 0 as S1, or the largest."""
    return found[0] if choice == "first" else found[np.argmax(found[:, 2] * found[:, 3])]


def _find(image: np.ndarray, detect: Callable, settings: FaceSettings) -> tuple:
    """Look for a face at the image's own size, then enlarged: small faces have few pixels for the cascade's smallest window."""
    border = round(settings.border_share * image.shape[0])
    bordered = cv2.copyMakeBorder(image, *[border] * 4, cv2.BORDER_REPLICATE) if border else image
    retry = settings.retry_px / image.shape[0]
    for scale in (1.0, retry) if retry > 1 else (1.0,):
        seen = bordered if scale == 1 else cv2.resize(bordered, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
        found = detect(seen)
        if len(found):
            x, y, width, height, score = choose_face(found, settings.choice)
            side = max(width, height)  # Haar's boxes are square, YuNet's are made so around their centre
            left, top = x + (width - side) / 2, y + (height - side) / 2
            return left / scale - border, top / scale - border, side / scale, score, len(found)
    return np.nan, np.nan, np.nan, 0.0, 0


@contextmanager
def _one_thread_each():
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)  # more threads within one small image only cost; the images are shared out instead
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def detect_faces(images: np.ndarray, settings: FaceSettings, *, workers: int = 0) -> pd.DataFrame:
    """Look for a face in each image, in parallel over cores.

    Args:
        images: uint8 (N, H, W).
        settings: detector and its settings.
        workers: threads, 0 for as many as this notebook may use; the result does not depend on it.

    Returns:
        Table with x, y, side (pixels of the image, NaN without a face), score (overlapping hits or confidence), faces (count).
    """
    make = yunet_detector if settings.model else haar_detector
    make(settings)  # a bad file is reported from here, once

    def work(start: int) -> list[tuple]:
        detect = make(settings)  # OpenCV's detectors hold state: one per task
        return [_find(image, detect, settings) for image in images[start : start + CHUNK]]

    with _one_thread_each(), ThreadPoolExecutor(workers or int(os.environ.get("STUDY_THREADS", 0)) or cores()) as pool:
        rows = [row for part in watched(pool.map(work, range(0, len(images), CHUNK)), len(images), "looking for faces") for row in part]
    return pd.DataFrame(rows, columns=["x", "y", "side", "score", "faces"]).astype(float)


def crop_faces(images: np.ndarray, boxes: pd.DataFrame, *, px: int, margin_share: float = 0.0) -> np.ndarray:
    """Crop each image to its face and resize it bilinearly, as S1 (OpenCV's default).

    Args:
        images: uint8 (N, H, W).
        boxes: table of detect_faces, one row per image; an image without a face is resized whole.
        px: side of the result, pixels.
        margin_share: widening of the box on each side, share of its side.

    Returns:
        uint8 (N, px, px).
    """
    out = np.empty((len(images), px, px), np.uint8)
    for i, (x, y, side) in enumerate(boxes[["x", "y", "side"]].to_numpy()):
        crop = images[i]
        if np.isfinite(side):
            left, top = round(x - margin_share * side), round(y - margin_share * side)
            wide = max(1, round(side * (1 + 2 * margin_share)))
            border = max(0, -left, -top, left + wide - crop.shape[1], top + wide - crop.shape[0])
            padded = cv2.copyMakeBorder(crop, *[border] * 4, cv2.BORDER_REPLICATE)  # keeps the crop square at the image's edge
            crop = padded[top + border : top + border + wide, left + border : left + border + wide]
        out[i] = cv2.resize(crop, (px, px), interpolation=cv2.INTER_LINEAR)
    return out


def reject_faceless(faces: FaceSet, boxes: pd.DataFrame, *, least_share: float = 0.0) -> pd.DataFrame:
    """Reject images in which no face was found, or one that fills too little of the image, as in a collage.

    Args:
        faces: images to judge.
        boxes: table of detect_faces, one row per image.
        least_share: side of the face as a share of the image's under which it is too small, 0 to 1.

    Returns:
        Verdicts; score is the number of overlapping hits (Haar) or the confidence (YuNet), 0 without a face.
    """
    share = boxes["side"].to_numpy() / faces.images.shape[1]
    keep = (boxes["faces"].to_numpy() > 0) & ~(share < least_share)
    reasons = ["no face found" if np.isnan(part) else f"the face fills {part:.2f} of the image" for part in share]
    return verdict_table(faces, keep, boxes["score"].to_numpy(), reasons)
