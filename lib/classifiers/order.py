"""Which images a step sees: a function of the seed and the step alone, so that an interrupted run goes on as if it had not been."""

import functools
from dataclasses import dataclass

import numpy as np
import torch

from lib.generators.sampling import mixed_seed

ORDER, STEP = 1, 2  # streams of random numbers of one seed


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

    def rows(self, step: int, device: str) -> torch.Tensor:
        """Return the positions of a step's images, int64 (B,)."""
        n, batch = self.images, self.batch_size
        if self.whole_epochs:
            epoch, place = divmod(step, int(self.steps_per_epoch))
            return shuffled(n, self.seed, epoch, device)[place * batch : (place + 1) * batch]
        first, last = step * batch, (step + 1) * batch
        parts = [shuffled(n, self.seed, e, device)[max(0, first - e * n) : last - e * n] for e in range(first // n, (last - 1) // n + 1)]
        return torch.cat(parts) if len(parts) > 1 else parts[0]


@functools.lru_cache(maxsize=4)
def shuffled(n: int, seed: int, epoch: int, device: str) -> torch.Tensor:
    """Shuffle 0..n-1 for one epoch."""
    generator = torch.Generator().manual_seed(mixed_seed(seed, ORDER, epoch))
    return torch.randperm(n, generator=generator).to(device)


def step_seed(seed: int, step: int) -> int:
    """Return the seed of what a step draws: augmentation and dropout."""
    return mixed_seed(seed, STEP, step)
