"""The instrument: a classifier trained on real faces, whose features and judgement measure every pool.

It sees three quarters of the real training clusters; the last quarter stays for whoever must be independent of it (curation's judge).
"""

import contextlib
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib.classifiers.models import training_code
from lib.classifiers.recipes import recipe_of
from lib.classifiers.training import TrainingResult, predict, train
from lib.classifiers.weights import load_facts, load_model, save_model
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.records import content_hash

NETWORK, RECIPE, FOLDS = "small", "quick", 4
FILE = "instrument.safetensors"


@dataclass(frozen=True)
class Instrument:
    """A trained reference classifier."""

    model: nn.Module
    image_px: int
    facts: dict  # images, steps, accuracy_val, accuracy_test, digest

    def features(self, images: np.ndarray, *, batch: int = 512) -> np.ndarray:
        """Give penultimate features, float32 (N, D), of uint8 (N, H, W) images of any size; resized to the network's input."""
        parts = [np.zeros((0, self.model.last.in_features), np.float32)]
        with torch.no_grad():
            for first in range(0, len(images), batch):
                x = self._fit_size(images[first : first + batch])
                parts.append(self.model.features(torch.from_numpy(x)[:, None].float() / 255).numpy())
        return np.concatenate(parts)

    def probabilities(self, images: np.ndarray) -> np.ndarray:
        """Give class probabilities, float32 (N, 7), of uint8 (N, H, W) images of any size."""
        return predict(self.model, self._fit_size(images))

    def _fit_size(self, images: np.ndarray) -> np.ndarray:
        if images.shape[1:] == (self.image_px, self.image_px):
            return images
        import cv2

        how = cv2.INTER_AREA if images.shape[1] > self.image_px else cv2.INTER_LINEAR
        return np.stack([cv2.resize(image, (self.image_px, self.image_px), interpolation=how) for image in images])


def fold_of(faces: FaceSet) -> np.ndarray:
    """Assign images to FOLDS folds, int64 (N,); copies (one cluster) fall into one fold."""
    clusters = faces.table["cluster"].to_numpy() if "cluster" in faces.table else np.arange(len(faces))
    order = np.random.default_rng(7).permutation(int(clusters.max()) + 1 if len(clusters) else 0)
    return (order[clusters] % FOLDS).astype(np.int64)


def yardstick(faces: FaceSet) -> FaceSet:
    """Take the real images that generators are measured against: validation images, or, where a
    source has none, the training images that the instrument has not learnt from."""
    held = faces.split("val")
    if len(held):
        return held
    real = faces.split("train")
    return real.select(fold_of(real) == FOLDS - 1)


def fit_instrument(faces: FaceSet, folder: Path, *, steps: int, seed: int = 0) -> Instrument:
    """Train the reference classifier, or load it when these faces and settings have been trained on before.

    Args:
        faces: real faces with train, val and test splits.
        folder: where it is kept.
        steps: optimiser steps.
    """
    folder = Path(folder)
    digest = content_hash([faces.digest(), steps, seed, NETWORK, asdict(recipe_of(RECIPE)), FOLDS, training_code(NETWORK)])
    if (known := _known(folder)) and known.facts.get("digest") == digest:
        return known
    real = faces.split("train")
    mine = real.select(fold_of(real) != FOLDS - 1)
    held = {name: faces.split(name) for name in ("val", "test")}
    result = train_reference(mine, steps=steps, seed=seed, evaluate=held)
    facts = {f"accuracy_{n}": float((result.probabilities[n].argmax(1) == s.labels).mean()) for n, s in held.items() if len(s)}
    facts |= {"images": len(mine), "steps": steps, "digest": digest}
    px = faces.images.shape[1]
    save_model(result.model, folder / FILE, classifier=NETWORK, image_px=px, facts=facts)
    return Instrument(result.model, px, facts)


def train_reference(faces: FaceSet, *, steps: int, seed: int = 0, evaluate: dict | None = None) -> TrainingResult:
    """Train the reference network on some faces, on one thread; see `training.train`."""
    with _one_thread():
        return train(faces, classifier=NETWORK, recipe=recipe_of(RECIPE), seed=seed, steps=steps, evaluate=evaluate)


def _known(folder: Path) -> Instrument | None:
    """Load an earlier instrument; None where there is none, or none that reads."""
    try:
        return load_instrument(folder)
    except StudyError:
        return None


@contextlib.contextmanager
def _one_thread():
    """Train on one thread: the network is so small that threads wait for each other longer than
    they work, and bytes repeat on any machine.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def load_instrument(folder: Path) -> Instrument:
    """Read the instrument that notebook 10 trained.

    Raises:
        StudyError: none there.
    """
    path = Path(folder) / FILE
    if not path.exists():
        raise StudyError(f"{folder}: no reference classifier here; run notebook 10 first")
    facts = load_facts(path)
    return Instrument(load_model(path), facts["image_px"], facts)
