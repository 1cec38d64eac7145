"""The one training loop of all networks here: exact resume, stop on NaN, a sheet of samples and distances as it goes.

A network is an nn.Module with `settings` (dict), `optimisers()` (dict by name), `update(images, labels, step, optimisers)` (one step;
returns losses) and `draw(labels, seeds)` (float (N, 1, px, px) in [-1, 1]). All its randomness in training comes from torch's global
generator, which the loop seeds from (seed, step) and puts back: a resumed run draws what an unbroken one would have drawn.
"""

import math
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from lib.faces.faceset import CLASSES, FaceSet
from lib.generators.checkpoints import load_facts, load_into, load_tensors, optimiser_tensors, restore_optimisers, save_tensors
from lib.generators.processes import processes, together, turn
from lib.generators.sampling import from_grey, mixed_seed, sample_rows
from lib.study.errors import StudyError
from lib.study.fingerprints import code_digest
from lib.study.records import content_hash, write_json

SAMPLING = ("guidance", "sample_steps", "truncation")  # settings by which images are drawn; no step of the training depends on them
SHEET_SEEDS = 2  # rows of a sheet: so many images of each class


@dataclass(frozen=True)
class Trained:
    """A generator that is a network trained by this loop.

    Args:
        name: of the generator.
        network: see the module's docstring.
        px: side of its images, pixels.
        steps: optimiser steps.
        batch: images in a step.
        seed: governs initialisation (by the caller), order of images and noise.
        log_every: steps between two logs, sheets, distances and checkpoints.
        device: "cpu" or "cuda".
    """

    name: str
    network: torch.nn.Module
    px: int
    steps: int
    batch: int
    seed: int = 0
    log_every: int = 100
    device: str = "cpu"

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None) -> pd.DataFrame:
        """Train on faces, or go on where an earlier call stopped.

        Args:
            faces: training images, any size; resized to px.
            folder: receives checkpoint, sheets and the log.
            progress: callable(text), one line a log.
            distance: callable(images uint8 (N, px, px), labels int64 (N,)) -> dict of floats.

        Returns:
            One row a log: step, losses, distances, images_per_s, seconds.

        Raises:
            StudyError: a loss that is no finite number; no training images.
        """
        if not len(faces):
            raise StudyError(f"generator {self.name}: there are no training images; a source needs some in its train split")
        with turn(Path(folder), processes(self.device)):
            return train(self, faces, Path(folder), progress or (lambda text: None), distance)

    def home(self, faces: FaceSet, trainings: Path) -> Path:
        """Name the folder under `trainings` for this training on faces, so that pools and studies that ask for the same one share it.

        A training that has gone on for more steps than these is left as it is.
        """
        folder = Path(trainings) / f"{self.name}-{training_key(self, faces.resized(self.px))[:16]}"
        path = folder / "checkpoint.safetensors"
        return folder.with_name(f"{folder.name}-{self.steps}") if path.exists() and load_facts(path)["step"] > self.steps else folder

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Make one image per (label, seed), int64 (N,) each; each image depends on its own pair alone."""
        self.network.to(self.device).eval()
        return face_set(sample_rows(self.network.draw, np.asarray(labels), np.asarray(seeds)), labels, seeds, self.name)

    def save(self, folder: Path) -> Path:
        """Write generator.safetensors and generator.json."""
        write_json(Path(folder) / "generator.json", self.facts())
        return save_tensors(Path(folder) / "generator.safetensors", self.network.state_dict(), self.facts())

    def load(self, folder: Path) -> "Trained":
        """Read the weights that save wrote; the settings must be the same ones."""
        facts = load_into(self.network, Path(folder) / "generator.safetensors")
        if facts.get("settings") != self.facts()["settings"]:
            raise StudyError(
                f"{folder}/generator.safetensors: trained with {facts.get('settings')}, not with {self.facts()['settings']}; train again"
            )
        return self

    def facts(self) -> dict:
        """What the model card says."""
        parameters = {name: sum(p.numel() for p in part.parameters()) for name, part in self.network.named_children()}
        training = {"steps": self.steps, "batch": self.batch, "seed": self.seed}
        return {
            "generator": self.name,
            "px": self.px,
            "settings": dict(self.network.settings),
            "training": training,
            "parameters": parameters,
        }


def face_set(images: np.ndarray, labels, seeds, name: str) -> FaceSet:
    """Put generated images (uint8 (N, px, px)) into a face set that says who made them, of which seed."""
    names = [CLASSES[label] for label in labels]
    ids = [f"{name}-{kind}-{seed}" for kind, seed in zip(names, seeds)]
    table = pd.DataFrame(
        {"id": ids, "class": names, "split": "train", "source": "synthetic", "generator": name, "seed": np.asarray(seeds, np.int64)}
    )
    return FaceSet(images, table)


def train(plan: Trained, faces: FaceSet, folder: Path, progress, distance) -> pd.DataFrame:
    """Run the loop of a plan from its last checkpoint to its last step; see Trained.fit."""
    state, network = processes(plan.device), plan.network.to(plan.device)
    optimisers = network.optimisers()
    small = faces.resized(plan.px)
    images, labels = torch.from_numpy(small.images).to(plan.device), torch.from_numpy(small.labels).to(plan.device)
    key = training_key(plan, small)
    step, history, seconds = restore(plan, optimisers, folder, key)
    if step:
        progress(f"{plan.name}: goes on from step {step} of {plan.steps}")
    began, first = time.perf_counter() - seconds, step
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        while step < plan.steps:
            torch.manual_seed(mixed_seed(plan.seed, step, *([state.process_index] if state.process_index else [])))
            rows = batch_rows(step, small.labels, plan, getattr(network, "classes_in_turn", False))[
                state.process_index :: state.num_processes
            ]
            network.train()
            losses = network.update(from_grey(images[rows]), labels[rows], step, optimisers)
            step += 1
            due = step % plan.log_every == 0 or step == plan.steps
            if due or plan.device == "cpu":  # on a GPU each look at a loss waits for it
                losses = finite(losses, plan, step, folder)
            if due and state.is_main_process:
                row = {"step": step, **losses, **look(plan, folder, step, distance), "seconds": time.perf_counter() - began}
                history.append({**row, "images_per_s": (step - first) * plan.batch / (row["seconds"] - seconds)})
                progress(progress_line(plan, history[-1]))
                facts = {"key": key, "step": step, "history": history, "seconds": row["seconds"]}
                save_tensors(folder / "checkpoint.safetensors", network.state_dict() | optimiser_tensors(optimisers), facts)
    network.eval()
    if state.is_main_process:
        plan.save(folder)
    return pd.DataFrame(history)


def training_key(plan: Trained, faces: FaceSet) -> str:
    """Hash everything that decides what a step does: not the number of steps, so that a run can be prolonged."""
    code = code_digest(type(plan.network).__module__, __name__, without=("lib.study", "lib.faces", "lib.generators.checkpoints"))
    learnt = {name: value for name, value in plan.network.settings.items() if name not in SAMPLING}
    return content_hash([plan.name, learnt, plan.px, plan.batch, plan.seed, plan.log_every, faces.digest(), code])


def restore(plan: Trained, optimisers: dict, folder: Path, key: str) -> tuple[int, list[dict], float]:
    """Load the last checkpoint if it is of this very training; otherwise start at step 0."""
    path = folder / "checkpoint.safetensors"
    if not path.exists():
        return 0, [], 0.0
    tensors, facts = load_tensors(path)
    if facts.get("key") != key or facts["step"] > plan.steps:
        return 0, [], 0.0
    tensors, _ = load_tensors(path, plan.network.state_dict())
    plan.network.load_state_dict({name: tensors[name] for name in plan.network.state_dict()})
    restore_optimisers(optimisers, tensors)
    return facts["step"], facts["history"], facts["seconds"]


def batch_rows(step: int, labels: np.ndarray, plan: Trained, classes_in_turn: bool) -> torch.Tensor:
    """Choose the images of a step: consecutive pieces of a new shuffle per pass, or of one class after the other.

    Returns:
        int64 (batch,), a function of the plan and the step alone.
    """
    pool = np.arange(len(labels))
    if classes_in_turn:
        present = np.unique(labels)
        pool, step = np.flatnonzero(labels == present[step % len(present)]), step // len(present)
    places = np.arange(step * plan.batch, (step + 1) * plan.batch)
    rows = np.empty(plan.batch, np.int64)
    for epoch in np.unique(places // len(pool)):
        shuffle = np.random.default_rng([plan.seed, int(epoch)]).permutation(pool)
        here = places // len(pool) == epoch
        rows[here] = shuffle[places[here] % len(pool)]
    return torch.from_numpy(rows).to(plan.device)


def finite(losses: dict, plan: Trained, step: int, folder: Path) -> dict[str, float]:
    """Read losses as floats and stop at the first that is no finite number."""
    values = {name: float(together(value)) for name, value in losses.items()}
    for name, value in values.items():
        if not math.isfinite(value):
            kept = f"; the checkpoint before it is kept in {folder}" if (folder / "checkpoint.safetensors").exists() else ""
            raise StudyError(
                f"generator {plan.name}: {name} is {value} at step {step} of {plan.steps}: training diverged; lower its learning rate{kept}"
            )
    return values


def look(plan: Trained, folder: Path, step: int, distance) -> dict[str, float]:
    """Save a sheet of samples and measure the distance to real images."""
    labels = np.arange(len(CLASSES) * SHEET_SEEDS) % len(CLASSES)
    sheet = plan.sample(labels, np.arange(len(labels)) // len(CLASSES)).images
    folder = folder / "sheets"
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"step-{step:07d}.png"), np.hstack(sheet))
    if distance is None:
        return {}
    labels = np.arange(70 * len(CLASSES)) % len(CLASSES)
    return distance(plan.sample(labels, 10**6 + np.arange(len(labels))).images, labels)


def sheets(folder: Path, px: int) -> dict[int, np.ndarray]:
    """Read the sheets of a training: {step: uint8 (N, px, px)}, classes in order, then again with the next seed."""
    files = sorted((Path(folder) / "sheets").glob("step-*.png"))
    strips = {int(file.stem.removeprefix("step-")): cv2.imread(str(file), cv2.IMREAD_GRAYSCALE) for file in files}
    return {step: np.stack(np.split(strip, strip.shape[1] // px, axis=1)) for step, strip in strips.items() if strip.shape[0] == px}


def progress_line(plan: Trained, row: dict) -> str:
    """Say where a training stands: step, images per second, time left, losses and distances."""
    left = (plan.steps - row["step"]) * plan.batch / row["images_per_s"]
    rest = {name: value for name, value in row.items() if name not in ("step", "seconds", "images_per_s")}
    values = ", ".join(f"{name} {value:.3g}" for name, value in rest.items())
    return f"{plan.name}: step {row['step']}/{plan.steps}, {row['images_per_s']:.0f} images/s, {left:.0f} s left, {values}"
