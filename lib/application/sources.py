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
LARGEST_PICTURE = 64_000_000  # pixels; more is taken for a decompression bomb
PATIENCE = 25  # reads in a row without a picture after which a source has broken off


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
        fps: frames a second that the source says it has, 25 where it says nothing.
        live: frames come by the clock and are dropped, not queued, when nobody takes them.
        problems: one line a problem, filled while frames are read.
        dropped: number of frames that nobody took, in a list of one.
    """

    frames: Callable[[], Iterator[Frame]]
    fps: float
    live: bool
    problems: list = field(default_factory=list)
    dropped: list = field(default_factory=lambda: [0])  # one number: how many were


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
        files = sorted(p for p in path.rglob("*") if p.suffix.lower() in PICTURES)
        if not files:
            raise StudyError(f"--source {text}: no pictures in this folder; expected files ending in {', '.join(PICTURES)}")
        return _from_files(files)
    if not path.is_file():
        raise StudyError(f"--source {text}: no such file or folder; give a camera number, a video, an image or a folder of images")
    if path.suffix.lower() in PICTURES:
        return _from_files([path])
    return _from_capture(cv2.VideoCapture(str(path)), text, live=live, camera=False)


def _from_files(files: list[Path]) -> Source:
    problems = []

    def frames():
        for number, file in enumerate(files):
            image = _read_picture(file)
            if image is None:
                problems.append(f"{file}: not a picture that can be read; left out")
            else:
                yield Frame(number, image, file.name)

    return Source(frames, 25.0, False, problems)


def _read_picture(file: Path) -> np.ndarray | None:
    """Decode a picture; None if it is damaged, something else, or far too large."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(file) as picture:
            if picture.width * picture.height > LARGEST_PICTURE:
                return None
            return cv2.cvtColor(np.asarray(picture.convert("RGB")), cv2.COLOR_RGB2BGR)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError):
        return None


def _from_capture(capture, text: str, *, live: bool, camera: bool) -> Source:
    ok, first = capture.read() if capture.isOpened() else (False, None)
    if not ok:
        capture.release()
        no_camera = "no camera answers under this number; is it plugged in, allowed and not in use?"
        raise StudyError(f"--source {text}: {no_camera if camera else 'OpenCV reads no frame from it; is it a video?'}")
    fps = capture.get(cv2.CAP_PROP_FPS)
    fps = fps if 1 <= fps <= 240 else 25.0
    total, problems, dropped = 0 if camera else int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), [], [0]
    pace = 1 / fps if live and not camera else 0.0
    source = _latest if live else _each
    return Source(lambda: source(capture, first, text, total, problems, dropped, pace), fps, live, problems, dropped)


def _each(capture, image, text, total, problems, dropped, pace) -> Iterator[Frame]:
    """Yield every frame of a video; say which do not decode, and when it ends before its own count."""
    number, missing = 0, 0  # missing: frames in a row up to this one that gave no picture
    try:
        while image is not None or (number < total and missing < PATIENCE):
            if image is None:
                missing += 1
            else:
                if missing:
                    problems.append(f"{text}: {missing} frames from frame {number - missing} on do not decode; left out")
                missing = 0
                yield Frame(number, image)
            number += 1
            image = capture.read()[1]
        if number - missing < total:
            problems.append(f"{text}: broke off after {number - missing} of {total} frames; what was done until then is kept")
    finally:
        capture.release()


def _latest(capture, image, text, total, problems, dropped, pace) -> Iterator[Frame]:
    """Yield the newest frame whenever one is asked for; a thread reads on and overwrites what nobody took."""
    slot, ready, stop = [Frame(0, image)], threading.Condition(), threading.Event()

    def read():
        number, missing, start = 0, 0, time.perf_counter()
        while not stop.is_set():
            number += 1
            time.sleep(max(0.0, start + number * pace - time.perf_counter()) if pace else 0)
            picture = capture.read()[1]
            missing = 0 if picture is not None else missing + 1
            if 0 < missing < PATIENCE and (number < total or not total):
                continue  # one that does not decode; a camera may stutter
            with ready:
                dropped[0] += slot[0] is not None and picture is not None
                slot[0] = None if picture is None and slot[0] is None else slot[0] if picture is None else Frame(number, picture)
                if picture is None:
                    stop.set()
                    if number < total or not total:
                        problems.append(f"{text}: gives no more frames after {number + 1 - missing}; what was done until then is kept")
                ready.notify()

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        while True:
            with ready:
                ready.wait_for(lambda: slot[0] is not None or stop.is_set())
                frame, slot[0] = slot[0], None
            if frame is None:
                return
            yield frame
    finally:
        stop.set()
        reader.join(2)
        capture.release()
