"""Weights of the stand-alone training of the diffusion model, whose networks are named alike.

It wrote snapshots, averaged weights in float16 with facts in their header, and a checkpoint with
raw weights under network/ and averages under average-<length>/, before this project's loop could
train the model. Steps, random numbers and arithmetic are those of lib.generators.diffusion.
"""

import hashlib
from pathlib import Path

import numpy as np
import torch

from lib.compute.checkpoints import load_tensors
from lib.faces.faceset import FaceSet
from lib.generators.contract import learnt_from_faces
from lib.generators.diffusion import Diffusion
from lib.generators.diffusion_networks import CONDITION
from lib.generators.folder import generation_order
from lib.generators.training_loop import TrainedGenerator
from lib.study.errors import StudyError


def read_snapshot(path: Path, faces: FaceSet, average: float = 0.1) -> TrainedGenerator:
    """Make the generator that a snapshot or a checkpoint holds; it draws, and is not trained.

    Args:
        path: .safetensors.
        faces: what it was trained on, in the same order or to be ordered by their file numbers.
        average: length of the average to take from a checkpoint; a snapshot holds one.

    Raises:
        StudyError: no such file, of another network than this project's, or of other faces.
    """
    tensors, facts = load_tensors(path)
    if "network" not in facts or facts["network"]["condition"] != CONDITION:
        raise StudyError(f"{path}: no snapshot of the stand-alone training")

    # What it learnt from is known by its digest alone, in the order of the file numbers.
    orders = [faces]
    if "file" in faces.table:
        orders.append(faces.select(generation_order(faces.table["file"])))
    if facts["data"] not in [data_digest(ordered) for ordered in orders]:
        raise StudyError(f"{path}: trained on other images than these {len(faces)}")

    # Take the average that a snapshot holds, or one of a checkpoint.
    average = facts.get("average", average)
    prefix = f"average-{average}/"
    weights = {
        name.removeprefix(prefix): tensor.float()
        for name, tensor in tensors.items()
        if "average" in facts or name.startswith(prefix)
    }

    # Make the generator.
    with torch.random.fork_rng(range(torch.cuda.device_count())):
        network = Diffusion(**network_settings(facts), average=average)
    network.load_drawing_weights(weights)
    generator = TrainedGenerator(
        name="diffusion",
        network=network.eval(),
        classes=faces.classes,
        px=facts["network"]["px"],
        **training_settings(facts),
    )
    generator.learnt_from = learnt_from_faces(faces)
    return generator


def network_settings(facts: dict) -> dict:
    """Translate the settings of a snapshot's network and training into those of Diffusion."""
    # What is missing are settings of sampling, which have defaults.
    network, training = facts["network"], facts["settings"]
    return {
        "px": network["px"],
        "n_classes": network["classes"],
        "lr": training["lr"],
        "channels": network["channels"],
        "blocks": network["blocks"],
        "patch": network["patch"],
        "dropout": network["dropout"],
        "augment_share": training["augment"],
        "precision": "auto" if training["precision"] == "bf16" else "fp32",
    }


def training_settings(facts: dict) -> dict:
    """Translate a snapshot's training into steps, batch, seed and decay_share."""
    # The rate falls from a number of images on; None while it is constant.
    training = facts["settings"]
    decay = 0.0
    if training["decay_from"] is not None:
        decay = 1 - training["decay_from"] / training["total"]
    return {
        "steps": facts["step"],
        "batch": training["batch"],
        "seed": training["seed"],
        "decay_share": decay,
    }


def data_digest(faces: FaceSet) -> str:
    """Hash images and labels as the stand-alone training does."""
    # Images as uint8, labels as float32 vectors.
    labels = np.eye(len(faces.classes), dtype=np.float32)[faces.labels]
    digest = hashlib.sha256(np.ascontiguousarray(faces.images).tobytes())
    digest.update(labels.tobytes())
    return digest.hexdigest()[:16]
