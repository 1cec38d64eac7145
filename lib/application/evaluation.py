"""What notebook 70 needs of the application: which network, on whose faces, with what result."""

import contextlib
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.application.network import Network
from lib.application.output import record, summarise
from lib.application.sources import open_source
from lib.application.stream import recognise
from lib.curation.intervals import wilson
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet
from lib.faces.kinds import kind_of_images
from lib.study.errors import StudyError

CAST = 40  # faces that play in the film
AVERAGED = 50  # photographs behind an average, at least: fewer could show a person
TIMED = 100  # calls that are timed
GREY = 128  # level of a square in place of a face
FIRST_SEED = 900_000_000  # drawn actors' seeds begin here, far from those of any study


def best_kept_run(runs: pd.DataFrame) -> dict:
    """Choose, among the runs whose weights are on disk, the one that is best on validation images.

    Without validation images it is the first.

    Args:
        runs: from recorded_runs.

    Raises:
        StudyError: no run kept its weights.
    """
    # Runs whose weights are on disk.
    has_weights = np.array([(folder / "model.safetensors").exists() for folder in runs["folder"]])
    kept = runs[has_weights & (runs["failed"] == "").to_numpy()]
    if not len(kept):
        raise StudyError(
            "no run kept its weights; set keep_weights to 1 or more and run notebook 40 again"
        )

    # The best of them on the validation images.
    validated = "accuracy_val" in kept and kept["accuracy_val"].notna().any()
    best = kept["accuracy_val"].idxmax() if validated else kept.index[0]
    return kept.loc[best].to_dict()


def actors_of(test: FaceSet, show_photographs: bool, *, seed: int) -> FaceSet:
    """Take the faces of a film: test images if they may be shown, else drawings.

    Drawn are the classes of the study that are among the seven emotions. Where none is, averages
    of AVERAGED photographs of a class or more stand for it, in which nobody can be recognised, and
    a grey square where there are fewer.

    Returns:
        Face set of the study's classes.
    """
    if show_photographs or kind_of_images(test.table) != "photographs":
        order = np.random.default_rng(seed).permutation(len(test))
        return test.select(order[:CAST])

    # Draw every class that can be drawn in turn.
    numbers = np.arange(CAST)
    drawn = tuple(name for name in test.classes if name in EMOTIONS)
    if not drawn:
        return _averages(test, numbers)
    seeds = FIRST_SEED + seed * CAST + numbers
    faces = draw_faces(numbers % len(drawn), seeds, classes=drawn)
    return FaceSet(faces.images, faces.table, test.classes)


def compare_networks(
    networks: dict[str, Network], sizes: dict[str, int], images: np.ndarray, labels: np.ndarray
) -> pd.DataFrame:
    """Compare networks on the same images; the first is the reference.

    Args:
        networks: by name.
        sizes: bytes of each network's file, by name.
        images: uint8 (N, px, px).
        labels: int64 (N,).

    Returns:
        One row a network: network, accuracy, low, high (95% Wilson), change (accuracy minus the
        reference's) with change_low and change_high (95%, paired by image), agreement (with the
        reference), kilobytes, milliseconds (median of one image).
    """
    predictions = {name: network.classify(images).argmax(1) for name, network in networks.items()}
    reference = next(iter(predictions.values()))
    rows = []
    for name, predicted in predictions.items():
        # Accuracy alone, and paired with the reference.
        correct = predicted == labels
        accuracy, low, high = wilson(int(correct.sum()), len(labels))
        change, change_low, change_high = paired_difference(reference == labels, correct)
        rows.append(
            {
                "network": name,
                "accuracy": accuracy,
                "low": low,
                "high": high,
                "change": change,
                "change_low": change_low,
                "change_high": change_high,
                "agreement": float((predicted == reference).mean()),
                "kilobytes": sizes[name] / 1000,
                "milliseconds": _milliseconds(networks[name], images),
            }
        )
    return pd.DataFrame(rows)


def paired_difference(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """Give the change in the share of correct answers to the same questions, with its interval.

    Args:
        before, after: bool (N,), correct or not.

    Returns:
        The change and the ends of its 95% interval.

    Source: Agresti and Min 2005, "Simple improved confidence intervals for comparing matched
    proportions": half an image is added to each kind of disagreement, so that full agreement is not
    taken for certainty.
    """
    # Count the two kinds of disagreement.
    gained = (after & ~before).sum() + 0.5
    lost = (before & ~after).sum() + 0.5
    n = len(before) + 2

    # Wald interval of the adjusted counts.
    centre = (gained - lost) / n
    reach = 1.96 * np.sqrt(gained + lost - (gained - lost) ** 2 / n) / n
    change = after.mean() - before.mean()
    return float(change), float(centre - reach), float(centre + reach)


def run_video(video: Path, network: Network, folder: Path) -> dict:
    """Run the pipeline over a video, as the command does.

    Returns:
        times (quantiles by stage) and table (the CSV, one row a face and frame).

    Raises:
        StudyError: the video does not read.
    """
    # Process and record the video.
    source = open_source(str(video))
    recorded = record(
        recognise(source.frames(), network),
        network.classes,
        table=folder / "faces.csv",
        video=folder / "annotated.avi",
        fps=source.fps,
    )
    with contextlib.closing(recorded) as items:
        times = summarise(pd.DataFrame([item.milliseconds for item in items]))
    return {"times": times, "table": pd.read_csv(folder / "faces.csv")}


def film_strip(video: Path, *, n: int) -> np.ndarray:
    """Take n frames spread over a video, grey uint8 (n, H, W)."""
    # Seek the wanted frames one by one.
    capture = cv2.VideoCapture(str(video))
    last = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) - 1
    frames = []
    for number in np.linspace(0, last, n).astype(int):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(number))
        complete, frame = capture.read()
        if complete:
            frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))
    capture.release()
    return np.stack(frames)


def _averages(test: FaceSet, numbers: np.ndarray) -> FaceSet:
    """Take the average image of each class in turn, or a grey square."""
    grey = np.full(test.images.shape[1:], GREY, np.uint8)
    images, names = [], []
    for name in test.classes:
        of_class = test.images[(test.table["class"] == name).to_numpy()]
        shown = len(of_class) >= AVERAGED
        images.append(np.uint8(np.rint(of_class.mean(0))) if shown else grey)
        names.append(name)
    order = numbers % len(names)
    table = pd.DataFrame({"id": [f"average-{number}" for number in numbers]})
    table = table.assign(**{"class": np.array(names)[order]}, split="test", source="averages")
    return FaceSet(np.stack(images)[order], table, test.classes)


def _milliseconds(network: Network, images: np.ndarray) -> float:
    """Measure the median time of one image."""
    times = []
    for i in range(TIMED):
        # One image, from call to result.
        image = images[i % len(images)][None]
        began = time.perf_counter()
        network.classify(image)
        times.append(1e3 * (time.perf_counter() - began))
    return float(np.median(times))
