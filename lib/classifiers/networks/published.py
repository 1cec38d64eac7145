"""Networks of other studies, written from their texts: S2's network and ResEmoteNet."""

from torch import Tensor, nn
from torch.nn import functional as F

from lib.classifiers.networks.base import Classifier

REDUCTION = 16  # channels of which a squeeze makes one


def s2_network(image_px: int, classes: int) -> Classifier:
    """Build S2's convolutional network: 3.6 M parameters at 48 px.

    The reports state its size and no layers. These are three pairs of 3x3 convolutions with batch
    norm, as such networks usually have them.

    Args:
        image_px: side of the images, pixels; a multiple of 8.
        classes: number of classes.
    """
    layers = []

    # Three pairs of convolutions, each pair halving the maps.
    before = 1
    for width in (64, 128, 256):
        for _ in range(2):
            layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
            before = width
        layers += [nn.MaxPool2d(2), nn.Dropout(0.25)]

    # The dense layer whose output is the features.
    flat = before * (image_px // 8) ** 2
    layers += [nn.Flatten(), nn.Linear(flat, 264), nn.ReLU(), nn.Dropout(0.5)]
    return Classifier(nn.Sequential(*layers), 264, classes)


class SqueezeExcitation(nn.Module):
    """Weigh the channels by a small network of their means.

    Source: Hu et al. 2017, arXiv 1709.01507.
    """

    def __init__(self, width: int):
        super().__init__()
        # From the means of all channels to a factor between 0 and 1 for each.
        self.gate = nn.Sequential(
            nn.Linear(width, width // REDUCTION),
            nn.ReLU(),
            nn.Linear(width // REDUCTION, width),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(x.mean((2, 3)))[:, :, None, None]


class StridedResidual(nn.Module):
    """Two 3x3 convolutions beside a 1x1 convolution, the first of stride 2.

    Source: He et al. 2015, arXiv 1512.03385.
    """

    def __init__(self, before: int, width: int):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(before, width, 3, 2, 1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1),
            nn.BatchNorm2d(width),
        )

        # The shortcut has the shape of the body.
        self.shortcut = nn.Sequential(nn.Conv2d(before, width, 1, 2), nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.body(x) + self.shortcut(x))


def resemotenet(image_px: int, classes: int) -> Classifier:
    """Build ResEmoteNet: convolutions, squeeze and excitation, residual blocks, a dense head.

    80 M parameters.

    Args:
        image_px: side of the images, pixels; any from 32, as the last maps are averaged.
        classes: number of classes.

    Source: Roy et al. 2024, arXiv 2409.10545; grey input in place of colour.
    """
    layers = []

    # Three plain convolutions, each halving the maps.
    before = 1
    for width in (64, 128, 256):
        layers += [nn.Conv2d(before, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()]
        layers += [nn.MaxPool2d(2), nn.Dropout(0.2)]
        before = width

    # Channel attention, then three residual blocks.
    layers.append(SqueezeExcitation(before))
    for width in (512, 1024, 2048):
        layers.append(StridedResidual(before, width))
        before = width

    # The dense head.
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    for width in (1024, 512, 256):
        layers += [nn.Linear(before, width), nn.ReLU(), nn.Dropout(0.5)]
        before = width
    return Classifier(nn.Sequential(*layers), before, classes)
