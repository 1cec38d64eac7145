"""Models compared on the same film: accuracy, agreement, and how often each changes its mind."""

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lib.application.behaviour import flips, time_per_class
from lib.application.network import Network
from lib.application.sources import open_source
from lib.application.stream import recognise
from lib.application.tracking import overlaps
from lib.classifiers.models import load_facts, load_model, predict
from lib.classifiers.runs import load_predictions
from lib.faces.arms import REAL_KINDS, Arm, arm_of

DRAWS = 2000  # of the bootstrap over images
# Of a film's summary; it has no rows where no face was detected.
FILM_COLUMNS = ("model", "accuracy", "low", "high", "images", "flips_per_100", "agreement")


def compared_arms(runs: pd.DataFrame, *, most: int = 4) -> list[Arm]:
    """Choose base and the arms with synthetic images that are compared with it.

    Supplements come first, then the others, those with most synthetic images first. Arms whose
    synthetic images carry shuffled labels teach nothing and are left out.

    Args:
        runs: from recorded_runs; the first classifier's count.
        most: synthetic arms, at most.
    """
    # One row an arm, of the first classifier's runs that succeeded.
    first = runs["classifier"] == runs["classifier"].iloc[0]
    rows = runs[(runs["failed"] == "") & first].drop_duplicates("arm")
    synthetic = rows[~rows["kind"].isin([*REAL_KINDS, "shuffled"])]

    # Order by kind, then by the number of synthetic images.
    made = [counts.get("synthetic", 0) for counts in synthetic["images_by_source"]]
    ordered = synthetic.assign(made=made, supplement=synthetic["kind"] == "supplement")
    ordered = ordered.sort_values(["supplement", "made"], ascending=False, kind="stable")

    # Base first.
    base = rows[rows["kind"] == "base"].to_dict("records")
    return [arm_of(row) for row in base + ordered.to_dict("records")[:most]]


def kept_networks(runs: pd.DataFrame, arms: list[Arm], *, image_px: int) -> dict[str, Network]:
    """Open, of each arm, the first run whose weights were kept; arms without one are left out.

    Args:
        runs: from recorded_runs.
        arms: to open.
        image_px: side of the images that the study trains on, pixels.

    Returns:
        Networks by the arm's name.
    """
    networks = {}
    for arm in arms:
        folders = runs.loc[runs["arm"] == arm.name, "folder"]
        kept = [folder / "model" for folder in folders if (folder / "model.safetensors").exists()]
        if kept:
            # Wrap the torch network as the application wraps an ONNX file.
            classify = partial(predict, load_model(kept[0]))
            classes = tuple(load_facts(kept[0])["classes"])
            networks[arm.name] = Network(classify, image_px, classes, {"arm": arm.name})
    return networks


def predictions_by_arm(runs: pd.DataFrame, arms: list[Arm]) -> dict[str, np.ndarray]:
    """Stack the test predictions of arms over seeds, float (S, N, C) by the arm's name.

    The study's first classifier counts.
    """
    # The first classifier's runs that succeeded.
    first = runs["classifier"] == runs["classifier"].iloc[0]
    rows = runs[first & (runs["failed"] == "")]
    stacked = {}
    for arm in arms:
        folders = rows.loc[rows["arm"] == arm.name, "folder"]
        stacked[arm.name] = np.stack([load_predictions(folder)["test"] for folder in folders])
    return stacked


def watch(networks: dict[str, Network], video: Path, truth: pd.DataFrame) -> pd.DataFrame:
    """Run every network over a film of known faces.

    Args:
        networks: by name.
        video: file.
        truth: from lib.application.filmed.make_video.

    Returns:
        One row a model, frame and face that was detected: model, frame, face, class, true, image
        (id of the image shown).
    """
    shown = {frame: part for frame, part in truth.groupby("frame")}
    rows = []
    for name, network in networks.items():
        for result in recognise(open_source(str(video)).frames(), network):
            number = result.frame.number
            actors = shown[number]

            # Match every detected face with the image shown there.
            boxes = actors[["x", "y", "side", "side"]].to_numpy(float)
            for face in result.faces:
                if face.missed:
                    continue
                # The actor is the one whose box overlaps the detected one most.
                actor = actors.iloc[overlaps(boxes, face.box[None])[:, 0].argmax()]
                predicted = network.classes[int(face.probabilities.argmax())]
                rows.append((name, number, face.number, predicted, actor["class"], actor["id"]))
    return pd.DataFrame(rows, columns=["model", "frame", "face", "class", "true", "image"])


def film_summary(watched: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """Sum a film up, one row a model.

    Args:
        watched: from `watch`.
        seed: of the bootstrap.

    Returns:
        model, accuracy (share of face frames) with low and high (95%, bootstrap over the images
        shown, since the frames of one image are not independent), images, flips_per_100 (changes
        of a followed face's class), agreement (with the first model).
    """
    by_model = dict(list(watched.groupby("model", sort=False)))
    if not by_model:
        return pd.DataFrame(columns=FILM_COLUMNS)
    first = next(iter(by_model.values()))
    rows = []
    for name, part in by_model.items():
        # Accuracy: count correct frames image by image.
        correct = (part["class"] == part["true"]).groupby(part["image"]).agg(["sum", "size"])
        accuracy, low, high = _ratio_interval(correct.to_numpy(float), seed)

        # Stability: changes of class, over all transitions between frames.
        changes = flips(part)
        transitions = max(1, (changes["frames"] - 1).sum())
        rows.append(
            {
                "model": name,
                "accuracy": accuracy,
                "low": low,
                "high": high,
                "images": len(correct),
                "flips_per_100": 100 * changes["flips"].sum() / transitions,
                "agreement": _agreement_on_film(part, first),
            }
        )
    return pd.DataFrame(rows)


def class_shares(watched: pd.DataFrame, classes: tuple[str, ...]) -> pd.DataFrame:
    """Give the share of face frames that each class holds, by model, beside the truth."""
    by_model = dict(list(watched.groupby("model", sort=False)))
    if not by_model:
        return pd.DataFrame(columns=["class", "truth"])
    first = next(iter(by_model.values()))

    # The truth is the same for all models.
    columns = {"truth": time_per_class(first.assign(**{"class": first["true"]}), classes)}
    for name, part in by_model.items():
        columns[name] = time_per_class(part, classes)
    return pd.DataFrame(columns).rename_axis("class").reset_index()


def _ratio_interval(counts: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Give the share of correct frames, counts (images, 2), with its 95% bootstrap interval."""
    # Resample images, not frames: the frames of one image are not independent.
    rng = np.random.default_rng(seed)
    draws = counts[rng.integers(0, len(counts), (DRAWS, len(counts)))]
    ratios = draws[..., 0].sum(1) / draws[..., 1].sum(1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return counts[:, 0].sum() / counts[:, 1].sum(), low, high


def _agreement_on_film(part: pd.DataFrame, first: pd.DataFrame) -> float:
    """Give the share of faces in frames, seen by both models, that get the same class."""
    # Faces that both models saw in the same frame.
    joined = part.merge(first, on=["frame", "face"], suffixes=("", "_first"))
    return float((joined["class"] == joined["class_first"]).mean())
