"""Frames from a camera, a video, an image or a folder, one at a time; nothing is queued."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np

from lib.study.errors import StudyError

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
MOST_PIXELS = 64_000_000  # of a picture; more is taken for a decompression bomb
DEFAULT_FPS = 25.0  # where a source does not say
MOST_FAILURES = 25  # reads in a row without a picture after which a source has broken off


@dataclass(frozen=True)
class Frame:
    """One picture of a source."""

    number: int  # in the source; a gap is a frame that was dropped or did not decode
    image: np.ndarray  # uint8 (H, W, 3), blue green red
    name: str = ""  # file name, for folders


@dataclass(frozen=True)
class Source:
    """Where frames come from.

    Attributes:
        frames: call it for the iterator; it can be called once.
        fps: frames a second, as the source states it.
        live: frames come by the clock and are dropped, not queued, when nobody takes them.
        problems: one line a problem, filled while frames are read.
        dropped: number of frames that nobody took, in a list of one.
    """

    frames: Callable[[], Iterator[Frame]]
    fps: float
    live: bool
    problems: list = field(default_factory=list)
    dropped: list = field(default_factory=lambda: [0])


def open_source(text: str, *, live: bool = False) -> Source:
    """Open a camera number, a video, an image or a folder of images.

    Args:
        text: "0" for the first camera, else a path.
        live: play a video by its own clock and drop what cannot be taken in time.

    Raises:
        StudyError: no such camera or file, an empty folder, or a file that OpenCV cannot read.
    """
    path = Path(text).expanduser()
    if text.isdigit():
        return _from_capture(cv2.VideoCapture(int(text)), text, live=True, camera=True)
    if path.is_dir():
        files = sorted(file for file in path.rglob("*") if file.suffix.lower() in PICTURES)
        if not files:
            kinds = ", ".join(PICTURES)
            raise StudyError(
                f"--source {text}: no pictures in this folder; expected files ending in {kinds}"
            )
        return _from_files(files)
    if not path.is_file():
        raise StudyError(
            f"--source {text}: no such file or folder; give a camera number, a video, an image or "
            "a folder of images"
        )
    if path.suffix.lower() in PICTURES:
        return _from_files([path])
    return _from_capture(cv2.VideoCapture(str(path)), text, live=live, camera=False)


def _from_files(files: list[Path]) -> Source:
    """Read pictures in order; damaged ones become problems."""
    problems = []

    def frames():
        for number, file in enumerate(files):
            image = _read_picture(file)
            if image is None:
                problems.append(f"{file}: not a picture that can be read; left out")
            else:
                yield Frame(number, image, file.name)

    return Source(frames, DEFAULT_FPS, False, problems)


def _read_picture(file: Path) -> np.ndarray | None:
    """Decode a picture; None if it is damaged, something else, or far too large."""
    from PIL import Image, UnidentifiedImageError

    try:
        # Check the header's size before decoding.
        with Image.open(file) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return None
            return cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


@dataclass
class _Capture:
    """An opened camera or video, and what happens while it is read."""

    capture: cv2.VideoCapture
    first: np.ndarray  # its first picture, read already
    text: str  # as the user named it
    total: int  # frames by its own count, 0 for a camera
    interval: float  # seconds between frames when played by the clock, 0: as they come
    problems: list = field(default_factory=list)
    dropped: list = field(default_factory=lambda: [0])

    def is_over(self, number: int) -> bool:
        """Tell whether frame `number` lies beyond the end; a camera has none."""
        return self.total > 0 and number >= self.total

    def every_frame(self) -> Iterator[Frame]:
        """Yield all frames of a video.

        Frames that do not decode become problems, and so does an end before its own count.
        """
        image = self.first
        number = 0
        failures = 0  # frames in a row up to this one that gave no picture
        try:
            while image is not None or (number < self.total and failures < MOST_FAILURES):
                if image is None:
                    failures += 1
                else:
                    if failures:
                        self._report_gap(number - failures, failures)
                    failures = 0
                    yield Frame(number, image)
                number += 1
                image = self.capture.read()[1]
            if number - failures < self.total:
                self.problems.append(
                    f"{self.text}: broke off after {number - failures} of {self.total} frames; "
                    "what was done until then is kept"
                )
        finally:
            self.capture.release()

    def latest_frame(self) -> Iterator[Frame]:
        """Yield the newest frame whenever one is asked for; a thread drops what nobody took."""
        slot = _Slot(Frame(0, self.first))
        reader = threading.Thread(target=self._read_into, args=(slot,), daemon=True)
        reader.start()
        try:
            while (frame := slot.take()) is not None:
                yield frame
        finally:
            slot.ended.set()
            reader.join(2)
            self.capture.release()

    def _read_into(self, slot: "_Slot") -> None:
        """Read frames by the clock until the source or its consumer ends."""
        began = time.perf_counter()
        number = 0
        failures = 0
        while not slot.ended.is_set():
            # Wait for the frame's time, then read it.
            number += 1
            if self.interval:
                time.sleep(max(0.0, began + number * self.interval - time.perf_counter()))
            image = self.capture.read()[1]

            # A picture replaces the one that nobody took.
            if image is not None:
                failures = 0
                self.dropped[0] += slot.put(Frame(number, image))
                continue

            # One frame may not decode, and a camera may stutter; many in a row are the end.
            failures += 1
            if failures < MOST_FAILURES and not self.is_over(number):
                continue
            if not self.is_over(number):
                self.problems.append(
                    f"{self.text}: gives no more frames after {number + 1 - failures}; what was "
                    "done until then is kept"
                )
            slot.end()

    def _report_gap(self, first: int, count: int) -> None:
        """Note frames that did not decode."""
        self.problems.append(
            f"{self.text}: {count} frames from frame {first} on do not decode; left out"
        )


class _Slot:
    """One frame, handed from the thread that reads to the one that takes."""

    def __init__(self, frame: Frame):
        self.frame = frame
        self.ready = threading.Condition()
        self.ended = threading.Event()

    def put(self, frame: Frame) -> bool:
        """Place a frame; True where it replaces one that nobody took."""
        with self.ready:
            replaced = self.frame is not None
            self.frame = frame
            self.ready.notify()
        return replaced

    def take(self) -> Frame | None:
        """Wait for a frame; None at the end."""
        with self.ready:
            self.ready.wait_for(lambda: self.frame is not None or self.ended.is_set())
            frame, self.frame = self.frame, None
        return frame

    def end(self) -> None:
        """Say that no more frames come."""
        with self.ready:
            self.ended.set()
            self.ready.notify()


def _from_capture(capture, text: str, *, live: bool, camera: bool) -> Source:
    """Read from OpenCV's capture of a camera or a video."""
    first = capture.read()[1] if capture.isOpened() else None
    if first is None:
        capture.release()
        reason = "OpenCV reads no frame from it; is it a video?"
        if camera:
            reason = (
                "no camera answers under this number; is it plugged in, allowed and not in use?"
            )
        raise StudyError(f"--source {text}: {reason}")

    # What the source says of itself; nonsense is ignored.
    fps = capture.get(cv2.CAP_PROP_FPS)
    if not 1 <= fps <= 240:
        fps = DEFAULT_FPS

    # A video states its length, a camera has none; only live videos are paced.
    total = 0 if camera else int(capture.get(cv2.CAP_PROP_FRAME_COUNT))
    interval = 1 / fps if live and not camera else 0.0
    opened = _Capture(capture, first, text, total, interval)
    frames = opened.latest_frame if live else opened.every_frame
    return Source(frames, fps, live, opened.problems, opened.dropped)
