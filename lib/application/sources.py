"""Frames from a camera, a stream, a video, or pictures, one at a time; nothing is queued."""

import re
import stat
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

import cv2
import numpy as np

from lib.faces.content import HEAD, describe_content, is_zip
from lib.faces.files import MOST_BYTES, PARQUETS, TABLES, Files, existing, open_files
from lib.faces.pictures import PICTURES, decode_colour, endings_read, is_animation
from lib.study.errors import StudyError

DEFAULT_FPS = 25.0  # where a source does not say
MOST_FAILURES = 25  # reads in a row without a picture after which a source has broken off
CAMERA = re.compile(r"[0-9]{1,4}")
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
PASSWORD = re.compile(r"//[^/@]*@")  # of an address, which messages do not tell
TIMEOUT_MS = 10_000  # of a stream that does not answer
# A video ends in time where its last frame lies so close to the end that it states.
END_FRAMES = 2  # frames at its stated rate
END_GAPS = 2  # largest gaps between two of its frames
END_SHARE = 0.02  # of its length


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
        unrelated: frames are pictures that do not follow each other.
        problems: one line a problem, filled while frames are read.
        dropped: number of frames that nobody took, in a list of one.
    """

    frames: Callable[[], Iterator[Frame]]
    fps: float
    live: bool
    unrelated: bool = False  # pictures that do not follow each other
    problems: list = field(default_factory=list)
    dropped: list = field(default_factory=lambda: [0])


def open_source(text: str, *, live: bool = False) -> Source:
    """Open a camera, a stream, a video, a picture, or a folder or zip file of pictures.

    Args:
        text: "0" or /dev/video0 for the first camera, an address (rtsp://, http://), else a path.
        live: play a video by its own clock and drop what cannot be taken in time.

    Raises:
        StudyError: no such camera, stream or file, no pictures in it, or a file that OpenCV cannot
            read.
    """
    # Cameras by number, streams by address.
    if CAMERA.fullmatch(text):
        return _from_camera(int(text), text)
    if re.fullmatch(r"[-+]?\d+", text):
        raise StudyError(f"--source {text}: no camera has this number; the first one is 0")
    if ADDRESS.match(text) and not text.lower().startswith("file://"):
        return _from_stream(text, live)

    # Files, and devices among them.
    try:
        path = existing(unquote(urlsplit(text).path) if ADDRESS.match(text) else text)
    except StudyError as error:
        raise StudyError(
            f"--source {error}; give a camera number, a video, an image, a folder of images or the "
            "address of a stream"
        ) from None
    if stat.S_ISCHR(path.stat().st_mode):
        return _from_camera(str(path), text)
    if path.is_dir():
        return _from_pictures(path)
    if not path.is_file():
        raise StudyError(f"--source {text}: is a pipe or the like; give a file")
    return _from_file(path, text, live)


def _from_file(path: Path, text: str, live: bool) -> Source:
    """Open a file: one picture, a zip of them, or a video."""
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise StudyError(f"--source {text}: cannot be read ({error.strerror})") from None
    if is_zip(head):
        return _from_pictures(path)
    if path.suffix.lower() in (*TABLES, *PARQUETS):
        raise StudyError(f"--source {text}: is a table; --evaluate reads the faces in tables")

    # A picture that moves is a video.
    if path.suffix.lower() in PICTURES:
        if path.stat().st_size > MOST_BYTES:
            raise StudyError(f"--source {text}: is too large for a picture; make it smaller")
        if not is_animation(path.read_bytes()):
            return _of_names(None, [(path.name, path)])
    return _from_capture(cv2.VideoCapture(str(path)), text, live=live, said=_why_no_video(head))


def _from_pictures(path: Path) -> Source:
    """Read the pictures of a folder or zip file, each real file once."""
    try:
        files = open_files(path)
    except StudyError as error:
        raise StudyError(f"--source {error}") from None
    names = files.once(files.pictures)
    files.announce(names)
    if not names:
        raise StudyError(
            f"--source {path}: no pictures in this folder; expected files ending in "
            f"{endings_read()}"
        )
    return _of_names(files, [(name, files.path / name) for name in names])


def _of_names(files: Files | None, names: list[tuple[str, Path]]) -> Source:
    """Decode pictures in order; damaged ones become problems.

    Args:
        files: that hold them; None for a file of its own.
        names: what each is called, and its path.
    """
    problems = []

    def frames():
        for number, (name, path) in enumerate(names):
            try:
                data = files.read(name) if files else path.read_bytes()
                image = decode_colour(data, files.where(name) if files else str(path))
            except (StudyError, OSError) as error:
                problems.append(f"{error}; left out")
            else:
                yield Frame(number, image, name)

    return Source(frames, DEFAULT_FPS, False, len(names) > 1, problems)


@dataclass
class _Capture:
    """An opened camera or video, and what happens while it is read."""

    capture: cv2.VideoCapture
    first: np.ndarray  # its first picture, read already
    text: str  # as the user named it
    total: int  # frames by its own count, 0 for a camera
    interval: float  # seconds between frames when played by the clock, 0: as they come
    rate: float = 0.0  # frames a second by its own count, 0 where it does not say
    problems: list = field(default_factory=list)
    dropped: list = field(default_factory=lambda: [0])
    at: float = 0.0  # time of the last picture, milliseconds
    gap: float = 0.0  # longest time between two pictures, milliseconds

    def read(self) -> np.ndarray | None:
        """Read the next picture and note its time; None where there is none."""
        image = self.capture.read()[1]
        if image is not None:
            at = self.capture.get(cv2.CAP_PROP_POS_MSEC)
            if np.isfinite(at) and at > self.at:
                self.gap = max(self.gap, at - self.at)
                self.at = at
        return image

    def is_over(self, number: int) -> bool:
        """Tell whether frame `number` lies beyond the end; a camera has none.

        Where frames come at varying times, the count that a file states is only its length by the
        clock; the times of its frames tell then.
        """
        if not self.total:
            return False
        return number >= self.total or self.is_over_by_time()

    def is_over_by_time(self) -> bool:
        """Tell whether the last picture lies at the end of the stated length."""
        if not self.total or not self.rate or not self.at:
            return False
        length = 1e3 * self.total / self.rate
        near = max(END_FRAMES * 1e3 / self.rate, END_GAPS * self.gap, END_SHARE * length)
        return self.at + near >= length

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
                image = self.read()
            if number - failures < self.total and not self.is_over_by_time():
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
            image = self.read()

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


def _from_camera(device: int | str, text: str) -> Source:
    """Read from a camera, by number or by device."""
    said = "no camera answers there; is it plugged in, allowed and not in use?"
    return _from_capture(cv2.VideoCapture(device), text, live=True, said=said, endless=True)


def _from_stream(address: str, live: bool) -> Source:
    """Read from a stream on the network."""
    limits = [
        cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
        TIMEOUT_MS,
        cv2.CAP_PROP_READ_TIMEOUT_MSEC,
        TIMEOUT_MS,
    ]
    try:
        capture = cv2.VideoCapture(address, cv2.CAP_ANY, limits)
    except cv2.error:  # an address that it cannot take apart
        capture = cv2.VideoCapture()
    said = (
        "no stream answers at this address; is it written right, and can it be reached from here?"
    )
    shown = PASSWORD.sub("//***@", address)

    # What has a length is a video that lies elsewhere.
    has_length = capture.isOpened() and capture.get(cv2.CAP_PROP_FRAME_COUNT) > 0
    return _from_capture(
        capture, shown, live=live or not has_length, said=said, endless=not has_length
    )


def _why_no_video(head: bytes) -> str:
    """Say why a file is no video, by its first bytes."""
    content = describe_content(head)
    if content and not content.startswith("is a film"):
        return content
    return "OpenCV reads no frame from it; is it a video, and whole?"


def _from_capture(capture, text: str, *, live: bool, said: str, endless: bool = False) -> Source:
    """Read from OpenCV's capture of a camera, a stream or a video.

    Args:
        said: why there is nothing, where no frame can be read.
        endless: a camera or stream: it has no length.
    """
    first = capture.read()[1] if capture.isOpened() else None
    if first is None:
        capture.release()
        raise StudyError(f"--source {text}: {said}")

    # What the source says of itself; nonsense is ignored.
    stated = capture.get(cv2.CAP_PROP_FPS)
    rate = stated if np.isfinite(stated) and stated > 0 else 0.0
    fps = rate if 1 <= rate <= 240 else DEFAULT_FPS

    # A video states its length, a camera has none; only live videos are paced.
    count = capture.get(cv2.CAP_PROP_FRAME_COUNT)
    total = int(count) if not endless and np.isfinite(count) and 0 < count < 1e12 else 0
    interval = 1 / fps if live and not endless else 0.0
    opened = _Capture(capture, first, text, total, interval, rate)
    frames = opened.latest_frame if live else opened.every_frame
    return Source(frames, fps, live, False, opened.problems, opened.dropped)
