"""Networks of other studies, written from their texts: S2's convolutional network and ResEmoteNet."""

from torch import Tensor, nn
from torch.nn import functional as F

from lib.classifiers.networks.base import Classifier


def s2_network(image_px: int) -> Classifier:
    """Build S2's convolutional network: 3.6 M parameters at 48 px.

    The reports state its size and no layers; these are three stages of two 3x3 convolutions with batch norm, as such networks usually have.
    """
    layers, before = [], 1
    for width in (64, 128, 256):
        for _ in range(2):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]
    flat = before * (image_px // 8) ** 2
    layers += [nn.Flatten(), nn.Linear(flat, 264), nn.ReLU(), nn.Dropout(0.5)]
    return Classifier(nn.Sequential(*layers), 264)


class SqueezeExcitation(nn.Module):
    """Weigh channels by what all of them hold on average.

    Source: Hu et al. 2017, arXiv 1709.01507.
    """

    def __init__(self, width: int, reduction: int = 16):
        super().__init__()
        self.gate = nn.Sequential(nn.Linear(width, width // reduction), nn.ReLU(), nn.Linear(width // reduction, width), nn.Sigmoid())

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean((2, 3)))[:, :, None, None]


class Block(nn.Module):
    """Two 3x3 convolutions beside a 1x1 convolution, the first of stride 2.

    Source: He et al. 2015, arXiv 1512.03385.
    """

    def __init__(self, before: int, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 3, 2, 1), nn.BatchNorm2d(width), nn.ReLU(), nn.Conv2d(width, width, 3, 1, 1), nn.BatchNorm2d(width)
        )
        self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, 2), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


def resemotenet(image_px: int) -> Classifier:
    """Build ResEmoteNet: three convolutions, squeeze and excitation, three residual blocks, a dense head; 80 M parameters.

    Args:
        image_px: side of the images, pixels; any from 32, as the last maps are averaged.

    Source: Roy et al. 2024, arXiv 2409.10545; grey input in place of colour.
    """
    layers, before = [], 1
    for width in (64, 128, 256):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU(), nn.MaxPool2d(2), nn.Dropout(0.2)]
        before = width
    layers.append(SqueezeExcitation(before))
    for width in (512, 1024, 2048):
        layers.append(Block(before, width))
        before = width
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for width in (1024, 512, 256):
        layers += [nn.Linear(before, width), nn.ReLU(), nn.Dropout(0.5)]
        before = width
    return Classifier(nn.Sequential(*layers), before)
