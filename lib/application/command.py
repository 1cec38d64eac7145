"""The command line of the application."""

import argparse
import contextlib
import os
import sys
from collections import deque
from pathlib import Path

from lib.study.errors import StudyError

# Frames that may wait for the writer; with a thread of its own it does not delay the next frame.
BEHIND = 4
# Defaults for the frames of a video, which follow each other, and for unrelated pictures.
FOLLOWING = {"every": 8, "smoothing": 0.6, "memory": 30}
UNRELATED = {"every": 1, "smoothing": 0.0, "memory": 0}
STEADINESS = 0.3  # weight of the old box where frames follow each other
RANGES = {
    "smoothing": (0, 0.99),
    "margin": (-0.3, 1),
    "every": (1, 1000),
    "memory": (0, 1000),
    "min_px": (20, 2000),
    "threads": (1, 256),
    "frames": (0, 1e12),
}


def parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    p = argparse.ArgumentParser(
        prog="python -m lib.application",
        description="Classify the expressions of all faces in a camera, a video, an image or a "
        "folder, or evaluate a classifier on labelled pictures.",
    )
    _add_task(p)
    _add_results(p)
    _add_tracking(p)
    return p


def _add_task(p: argparse.ArgumentParser) -> None:
    """Add what to do, and with which network."""
    task = p.add_mutually_exclusive_group(required=True)
    task.add_argument(
        "--source",
        help="camera number (0) or device, address of a stream (rtsp://...), video, image, or "
        "folder or zip of images",
    )
    task.add_argument(
        "--evaluate",
        type=_path,
        help="labelled pictures (one folder a class, metadata.csv, zip, CSV, Parquet): accuracy by "
        "class",
    )
    p.add_argument(
        "--find-faces",
        action="store_true",
        help="with --evaluate: cut the face out of each picture first",
    )
    p.add_argument(
        "--model", required=True, type=_path, help="ONNX classifier, as notebook 70 writes it"
    )


def _add_results(p: argparse.ArgumentParser) -> None:
    """Add what to write and to show."""
    p.add_argument(
        "--output",
        type=_path,
        default=Path("application-output"),
        help="folder for the results (default: %(default)s)",
    )
    p.add_argument("--no-video", action="store_true", help="write the CSV alone")
    p.add_argument("--show", action="store_true", help="show a window; q or Escape ends")
    p.add_argument(
        "--live",
        action="store_true",
        help="play a video by its own clock and drop frames that come too fast, like a camera",
    )
    p.add_argument("--frames", type=int, default=0, help="stop after so many (default: all)")


def _add_tracking(p: argparse.ArgumentParser) -> None:
    """Add how faces are detected, tracked and classified."""
    p.add_argument(
        "--every",
        type=int,
        help="search the whole frame once in so many; 1 always (default: 8; in a folder 1)",
    )
    p.add_argument(
        "--reduce",
        type=int,
        default=2,
        choices=(1, 2, 3, 4),
        help="shrink whole frames by this first (default: %(default)s)",
    )
    p.add_argument(
        "--min-px",
        type=int,
        default=60,
        help="smallest face, pixels of the frame (default: %(default)s)",
    )
    p.add_argument(
        "--yunet", default="", type=_text_path, help="YuNet ONNX file, instead of the Haar cascade"
    )
    p.add_argument(
        "--smoothing",
        type=float,
        help="weight of a face's earlier probabilities, 0 to 1 (default: 0.6; in a folder 0)",
    )
    p.add_argument(
        "--memory",
        type=int,
        help="frames that a face may be missing and keep its number (default: 30; in a folder 0)",
    )
    p.add_argument(
        "--margin",
        type=float,
        default=0.0,
        help="widening of a face's box on each side, share (default: %(default)s)",
    )
    p.add_argument(
        "--threads",
        type=int,
        default=2,
        help="threads of detector and classifier (default: %(default)s)",
    )


def main(words: list[str] | None = None) -> int:
    """Run the application; 0, or 1 when something was lost or wrong, 130 when stopped."""
    # Read the command line, then do what it asks for.
    options = parser().parse_args(words)
    try:
        return _evaluate(options) if options.evaluate else _run(options)
    except StudyError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"\nstopped; what was done is in {options.output}", file=sys.stderr)
        return 130


