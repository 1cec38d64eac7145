"""Trained networks on disk: one safetensors file whose header says what it is. Nothing that could run code is ever loaded."""

from pathlib import Path

import torch
from torch import nn

from lib.classifiers.models import build_classifier
from lib.faces.faceset import CLASSES
from lib.generators.checkpoints import load_tensors, save_tensors
from lib.study.errors import StudyError


def save_model(model: nn.Module, path: Path, *, classifier: str, image_px: int, facts: dict | None = None) -> Path:
    """Write a network's weights as they are, float32.

    Args:
        path: file to write; .safetensors is added where it has no suffix.
        classifier: name of the network, by which it is built again.
        image_px: side of its input, pixels.
        facts: plain data kept in the header (study, arm, seed, accuracy, ...).
    """
    header = (facts or {}) | {"classifier": classifier, "image_px": image_px, "classes": list(CLASSES)}
    return save_tensors(_file(path), model.state_dict(), header)


def load_model(path: Path) -> nn.Module:
    """Read a network written by save_model, in evaluation mode; it predicts the same bytes as the one that was written.

    Raises:
        StudyError: a pickle, a file that is missing or cut off, no classifier of this study, weights of another shape.
    """
    facts = load_facts(path)
    model = build_classifier(facts["classifier"], image_px=facts["image_px"], start=False)
    tensors, _ = load_tensors(_file(path), model.state_dict())
    model.load_state_dict({name: tensors[name] for name in model.state_dict()})
    return model.eval().to(memory_format=torch.channels_last)  # as it was trained: the same sums in the same order


def load_facts(path: Path) -> dict:
    """Read what save_model was told about a network: classifier, image_px, classes and its facts."""
    _, facts = load_tensors(_file(path))
    if facts.get("classes") != list(CLASSES) or not {"classifier", "image_px"} <= set(facts):
        raise StudyError(
            f"{path}: not a classifier of this study (classes in its header: {facts.get('classes')}); train one in notebook 40"
        )
    return facts


def _file(path: Path) -> Path:
    return Path(path) if Path(path).suffix else Path(path).with_suffix(".safetensors")
