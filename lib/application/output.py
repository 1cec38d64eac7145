"""What a stream leaves: a CSV with one row a face and frame, and the annotated video."""

import csv
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.application.drawing import annotate
from lib.application.stream import STAGES, Seen
from lib.study.errors import StudyError

CODECS = {".avi": "MJPG", ".mp4": "mp4v"}  # what the opencv-python wheel can write
REMEMBERED = 10_000  # frames over which stage times are summed up
FLUSHED = 100  # rows after which the CSV is put on disk


def columns(classes: tuple[str, ...]) -> list[str]:
    """Name the columns of the CSV: a frame without a face has one row with empty face columns."""
    return ["frame", "name", "face", "x", "y", "width", "height", "class", *(f"p_{c}" for c in classes), *(f"{stage}_ms" for stage in STAGES)]


def record(seen: Iterable[Seen], classes: tuple[str, ...], *, table: Path, video: Path | None = None, fps: float = 25.0, limit: int = 0) -> Iterator[Seen]:
    """Write every frame's rows and picture as it passes, and pass it on; a stop at any point leaves what was done.

    Args:
        seen: from `recognise`.
        table: CSV to write.
        video: .avi or .mp4 to write, None for none. A frame of another size is scaled to the first one's.
        limit: stop after so many frames, 0 for all.
    Raises:
        StudyError: a video file of another kind, or one that cannot be written.
    """
    writer, done = None, 0
    with open(table, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(columns(classes))
        try:
            for item in seen:
                began = time.perf_counter()
                image = annotate(item.frame.image.copy(), item.faces, classes)
                drawn = time.perf_counter()
                if video is not None:
                    writer = writer or _writer(video, image, fps)
                    writer[0].write(image if image.shape[1::-1] == writer[1] else cv2.resize(image, writer[1]))
                item.milliseconds.update(draw=1e3 * (drawn - began), write=1e3 * (time.perf_counter() - drawn))
                rows.writerows(_rows(item, classes))
                done += 1
                if done % FLUSHED == 0:
                    file.flush()
                yield item
                if done == limit:
                    return
        finally:
            if writer is not None:
                writer[0].release()


def summarise(times: pd.DataFrame) -> pd.DataFrame:
    """Give quantiles of stage times, one row a stage and one for their sum."""
    if times.empty:
        return pd.DataFrame(columns=["stage", "median_ms", "p95_ms", "p99_ms", "frames"])
    times = times.assign(all=times.sum(axis=1))
    return times.quantile([0.5, 0.95, 0.99]).T.set_axis(["median_ms", "p95_ms", "p99_ms"], axis=1).rename_axis("stage").reset_index().assign(frames=len(times))


def _rows(item: Seen, classes: tuple[str, ...]) -> list[list]:
    times = [f"{item.milliseconds[stage]:.3f}" for stage in STAGES]
    found = [face for face in item.faces if not face.missed]
    head = [item.frame.number, item.frame.name]
    if not found:
        return [head + [""] * (6 + len(classes)) + times]
    return [
        [*head, f.number, *(f"{v:.1f}" for v in f.box), classes[int(np.argmax(f.probabilities))], *(f"{p:.4f}" for p in f.probabilities), *times]
        for f in found
    ]


def _writer(path: Path, image: np.ndarray, fps: float) -> tuple:
    if path.suffix.lower() not in CODECS:
        raise StudyError(f"--video {path}: a video is written as {' or '.join(CODECS)}")
    size = image.shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*CODECS[path.suffix.lower()]), fps, size)
    if not writer.isOpened():
        raise StudyError(f"--video {path}: cannot be written here; is the folder there, and is OpenCV's video support installed?")
    return writer, size
