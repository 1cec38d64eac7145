"""The one training loop of all networks here, and the generator that it makes of a network.

Training resumes exactly, stops at a loss that is no finite number, and saves a sheet of samples
and a distance to real images at each log. `lib.generators.network` says what a network needs.
"""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from lib.compute.checkpoints import (
    load_facts,
    load_into,
    load_tensors,
    load_weights,
    optimiser_tensors,
    restore_optimisers,
    save_tensors,
)
from lib.compute.processes import all_reduce_mean, exclusive_training, process_state
from lib.faces.faceset import FaceSet
from lib.generators.batches import batch_rows, seed_step
from lib.generators.contract import Generator, LearntFrom, cannot_edit, learnt_from_faces
from lib.generators.network import Network
from lib.generators.sampling import from_grey, generated_faces, sample_rows
from lib.generators.schedules import (
    CHECKPOINT,
    CONSTANT_CHECKPOINT,
    Schedule,
    checkpoint_to_resume,
    folder_of_length,
    keep_finished,
)
from lib.generators.training_log import log_samples, progress_line
from lib.generators.training_snapshots import require_snapshots, save_snapshots, snapshot_steps
from lib.generators.versions import GENERATOR_VERSION
from lib.study.errors import DamagedFile, StudyError
from lib.study.kept import set_aside
from lib.study.records import content_hash, remove_half_written

WEIGHTS = "generator.safetensors"


