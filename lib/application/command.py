"""The command line of the application."""

import argparse
import contextlib
import os
import sys
from collections import deque
from pathlib import Path

from lib.study.errors import StudyError

BEHIND = 4  # frames that may wait for the writer; with a thread of its own it costs the next frame nothing


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    what = "Name the expressions of all faces in a camera, a video, an image or a folder, or evaluate a classifier on labelled pictures."
    p = argparse.ArgumentParser(prog="python -m lib.application", description=what)
    asked = p.add_mutually_exclusive_group(required=True)
    asked.add_argument("--source", help="camera number (0), video, image or folder of images")
    asked.add_argument("--evaluate", type=Path, help="labelled pictures (a folder a class, zip, CSV, Parquet): accuracy class by class")
    p.add_argument("--find-faces", action="store_true", help="with --evaluate: cut the face out of each picture first")
    p.add_argument("--model", required=True, type=Path, help="ONNX classifier, as notebook 70 writes it")
    p.add_argument("--output", type=Path, default=Path("application-output"), help="folder for the results (default: %(default)s)")
    p.add_argument("--no-video", action="store_true", help="write the CSV alone")
    p.add_argument("--show", action="store_true", help="show a window; q or Escape ends")
    p.add_argument("--live", action="store_true", help="play a video by its own clock and drop frames that come too fast, as a camera does")
    p.add_argument("--frames", type=int, default=0, help="stop after so many frames (default: all)")
    p.add_argument("--every", type=int, help="search the whole frame once in so many; 1 always (default: 8; in a folder 1)")
    p.add_argument("--reduce", type=int, default=2, choices=(1, 2, 3, 4), help="shrink whole frames by this first (default: %(default)s)")
    p.add_argument("--min-px", type=int, default=60, help="smallest face, pixels of the frame (default: %(default)s)")
    p.add_argument("--yunet", default="", help="YuNet ONNX file to detect with instead of the Haar cascade")
    p.add_argument("--smoothing", type=float, help="weight of a face's earlier probabilities, 0 to 1 (default: 0.6; in a folder 0)")
    p.add_argument("--memory", type=int, help="frames that a face may be missing and keep its number (default: 30; in a folder 0)")
    p.add_argument("--margin", type=float, default=0.0, help="widening of a face's box on each side, share (default: %(default)s)")
    p.add_argument("--threads", type=int, default=2, help="threads of detector and classifier (default: %(default)s)")
    return p


def main(words: list[str] | None = None) -> int:
    """Run the application; 0, or 1 when something was lost or wrong, 130 when stopped."""
    options = parser().parse_args(words)
    _fill_in(options)
    try:
        return _evaluate(options) if options.evaluate else _run(options)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nstopped; what was done is in {options.output}", file=sys.stderr)
        return 130


def _run(options) -> int:
    import cv2
    import pandas as pd

    from lib.application.detection import make_detector
    from lib.application.network import open_network
    from lib.application.output import REMEMBERED, record, summarise
    from lib.application.sources import open_source
    from lib.application.stream import recognise

    _check(options)
    cv2.setNumThreads(max(1, options.threads - 1))  # one thread is kept for whole frames
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # a source that does not open is named below
    network = open_network(options.model, threads=options.threads)
    make_detector(_settings(options).search)  # what is wrong with it is said before anything is written
    source = open_source(options.source, live=options.live)
    options.output.mkdir(parents=True, exist_ok=True)
    table, video = options.output / "faces.csv", None if options.no_video else options.output / "annotated.avi"
    seen = recognise(source.frames(), network, _settings(options))
    times, frames, faces = deque(maxlen=REMEMBERED), 0, 0
    recorded = record(seen, network.classes, table=table, video=video, fps=source.fps, limit=options.frames, behind=BEHIND)
    with contextlib.closing(recorded):
        for item in recorded:
            frames, faces = frames + 1, faces + sum(not face.missed for face in item.faces)
            times.append(item.milliseconds)
            if options.show and not _show(item, network.classes):
                break
    for problem in source.problems:
        print(f"warning: {problem}", file=sys.stderr)
    print(f"{frames:,} frames, {faces:,} faces, {source.dropped[0]:,} frames dropped; {table}" + (f", {video}" if video else ""))
    print(summarise(pd.DataFrame(times)).to_string(index=False, float_format="%.2f"))
    return 1 if source.problems or not frames else 0


def _evaluate(options) -> int:
    """Say how many labelled pictures of each class the classifier names rightly."""
    from lib.application.carry import class_accuracy, read_labelled
    from lib.application.network import open_network
    from lib.study.records import atomic_write

    _check(options)
    network = open_network(options.model, threads=options.threads)
    faces = read_labelled(options.evaluate, px=network.image_px, find_faces=options.find_faces, margin_share=options.margin)
    table = class_accuracy(network, faces)
    options.output.mkdir(parents=True, exist_ok=True)
    with atomic_write(options.output / "evaluation.csv", "w") as file:
        table.to_csv(file, index=False)
    print(table.to_string(index=False, float_format="%.3f"))
    print(f"95 % intervals over pictures; {options.output / 'evaluation.csv'}")
    return 0


def _settings(options):
    """Collect the options of the pipeline."""
    from lib.application.detection import Search
    from lib.application.stream import Options

    search = Search(min_px=options.min_px, reduce=options.reduce, every=options.every, yunet=options.yunet, background=options.threads > 1)
    steadiness = 0.3 if options.smoothing else 0.0  # what is read frame by frame has a box of its own, too
    return Options(search, memory=options.memory, steadiness=steadiness, smoothing=options.smoothing, margin_share=options.margin)


def _fill_in(options) -> None:
    """Choose what was left open: frames of a video follow each other, pictures of a folder have nothing to do with each other."""
    apart = options.source is not None and Path(options.source).expanduser().is_dir()
    for key, followed, alone in (("every", 8, 1), ("smoothing", 0.6, 0.0), ("memory", 30, 0)):
        if getattr(options, key) is None:
            setattr(options, key, alone if apart else followed)


def _check(options) -> None:
    """Refuse values out of range."""
    ranges = {"smoothing": (0, 0.99), "margin": (-0.3, 1), "every": (1, 1000), "memory": (0, 1000), "min_px": (20, 2000)}
    ranges |= {"threads": (1, 256), "frames": (0, 1e12)}
    for key, (low, high) in ranges.items():
        if not low <= getattr(options, key) <= high:
            raise StudyError(f"--{key.replace('_', '-')} {getattr(options, key)}: must lie between {low:g} and {high:g}")
    if options.show and sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        raise StudyError("--show: there is no display here; leave --show out, the video is written anyway")
    if options.output.exists() and not options.output.is_dir():
        raise StudyError(f"--output {options.output}: is a file; give a folder")


def _show(item, classes) -> bool:
    """Show a frame in a window; False when the user ends it."""
    import cv2

    from lib.application.drawing import annotate

    try:
        cv2.imshow("faces", annotate(item.frame.image.copy(), item.faces, classes))
        return cv2.waitKey(1) not in (27, ord("q"))
    except cv2.error as error:
        reason = str(error).splitlines()[0][:100]
        raise StudyError(f"--show: no window can be opened here ({reason}); leave --show out, the video is written anyway") from None
