"""The shape that all networks share.

Grey images float (N, 1, px, px) in [0, 1] in, logits (N, classes) out, the penultimate layer as
.features(x).
"""

from torch import Tensor, nn


class Classifier(nn.Module):
    """A body that computes features and a last linear layer that computes logits.

    Args:
        body: (N, 1, px, px) -> (N, D).
        width: D.
        classes: number of classes.
    """

    def __init__(self, body: nn.Module, width: int, classes: int):
        super().__init__()
        # The body first: weights are drawn in the order in which layers are made.
        self.body = body
        self.last = nn.Linear(width, classes)

    @property
    def classes(self) -> int:
        """Number of classes, the width of the output."""
        return self.last.out_features

    def features(self, x: Tensor) -> Tensor:
        """Return the penultimate layer (N, D)."""
        return self.body(x)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.features(x))


class Standardise(nn.Module):
    """Remove each image's own brightness and contrast: mean 0, standard deviation nearly 1."""

    def forward(self, x: Tensor) -> Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        deviation = centred.square().mean((1, 2, 3), keepdim=True).sqrt()
        return centred / (deviation + 0.05)  # 0.05: an empty image is not divided by 0
