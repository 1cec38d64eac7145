"""What every run of a study predicts, in a small file that travels with the study's report.

runs/ is not published, and probabilities are large; the predicted classes of all runs, at chosen
and unchosen lengths, compress to about 2 bits an image and run. With the table of runs and what is
known of the evaluated images (labels, copies, FER+'s labels), every table about accuracy, balanced
accuracy and macro F1 follows from them, without an image and without training.
"""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from lib.classifiers.runs import EVALUATED, load_predictions
from lib.faces.arms import ARM_FIELDS
from lib.faces.faceset import FaceSet, label_indices
from lib.metrics.contrasts import Arms, Scorings, scorings
from lib.metrics.evidence import (
    knowledge_of_pools,
    load_evaluation,
    runs_of_every_length,
    stack_arms,
)
from lib.metrics.lengths import chosen_runs, with_training_accuracy
from lib.metrics.looks import load_looks
from lib.metrics.three_studies import why_not_of_study
from lib.study.errors import StudyError
from lib.study.paths import StudyPaths
from lib.study.records import atomic_write, parsing, write_csv

PREDICTIONS, RUNS = "predictions.npz", "runs.csv"  # the two files, side by side
NOT_PREDICTED = 255  # class of an image that a run does not predict: it is of another fold
NO_LABEL = -1  # FER+'s label of an image without one, or of a class that the study has not
MOST_CLASSES = 250

# Columns of the table of runs that are kept, of those that there are.
RUN_COLUMNS = (
    "arm",
    *ARM_FIELDS,
    "classifier",
    "recipe",
    "seed",
    "fold",
    "draw",
    "length",
    "steps",
    "epochs",
    "analyses",
    "images",
    "seconds",
    "failed",
    "accuracy_train",
    "accuracy_val",
    "accuracy_test",
)
RUN_TEXTS = ("arm", "kind", "pool", "control_of", "only", "class_shares", "classifier", "recipe")
RUN_TEXTS += ("failed",)


@dataclass(frozen=True)
class Predictions:
    """The predicted classes of every run of a study, and what they are scored by."""

    runs: pd.DataFrame  # one row a run, of every length, failed ones too: RUN_COLUMNS
    classes: tuple[str, ...]
    # By split, uint8 (R, N): one row for each run that succeeded, in the order of the runs.
    predicted: dict[str, np.ndarray]
    # By split, one row an image: class, cluster, leaked, plus_class ("" for none), fold.
    images: dict[str, pd.DataFrame]
    facts: dict  # study, margin, seeds, synthetic_name and what else the tables depend on

    @cached_property
    def good(self) -> pd.DataFrame:
        """The runs that succeeded, with `row`: theirs in `predicted`."""
        good = self.runs[self.runs["failed"] == ""].reset_index(drop=True)
        return good.assign(row=np.arange(len(good)))

    @property
    def clusters(self) -> np.ndarray:
        """Groups of copies among the test images, int64 (N,)."""
        return self.images["test"]["cluster"].to_numpy(np.int64)

    @property
    def labels(self) -> np.ndarray:
        """Labels of the test images, int64 (N,)."""
        return label_indices(self.images["test"]["class"], self.classes)

    @property
    def fold(self) -> np.ndarray:
        """The fold that holds out each test image, int64 (N,): from 1 on, 0 without folds."""
        return self.images["test"]["fold"].to_numpy(np.int64)

    def scorings(self) -> Scorings:
        """Name the ways to score the test images, those without copies in training first."""
        named = scorings(self.images["test"], self.classes)
        first = [name for name in named if "leakfree" in name]
        return {name: named[name] for name in [*first, *named]}

    def arms(self) -> Arms:
        """Stack the predictions of every arm's chosen length, as `evidence.load_arms` does; the
        predicted class has probability 1.
        """
        one_hot = np.eye(len(self.classes), dtype=np.float32)
        test, fold = self.predicted["test"], self.fold

        def read(run: dict) -> np.ndarray:
            return one_hot[test[run["row"]][_own_images(fold, run)]]

        return stack_arms(chosen_runs(self.good), read, fold)


def study_predictions(paths: StudyPaths, parameters: dict) -> Predictions:
    """Read what every run of a study predicts, and the facts that its tables depend on.

    Args:
        parameters: of the study: study, seed, folds, margin, seeds, draws, synthetic_name, pools.
    """
    faces, tested, fold = load_evaluation(paths, parameters["folds"], parameters["seed"])
    why_not = why_not_of_study(paths, faces.classes)
    facts = {name: parameters[name] for name in ("study", "margin", "seeds", "draws")}
    facts |= {"synthetic_name": parameters["synthetic_name"], "why_not": why_not}
    facts["looks"] = load_looks(parameters["study"], why_not=why_not)
    facts["knowledge"] = knowledge_of_pools(paths, parameters["pools"])
    return gather_predictions(runs_of_every_length(paths), faces, tested, fold, facts)


