"""The networks by name."""

from torch import nn

from lib.classifiers.networks.base import Classifier
from lib.classifiers.networks.deep import deep_network
from lib.classifiers.networks.fast import fast_network
from lib.classifiers.networks.published import resemotenet, s2_network
from lib.classifiers.networks.s1 import s1_network
from lib.classifiers.networks.small import small_network
from lib.classifiers.networks.torchvision_zoo import ZOO
from lib.study.errors import StudyError
from lib.study.fingerprints import code_digest

NETWORKS = {
    "s1": s1_network, "small": small_network, "fast": fast_network, "deep": deep_network, "s2": s2_network, "resemotenet": resemotenet,
    **ZOO
}  # fmt: skip


def build_classifier(name: str, *, image_px: int = 48, start: bool = True) -> Classifier:
    """Build a network with fresh weights, drawn from torch's current random state, or with ImageNet's where its name says so.

    Args:
        name: a key of NETWORKS.
        image_px: side of the images, pixels.
        start: False where weights are loaded over it anyway: ImageNet's are then not looked for.

    Raises:
        StudyError: no such network; ImageNet weights that cannot be had.
    """
    if name not in NETWORKS:
        raise StudyError(f"classifiers: there is no network {name!r}; there are {', '.join(NETWORKS)}")
    return NETWORKS[name](image_px, start=start) if name in ZOO else NETWORKS[name](image_px)


def training_code(classifier: str) -> str:
    """Hash the code that a training of this network runs through: not the machinery around it, not the other networks.

    Faces and recipe are told apart by their content, so a new recipe, network or data source leaves finished runs as they are.
    """
    others = ("lib.study", "lib.faces", "lib.generators.checkpoints", "lib.classifiers.models", "lib.classifiers.recipes")
    return code_digest("lib.classifiers.training", NETWORKS[classifier].__module__, without=others)


def parameter_count(model: nn.Module) -> int:
    """Count the trainable numbers of a network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
