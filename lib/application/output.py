"""Recording a stream: a CSV with one row a face and frame, and the annotated video."""

import contextlib
import csv
import errno
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.application.drawing import annotate
from lib.application.stream import STAGES, Result
from lib.study.errors import StudyError

CODECS = {".avi": "MJPG", ".mp4": "mp4v"}  # what the opencv-python wheel can write
REMEMBERED = 10_000  # frames over which stage times are summed up
FLUSHED = 100  # frames after which the CSV is put on disk
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no space, no quota, no room in one file
FACE_COLUMNS = ("face", "x", "y", "width", "height", "class")
QUANTILES = {"median_ms": 0.5, "p95_ms": 0.95, "p99_ms": 0.99}


def columns(classes: tuple[str, ...]) -> list[str]:
    """Name the columns of the CSV: a frame without a face has one row with empty face columns."""
    probabilities = [f"p_{name}" for name in classes]
    times = [f"{stage}_ms" for stage in STAGES]
    return ["frame", "name", *FACE_COLUMNS, *probabilities, *times]


def record(
    results: Iterable[Result],
    classes: tuple[str, ...],
    *,
    table: Path,
    video: Path | None = None,
    fps: float = 25.0,
    limit: int = 0,
    behind: int = 0,
) -> Iterator[Result]:
    """Write every frame's rows and picture and pass it on; a stop leaves what was written.

    Args:
        results: from `recognise`.
        classes: names of the classes.
        table: CSV to write.
        video: .avi or .mp4 to write, None for none. A frame of another size is scaled to the
            first one's.
        fps: frames a second of the video.
        limit: stop after so many frames, 0 for all.
        behind: frames that may still wait to be written, by a thread of its own, while the next
            one is processed.

    Raises:
        StudyError: a video file of another kind, or a file that cannot be written (a full disk);
            what was written stays.
    """
    with ExitStack() as stack:
        recorder = stack.enter_context(_Recorder(classes, table, video, fps))

        # Leaving the executor waits for what is still to be written.
        writer = stack.enter_context(ThreadPoolExecutor(1))
        waiting = deque()
        for count, result in enumerate(results, 1):
            # Hand the frame to the writer; wait where it is too far behind.
            waiting.append(writer.submit(recorder.write, result))
            while len(waiting) > behind:
                waiting.popleft().result()
            yield result
            if count == limit:
                break
        for written in waiting:
            written.result()


@contextlib.contextmanager
def writing(path: Path):
    """Turn what the system says when a file cannot be written into a sentence.

    Raises:
        StudyError: no space, no permission, a file in place of a folder, and the like.
    """
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            said = "no space left on the disk; free some and run again, what was written stays"
        else:
            said = f"cannot be written ({error.strerror or error}); choose another --output"
        raise StudyError(f"{path}: {said}") from None


def require_all_frames(video: Path, count: int) -> None:
    """Stop where a video is not whole: OpenCV writes to a full disk without a word.

    Args:
        video: that was written and closed.
        count: of frames that were written.

    Raises:
        StudyError: it holds fewer.
    """
    # The header may state more frames than there was room for: the last one tells.
    capture = cv2.VideoCapture(str(video))
    capture.set(cv2.CAP_PROP_POS_FRAMES, count - 1)
    is_whole = capture.isOpened() and capture.read()[0]
    is_whole &= capture.get(cv2.CAP_PROP_FRAME_COUNT) >= count
    capture.release()
    if not is_whole:
        raise StudyError(
            f"{video}: does not hold all {count:,} frames, no space was left on the disk; free "
            "some and run again"
        )


def summarise(times: pd.DataFrame) -> pd.DataFrame:
    """Give quantiles of stage times, one row a stage and one for their sum.

    Args:
        times: milliseconds, one row a frame, one column a stage.
    """
    if times.empty:
        return pd.DataFrame(columns=["stage", *QUANTILES, "frames"])

    # Stages, then their sum.
    times = times.assign(all=times.sum(axis=1))
    quantiles = times.quantile(list(QUANTILES.values())).T.set_axis(list(QUANTILES), axis=1)
    return quantiles.rename_axis("stage").reset_index().assign(frames=len(times))


class _Recorder:
    """The open files of a recording."""

    def __init__(self, classes: tuple[str, ...], table: Path, video: Path | None, fps: float):
        self.classes = classes
        self.video = video
        self.fps = fps
        self.table = table
        with writing(table):
            self.file = open(table, "w", newline="", encoding="utf-8")
        self.rows = csv.writer(self.file)
        self.rows.writerow(columns(classes))
        self.writer = None  # opened with the first frame, whose size it takes
        self.size = None  # (width, height) of the video
        self.count = 0

    def __enter__(self) -> "_Recorder":
        return self

    def __exit__(self, kind, *_) -> None:
        if self.writer is not None:
            self.writer.release()
        with writing(self.table):
            self.file.close()

        # After a failure, or a stop, it is clear that there is no more.
        if self.writer is not None and kind is None:
            require_all_frames(self.video, self.count)

    def write(self, result: Result) -> None:
        """Write one frame; adds the times of drawing and writing to its stage times."""
        # Draw and write the picture.
        began = drawn = time.perf_counter()
        if self.video is not None:
            image = annotate(result.frame.image.copy(), result.faces, self.classes)
            drawn = time.perf_counter()
            self._write_picture(image)
        ended = time.perf_counter()
        result.milliseconds.update(draw=1e3 * (drawn - began), write=1e3 * (ended - drawn))

        # Write the rows, and put them on disk now and then.
        with writing(self.table):
            self.rows.writerows(_rows(result, self.classes))
            self.count += 1
            if self.count % FLUSHED == 0:
                self.file.flush()

    def _write_picture(self, image: np.ndarray) -> None:
        """Add a picture to the video, which is opened with the first one."""
        size = image.shape[1::-1]
        if self.writer is None:
            self.writer = _video_writer(self.video, size, self.fps)
            self.size = size
        if size != self.size:
            image = cv2.resize(image, self.size)
        self.writer.write(image)


def _rows(result: Result, classes: tuple[str, ...]) -> list[list]:
    """Give a frame's rows of the CSV."""
    # What all rows of a frame share.
    head = [result.frame.number, result.frame.name]
    times = [f"{result.milliseconds[stage]:.3f}" for stage in STAGES]
    visible = [face for face in result.faces if not face.missed]
    if not visible:
        empty = [""] * (len(FACE_COLUMNS) + len(classes))
        return [head + empty + times]
    rows = []
    for face in visible:
        # Box, class and probabilities of one face.
        box = [f"{value:.1f}" for value in face.box]
        predicted = classes[int(np.argmax(face.probabilities))]
        probabilities = [f"{p:.4f}" for p in face.probabilities]
        rows.append([*head, face.number, *box, predicted, *probabilities, *times])
    return rows


def _video_writer(path: Path, size: tuple[int, int], fps: float) -> cv2.VideoWriter:
    """Open a video file."""
    suffix = path.suffix.lower()
    if suffix not in CODECS:
        raise StudyError(f"--video {path}: a video is written as {' or '.join(CODECS)}")
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*CODECS[suffix]), fps, size)
    if not writer.isOpened():
        raise StudyError(
            f"--video {path}: cannot be written here; is the folder there, and is OpenCV's video "
            "support installed?"
        )
    return writer
