"""Which images a step of training sees, and its seed: functions of the step alone.

So a training that goes on from a checkpoint is the one that never stopped.
"""

import functools

import numpy as np
import torch

from lib.compute.seeds import mixed_seed


def seed_step(seed: int, step: int, process: int) -> None:
    """Seed torch's global generator for a step; each further process draws noise of its own."""
    numbers = [seed, step]
    if process:
        numbers.append(process)
    torch.manual_seed(mixed_seed(*numbers))


def batch_rows(generator, step: int, labels: np.ndarray) -> torch.Tensor:
    """Choose the images of a step: consecutive pieces of a new shuffle in each pass.

    Where a batch holds one class, the classes take turns, each with passes of its own.

    Args:
        generator: a TrainedGenerator; gives batch, seed, device and how its network is fed.
        step: from 0.
        labels: int64 (N,), of the training images.

    Returns:
        int64 (batch,), a function of the generator's settings, the labels and the step alone.
    """
    # Choose the images that take part, and count the steps that they take part in.
    candidates = np.arange(len(labels))
    if generator.network.one_class_per_batch:
        present = np.unique(labels)
        candidates = np.flatnonzero(labels == present[step % len(present)])
        step = step // len(present)

    # A batch may reach from one pass over the candidates into the next.
    places = np.arange(step * generator.batch, (step + 1) * generator.batch)
    passes = places // len(candidates)
    rows = np.empty(generator.batch, np.int64)
    for number in np.unique(passes):
        order = _shuffled(len(candidates), generator.seed, int(number))
        here = passes == number
        rows[here] = candidates[order[places[here] % len(candidates)]]
    return torch.from_numpy(rows).to(generator.device, non_blocking=True)


@functools.lru_cache(16)
def _shuffled(count: int, seed: int, number: int) -> np.ndarray:
    """Shuffle 0 to count - 1 for one pass; kept, for every step of the pass needs it."""
    return np.random.default_rng([seed, number]).permutation(count)
