"""Generators and face sets small enough to train in a second."""

import numpy as np
import pandas as pd
import torch

from lib.faces.classes import EMOTIONS
from lib.faces.faceset import FaceSet
from lib.generators.contract import NETWORKS, Generator, make_generator
from lib.study.params import load_params

# Sizes at which every network trains a step in some hundredths of a second.
SMALL = {
    "gan_px": 16,
    "gan_width": 16,
    "gan_batch": 8,
    "gan_steps": 6,
    "log_every_steps": 3,
    "diffusion_channels": [16, 32],
    "diffusion_blocks": [1, 1],
    "gan_precision": "fp32",  # the same numbers on every CPU, but for rounding
    "diffusion_sample_steps": 3,
    "device": "cpu",
}
# Every trained generator, and the variant that trains one class at a time.
TRAINED = [{"generator": name} for name in NETWORKS]
TRAINED.append({"generator": "dcgan", "gan_conditional": False})


def small_generator(
    generator: str = "dcgan", *, classes: tuple[str, ...] = EMOTIONS, **changes
) -> Generator:
    """Make a generator of the study quick at small sizes, with other parameters changed."""
    params = load_params("quick") | SMALL | {"generator": generator} | changes
    return make_generator(params, classes)


def enlarged(generator: Generator) -> Generator:
    """Enlarge untrained weights, so that images differ by more than a grey level."""
    source = torch.Generator().manual_seed(generator.seed)
    with torch.no_grad():
        for weights in generator.network.parameters():
            if weights.dim() < 2:
                continue
            # Some layers begin at zero, so that nothing behind them matters.
            if weights.any():
                weights.mul_(8)
            else:
                weights.copy_(torch.randn(weights.shape, generator=source) * 0.05)
    return generator


def disturbed(network, std: float = 0.05):
    """Move all weights, so that no layer is zero and every condition matters."""
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in network.parameters():
            weights.add_(torch.randn(weights.shape, generator=source) * std)
    return network.eval()


def noise_faces(n: int = 30, px: int = 16, classes: tuple[str, ...] = EMOTIONS) -> FaceSet:
    """Make faces of random pixels, the classes in turn."""
    images = np.random.default_rng(0).integers(0, 256, (n, px, px)).astype(np.uint8)
    table = pd.DataFrame(
        {
            "id": [f"face-{i}" for i in range(n)],
            "class": [classes[i % len(classes)] for i in range(n)],
            "split": "train",
            "source": "test",
        }
    )
    return FaceSet(images, table, classes)
