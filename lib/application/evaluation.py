"""What notebook 70 asks of the application: which network, on whose faces, with what result."""

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
from lib.classifiers.runs import load_predictions
from lib.curation.intervals import wilson
from lib.faces.drawn import draw_faces
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.kinds import kind_of_images
from lib.study.errors import StudyError

CAST = 40  # faces that play in the film


def best_kept_run(runs: pd.DataFrame) -> dict:
    """Choose, among the runs whose weights are on disk, the one that is best on validation images (on none where there are none).

    Args:
        runs: from recorded_runs.

    Raises:
        StudyError: no run kept its weights.
    """
    has_weights = np.array([(folder / "model.safetensors").exists() for folder in runs["folder"]])
    kept = runs[has_weights & (runs["failed"] == "").to_numpy()]
    if not len(kept):
        raise StudyError("no run kept its weights; set keep_weights to 1 or more and run notebook 40 again")
    row = kept["accuracy_val"].idxmax() if "accuracy_val" in kept and kept["accuracy_val"].notna().any() else kept.index[0]
    return kept.loc[row].to_dict()


def actors_of(test: FaceSet, show_photographs: bool, *, seed: int) -> FaceSet:
    """Take the faces of a film: test images if they may be shown, else drawings."""
    rng = np.random.default_rng(seed)
    if show_photographs or kind_of_images(test.table) != "photographs":
        return test.select(rng.permutation(len(test))[:CAST])
    return draw_faces(np.arange(CAST) % len(CLASSES), 900_000_000 + seed * CAST + np.arange(CAST))


def same_accuracy(networks: dict[str, Network], sizes: dict[str, int], images: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Compare networks on the same images; the first is the reference of the agreement.

    Returns:
        One row a network: network, accuracy, low, high (95 % Wilson), change (accuracy minus the reference's; less than 0: lost) with
        change_low and change_high (95 %, paired by image), agreement, kilobytes, milliseconds (median of one image).
    """
    answers = {name: network.classify(images).argmax(1) for name, network in networks.items()}
    reference, rows = next(iter(answers.values())), []
    for name, said in answers.items():
        share, low, high = wilson(int((said == labels).sum()), len(labels))
        row = {"network": name, "accuracy": share, "low": low, "high": high}
        row |= dict(zip(("change", "change_low", "change_high"), paired_difference(reference == labels, said == labels)))
        row |= {"agreement": float((said == reference).mean())}
        rows.append(row | {"kilobytes": sizes[name] / 1000, "milliseconds": _milliseconds(networks[name], images)})
    return pd.DataFrame(rows)


def paired_difference(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """Compare two answers to the same questions: the change in the share of right ones, with its 95 % interval.

    Args:
        before, after: bool (N,), right or not.

    Source: Agresti and Min 2005, "Simple improved confidence intervals for comparing matched proportions", half an image added to
        each kind of disagreement, so that full agreement is not taken for certainty.
    """
    gained, lost, n = (after & ~before).sum() + 0.5, (before & ~after).sum() + 0.5, len(before) + 2
    middle, error = (gained - lost) / n, np.sqrt(gained + lost - (gained - lost) ** 2 / n) / n
    return float(after.mean() - before.mean()), float(middle - 1.96 * error), float(middle + 1.96 * error)


def _milliseconds(network: Network, images: np.ndarray, repeats: int = 100) -> float:
    times = []
    for i in range(repeats):
        began = time.perf_counter()
        network.classify(images[i % len(images)][None])
        times.append(1e3 * (time.perf_counter() - began))
    return float(np.median(times))


def run_video(video: Path, network: Network, folder: Path) -> dict:
    """Run the pipeline over a video, as the command does.

    Returns:
        times (quantiles by stage) and table (the CSV, one row a face and frame).

    Raises:
        StudyError: the video does not read.
    """
    source = open_source(str(video))
    seen = recognise(source.frames(), network)
    recorded = record(seen, network.classes, table=folder / "faces.csv", video=folder / "annotated.avi", fps=source.fps)
    with contextlib.closing(recorded) as items:
        times = summarise(pd.DataFrame([item.milliseconds for item in items]))
    return {"times": times, "table": pd.read_csv(folder / "faces.csv")}


def strip(video: Path, *, n: int) -> np.ndarray:
    """Take n frames spread over a video, grey uint8 (n, H, W)."""
    capture = cv2.VideoCapture(str(video))
    total, frames = int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), []
    for number in np.linspace(0, total - 1, n).astype(int):
        capture.set(cv2.CAP_PROP_POS_FRAMES, int(number))
        found, frame = capture.read()
        frames += [cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)] if found else []
    capture.release()
    return np.stack(frames)


def predictions_by_arm(runs: pd.DataFrame, arms: list[str]) -> dict[str, np.ndarray]:
    """Stack the test predictions of arms over seeds, float (S, N, 7) by arm; the first classifier's."""
    mine = runs[(runs["classifier"] == runs["classifier"].iloc[0]) & (runs["failed"] == "")]
    return {arm: np.stack([load_predictions(folder)["test"] for folder in mine.loc[mine["arm"] == arm, "folder"]]) for arm in arms}