def gather_predictions(
    runs: pd.DataFrame, faces: FaceSet, tested: FaceSet, fold: np.ndarray, facts: dict
) -> Predictions:
    """Read what every run predicts.

    Args:
        runs: of `evidence.runs_of_every_length`.
        faces: all real faces, whose split val every run predicts.
        tested: the images on which arms are tested, of `evidence.load_evaluation`.
        fold: int64 (N,), which fold holds out each of them; 0 everywhere without folds.
        facts: see Predictions.

    Raises:
        StudyError: more classes than a byte can name, or a run that predicts another number of
            images than there are.
    """
    if len(faces.classes) > MOST_CLASSES:
        raise StudyError(
            f"predictions are kept for at most {MOST_CLASSES} classes, found {len(faces.classes)}"
        )

    # What is known of the images; those of val are the same in every fold.
    images = {"test": _known(tested, fold)}
    val = faces.split("val")
    if len(val):
        images = {"val": _known(val, np.zeros(len(val), np.int64))} | images

    # What every run predicts of them.
    runs = with_training_accuracy(runs)
    good = runs[runs["failed"] == ""].to_dict("records")
    predicted = {
        name: np.full((len(good), len(known)), NOT_PREDICTED, np.uint8)
        for name, known in images.items()
    }
    for place, run in enumerate(good):
        probabilities = load_predictions(Path(run["folder"]))
        for name, known in images.items():
            own = _own_images(known["fold"].to_numpy(), run)
            _put(predicted[name][place], own, probabilities[name], run["folder"])
    columns = [name for name in RUN_COLUMNS if name in runs]
    return Predictions(runs[columns], faces.classes, predicted, images, facts)


def write_predictions(predictions: Predictions, folder: Path) -> list[Path]:
    """Write predictions.npz and runs.csv into a folder.

    Returns:
        Their paths.
    """
    # Runs of one arm agree most: beside each other they compress best, image by image.
    order = [name for name in ("arm", "classifier", "length", "seed") if name in predictions.runs]
    by_arm = predictions.good.sort_values(order, kind="stable")
    arrays = {"run": by_arm["row"].to_numpy(np.int64), "classes": np.array(predictions.classes)}
    for split, predicted in predictions.predicted.items():
        arrays[f"{split}_predicted"] = np.ascontiguousarray(predicted[arrays["run"]].T)
        arrays |= _packed(split, predictions.images[split], predictions.classes)
    arrays["facts"] = np.array(json.dumps(predictions.facts, sort_keys=True))

    # The same contents have the same bytes.
    folder = Path(folder)
    with atomic_write(folder / PREDICTIONS) as file:
        np.savez_compressed(file, **arrays)
    write_csv(folder / RUNS, predictions.runs)
    return [folder / PREDICTIONS, folder / RUNS]


def read_predictions(folder: Path) -> Predictions:
    """Read what `write_predictions` wrote.

    Raises:
        StudyError: a file that is missing, cannot be read, or does not fit the other one.
    """
    # Both are published together.
    folder = Path(folder)
    for name in (PREDICTIONS, RUNS):
        if not (folder / name).exists():
            raise StudyError(
                f"{folder / name}: not there; it is written by notebook 50 and published with the "
                "pages of a study"
            )

    # Numbers come back to the last digit, empty texts as texts.
    remedy = "take it from the repository again"
    with parsing(folder / RUNS, remedy):
        runs = pd.read_csv(
            folder / RUNS,
            dtype=dict.fromkeys(RUN_TEXTS, str),
            keep_default_na=False,
            na_values=[""],
        )
    runs = runs.fillna(dict.fromkeys([name for name in RUN_TEXTS if name in runs], ""))

    # No file is loaded in a way that can run code from it.
    with parsing(folder / PREDICTIONS, remedy):
        with np.load(folder / PREDICTIONS, allow_pickle=False) as packed:
            arrays = {name: packed[name] for name in packed.files}

        # Back into the order of the runs.
        classes, place = tuple(arrays["classes"].tolist()), np.argsort(arrays["run"])
        splits = [name for name in EVALUATED if f"{name}_predicted" in arrays]
        predictions = Predictions(
            runs=runs,
            classes=classes,
            predicted={name: arrays[f"{name}_predicted"].T[place] for name in splits},
            images={name: _unpacked(name, arrays, classes) for name in splits},
            facts=json.loads(str(arrays["facts"])),
        )
    with parsing(folder / RUNS, remedy):
        _require_one_study(predictions, folder)
    return predictions


