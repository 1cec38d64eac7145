"""The pipeline: frames in, tracked and classified faces out, with the time of each stage.

Memory does not grow with the length of the stream.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lib.application.detection import Search, make_detector
from lib.application.drawing import crop
from lib.application.network import Network
from lib.application.sources import Frame
from lib.application.tracking import Face, smooth, track

STAGES = ("read", "detect", "classify", "draw", "write")


@dataclass(frozen=True)
class Pipeline:
    """Settings of detection, tracking and classification."""

    search: Search = Search()
    memory: int = 30  # frames that a face may be missing and is still looked for where it was
    steadiness: float = 0.3  # weight of the old box, 0 to 1
    smoothing: float = 0.6  # weight of the earlier probabilities, 0 to 1
    margin_share: float = 0.0  # widening of the box before it is classified, on each side


@dataclass(frozen=True)
class Result:
    """One frame and its faces; those with missed > 0 are remembered, not detected."""

    frame: Frame
    faces: list[Face]
    milliseconds: dict[str, float]  # by stage


def recognise(
    frames: Iterable[Frame], network: Network, pipeline: Pipeline = Pipeline()
) -> Iterator[Result]:
    """Detect, track and classify the faces of a stream.

    Args:
        frames: in order.
        network: from open_network.
        pipeline: settings.
    """
    detect = make_detector(pipeline.search)
    tracking = {"memory": pipeline.memory, "steadiness": pipeline.steadiness}
    faces, next_number = [], 0
    began = time.perf_counter()
    for frame in frames:
        read = time.perf_counter()

        # Detect near the known faces, and continue them.
        grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        known = np.array([face.box for face in faces]).reshape(-1, 4)
        boxes = detect(grey, known)
        faces, next_number = track(faces, boxes, next_number=next_number, **tracking)
        detected = time.perf_counter()

        # Classify what was detected.
        faces = _classify(faces, grey, network, pipeline)
        classified = time.perf_counter()
        milliseconds = {
            "read": 1e3 * (read - began),
            "detect": 1e3 * (detected - read),
            "classify": 1e3 * (classified - detected),
        }
        yield Result(frame, faces, milliseconds)
        began = time.perf_counter()


def _classify(
    faces: list[Face], grey: np.ndarray, network: Network, pipeline: Pipeline
) -> list[Face]:
    """Classify the detected faces in one batch; remembered ones keep their probabilities."""
    visible = [face for face in faces if not face.missed]
    if not visible:
        return faces

    # Crop and classify them together.
    size = {"px": network.image_px, "margin_share": pipeline.margin_share}
    crops = np.stack([crop(grey, face.box, **size) for face in visible])
    numbers = [face.number for face in visible]
    predictions = dict(zip(numbers, network.classify(crops)))

    classified = []
    for face in faces:
        # Smooth over time; a remembered face has no new prediction.
        if face.number in predictions:
            latest = predictions[face.number]
            smoothed = smooth(face.probabilities, latest, pipeline.smoothing)
            face = replace(face, probabilities=smoothed)
        classified.append(face)
    return classified
