"""Snapshots of a training at log-spaced steps, to draw pools of a better and better generator.

A snapshot is a weights file (lib.generators.weights): `generator_weights` samples from it, as does
`python -m lib.generators sample`. Of a network that averages its weights over several lengths each
average is kept, so that another length can be chosen afterwards (lib.generators.posthoc).
"""

import math
from dataclasses import replace
from pathlib import Path

from lib.generators.contract import Generator
from lib.generators.export import export_weights
from lib.study.errors import StudyError

FOLDER = "snapshots"  # in the folder of the training


def snapshot_steps(steps: int, count: int) -> list[int]:
    """List the steps after which snapshots are taken: the last one, its half, its quarter, ...

    Args:
        steps: of the whole training.
        count: of snapshots; fewer are listed where a training is too short to be halved so often.
    """
    halved = {max(1, round(steps / 2**times)) for times in range(count)}
    return sorted(halved)


def snapshot_path(folder: Path, step: int, choice: dict) -> Path:
    """Name the snapshot of a step and of one of the network's `weight_choices`."""
    words = [f"step-{step:07d}", *(f"{name}-{value}" for name, value in choice.items())]
    return Path(folder) / FOLDER / ("-".join(words) + ".safetensors")


def save_snapshots(generator: Generator, folder: Path, step: int) -> None:
    """Write the weights after a step, one file for each set of weights that could draw."""
    for choice in generator.network.weight_choices:
        snapshot = replace(generator, network=generator.network.with_settings(choice), steps=step)
        snapshot.learnt_from = generator.learnt_from
        export_weights(snapshot, snapshot_path(folder, step, choice), most_mb=math.inf)


def require_snapshots(generator: Generator, folder: Path, step: int) -> None:
    """Stop where a training has passed a step whose snapshot is wanted and missing.

    Args:
        generator: with steps and checkpoints.
        folder: of the training.
        step: at which it goes on.

    Raises:
        StudyError: see above; nothing but a training anew gives these weights.
    """
    for wanted in snapshot_steps(generator.steps, generator.checkpoints):
        for choice in generator.network.weight_choices:
            if wanted <= step and not snapshot_path(folder, wanted, choice).exists():
                raise StudyError(
                    f"gan_checkpoints: {folder} has trained {step} steps without a snapshot at "
                    f"step {wanted}; remove the folder to train anew, or set gan_checkpoints to 0"
                )
