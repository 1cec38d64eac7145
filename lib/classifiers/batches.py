"""Which images a step sees, and how much each counts in the loss.

Both are functions of the training set, the seed and the step's number alone, so an interrupted run
continues as if it had not been interrupted.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from lib.classifiers.recipes import TrainingOptions, TrainingPlan
from lib.compute.seeds import mixed_seed
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError

# Streams of random numbers that one seed governs.
ORDER_STREAM, STEP_STREAM, CLASS_STREAM = 1, 2, 3

# Cui et al. 2019: the samples of a class cover a volume of at most 1 / (1 - beta) of them.
EFFECTIVE_BETA = 0.9999

# callable(epoch) -> int64 (N,): the positions of an epoch's images, in order.
EpochOrder = Callable[[int], torch.Tensor]


@dataclass(frozen=True)
class BatchSchedule:
    """The batches of a run, or of one phase of it."""

    images: int  # in the training set
    batch_size: int  # images a step
    steps: int  # optimiser steps in all

    # True: an epoch's last batch holds what is left, as in S1's DataLoader. False: all batches are
    # full, and one may hold the end of an epoch and the beginning of the next, so that runs on sets
    # of any size see the same number of images.
    whole_epochs: bool
    seed: int  # of the order

    @property
    def steps_per_epoch(self) -> float:
        """Steps in one pass over the images; a whole number with `whole_epochs`."""
        exact = self.images / self.batch_size
        return float(np.ceil(exact)) if self.whole_epochs else exact

    def rows(self, step: int, device: str, order: EpochOrder | None = None) -> torch.Tensor:
        """Return the positions of a step's images, int64 (B,).

        Args:
            step: from 0.
            device: that receives the positions.
            order: of the images in each epoch; None: shuffled.
        """
        order = order or functools.partial(shuffled_order, self.images, self.seed, device)
        n, batch = self.images, self.batch_size
        # The batch is a part of one epoch.
        if self.whole_epochs:
            epoch, place = divmod(step, int(self.steps_per_epoch))
            return order(epoch)[place * batch : (place + 1) * batch]

        # The batch is a window on an endless row of epochs, and may reach into the next one.
        first, last = step * batch, (step + 1) * batch
        parts = []
        for epoch in range(first // n, (last - 1) // n + 1):
            parts.append(order(epoch)[max(0, first - epoch * n) : last - epoch * n])
        return torch.cat(parts) if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class Phase:
    """A stretch of a run's steps that sees some of the images."""

    first_step: int  # of the run
    schedule: BatchSchedule  # of this phase's own images and steps
    members: torch.Tensor | None = None  # int64, its images' positions; None: all images
    order: EpochOrder | None = None  # of the images in each epoch; None: shuffled

    def rows(self, step: int, device: str) -> torch.Tensor:
        """Return the positions in the training set of a step's images, int64 (B,)."""
        rows = self.schedule.rows(step - self.first_step, device, self.order)
        return rows if self.members is None else self.members[rows]


def batch_schedule(plan: TrainingPlan, images: int) -> BatchSchedule:
    """Return the batches of a planned run on so many images.

    A plan without `steps` runs whole epochs: its own number, or the recipe's.
    """
    batch = plan.recipe.batch_size
    if plan.steps:
        return BatchSchedule(images, batch, plan.steps, False, plan.seed)

    # The steps follow from the length of an epoch.
    schedule = BatchSchedule(images, batch, 0, True, plan.seed)
    epochs = plan.epochs or plan.recipe.epochs
    return replace(schedule, steps=epochs * int(schedule.steps_per_epoch))


def plan_phases(
    schedule: BatchSchedule, labels: np.ndarray, ends: np.ndarray | None, sampling: str, device: str
) -> tuple[Phase, ...]:
    """Divide a run into phases; most runs have one.

    Args:
        schedule: of the whole run.
        labels: int64 (N,).
        ends: float (N,), the share of the steps after which each image's phase is over (the column
            stage_end of lib.faces.mixing); None: one phase for all images.
        sampling: shuffled or balanced.
        device: that receives the positions.

    Raises:
        StudyError: no phase lasts to the end.
    """
    ends = np.ones(len(labels)) if ends is None else ends
    if ends.max() != 1 or ends.min() < 0:
        given = ", ".join(f"{end:g}" for end in np.unique(ends))
        raise StudyError(
            f"phases of a training end at 0 to 1 of its steps, the last at 1; these end at {given}"
        )

    # One phase for each end, in this order.
    phases, first = [], 0
    for end in np.unique(ends):
        last = round(end * schedule.steps)
        rows = np.flatnonzero(ends == end)
        # A share that is too small for one step leaves its phase empty.
        if last > first:
            phase_schedule = replace(schedule, images=len(rows), steps=last - first)

            # Classes are balanced within a phase.
            order = None
            if sampling == "balanced":
                order = balanced_order(labels[rows], schedule.seed, device)

            # Positions among all images, unless the phase has all of them.
            everything = len(rows) == len(labels)
            members = None if everything else torch.from_numpy(rows).to(device)
            phases.append(Phase(first, phase_schedule, members, order))
        first = last
    return tuple(phases)


