"""The shape that all networks share: grey images float (N, 1, px, px) in [0, 1] in, logits (N, 7)
out, the penultimate layer as .features(x).
"""

from torch import Tensor, nn

from lib.faces.faceset import CLASSES


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
