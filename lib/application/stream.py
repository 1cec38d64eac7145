"""The pipeline: frames in, followed and named faces out, with the time of each stage. Memory does not grow with the stream."""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np

from lib.application.detection import Search, make_detector
from lib.application.drawing import crop
from lib.application.network import Network
from lib.application.sources import Frame
from lib.application.tracking import Face, follow, smooth

STAGES = ("read", "detect", "classify", "draw", "write")


@dataclass(frozen=True)
class Options:
    """How faces are followed and read."""

    search: Search = Search()
    memory: int = 30  # frames that a face may be missing and is still looked for where it was
    steadiness: float = 0.3  # weight of the old box, 0 to 1
    smoothing: float = 0.6  # weight of the earlier probabilities, 0 to 1
    margin_share: float = 0.0  # widening of the box before it is read, on each side


@dataclass(frozen=True)
class Seen:
    """One frame and what is in it; faces with missed > 0 are remembered, not found."""

    frame: Frame
    faces: list[Face]
    milliseconds: dict  # by stage


def recognise(frames: Iterable[Frame], network: Network, options: Options = Options()) -> Iterator[Seen]:
    """Find, follow and name the faces of a stream.

    Args:
        frames: in order.
        network: from open_network.
        options: how.
    """
    detect, faces, number = make_detector(options.search), [], 0
    frames, began = iter(frames), time.perf_counter()
    for frame in frames:
        read = time.perf_counter()
        grey = cv2.cvtColor(frame.image, cv2.COLOR_BGR2GRAY)
        boxes = detect(grey, np.array([face.box for face in faces]).reshape(-1, 4))
        faces, number = follow(faces, boxes, next_number=number, memory=options.memory, steadiness=options.steadiness)
        found = time.perf_counter()
        faces = _name(faces, grey, network, options)
        named = time.perf_counter()
        yield Seen(frame, faces, {"read": 1e3 * (read - began), "detect": 1e3 * (found - read), "classify": 1e3 * (named - found)})
        began = time.perf_counter()


def _name(faces: list[Face], grey: np.ndarray, network: Network, options: Options) -> list[Face]:
    """Classify the found faces in one batch; remembered ones keep their last answer."""
    found = [face for face in faces if not face.missed]
    if not found:
        return faces
    crops = np.stack([crop(grey, face.box, px=network.image_px, margin_share=options.margin_share) for face in found])
    answers, named = dict(zip((face.number for face in found), network.classify(crops))), []
    for face in faces:
        if face.number in answers:
            face = replace(face, probabilities=smooth(face.probabilities, answers[face.number], options.smoothing))
        named.append(face)
    return named