@functools.lru_cache(maxsize=4)
def shuffled_order(n: int, seed: int, device: str, epoch: int) -> torch.Tensor:
    """Shuffle 0 to n - 1 for one epoch, int64 (n,)."""
    generator = torch.Generator().manual_seed(mixed_seed(seed, ORDER_STREAM, epoch))
    return torch.randperm(n, generator=generator).to(device)


def balanced_order(labels: np.ndarray, seed: int, device: str) -> EpochOrder:
    """Make the order in which every class comes as often, whatever its count.

    An epoch has as many positions as there are images. Each image of a class comes once before any
    of it comes twice, within an epoch and across epochs. Where the number of classes does not
    divide N, classes chosen at random have one image less.

    Args:
        labels: int64 (N,).
    """
    # The positions of each class's images.
    classes = [torch.from_numpy(np.flatnonzero(labels == c)) for c in np.unique(labels)]
    quota = -(-len(labels) // len(classes))  # images a class and epoch, rounded up

    @functools.lru_cache(maxsize=2)
    def order(epoch: int) -> torch.Tensor:
        # Take every class's share of the epoch, then shuffle them together.
        parts = [
            _endless_passes(rows, epoch * quota, quota, seed, number)
            for number, rows in enumerate(classes)
        ]
        drawn = torch.cat(parts)
        generator = torch.Generator().manual_seed(mixed_seed(seed, ORDER_STREAM, epoch))
        chosen = torch.randperm(len(drawn), generator=generator)[: len(labels)]
        return drawn[chosen].to(device)

    return order


def _endless_passes(
    rows: torch.Tensor, first: int, count: int, seed: int, class_number: int
) -> torch.Tensor:
    """Cut places `first` to `first + count` from an endless row of shuffled passes over a class."""
    # Each pass is shuffled by a stream of its own.
    n, parts = len(rows), []
    for number in range(first // n, (first + count - 1) // n + 1):
        stream = mixed_seed(seed, CLASS_STREAM, class_number, number)
        generator = torch.Generator().manual_seed(stream)
        parts.append(rows[torch.randperm(n, generator=generator)])
    return torch.cat(parts)[first % n : first % n + count]


def step_seed(seed: int, step: int) -> int:
    """Return the seed of what a step draws at random: augmentation and dropout."""
    return mixed_seed(seed, STEP_STREAM, step)


def drop_zero_weight(faces: FaceSet) -> FaceSet:
    """Leave out images of weight 0: they take no part, not even in batch statistics."""
    if "weight" not in faces.table:
        return faces
    return faces.select(faces.table["weight"].to_numpy(float) != 0)


def class_weights(labels: np.ndarray, kind: str, classes: int) -> np.ndarray:
    """Weigh the classes in the loss.

    Args:
        labels: int64 (N,) of the training images, 0 to classes - 1.
        kind: none: all 1; inverse: 1 / count; effective: 1 / effective number of samples.
        classes: number of classes.

    Returns:
        float64 (classes,), of mean 1 over the images, 0 where a class has none.

    Source: effective number: Cui et al. 2019, arXiv 1901.05555, equation 2, with beta 0.9999.
    """
    # How much there is of each class; it weighs as the inverse.
    counts = np.bincount(labels, minlength=classes)
    amounts = np.ones(classes)
    if kind == "inverse":
        amounts = counts.astype(float)
    if kind == "effective":
        amounts = (1 - EFFECTIVE_BETA**counts) / (1 - EFFECTIVE_BETA)
    weights = np.divide(1.0, amounts, out=np.zeros(classes), where=counts > 0)
    return weights / weights[labels].mean()


def image_weights(faces: FaceSet, options: TrainingOptions) -> np.ndarray | None:
    """Weigh each training image in the loss: its own weight times its class's.

    Returns:
        float32 (N,) of mean 1; None where all are equal.

    Raises:
        StudyError: a weight that is negative or no number.
    """
    # Each image's own weight.
    weights = np.ones(len(faces))
    if "weight" in faces.table:
        weights = faces.table["weight"].to_numpy(float)
    if not (np.isfinite(weights).all() and (weights >= 0).all()):
        raise StudyError("weights of training images must be numbers of 0 or more")

    # Times its class's.
    of_class = class_weights(faces.labels, options.class_weights, len(faces.classes))
    weights = weights * of_class[faces.labels]

    # Equal weights change nothing; without them the loss takes one operation less.
    if np.ptp(weights) <= 1e-12 * weights.max():
        return None
    return (weights / weights.mean()).astype(np.float32)
