"""The networks. Every one maps grey images float (N, 1, px, px) in [0, 1] to logits (N, 7), and shows its penultimate layer as .features(x)."""

from torch import Tensor, nn

from lib.faces.faceset import CLASSES
from lib.study.errors import StudyError


class Classifier(nn.Module):
    """A body that makes features and a last linear layer that makes logits.

    Args:
        body: (N, 1, px, px) -> (N, D).
        width: D.
        centre: subtracted from the pixels, and
        scale: what they are then divided by; 0 and 1 leave them in [0, 1].
    """

    def __init__(self, body: nn.Module, width: int, *, centre: float = 0.0, scale: float = 1.0):
        super().__init__()
        self.body, self.last = body, nn.Linear(width, len(CLASSES))
        self.centre, self.scale = centre, scale

    def features(self, x: Tensor) -> Tensor:
        """Return the penultimate layer (N, D)."""
        return self.body((x - self.centre) / self.scale if self.scale != 1 else x)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.features(x))


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
    """Build the quick study's network: strides instead of poolings, 0.24 M parameters, about 3 million multiplications an image."""
    widths = (32, 64, 128)
    layers = [nn.Conv2d(1, widths[0], 5, stride=4, padding=2, bias=False), nn.BatchNorm2d(widths[0]), nn.ReLU()]
    for before, after in zip(widths, widths[1:]):
        layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
    layers += [nn.Flatten(), nn.Linear(widths[-1] * (-(-image_px // 16)) ** 2, 128), nn.ReLU()]
    return Classifier(nn.Sequential(*layers), 128, centre=0.5, scale=0.25)


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
