"""S3's DCGAN: dense and transposed convolutions against convolutions with dropout.

One network conditional on the class, or a pair of networks a class.

Source: Radford et al. 2016, arXiv 1511.06434; S3 (internship report 2024): LeakyReLU in both
networks, dense head, Adam.
Differs: the class enters through an embedding beside the noise, and the discriminator by projection
(Miyato and Koyama 2018, arXiv 1802.05637): as a channel of its input the class is ignored in short
trainings, and the generator's classes come out permuted.

What each part brings to it stands in lib.generators.adversarial.
"""

import torch
from torch import Tensor, nn

from lib.generators.adversarial import Projected
from lib.study.errors import StudyError

# Components of the noise and of a class: as many of both, and each class collapses to one image.
NOISE = 100
LABEL = 10
WIDER = (4, 2, 1)  # channels of the maps, smallest map first, times the width
INITIAL_STD = 0.02  # of weights (Radford et al. 2016)
SLOPE = 0.2  # of leaky ReLUs
DROPPED_SHARE = 0.3  # of the discriminator's activations


class DCGAN(Projected):
    """Generator and discriminator, conditional on the class, or a pair of them a class.

    Raises:
        StudyError: px is no multiple of 8.
    """

    def __init__(
        self,
        *,
        px: int,  # side of the images, a multiple of 8
        width: int,  # channels of the layers of highest resolution; multiples of 16 are fastest
        lr: float,  # Adam's learning rate of both networks
        r1: float,  # weight of the gradient penalty
        precision: str,  # of training: auto or fp32
        n_classes: int,
        conditional: bool,  # the class enters both networks; otherwise a pair a class, in turn
    ):
        settings = {"px": px, "width": width, "lr": lr, "r1": r1, "precision": precision}
        settings |= {"n_classes": n_classes, "conditional": conditional}
        if px % 8:
            raise StudyError(
                f"gan_px is {px}; a DCGAN doubles its image three times, so it must be a multiple "
                "of 8, such as 48 or 64"
            )
        kinds = (ConvGenerator, ConvDiscriminator)
        if conditional:
            networks = [kind(px, width, n_classes) for kind in kinds]
        else:
            networks = [OnePerClass(kind, px, width, n_classes) for kind in kinds]
        super().__init__(settings, *networks)
        self.one_class_per_batch = not conditional


class ConvGenerator(nn.Module):
    """Noise and label to an image: dense, then three transposed convolutions that double it."""

    noise_size = NOISE

    def __init__(
        self,
        px: int,  # side of the images, a multiple of 8
        width: int,  # channels of the layers of highest resolution
        n_classes: int,  # classes of the labels; 0: labels are ignored
    ):
        super().__init__()
        self.embedding = nn.Embedding(n_classes, LABEL) if n_classes else None

        # Dense: noise and label to the smallest map, channels last.
        widths = [factor * width for factor in WIDER]
        self.start = (px // 8, px // 8, widths[0])
        inputs = NOISE + LABEL if n_classes else NOISE
        flat = widths[0] * (px // 8) ** 2
        self.dense = nn.Sequential(
            nn.Linear(inputs, flat, bias=False), nn.BatchNorm1d(flat), nn.LeakyReLU(SLOPE)
        )

        # Transposed convolutions: each doubles the side.
        layers = []
        for inner, outer in zip(widths, widths[1:]):
            layers.append(nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False))
            layers.append(nn.BatchNorm2d(outer))
            layers.append(nn.LeakyReLU(SLOPE))
        layers.append(nn.ConvTranspose2d(widths[-1], 1, 4, 2, 1))
        layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)

        # The discriminator has no batch norm: weights as small would leave it without a gradient.
        for layer in self.modules():
            if isinstance(layer, (nn.ConvTranspose2d, nn.Linear)):
                nn.init.normal_(layer.weight, 0.0, INITIAL_STD)

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Noise (N, NOISE) and labels (N,) to images (N, 1, px, px) in [-1, 1]."""
        if self.embedding is not None:
            noise = torch.cat([noise, self.embedding(labels)], 1)
        smallest = self.dense(noise).view(-1, *self.start).permute(0, 3, 1, 2)
        return self.layers(smallest)


class ConvDiscriminator(nn.Module):
    """Image and label to logits, positive for real: three convolutions with dropout, then dense."""

    def __init__(
        self,
        px: int,  # side of the images, a multiple of 8
        width: int,  # channels of the layers of highest resolution
        n_classes: int,  # classes of the labels; 0: labels are ignored
        outputs: int = 1,  # logits of an image
    ):
        super().__init__()

        # Convolutions: each halves the side.
        self.layers = nn.Sequential()
        widths = [1, *(factor * width for factor in reversed(WIDER))]
        for inner, outer in zip(widths, widths[1:]):
            self.layers.append(nn.Conv2d(inner, outer, 4, 2, 1))
            self.layers.append(nn.LeakyReLU(SLOPE))
            self.layers.append(FastDropout(DROPPED_SHARE))

        # Logits of the features; the class enters by projection.
        flat = widths[-1] * (px // 8) ** 2
        self.dense = nn.Linear(flat, outputs)
        self.embedding = nn.Embedding(n_classes, flat) if n_classes else None
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, INITIAL_STD)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> Tensor:
        """Images (N, 1, px, px) and labels (N,) to logits (N,), or (N, outputs) for several."""
        return self.logits(self.features(images), labels)

    def features(self, images: Tensor) -> Tensor:
        """Images (N, 1, px, px) to features (N, flat)."""
        # As the maps lie in memory, which costs no copy.
        return self.layers(images).permute(0, 2, 3, 1).flatten(1)

    def logits(self, features: Tensor, labels: Tensor | None) -> Tensor:
        """Features (N, flat) under labels (N,) to logits (N,) or (N, outputs)."""
        logits = self.dense(features)
        if self.embedding is not None:
            projection = (self.embedding(labels) * features).sum(1, keepdim=True)
            logits = logits + projection
        return logits[:, 0] if logits.shape[1] == 1 else logits


class OnePerClass(nn.Module):
    """A network for each class, none of which sees a label; a training batch is of one class."""

    def __init__(self, kind: type, px: int, width: int, n_classes: int):
        super().__init__()
        self.networks = nn.ModuleList(kind(px, width, 0) for _ in range(n_classes))
        self.noise_size = NOISE

    def forward(self, inputs: Tensor, labels: Tensor) -> Tensor:
        """Give inputs (N, ...) to the networks of their labels (N,)."""
        if self.training:
            return self.networks[int(labels[0])](inputs, labels)

        # Each network takes the whole batch, so that shapes never depend on how many rows are of
        # its class.
        every = torch.stack([network(inputs, labels) for network in self.networks])
        return every[labels, torch.arange(len(labels), device=labels.device)]


class FastDropout(nn.Module):
    """Dropout by random bytes: torch's own takes half of a step's time on a CPU."""

    def __init__(self, share: float):
        super().__init__()
        self.dropped = round(share * 256)  # of the 256 values of a byte

    def forward(self, x: Tensor) -> Tensor:
        """Map (N, C, H, W) to the same shape."""
        if not self.training:
            return x

        # A random word holds eight bytes, one for each activation.
        n, c, height, width = x.shape
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None)  # all 64 bits
        mask = words.view(torch.uint8)[: x.numel()].view(n, height, width, c) >= self.dropped

        # Laid out as the activations are: channels last. Scaled up so that the mean stays.
        kept = mask.permute(0, 3, 1, 2).to(x.dtype)
        return x * (kept * (256 / (256 - self.dropped)))
