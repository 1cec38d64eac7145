"""S1's network."""

from torch import nn

from lib.classifiers.networks.base import Classifier


def s1_network(image_px: int, classes: int) -> Classifier:
    """Build S1's network: six convolutions, three poolings, three dense layers.

    11.09 M parameters at 48 px and seven classes. PyTorch's default initialisation.

    Args:
        image_px: side of the images, pixels; a multiple of 8.
        classes: number of classes.

    Source: Schürmann, "The Synthetic Dilemma" (2024), and its published code.
    """
    layers = []

    # Three pairs of convolutions, each pair halving the maps.
    before = 1
    for first, second in ((32, 64), (128, 128), (256, 256)):
        layers += [nn.Conv2d(before, first, 3, padding=1), nn.ReLU()]
        layers += [nn.Conv2d(first, second, 3, padding=1), nn.ReLU()]
        layers.append(nn.MaxPool2d(2))
        before = second

    # Two dense layers; the third is Classifier's.
    flat = before * (image_px // 8) ** 2
    layers += [nn.Flatten(), nn.Linear(flat, 1024), nn.ReLU(), nn.Dropout(0.5)]
    layers += [nn.Linear(1024, 512), nn.ReLU()]
    return Classifier(nn.Sequential(*layers), 512, classes)
