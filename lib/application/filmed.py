"""A test film: face images moving over a plain scene, where every box and class is known."""

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.application.output import CODECS, require_all_frames
from lib.application.sources import Frame
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.records import made_folder

SIZE = (640, 480)  # of a frame, pixels
SIDE = 150  # of a shown face, pixels
FPS = 25.0  # frames a second
DRIFT = (25, 15)  # amplitude of a face's movement, pixels
PERIOD = 30  # frames in which the phase of the movement grows by 1
COLUMNS = ["frame", "place", "x", "y", "side", "class", "id"]


def film(
    faces: FaceSet, *, frames: int, at_once: int = 1, hold: int = 15, seed: int = 0
) -> Iterator[tuple[Frame, pd.DataFrame]]:
    """Make frames in which faces drift and change.

    Args:
        faces: images to show, in order; repeated when there are too few.
        frames: number of frames.
        at_once: faces in a frame, 1 to 6.
        hold: frames for which one image stays.
        seed: of the scene and of the movements.

    Yields:
        (Frame, table with one row a face: frame, place, x, y, side, class, id).
    """
    if not 1 <= at_once <= 6:
        raise StudyError(f"film: {at_once} faces in a frame; 1 to 6 fit")

    # A room of soft grey patches, and where in its movement each face begins.
    rng = np.random.default_rng(seed)
    patches = rng.integers(90, 150, (6, 8), dtype=np.uint8)
    room = cv2.resize(patches, SIZE, interpolation=cv2.INTER_CUBIC)
    phases = rng.random((at_once, 2)) * 2 * np.pi

    for number in range(frames):
        canvas = room.copy()
        rows = []
        for place in range(at_once):
            # Which image, and where.
            index = (number // hold * at_once + place) % len(faces)
            drift = np.array(DRIFT) * np.sin(phases[place] + number / PERIOD)
            x, y = np.round(_centre(place, at_once) + drift - SIDE / 2).astype(int)

            # Paint it, and note the truth.
            shown = cv2.resize(faces.images[index], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
            canvas[y : y + SIDE, x : x + SIDE] = shown
            name, id_ = faces.table.loc[index, ["class", "id"]]
            rows.append((number, place, x, y, SIDE, name, id_))
        image = cv2.cvtColor(canvas, cv2.COLOR_GRAY2BGR)
        yield Frame(number, image), pd.DataFrame(rows, columns=COLUMNS)


def make_video(
    faces: FaceSet, path: Path, *, frames: int, hold: int = 15, seed: int = 0
) -> pd.DataFrame:
    """Write a film to a file that any player and cv2.VideoCapture read; see `film`.

    Returns:
        The truth: one row a frame and face.

    Raises:
        StudyError: a suffix that no codec here can write; no space left on the disk.
    """
    path = Path(path)
    if path.suffix not in CODECS:
        raise StudyError(f"{path}: a video is written as {' or '.join(CODECS)}")
    made_folder(path.parent)

    # The file appears under its name only when complete.
    temporary = path.with_name(f".tmp-{path.name}")
    codec = cv2.VideoWriter_fourcc(*CODECS[path.suffix])
    writer = cv2.VideoWriter(str(temporary), codec, FPS, SIZE)
    truth = []
    for frame, rows in film(faces, frames=frames, hold=hold, seed=seed):
        writer.write(frame.image)
        truth.append(rows)
    writer.release()
    try:
        require_all_frames(temporary, len(truth))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return pd.concat(truth, ignore_index=True)


def _centre(place: int, at_once: int) -> np.ndarray:
    """Give the middle of a face's place: up to three in a row, then a second row."""
    # The middle of its cell in a grid.
    columns = min(at_once, 3)
    rows = -(-at_once // columns)
    across = (place % columns + 0.5) / columns
    down = (place // columns + 0.5) / rows
    return np.array([across, down]) * SIZE
