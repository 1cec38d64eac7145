"""Sampling so that image i depends on its own label and seed alone, to the bit.

What else is in the batch does not matter: noise is drawn image by image, and every forward pass has
the same number of rows, because kernels are chosen by shape and other kernels round differently.
"""

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from lib.compute.devices import repeatable
from lib.compute.seeds import mixed_seed
from lib.faces.faceset import FaceSet

SAMPLE_BATCH = 32  # rows of every forward pass


def seed_noise(seeds: np.ndarray, shape: tuple[int, ...], stream: int = 0) -> torch.Tensor:
    """Draw standard normal noise, each row from its own seed.

    Args:
        seeds: int64 (N,).
        shape: of one row.
        stream: number of the noise, where a network needs several independent ones of one seed.

    Returns:
        float32 (N, *shape) on the CPU, so that it is the same on every device.
    """
    rows = []
    for seed in seeds:
        source = torch.Generator().manual_seed(mixed_seed(int(seed), stream))
        rows.append(torch.randn(shape, generator=source))
    return torch.stack(rows) if rows else torch.empty(0, *shape)


@torch.no_grad()
def sample_rows(
    draw: Callable,  # (labels, seeds) of one batch -> float (batch, 1, px, px) in [-1, 1]
    labels: np.ndarray,  # int64 (N,)
    seeds: np.ndarray,  # int64 (N,)
    *,
    batch: int = SAMPLE_BATCH,  # rows of every call
) -> np.ndarray:
    """Call a network on batches of one fixed size, the last one filled up with repeated rows.

    Returns:
        uint8 (N, px, px).
    """
    parts = []
    with repeatable():
        for start in range(0, len(labels), batch):
            # Fill the batch up, and drop the rows that filled it.
            wanted = np.arange(start, min(start + batch, len(labels)))
            filled = np.resize(wanted, batch)
            images = to_grey(draw(labels[filled], seeds[filled]))
            parts.append(images[: len(wanted)])
    return np.concatenate(parts)


def generated_faces(
    images: np.ndarray,  # uint8 (N, px, px)
    labels: np.ndarray,  # int64 (N,), positions in classes
    seeds: np.ndarray,  # int64 (N,)
    generator: str,  # its name
    classes: tuple[str, ...],
) -> FaceSet:
    """Put generated images into a face set that records the generator and the seed of each."""
    names = [classes[label] for label in labels]
    columns = {
        "id": [f"{generator}-{name}-{seed}" for name, seed in zip(names, seeds)],
        "class": names,
        "split": "train",
        "source": "synthetic",
        "generator": generator,
        "seed": np.asarray(seeds, np.int64),
    }
    return FaceSet(images, pd.DataFrame(columns), classes)


def to_grey(images: torch.Tensor) -> np.ndarray:
    """Turn float (N, 1, px, px) in [-1, 1] into uint8 (N, px, px)."""
    scaled = (images[:, 0].float() + 1) * 127.5  # 0 to 255
    return scaled.round().clamp(0, 255).to(torch.uint8).cpu().numpy()


def from_grey(images: torch.Tensor) -> torch.Tensor:
    """Turn uint8 (N, px, px) into float32 (N, 1, px, px) in [-1, 1]."""
    return images[:, None].float() / 127.5 - 1
