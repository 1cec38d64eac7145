"""A test film: face images moving over a plain scene, where every box and class is known."""

from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.application.output import CODECS
from lib.application.sources import Frame
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError

SIZE = (640, 480)  # pixels
COLUMNS = ["frame", "place", "x", "y", "side", "class", "id"]


def film(faces: FaceSet, *, frames: int, at_once: int = 1, side: int = 150, hold: int = 15, seed: int = 0):
    """Make frames in which faces drift and change.

    Args:
        faces: images to show, in order; repeated when there are too few.
        frames: number of frames.
        at_once: faces in a frame, 1 to 6.
        side: of a shown face, pixels.
        hold: frames for which one image stays.
    Yields:
        (Frame, table with one row a face: frame, place, x, y, side, class, id).
    """
    if not 1 <= at_once <= 6:
        raise StudyError(f"film: {at_once} faces in a frame; 1 to 6 fit")
    rng = np.random.default_rng(seed)
    room = cv2.resize(rng.integers(90, 150, (6, 8), dtype=np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    phase, columns = rng.random((at_once, 2)) * 2 * np.pi, min(at_once, 3)
    for number in range(frames):
        canvas, rows = room.copy(), []
        for place in range(at_once):
            index = (number // hold * at_once + place) % len(faces)
            centre = np.array([(place % columns + 0.5) / columns, (place // columns + 0.5) / -(-at_once // columns)]) * SIZE
            drift = np.array([25, 15]) * np.sin(phase[place] + number / 30)
            x, y = np.round(centre + drift - side / 2).astype(int)
            canvas[y : y + side, x : x + side] = cv2.resize(faces.images[index], (side, side), interpolation=cv2.INTER_CUBIC)
            rows.append((number, place, x, y, side, faces.table["class"].iloc[index], faces.table["id"].iloc[index]))
        yield Frame(number, cv2.cvtColor(canvas, cv2.COLOR_GRAY2BGR)), pd.DataFrame(rows, columns=COLUMNS)


def make_video(
    faces: FaceSet, path: Path, *, frames: int, at_once: int = 1, side: int = 150, hold: int = 15, seed: int = 0, fps: float = 25.0
) -> pd.DataFrame:
    """Write a film to a file that any player and cv2.VideoCapture read.

    Returns:
        The truth: one row a frame and face.
    """
    path = Path(path)
    if path.suffix not in CODECS:
        raise StudyError(f"{path}: a video is written as {' or '.join(CODECS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".tmp-{path.name}")
    writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter_fourcc(*CODECS[path.suffix]), fps, SIZE)
    truth = []
    for frame, rows in film(faces, frames=frames, at_once=at_once, side=side, hold=hold, seed=seed):
        writer.write(frame.image)
        truth.append(rows)
    writer.release()
    temporary.replace(path)
    return pd.concat(truth, ignore_index=True)
