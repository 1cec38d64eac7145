"""The networks. Every one maps grey images float (N, 1, px, px) in [0, 1] to logits (N, 7), and shows its penultimate layer as .features(x)."""

from torch import Tensor, nn

from lib.faces.faceset import CLASSES
from lib.study.errors import StudyError


class Classifier(nn.Module):
    """A body that makes features and a last linear layer that makes logits.

    Args:
        body: (N, 1, px, px) -> (N, D).
        width: D.
    """

    def __init__(self, body: nn.Module, width: int):
        super().__init__()
        self.body, self.last = body, nn.Linear(width, len(CLASSES))

    def features(self, x: Tensor) -> Tensor:
        """Return the penultimate layer (N, D)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.features(x))


class Standardise(nn.Module):
    """Take each image's own brightness and contrast out: mean 0, standard deviation nearly 1."""

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        return centred / (centred.square().mean((1, 2, 3), keepdim=True).sqrt() + 0.05)


def s1_network(image_px: int) -> Classifier:
    """Build S1's network: six convolutions, three poolings, three dense layers; 11.09 M parameters at 48 px.

    Source: Schürmann, "The Synthetic Dilemma" (2024), and its published code. PyTorch's default initialisation.
    """
    layers, before = [], 1
    for first, second in ((32, 64), (128, 128), (256, 256)):
        layers += [nn.Conv2d(before, first, 3, padding=1), nn.ReLU(), nn.Conv2d(first, second, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
        before = second
    flat = before * (image_px // 8) ** 2
    layers += [nn.Flatten(), nn.Linear(flat, 1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, 512), nn.ReLU()]
    return Classifier(nn.Sequential(*layers), 512)


def small_network(image_px: int) -> Classifier:
    """Build the quick study's network: three convolutions at half resolution, 0.1 M parameters, 1.5 million multiplications an image.

    Each pooling comes before batch norm and ReLU, which then touch a quarter of the numbers.
    """
    layers, before = [Standardise(), nn.AvgPool2d(2)], 1
    for width in (16, 32, 64):
        layers += [nn.Conv2d(before, width, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
    layers += [nn.Flatten(), nn.Linear(before * (image_px // 16) ** 2, 128), nn.ReLU()]
    return Classifier(nn.Sequential(*layers), 128)


NETWORKS = {"s1": s1_network, "small": small_network}


def build_classifier(name: str, *, image_px: int = 48, pretrained: bool = False, frozen: bool = False) -> Classifier:
    """Build a network with fresh weights, drawn from torch's current random state.

    Args:
        name: a key of NETWORKS.
        image_px: side of the images, pixels.
        pretrained: start from ImageNet weights, where the network has any.
        frozen: train the head alone; needs pretrained.

    Raises:
        StudyError: no such network, or no such weights.
    """
    if name not in NETWORKS:
        raise StudyError(f"classifiers: there is no network {name!r}; there are {', '.join(NETWORKS)}")
    if pretrained or frozen:
        raise StudyError(f"classifiers: {name!r} has no ImageNet weights; leave pretrained and frozen off")
    return NETWORKS[name](image_px)


def parameter_count(model: nn.Module) -> int:
    """Count the trainable numbers of a network."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)
