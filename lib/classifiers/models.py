"""Classifiers: the networks by name, their predictions, and trained ones on disk.

A trained network is one safetensors file whose header says what it is: network, side of its input,
classes. Nothing that could run code is ever loaded.
"""

from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib.classifiers.augmentation import to_float
from lib.classifiers.networks.base import Classifier
from lib.classifiers.networks.deep import deep_network
from lib.classifiers.networks.fast import fast_network
from lib.classifiers.networks.published import resemotenet, s2_network
from lib.classifiers.networks.s1 import s1_network
from lib.classifiers.networks.small import small_network
from lib.classifiers.networks.torchvision_zoo import ZOO
from lib.compute.checkpoints import load_tensors, save_tensors
from lib.compute.devices import repeatable
from lib.study.errors import StudyError

# Each takes (image_px, classes); those of torchvision also `start`.
NETWORKS = {
    "s1": s1_network,
    "small": small_network,
    "fast": fast_network,
    "deep": deep_network,
    "s2": s2_network,
    "resemotenet": resemotenet,
    **ZOO,
}

# What the header of a classifier's file holds at least.
HEADER = {"classifier", "image_px", "classes"}


def build_classifier(
    name: str, *, classes: int, image_px: int = 48, start: bool = True
) -> Classifier:
    """Build a network with fresh weights, from torch's current random state or from ImageNet.

    Args:
        name: a key of NETWORKS.
        classes: number of classes, the width of the output.
        image_px: side of the images, pixels.
        start: False where weights are loaded over it anyway: ImageNet's are then not looked for.

    Raises:
        StudyError: no such network; ImageNet weights that cannot be had.
    """
    if name not in NETWORKS:
        raise StudyError(
            f"classifiers: there is no network {name!r}; there are {', '.join(NETWORKS)}"
        )
    # torchvision's alone have weights to begin from.
    if name in ZOO:
        return ZOO[name](image_px, classes, start=start)
    return NETWORKS[name](image_px, classes)


def parameter_count(model: nn.Module) -> int:
    """Count the trainable numbers of a network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


@torch.inference_mode()
def predict(
    model: Classifier, images: np.ndarray, *, batch: int = 512, test_time_flip: bool = False
) -> np.ndarray:
    """Compute class probabilities in float32.

    Args:
        model: on any device; left in evaluation mode.
        images: uint8 (N, H, W), 0 to 255.
        batch: images at once.
        test_time_flip: average over each image and its mirror.

    Returns:
        float32 (N, classes), rows summing to 1.
    """
    # An empty part gives no images a shape too.
    model.eval()
    device = next(model.parameters()).device
    parts = [torch.zeros(0, model.classes)]
    with repeatable():
        for first in range(0, len(images), batch):
            x = to_float(torch.from_numpy(images[first : first + batch]).to(device))
            x = x.contiguous(memory_format=torch.channels_last)

            # Probabilities, of the mirrored images too where asked for.
            p = model(x).softmax(1)
            if test_time_flip:
                p = (p + model(x.flip(3)).softmax(1)) / 2
            parts.append(p.cpu())
    return torch.cat(parts).numpy()


def features_of(model: Classifier, images: np.ndarray, *, batch: int = 512) -> np.ndarray:
    """Compute penultimate features, float32 (N, D), of uint8 (N, px, px) of the network's size.

    Args:
        model: in evaluation mode.
        batch: images at once.
    """
    # An empty part gives no images a shape too.
    parts = [np.zeros((0, model.last.in_features), np.float32)]
    with torch.no_grad():
        for first in range(0, len(images), batch):
            x = to_float(torch.from_numpy(images[first : first + batch]))
            parts.append(model.features(x).numpy())
    return np.concatenate(parts)


def save_model(
    model: nn.Module,
    path: Path,
    *,
    classifier: str,
    image_px: int,
    classes: tuple[str, ...],
    facts: dict | None = None,
) -> Path:
    """Write a network's weights as they are, float32.

    Args:
        path: file to write; .safetensors is added where it has no suffix.
        classifier: name of the network, by which it is built again.
        image_px: side of its input, pixels.
        classes: names of its outputs, in order.
        facts: plain data kept in the header (study, arm, seed, accuracy, ...).
    """
    # Facts never hide what the file needs to be read.
    header = {"classifier": classifier, "image_px": image_px, "classes": list(classes)}
    return save_tensors(_file(path), model.state_dict(), (facts or {}) | header)


def load_model(path: Path) -> Classifier:
    """Read a network written by save_model, in evaluation mode.

    It predicts the same bytes as the one that was written.

    Raises:
        StudyError: a pickle, a file that is missing or cut off, no classifier, weights of another
            shape.
    """
    # An untrained network of the same kind, for its shape.
    facts = load_facts(path)
    model = build_classifier(
        facts["classifier"], classes=len(facts["classes"]), image_px=facts["image_px"], start=False
    )

    # Its weights.
    tensors, _ = load_tensors(_file(path), model.state_dict())
    model.load_state_dict({name: tensors[name] for name in model.state_dict()})

    # The layout it was trained in: the same sums in the same order.
    return model.eval().to(memory_format=torch.channels_last)


def load_facts(path: Path) -> dict:
    """Read the header of a network written by save_model: classifier, image_px, classes, facts.

    Raises:
        StudyError: a file that does not read, or one of another kind.
    """
    # Digests are checked with the weights, so these are read too.
    _, facts = load_tensors(_file(path))
    missing = HEADER - set(facts)
    if missing:
        raise StudyError(
            f"{path}: not a classifier of this study (its header lacks "
            f"{', '.join(sorted(missing))}); train one in notebook 40"
        )
    return facts


def _file(path: Path) -> Path:
    """Add the suffix of a classifier's file where there is none."""
    return Path(path) if Path(path).suffix else Path(path).with_suffix(".safetensors")
