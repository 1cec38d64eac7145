"""S1's network."""

from torch import nn

from lib.classifiers.networks.base import Classifier


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
