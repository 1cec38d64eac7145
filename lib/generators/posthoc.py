"""Averages of weights of any length, made after a training of the averages that it has kept.

Source: Karras et al. 2023, arXiv 2312.02696 (EDM2), section 3.2: an average is a profile over the
steps of a training, so another profile is approximated by a weighted sum of stored ones.

How far the nearest sum is from the profile that is wanted, as a share of its norm; it follows from
steps and lengths alone (`approximation_error`; snapshots at 8 halved steps, of the lengths 0.05,
0.1 and 0.2 each):

    wanted    0.03    0.05    0.07    0.1    0.15    0.2    0.25
    error     0.14    0       0.025   0      0.028   0      0.057
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from lib.generators.averages import LONGEST, power_of_length
from lib.generators.training_loop import TrainedGenerator
from lib.generators.weights import read_generator
from lib.study.errors import StudyError


def generator_of_length(paths: list[Path], length: float) -> TrainedGenerator:
    """Make the generator whose weights are the average of a length, from snapshots of a training.

    Args:
        paths: of weights files of one diffusion training, at different steps and of different
            lengths; the last step is where the new average ends.
        length: share of the training, above 0 and below LONGEST.

    Raises:
        StudyError: files of other generators, trainings or data, fewer than two, or a length out of
            range.
    """
    # Read the snapshots, and check that they are of one training.
    generators = [read_generator(path) for path in paths]
    _check(generators, paths, length)

    # Weight them.
    profiles = [(g.steps, g.network.settings["average"]) for g in generators]
    last = max(steps for steps, _ in profiles)
    shares = combination(profiles, last, length)

    # Sum their weights; what was never averaged is the same in all.
    tensors = [generator.network.drawing_weights() for generator in generators]
    weights = {}
    for name, tensor in tensors[0].items():
        weights[name] = tensor
        if tensor.is_floating_point() and not name.startswith(generators[0].network.exact_weights):
            stacked = torch.stack([other[name].double() for other in tensors])
            weights[name] = torch.einsum("i,i...->...", torch.from_numpy(shares), stacked).float()

    # Put them into a network that draws with an average of this length.
    network = type(generators[0].network)(**generators[0].network.settings | {"average": length})
    network.load_drawing_weights(weights)
    return replace(generators[0], network=network.eval(), steps=last)


def combination(profiles: list[tuple[int, float]], steps: int, length: float) -> np.ndarray:
    """Weight stored profiles so that their sum comes nearest to another one.

    Args:
        profiles: steps and length of each stored average.
        steps: where the wanted average ends.
        length: of the wanted average.

    Returns:
        float64 (N,), the least-squares solution; a profile that is stored gets 1 and the others 0.
    """
    # Normal equations of the squared distance, each profile scaled to norm 1.
    norms = np.array([math.sqrt(overlap(one, one)) for one in profiles])
    inner = np.array([[overlap(one, other) for other in profiles] for one in profiles])
    wanted = np.array([overlap(one, (steps, length)) for one in profiles])
    scaled = np.linalg.lstsq(inner / np.outer(norms, norms), wanted / norms, rcond=None)[0]
    return scaled / norms


def approximation_error(profiles: list[tuple[int, float]], steps: int, length: float) -> float:
    """Measure the distance of the best combination from the wanted profile, share of its norm."""
    wanted = (steps, length)
    shares = combination(profiles, steps, length)
    explained = sum(share * overlap(one, wanted) for share, one in zip(shares, profiles))
    return math.sqrt(max(0.0, 1 - explained / overlap(wanted, wanted)))


def overlap(one: tuple[int, float], other: tuple[int, float]) -> float:
    """Integrate the product of two profiles, each (steps, length).

    A profile is (g + 1) t ** g / steps ** (g + 1) up to its steps and 0 beyond, g being the power
    of its length, so that it integrates to 1.
    """
    (steps, length), (other_steps, other_length) = one, other
    power, other_power = power_of_length(length), power_of_length(other_length)
    common = min(steps, other_steps)

    # In logarithms, for the powers of steps overflow.
    log = (power + other_power + 1) * math.log(common)
    log -= (power + 1) * math.log(steps) + (other_power + 1) * math.log(other_steps)
    return (power + 1) * (other_power + 1) / (power + other_power + 1) * math.exp(log)


def _check(generators: list[TrainedGenerator], paths: list[Path], length: float) -> None:
    """Stop at snapshots that cannot be combined."""
    if len(generators) < 2 or not 0 < length < LONGEST:
        raise StudyError(
            f"{len(generators)} snapshots and a length of {length}; an average needs two or more "
            f"and a length above 0 and below {LONGEST}"
        )
    first = identity_of(generators[0])
    for path, generator in zip(paths, generators):
        if "average" not in generator.network.settings:
            raise StudyError(f"{path}: weights of {generator.name}; averages are of diffusion")
        if identity_of(generator) != first:
            raise StudyError(f"{path}: of another training than {paths[0]}")


def identity_of(generator: TrainedGenerator) -> list:
    """Collect what snapshots of one training have in common."""
    settings = generator.network.settings
    sampling = generator.network.sampling_settings
    kept = {name: value for name, value in settings.items() if name not in sampling}
    return [generator.name, kept, generator.batch, generator.seed, generator.learnt_from]
