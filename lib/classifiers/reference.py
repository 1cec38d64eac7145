"""The reference classifier: trained on real faces, its features and predictions measure every pool.

It is trained on three quarters of the groups of copies in the real training images; the last
quarter stays unseen, for whatever has to be independent of it.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from lib.classifiers.models import features_of, load_facts, load_model, predict, save_model
from lib.classifiers.networks.base import Classifier
from lib.classifiers.recipes import TrainingPlan, recipe_of
from lib.classifiers.training import TrainingResult, train
from lib.faces.faceset import FaceSet, resize
from lib.study.errors import StudyError
from lib.study.records import content_hash

# Small enough for a minute on one core.
NETWORK, RECIPE = "small", "quick"
FOLDS = 4  # of the real training images; the last one is not trained on
FOLD_SEED = 7  # the same folds in every study
FILE = "reference.safetensors"


@dataclass(frozen=True)
class ReferenceClassifier:
    """A trained reference classifier."""

    model: Classifier
    image_px: int  # side of its input
    classes: tuple[str, ...]
    facts: dict  # images, steps, accuracy_val, accuracy_test, key

    @property
    def accuracy(self) -> dict[str, float]:
        """Accuracy on the images that it did not learn from, by split (val, test)."""
        names = ("val", "test")
        return {n: self.facts[f"accuracy_{n}"] for n in names if f"accuracy_{n}" in self.facts}

    def features(self, images: np.ndarray, *, batch: int = 512) -> np.ndarray:
        """Compute penultimate features.

        Args:
            images: uint8 (N, H, W) of any size; they are resized to the network's input.
            batch: images at once.

        Returns:
            float32 (N, D).
        """
        return features_of(self.model, resize(images, self.image_px), batch=batch)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Compute class probabilities, float32 (N, classes), of uint8 (N, H, W) of any size."""
        return predict(self.model, resize(images, self.image_px))


def reference_folds(faces: FaceSet) -> np.ndarray:
    """Assign images to FOLDS folds, int64 (N,); copies (one cluster) are in one fold."""
    # Groups take folds in a random order.
    count = int(faces.clusters.max()) + 1 if len(faces) else 0
    order = np.random.default_rng(FOLD_SEED).permutation(count)
    return (order[faces.clusters] % FOLDS).astype(np.int64)


def held_out_reference(faces: FaceSet) -> FaceSet:
    """Take the real images that generators are measured against.

    These are the validation images, or, where a source has none, the training images that the
    reference classifier has not seen.
    """
    # Validation images, which no training set holds.
    held = faces.split("val")
    if len(held):
        return held
    real = faces.split("train")
    return real.select(reference_folds(real) == FOLDS - 1)


def fit_reference(
    faces: FaceSet, folder: Path, *, steps: int, seed: int = 0
) -> ReferenceClassifier:
    """Train the reference classifier, or load it where the same one has been trained before.

    Args:
        faces: real faces with the splits train, val and test.
        folder: where it is kept.
        steps: optimiser steps.
        seed: of the training.
    """
    # Load it where it is the same one.
    folder = Path(folder)
    definition = reference_plan(steps, seed).definition()
    key = content_hash([faces.digest(), definition, FOLDS, FOLD_SEED])
    with contextlib.suppress(StudyError):  # none there, or a damaged one
        known = load_reference(folder)
        if known.facts.get("key") == key:
            return known

    # Train on all folds but the last.
    real = faces.split("train")
    seen = real.select(reference_folds(real) != FOLDS - 1)
    held = {name: faces.split(name) for name in ("val", "test")}
    result = train_reference(seen, steps=steps, seed=seed, evaluate=held)

    # Keep it with its accuracies.
    facts = {"images": len(seen), "steps": steps, "key": key}
    for name, part in held.items():
        if len(part):
            predicted = result.probabilities[name].argmax(1)
            facts[f"accuracy_{name}"] = float((predicted == part.labels).mean())
    px = faces.images.shape[1]
    save_model(
        result.model,
        folder / FILE,
        classifier=NETWORK,
        image_px=px,
        classes=faces.classes,
        facts=facts,
    )
    return ReferenceClassifier(result.model, px, faces.classes, facts)


def reference_plan(steps: int, seed: int) -> TrainingPlan:
    """Return how a reference classifier is trained."""
    return TrainingPlan(NETWORK, recipe_of(RECIPE), seed, steps)


def train_reference(
    faces: FaceSet, *, steps: int, seed: int, evaluate: dict[str, FaceSet] | None = None
) -> TrainingResult:
    """Train the reference network on some faces, on one thread; see `lib.classifiers.training`."""
    with one_thread():
        return train(faces, reference_plan(steps, seed), evaluate=evaluate)


def load_reference(folder: Path) -> ReferenceClassifier:
    """Read the reference classifier that notebook 10 trained.

    Raises:
        StudyError: none there, or a damaged one.
    """
    # The notebook that trains it is named.
    path = Path(folder) / FILE
    if not path.exists():
        raise StudyError(f"{folder}: no reference classifier here; run notebook 10 first")
    facts = load_facts(path)
    classes = tuple(facts["classes"])
    return ReferenceClassifier(load_model(path), facts["image_px"], classes, facts)


@contextlib.contextmanager
def one_thread():
    """Compute on one thread: bytes then repeat on any machine.

    Threads would not pay either: the network is so small that they wait longer than they work.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