def _run(options) -> int:
    """Process a source, and print what it came to."""
    import cv2
    import pandas as pd

    from lib.application.detection import make_detector
    from lib.application.network import open_network
    from lib.application.output import REMEMBERED, record, summarise
    from lib.application.sources import open_source
    from lib.application.stream import recognise

    # Set up; all mistakes are found before anything is written.
    _check(options)
    cv2.setNumThreads(max(1, options.threads - 1))  # one thread is kept for whole frames
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)
    network = open_network(options.model, threads=options.threads)
    source = open_source(options.source, live=options.live)
    _fill_in(options, source.unrelated)
    pipeline = _pipeline(options)
    make_detector(pipeline.search)
    _make_folder(options.output)
    table = options.output / "faces.csv"
    video = None if options.no_video else options.output / "annotated.avi"

    # Process and record frame by frame.
    recorded = record(
        recognise(source.frames(), network, pipeline),
        network.classes,
        table=table,
        video=video,
        fps=source.fps,
        limit=options.frames,
        behind=BEHIND,
    )
    times = deque(maxlen=REMEMBERED)
    frames = faces = 0
    with contextlib.closing(recorded):
        for result in recorded:
            frames += 1
            faces += sum(not face.missed for face in result.faces)
            times.append(result.milliseconds)
            if options.show and not _show(result, network.classes):
                break

    # Report.
    for problem in source.problems:
        print(f"warning: {problem}", file=sys.stderr)
    written = f"{table}, {video}" if video else f"{table}"
    dropped = f"{source.dropped[0]:,} frames dropped"
    print(f"{frames:,} frames, {faces:,} faces, {dropped}; {written}")
    print(summarise(pd.DataFrame(times)).to_string(index=False, float_format="%.2f"))
    return 1 if source.problems or not frames else 0


def _evaluate(options) -> int:
    """Print and write the classifier's accuracy on labelled pictures, class by class."""
    from lib.application.cross_dataset import class_accuracy, read_labelled
    from lib.application.network import open_network
    from lib.application.output import writing
    from lib.study.records import write_csv

    _check(options)

    # Read network and pictures.
    network = open_network(options.model, threads=options.threads)
    faces = read_labelled(
        options.evaluate,
        px=network.image_px,
        classes=network.classes,
        find_faces=options.find_faces,
        margin_share=options.margin,
    )

    # Evaluate, write and print.
    table = class_accuracy(network, faces)
    _make_folder(options.output)
    written = options.output / "evaluation.csv"
    with writing(written):
        write_csv(written, table)
    print(table.to_string(index=False, float_format="%.3f"))
    print(f"95% intervals over pictures; {written}")
    return 0


def _pipeline(options):
    """Collect the settings of the pipeline."""
    from lib.application.detection import Search
    from lib.application.stream import Pipeline

    search = Search(
        min_px=options.min_px,
        reduce=options.reduce,
        every=options.every,
        yunet=options.yunet,
        background=options.threads > 1,
    )
    # What is classified frame by frame has a box of its own, too.
    steadiness = STEADINESS if options.smoothing else 0.0
    return Pipeline(
        search,
        memory=options.memory,
        steadiness=steadiness,
        smoothing=options.smoothing,
        margin_share=options.margin,
    )


def _path(text: str) -> Path:
    """Read a path of the command line; a shell leaves the ~ of --output=~/x as it is."""
    if not text.strip():
        raise argparse.ArgumentTypeError("no path is given")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~nobody
        raise argparse.ArgumentTypeError(f"{text}: there is no such user's home") from None


def _text_path(text: str) -> str:
    """Read a path that may be left empty."""
    return str(_path(text)) if text else ""


def _make_folder(folder: Path) -> None:
    """Make the folder of the results.

    Raises:
        StudyError: it cannot be made there.
    """
    from lib.application.output import writing

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)


def _fill_in(options, unrelated: bool) -> None:
    """Choose what was left open, by whether frames follow each other."""
    for key, value in (UNRELATED if unrelated else FOLLOWING).items():
        if getattr(options, key) is None:
            setattr(options, key, value)


def _check(options) -> None:
    """Refuse values out of range, a window without a display, and a file in place of a folder."""
    for key, (low, high) in RANGES.items():
        value = getattr(options, key)
        if value is None:  # chosen by the source
            continue
        if not low <= value <= high:
            name = key.replace("_", "-")
            raise StudyError(f"--{name} {value}: must lie between {low:g} and {high:g}")

    # A window needs a display.
    has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if options.show and sys.platform == "linux" and not has_display:
        raise StudyError(
            "--show: there is no display here; leave --show out, the video is written anyway"
        )
    if options.output.exists() and not options.output.is_dir():
        raise StudyError(f"--output {options.output}: is a file; give a folder")


def _show(result, classes) -> bool:
    """Show a frame in a window; False when the user ends it."""
    import cv2

    from lib.application.drawing import annotate

    try:
        # Draw into a copy: the video gets its own.
        cv2.imshow("faces", annotate(result.frame.image.copy(), result.faces, classes))
        return cv2.waitKey(1) not in (27, ord("q"))
    except cv2.error as error:
        reason = str(error).splitlines()[0][:100]
        raise StudyError(
            f"--show: no window can be opened here ({reason}); leave --show out, the video is "
            "written anyway"
        ) from None
