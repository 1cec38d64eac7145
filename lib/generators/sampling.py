"""Sampling so that image i depends on its own label and seed alone, to the bit, whatever else is in the batch."""

import numpy as np
import torch

from lib.generators.hardware import repeatable

SAMPLE_BATCH = 32  # every forward pass has exactly this many rows: kernels are chosen by shape, so equal shapes mean equal bits


def seed_noise(seeds: np.ndarray, shape: tuple[int, ...], stream: int = 0) -> torch.Tensor:
    """Draw standard normal noise, each row from its own seed.

    Args:
        seeds: int64 (N,).
        shape: of one row.
        stream: number of the noise, where a network needs several that do not depend on one another.

    Returns:
        float32 (N, *shape) on the CPU, so that it is the same on every device.
    """
    rows = [torch.randn(shape, generator=torch.Generator().manual_seed(mixed_seed(int(seed), stream))) for seed in seeds]
    return torch.stack(rows) if rows else torch.empty(0, *shape)


def mixed_seed(*numbers: int) -> int:
    """Mix whole numbers into one seed below 2^63, so that neighbours share nothing."""
    state = np.random.SeedSequence([n % 2**64 for n in numbers]).generate_state(1, np.uint64)[0]
    return int(state) % 2**63


@torch.no_grad()
def sample_rows(draw, labels: np.ndarray, seeds: np.ndarray, *, batch: int = SAMPLE_BATCH) -> np.ndarray:
    """Call a network on batches of one fixed size, the last one filled up.

    Args:
        draw: callable(labels int64 (batch,), seeds int64 (batch,)) -> float (batch, 1, px, px) in [-1, 1].
        labels, seeds: int64 (N,).
        batch: rows of every call.

    Returns:
        uint8 (N, px, px).
    """
    parts = []
    with repeatable():
        for start in range(0, len(labels), batch):
            rows = np.resize(np.arange(start, min(start + batch, len(labels))), batch)  # repeats rows to fill the batch
            parts.append(to_grey(draw(labels[rows], seeds[rows]))[: len(labels) - start])
    return np.concatenate(parts)


def to_grey(images: torch.Tensor) -> np.ndarray:
    """Turn float (N, 1, px, px) in [-1, 1] into uint8 (N, px, px)."""
    levels = ((images[:, 0].float() + 1) * 127.5).round().clamp(0, 255)
    return levels.to(torch.uint8).cpu().numpy()


def from_grey(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 (N, px, px) into float32 (N, 1, px, px) in [-1, 1]."""
    return images[:, None].float() / 127.5 - 1
