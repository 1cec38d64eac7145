"""Tiny trainings against numbers recorded for GENERATOR_VERSION.

The key of a training holds its version, not its code: whoever changes the arithmetic must raise the
version, and this test notices who forgot.
"""

import numpy as np
import pytest
import torch
from small_generators import noise_faces, small_generator

from lib.generators.versions import GENERATOR_VERSION

STEPS = 3

# Relative deviation that is let pass. Other threads, kernels (avx2) or inputs rounded otherwise
# moved numbers by at most 1e-6. Another seed, loss weight or rate moves at least one by more;
# Adam's beta 0.99 in place of 0.999, by 1.3e-4, is the least of the changes that were tried.
TOLERANCE = 1e-4

# The diffusion model's rate rises over 50 steps: three steps need a large one to move the weights.
WARM = {"gan_lr": 0.1}

# Variants that together pass the lines of the arithmetic: generator, and its other settings.
CASES = {
    "dcgan": ("dcgan", {}),
    "dcgan, a class a batch": ("dcgan", {"gan_conditional": False}),
    "cgan": ("cgan", {}),
    "acgan": ("acgan", {}),
    "stylegan": ("stylegan", {"gan_augment": "fixed", "gan_truncation": 0.7}),
    "stylegan, number": ("stylegan", {"gan_augment": "none", "gan_condition": "number"}),
    "diffusion": ("diffusion", WARM),
    "diffusion, few images": (
        "diffusion",
        WARM | {"diffusion_augment_share": 0.5, "gan_decay_share": 0.7, "diffusion_patch": 1},
    ),
}

# The version, and its numbers in the order of `tiny_training`: each loss at the three steps, the
# movement of the weights, the size of samples. Recorded with torch 2.15 on one thread of an AMD
# EPYC; the diffusion model's are those of the stand-alone training (lib/generators/snapshots.py).
RECORDED = {
    "dcgan": (2, 1.3835926, 1.3799735, 1.3753679, 0.67636496, 0.68259215, 0.68716496, 0.0016496973,
        0.1586094),
    "dcgan, a class a batch": (2, 1.3966072, 1.3945912, 1.392163, 0.68299532, 0.72660941,
        0.70833004, 0.00042841427, 0.12932067),
    "cgan": (2, 1.376194, 1.3773217, 1.389713, 0.72751534, 0.72205418, 0.71951854, 0.0015524157,
        0.10482267),
    "acgan": (2, 1.3936658, 1.3803959, 1.3838974, 3.9356236, 3.8884835, 3.8961358, 2.6214345,
        2.6160858, 2.5920763, 0.0015797449, 0.036699132),
    "stylegan": (2, 1.2720714, 1.4094787, 1.3767664, 0.70806861, 0.74931234, 0.93759966,
        0.0015356211, 1.0308003),
    "stylegan, number": (2, 1.3296547, 1.3606203, 1.3604865, 1.5644157, 1.1065559, 1.1343157,
        0.00177562, 0.98025525),
    "diffusion": (2, 1.1368666, 1.1223805, 1.3216481, 0.00058437851, 0.18374605),
    "diffusion, few images": (2, 0.85806453, 0.7835229, 0.89833361, 0.00032986846, 0.11168482),
}  # fmt: skip


def tiny_training(case: str, folder) -> dict[str, float]:
    """Train a few steps and describe them by numbers that every change of the arithmetic moves."""
    name, settings = CASES[case]
    generator = small_generator(name, gan_steps=STEPS, log_every_steps=1, **settings)
    initial = weights_of(generator.network)
    log = generator.fit(noise_faces(), folder=folder)

    # Losses of each step.
    numbers = {}
    for loss in [column for column in log if column.startswith("loss")]:
        for step in range(STEPS):
            numbers[f"{loss} {step + 1}"] = float(log[loss][step])

    # Mean movement of a weight, and root mean square of samples.
    movement = (weights_of(generator.network) - initial).abs().double().mean()
    with torch.no_grad():
        samples = generator.network.draw(np.arange(14) % 7, np.arange(14))
    size = samples.double().square().mean().sqrt()
    return numbers | {"movement": float(movement), "samples": float(size)}


def weights_of(network) -> torch.Tensor:
    """Copy all weights of a network into one vector."""
    return torch.cat([weights.detach().flatten() for weights in network.parameters()]).clone()


@pytest.mark.parametrize("case", CASES)
def test_a_training_is_that_of_its_version(case, tmp_path):
    name, _ = CASES[case]
    numbers = tiny_training(case, tmp_path)
    version, *recorded = RECORDED[case]
    shown = ", ".join(f"{value:.8g}" for value in numbers.values())
    new = f'record "{case}": ({GENERATOR_VERSION[name]}, {shown})'
    assert version == GENERATOR_VERSION[name], f"GENERATOR_VERSION of {name} was raised: {new}"

    expected = dict(zip(numbers, recorded, strict=True))
    assert numbers == pytest.approx(expected, rel=TOLERANCE), (
        f"the training of {name} has other results than version {version}: if its arithmetic was "
        f"changed on purpose, raise GENERATOR_VERSION in lib/generators/versions.py and {new}"
    )