@dataclass(eq=False)
class TrainedGenerator(Generator):
    """A generator that is a network trained by this loop."""

    name: str  # kind of generator
    network: Network  # its weights, as drawn or as trained so far
    classes: tuple[str, ...]  # names of the classes, in the order of the labels
    px: int  # side of its images, pixels
    steps: int  # optimiser steps
    batch: int  # images in a step
    seed: int = 0  # of order and noise in training; initial weights are the caller's
    decay_share: float = 0.0  # of the steps: the last ones, in which the learning rate falls
    log_every: int = 100  # steps between two logs, sheets, distances and checkpoints
    checkpoints: int = 0  # snapshots of the weights at log-spaced steps, see training_snapshots
    device: str = "cpu"  # or "cuda"
    learnt_from: LearntFrom = field(default=LearntFrom("real"), init=False)

    is_trained = True

    @property
    def can_edit(self) -> bool:
        """Whether the network can start from a given face instead of from noise."""
        return self.network.can_edit

    @property
    def settings(self) -> dict:
        return dict(self.network.settings)

    @property
    def schedule(self) -> Schedule:
        return Schedule(self.steps, self.network.warm_up_steps, self.decay_share)

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None) -> pd.DataFrame:
        """Train on faces of any size, or go on where an earlier call stopped; see Generator.fit.

        The log has the columns step, losses, distances, images_per_s and seconds.

        Raises:
            StudyError: a loss that is no finite number; no training images, or of other classes.
        """
        # Check the training set.
        if not len(faces):
            raise StudyError(
                f"generator {self.name}: there are no training images; a source needs some in its "
                "train split"
            )
        if faces.classes != tuple(self.classes):
            raise StudyError(
                f"generator {self.name}: made for the classes {', '.join(self.classes)}, but the "
                f"training images are of {', '.join(faces.classes)}"
            )

        # Train, one run at a time in this folder.
        self.learnt_from = learnt_from_faces(faces)
        folder, key = Path(folder), training_key(self, faces.resized(self.px))
        state = process_state(self.device)
        with exclusive_training(folder, state):
            if not self._was_overtaken(folder, key):
                if state.is_main_process and folder.name == folder_name(self, key):
                    keep_finished(folder, self.schedule)
                return train(self, faces, folder, progress or _no_progress, distance)

        # A longer one went on here while this one waited; it is left as it is.
        own = folder_of_length(folder.with_name(folder_name(self, key)), self.schedule)
        return self.fit(faces, folder=own, progress=progress, distance=distance)

    def training_folder(self, faces: FaceSet, trainings: Path, folder: Path) -> Path:
        """Name the folder of this training, shared by all pools and studies that ask for it."""
        shared = Path(trainings) / folder_name(self, training_key(self, faces.resized(self.px)))

        # One that has gone on for more steps, or at other learning rates, is left as it is.
        checkpoint = shared / CHECKPOINT
        if not checkpoint.exists() or self.schedule.continues(load_facts(checkpoint)):
            return shared
        return folder_of_length(shared, self.schedule)

    def _was_overtaken(self, folder: Path, key: str) -> bool:
        """Tell whether a shared folder holds this training at more steps or at other rates."""
        facts = load_facts(folder / CHECKPOINT) if (folder / CHECKPOINT).exists() else {}
        is_shared = folder.name == folder_name(self, key)
        return is_shared and facts.get("key") == key and not self.schedule.continues(facts)

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Make one image per (label, seed), int64 (N,) each."""
        self.network.to(self.device).eval()
        images = sample_rows(self.network.draw, np.asarray(labels), np.asarray(seeds))
        return generated_faces(images, labels, seeds, self.name, self.classes)

    def edit(
        self, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray, *, strength: float
    ) -> FaceSet:
        """Give faces the classes `labels`; see Generator.edit."""
        if not self.can_edit:
            raise cannot_edit(self.name, strength)
        self.network.to(self.device).eval()
        edited = self.network.edit(images, labels, seeds, strength=strength)
        return generated_faces(edited, labels, seeds, self.name, self.classes)

    def save(self, folder: Path) -> Path:
        """Write generator.safetensors and generator.json."""
        super().save(folder)
        return save_tensors(Path(folder) / WEIGHTS, self.network.state_dict(), self.facts())

    def load(self, folder: Path) -> "TrainedGenerator":
        """Read the weights that save wrote.

        Raises:
            StudyError: no such weights, or of other classes or settings.
        """
        path = Path(folder) / WEIGHTS
        saved = load_into(self.network, path)

        # Weights of the same shapes may still be of another training.
        wanted = self.facts()
        for key in ("classes", "settings"):
            if saved.get(key) != wanted[key]:
                raise StudyError(
                    f"{path}: trained with {key} {saved.get(key)}, not with {wanted[key]}; "
                    "train again"
                )
        self.learnt_from = LearntFrom(**saved["learnt_from"])
        return self

    def facts(self) -> dict:
        """Describe the generator for the model card: parameters by part of the network."""
        parameters = {}
        for part, module in self.network.named_children():
            parameters[part] = sum(weights.numel() for weights in module.parameters())
        training = {
            "steps": self.steps,
            "batch": self.batch,
            "seed": self.seed,
            "decay_share": self.decay_share,
        }
        return super().facts() | {"training": training, "parameters": parameters}


# --------------------------------------------------------------------------------------------------
# The loop.


def train(
    generator: TrainedGenerator,
    faces: FaceSet,  # training images, any size
    folder: Path,  # receives checkpoints, sheets and weights
    progress: Callable[[str], None],
    distance: Callable | None,
) -> pd.DataFrame:
    """Train from the last checkpoint to the last step; see TrainedGenerator.fit."""
    state = process_state(generator.device)
    network = generator.network.to(generator.device)
    optimisers = network.optimisers()
    schedule = generator.schedule

    # Hold the whole training set on the device.
    small = faces.resized(generator.px)
    images = torch.from_numpy(small.images).to(generator.device)
    labels = torch.from_numpy(network.targets(small)).to(generator.device)

    # Resume.
    key = training_key(generator, small)
    step, history, seconds = restore(generator, optimisers, folder, key)
    require_snapshots(generator, folder, step)
    wanted = snapshot_steps(generator.steps, generator.checkpoints)
    first = step
    if step:
        progress(f"{generator.name}: goes on from step {step} of {generator.steps}")
    began = time.perf_counter() - seconds

    with torch.random.fork_rng(range(torch.cuda.device_count())):
        while step < generator.steps:
            # Each process takes its share of the batch.
            rows = batch_rows(generator, step, small.labels)
            rows = rows[state.process_index :: state.num_processes]

            # Update the weights.
            seed_step(generator.seed, step, state.process_index)
            schedule.set_rates(optimisers.values(), step)
            network.train()
            losses = network.update(from_grey(images[rows]), labels[rows], step, optimisers)
            step += 1
            if step in wanted and state.is_main_process:
                save_snapshots(generator, folder, step)

            # Check the losses; on a GPU reading one waits for the device, so only when due.
            ends = (schedule.decay_from, schedule.steps)
            due = step % generator.log_every == 0 or step in ends
            if due or generator.device == "cpu":
                losses = finite_losses(generator, losses, step, folder)
            if not due or not state.is_main_process:
                continue

            # Log.
            row = {"step": step, **losses}
            row |= log_samples(generator, folder, step, distance)
            row["seconds"] = time.perf_counter() - began
            done = (step - first) * generator.batch
            row["images_per_s"] = done / (row["seconds"] - seconds)
            history.append(row)
            progress(progress_line(generator, row))

            # Save a checkpoint; the last one at the constant rate stays.
            facts = {"key": key, "step": step, "history": history, "seconds": row["seconds"]}
            facts["schedule"] = asdict(schedule)
            tensors = network.state_dict() | optimiser_tensors(optimisers)
            save_tensors(folder / CHECKPOINT, tensors, facts)
            if step == schedule.decay_from < schedule.steps:
                save_tensors(folder / CONSTANT_CHECKPOINT, tensors, facts)

    network.eval()
    if state.is_main_process:
        generator.save(folder)
        remove_half_written(folder)
    return pd.DataFrame(history)


def training_key(generator: TrainedGenerator, faces: FaceSet) -> str:
    """Hash everything that decides what a step does: sha256 hex.

    The number of steps is left out, so that a training can be prolonged, and so are settings that
    only sampling depends on, so that pools that sample otherwise share one training.

    Args:
        generator: its network as it was made.
        faces: training images at the generator's size.
    """
    network = generator.network
    settings = {
        name: value
        for name, value in generator.settings.items()
        if name not in network.sampling_settings and network.added_settings.get(name) != value
    }
    # Another architecture has other tensors, even where nobody raised the version.
    definition = [[name, list(tensor.shape)] for name, tensor in network.state_dict().items()]
    return content_hash(
        {
            "generator": generator.name,
            "version": GENERATOR_VERSION[generator.name],
            "settings": settings,
            "network": definition,
            "px": generator.px,
            "batch": generator.batch,
            "seed": generator.seed,
            "log_every": generator.log_every,
            "faces": faces.digest(),
        }
        | soft_labels_digest(generator, faces)
    )


def soft_labels_digest(generator: TrainedGenerator, faces: FaceSet) -> dict:
    """Hash the labels that a network learns where they are not those of the faces."""
    targets = generator.network.targets(faces)
    if targets.ndim == 1:
        return {}
    return {"soft_labels": content_hash(targets)}


def folder_name(generator: TrainedGenerator, key: str) -> str:
    """Begin the names of the folders of all trainings with this key."""
    return f"{generator.name}-{key[:16]}"


def restore(
    generator: TrainedGenerator, optimisers: dict, folder: Path, key: str
) -> tuple[int, list[dict], float]:
    """Load in place the last checkpoint that is of this very training.

    Returns:
        Steps done, rows of the log, seconds spent; (0, [], 0.0) without such a checkpoint.
    """
    shared = folder.with_name(folder_name(generator, key))
    while path := checkpoint_to_resume(folder, shared, key, generator.schedule):
        try:
            tensors, facts = load_tensors(path)
        except DamagedFile:
            set_aside(path)  # the next best one
            continue
        load_weights(generator.network, tensors)
        restore_optimisers(optimisers, tensors)
        return facts["step"], facts["history"], facts["seconds"]
    return 0, [], 0.0


def finite_losses(
    generator: TrainedGenerator, losses: dict[str, torch.Tensor], step: int, folder: Path
) -> dict[str, float]:
    """Read losses as floats, averaged over all processes.

    Raises:
        StudyError: one is no finite number.
    """
    values = {name: float(all_reduce_mean(value)) for name, value in losses.items()}
    for name, value in values.items():
        if math.isfinite(value):
            continue
        kept = ""
        if (folder / CHECKPOINT).exists():
            kept = f"; the checkpoint before it is kept in {folder}"
        raise StudyError(
            f"generator {generator.name}: {name} is {value} at step {step} of {generator.steps}: "
            f"training diverged; lower its learning rate{kept}"
        )
    return values


def _no_progress(text: str) -> None:
    """Print nothing."""
