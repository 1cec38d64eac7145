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
# EPYC; the GANs' trainings had the same bytes as before there were versions (commit 70ad838), and
# the diffusion model's those of the stand-alone training (lib/generators/snapshots.py).
RECORDED = {
    "dcgan": (1, 0.70931101, 0.70513022, 0.703179, 1.3885795, 1.3884001, 1.3935789,
        0.00082475114, 0.22862895),
    "dcgan, a class a batch": (1, 0.7084018, 0.68615174, 0.7288267, 1.3897717, 1.3782136,
        1.3797748, 0.00021421192, 0.16521886),
    "cgan": (1, 0.75630009, 0.77799356, 0.75399131, 1.3724655, 1.3790183, 1.403569, 0.0007620369,
        0.11902813),
    "acgan": (1, 2.6622376, 2.7079659, 2.6649199, 5.267458, 5.3427467, 5.2567787, 3.8719697,
        3.9500303, 3.8645806, 0.00078524763, 0.12409952),
    "stylegan": (1, 0.68568516, 0.63588041, 0.51337588, 1.394569, 1.5813036, 1.520968,
        0.00077088974, 0.57375344),
    "stylegan, number": (1, 0.61566794, 0.68572891, 0.96984196, 1.4608326, 1.3474705, 1.2576655,
        0.00092145769, 1.8411723),
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
