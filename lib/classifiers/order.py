"""Which images a step sees: a function of the seed and the step alone, so that an interrupted run goes on as if it had not been."""

import functools
from dataclasses import dataclass, replace

import numpy as np
import torch

from lib.generators.sampling import mixed_seed
from lib.study.errors import StudyError

ORDER, STEP, CLASS = 1, 2, 3  # streams of random numbers of one seed


@dataclass(frozen=True)
class Schedule:
    """The batches of a run.

    Attributes:
        images: images in the training set.
        batch_size: images a step.
        steps: optimiser steps in all.
        whole_epochs: True: the last batch of an epoch holds what is left, as S1's DataLoader has it; False: all batches are full,
            an epoch's end and the next one's beginning share one, so that runs on sets of any size see the same number of images.
        seed: of the order.
    """

    images: int
    batch_size: int
    steps: int
    whole_epochs: bool
    seed: int

    @property
    def steps_per_epoch(self) -> float:
        """Steps in one pass over the images."""
        exact = self.images / self.batch_size
        return float(np.ceil(exact)) if self.whole_epochs else exact

    def rows(self, step: int, device: str, order=None) -> torch.Tensor:
        """Return the positions of a step's images, int64 (B,).

        Args:
            order: callable(epoch) -> int64 (images,), the positions in an epoch's order; None: shuffled.
        """
        order = order or functools.partial(shuffled, self.images, self.seed, device)
        n, batch = self.images, self.batch_size
        if self.whole_epochs:
            epoch, place = divmod(step, int(self.steps_per_epoch))
            return order(epoch)[place * batch : (place + 1) * batch]
        first, last = step * batch, (step + 1) * batch
        parts = [order(e)[max(0, first - e * n) : last - e * n] for e in range(first // n, (last - 1) // n + 1)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]


@dataclass(frozen=True)
class Stage:
    """A stretch of a run that sees some of the images.

    Attributes:
        first: its first step.
        schedule: of its own images and steps.
        members: int64, the positions of its images in the training set; None: all of them.
        order: callable(epoch) as Schedule.rows takes it; None: shuffled.
    """

    first: int
    schedule: Schedule
    members: torch.Tensor | None = None
    order: object = None

    def rows(self, step: int, device: str) -> torch.Tensor:
        """Return the positions in the training set of a step's images, int64 (B,)."""
        rows = self.schedule.rows(step - self.first, device, self.order)
        return rows if self.members is None else self.members[rows]


def plan_stages(schedule: Schedule, labels: np.ndarray, ends: np.ndarray | None, sampling: str, device: str) -> tuple[Stage, ...]:
    """Divide a run into stages; mostly it is one.

    Args:
        schedule: of the whole run.
        labels: int64 (N,).
        ends: float (N,), for each image the share of the steps after which its stage is over; None: one stage for all.
        sampling: shuffled or balanced.
        device: that receives the positions.

    Raises:
        StudyError: no stage lasts to the end, or an unknown way of sampling.
    """
    if sampling not in ("shuffled", "balanced"):
        raise StudyError(f"sampling: there is no {sampling!r}; there are shuffled, balanced")
    ends = np.ones(len(labels)) if ends is None else ends
    if ends.max() != 1 or ends.min() < 0:
        found = ", ".join(f"{end:g}" for end in np.unique(ends))
        raise StudyError(f"stages of a training end at 0 to 1 of its steps, the last at 1; these end at {found}")
    stages, first = [], 0
    for end in np.unique(ends):
        rows, last = np.flatnonzero(ends == end), round(end * schedule.steps)
        own = replace(schedule, images=len(rows), steps=last - first)
        order = balanced_order(labels[rows], schedule.seed, device) if sampling == "balanced" else None
        members = None if len(rows) == len(labels) else torch.from_numpy(rows).to(device)
        stages += [Stage(first, own, members, order)] * (last > first)
        first = last
    return tuple(stages)


@functools.lru_cache(maxsize=4)
def shuffled(n: int, seed: int, device: str, epoch: int) -> torch.Tensor:
    """Shuffle 0..n-1 for one epoch."""
    generator = torch.Generator().manual_seed(mixed_seed(seed, ORDER, epoch))
    return torch.randperm(n, generator=generator).to(device)


def balanced_order(labels: np.ndarray, seed: int, device: str):
    """Make the order in which every class comes as often, whatever its count.

    Returns:
        callable(epoch) -> int64 (N,): as many positions as there are images, each image of a class once before any of it twice,
        within an epoch and across epochs; where the classes do not divide N, classes chosen at random have one less.
    """
    classes = [torch.from_numpy(np.flatnonzero(labels == c)) for c in np.unique(labels)]
    quota = -(-len(labels) // len(classes))

    @functools.lru_cache(maxsize=2)
    def order(epoch: int) -> torch.Tensor:
        drawn = torch.cat([_passes(rows, epoch * quota, quota, seed, c) for c, rows in enumerate(classes)])
        generator = torch.Generator().manual_seed(mixed_seed(seed, ORDER, epoch))
        return drawn[torch.randperm(len(drawn), generator=generator)[: len(labels)]].to(device)

    return order


def _passes(rows: torch.Tensor, first: int, count: int, seed: int, number: int) -> torch.Tensor:
    """Take `count` from place `first` on of an endless row of passes over a class, each in an order of its own."""
    n, parts = len(rows), []
    for which in range(first // n, (first + count - 1) // n + 1):
        generator = torch.Generator().manual_seed(mixed_seed(seed, CLASS, number, which))
        parts.append(rows[torch.randperm(n, generator=generator)])
    return torch.cat(parts)[first % n : first % n + count]


def step_seed(seed: int, step: int) -> int:
    """Return the seed of what a step draws: augmentation and dropout."""
    return mixed_seed(seed, STEP, step)
