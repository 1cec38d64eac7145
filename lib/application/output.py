"""What a stream leaves: a CSV with one row a face and frame, and the annotated video."""

import csv
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
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
    face = ["face", "x", "y", "width", "height", "class"]
    return ["frame", "name", *face, *(f"p_{c}" for c in classes), *(f"{stage}_ms" for stage in STAGES)]


def record(
    seen: Iterable[Seen], classes: tuple[str, ...], *, table: Path, video: Path | None = None,
    fps: float = 25.0, limit: int = 0, behind: int = 0,
) -> Iterator[Seen]:  # fmt: skip
    """Write every frame's rows and picture and pass it on; a stop at any point leaves what was done.

    Args:
        seen: from `recognise`.
        table: CSV to write.
        video: .avi or .mp4 to write, None for none. A frame of another size is scaled to the first one's.
        limit: stop after so many frames, 0 for all.
        behind: frames that may still have to be written, by a thread of its own, while the next one is looked at.
    Raises:
        StudyError: a video file of another kind, or one that cannot be written.
    """
    with ExitStack() as at_the_end:
        put = _recorder(at_the_end, classes, table, video, fps)
        writer = at_the_end.enter_context(ThreadPoolExecutor(1))  # leaving it waits for what is still to be written
        waiting = deque()
        for done, item in enumerate(seen, 1):
            waiting.append(writer.submit(put, item))
            while len(waiting) > behind:
                waiting.popleft().result()
            yield item
            if done == limit:
                break
        for written in waiting:
            written.result()


def _recorder(at_the_end: ExitStack, classes: tuple[str, ...], table: Path, video: Path | None, fps: float) -> Callable[[Seen], None]:
    """Open the files, to be closed at the end; give the function that writes one frame."""
    file = at_the_end.enter_context(open(table, "w", newline="", encoding="utf-8"))
    rows, writer, done = csv.writer(file), None, 0
    rows.writerow(columns(classes))
    at_the_end.callback(lambda: writer and writer[0].release())

    def put(item: Seen) -> None:
        nonlocal writer, done
        began, drawn = time.perf_counter(), None
        if video is not None:
            image = annotate(item.frame.image.copy(), item.faces, classes)
            drawn = time.perf_counter()
            if writer is None:
                writer = _writer(video, image, fps)
            writer[0].write(image if image.shape[1::-1] == writer[1] else cv2.resize(image, writer[1]))
        ended = time.perf_counter()
        item.milliseconds.update(draw=1e3 * ((drawn or ended) - began), write=1e3 * (ended - (drawn or ended)))
        rows.writerows(_rows(item, classes))
        done += 1
        if done % FLUSHED == 0:
            file.flush()

    return put


def summarise(times: pd.DataFrame) -> pd.DataFrame:
    """Give quantiles of stage times, one row a stage and one for their sum."""
    if times.empty:
        return pd.DataFrame(columns=["stage", "median_ms", "p95_ms", "p99_ms", "frames"])
    times = times.assign(all=times.sum(axis=1))
    found = times.quantile([0.5, 0.95, 0.99]).T.set_axis(["median_ms", "p95_ms", "p99_ms"], axis=1)
    return found.rename_axis("stage").reset_index().assign(frames=len(times))


def _rows(item: Seen, classes: tuple[str, ...]) -> list[list]:
    times = [f"{item.milliseconds[stage]:.3f}" for stage in STAGES]
    found = [face for face in item.faces if not face.missed]
    head = [item.frame.number, item.frame.name]
    if not found:
        return [head + [""] * (6 + len(classes)) + times]
    rows = []
    for face in found:
        said = classes[int(np.argmax(face.probabilities))]
        rows.append([*head, face.number, *(f"{v:.1f}" for v in face.box), said, *(f"{p:.4f}" for p in face.probabilities), *times])
    return rows


def _writer(path: Path, image: np.ndarray, fps: float) -> tuple:
    if path.suffix.lower() not in CODECS:
        raise StudyError(f"--video {path}: a video is written as {' or '.join(CODECS)}")
    size = image.shape[1::-1]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*CODECS[path.suffix.lower()]), fps, size)
    if not writer.isOpened():
        raise StudyError(f"--video {path}: cannot be written here; is the folder there, and is OpenCV's video support installed?")
    return writer, size