def _own_images(fold: np.ndarray, run: dict) -> np.ndarray:
    """Tell which images a run predicts: those of its fold, or all; bool (N,)."""
    return (fold == run["fold"]) | (fold == 0)


def _put(row: np.ndarray, own: np.ndarray, probabilities: np.ndarray, folder: Path) -> None:
    """Enter the classes that one run predicts into its row.

    Args:
        row: uint8 (N,), written in place.
        own: bool (N,), the images that the run predicts.
        probabilities: float (n, C), of these images.
        folder: of the run, for the message.
    """
    # Another number of images is another study's.
    if own.sum() != len(probabilities):
        raise StudyError(
            f"{folder}: predicts {len(probabilities)} images, there are {own.sum()}: execute "
            "40_training again"
        )
    row[own] = probabilities.argmax(1)


def _known(faces: FaceSet, fold: np.ndarray) -> pd.DataFrame:
    """Tabulate what images are scored by, one row an image."""
    known = pd.DataFrame({"class": faces.table["class"].astype(str).to_numpy()})
    known["cluster"] = faces.clusters

    # Copies and FER+'s labels are known of some data alone.
    if "leaked" in faces.table:
        known["leaked"] = faces.table["leaked"].to_numpy(bool)
    if "plus_class" in faces.table:
        plus = faces.table["plus_class"].fillna("").astype(str)
        known["plus_class"] = plus.where(plus.isin(faces.classes), "").to_numpy()
    return known.assign(fold=fold)


def _packed(split: str, images: pd.DataFrame, classes: tuple[str, ...]) -> dict[str, np.ndarray]:
    """Turn a split's table of images into arrays."""
    # Copies are numbered anew, so that the numbers stay small.
    groups = np.unique(images["cluster"], return_inverse=True)[1]
    arrays = {
        f"{split}_label": label_indices(images["class"], classes).astype(np.uint8),
        f"{split}_cluster": groups.astype(np.int32),
        f"{split}_fold": images["fold"].to_numpy(np.uint8),
    }

    # What is known of some data alone.
    if "leaked" in images:
        arrays[f"{split}_leaked"] = images["leaked"].to_numpy(bool)
    if "plus_class" in images:
        labels = label_indices(images["plus_class"], classes)
        arrays[f"{split}_plus_label"] = labels.astype(np.int16)
    return arrays


def _unpacked(split: str, arrays: dict, classes: tuple[str, ...]) -> pd.DataFrame:
    """Turn arrays back into a split's table of images."""
    # Labels are positions in the class list.
    names = np.array(classes)
    images = pd.DataFrame({"class": names[arrays[f"{split}_label"]]})
    images["cluster"] = arrays[f"{split}_cluster"].astype(np.int64)

    # What is known of some data alone.
    if f"{split}_leaked" in arrays:
        images["leaked"] = arrays[f"{split}_leaked"]
    if f"{split}_plus_label" in arrays:
        labels = arrays[f"{split}_plus_label"]
        images["plus_class"] = np.where(labels == NO_LABEL, "", names[labels])
    return images.assign(fold=arrays[f"{split}_fold"].astype(np.int64))


def _require_one_study(predictions: Predictions, folder: Path) -> None:
    """Refuse predictions that are not those of the table of runs beside them."""
    # As many runs as there are predictions.
    good, test = predictions.good, predictions.predicted["test"]
    if len(good) != len(test):
        raise StudyError(
            f"{folder / PREDICTIONS}: holds {len(test)} runs, {RUNS} lists {len(good)} that "
            "succeeded; take both files from the same study"
        )

    # Every run's accuracy is that of its predictions.
    labels, fold = predictions.labels, predictions.fold
    for run, predicted in zip(good.to_dict("records"), test):
        own = _own_images(fold, run)
        accuracy = (predicted[own] == labels[own]).mean()
        if not np.isclose(accuracy, run["accuracy_test"], rtol=0, atol=1e-9):
            raise StudyError(
                f"{folder / PREDICTIONS}: run {run['arm']}, seed {run['seed']} is right on "
                f"{accuracy:.4%} of the test images, {RUNS} says {run['accuracy_test']:.4%}; take "
                "both files from the same study"
            )
