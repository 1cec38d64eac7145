"""S3's DCGAN: dense and transposed convolutions against convolutions with dropout.

One network conditional on the class, or a pair of networks a class.

Source: Radford et al. 2016, arXiv 1511.06434; S3 (internship report 2024): LeakyReLU in both
networks, dense head, Adam.
Differs: the class enters through an embedding beside the noise, and the discriminator by projection
(Miyato and Koyama 2018, arXiv 1802.05637, eq. 3): as a channel of its input the class is ignored in
short trainings, and the generator's classes come out permuted. The discriminator also learns to
reject real images under a wrong class (Reed et al. 2016, arXiv 1605.05396, algorithm 1), or it
hardly uses the class.
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from lib.compute.processes import backward_and_step
from lib.generators.network import Network, autocast_like
from lib.generators.sampling import seed_noise
from lib.study.errors import StudyError

# Components of the noise and of a class: as many of both, and each class collapses to one image.
NOISE = 100
LABEL = 10
BETAS = (0.5, 0.999)  # of Adam (Radford et al. 2016)
INITIAL_STD = 0.02  # of weights (Radford et al. 2016)
SLOPE = 0.2  # of leaky ReLUs
DROPPED_SHARE = 0.3  # of the discriminator's activations


class ConvGenerator(nn.Module):
    """Noise and label to an image: dense, then three transposed convolutions that double it."""

    def __init__(
        self,
        px: int,  # side of the images, a multiple of 8
        width: int,  # channels of the layers of highest resolution
        n_classes: int,  # classes of the labels; 0: labels are ignored
    ):
        super().__init__()
        self.embedding = nn.Embedding(n_classes, LABEL) if n_classes else None

        # Dense: noise and label to the smallest map.
        self.start = (4 * width, px // 8, px // 8)
        inputs = NOISE + LABEL if n_classes else NOISE
        flat = 4 * width * (px // 8) ** 2
        self.dense = nn.Sequential(
            nn.Linear(inputs, flat, bias=False), nn.BatchNorm1d(flat), nn.LeakyReLU(SLOPE)
        )

        # Transposed convolutions: each doubles the side.
        layers = []
        for inner, outer in ((4 * width, 2 * width), (2 * width, width)):
            layers.append(nn.ConvTranspose2d(inner, outer, 4, 2, 1, bias=False))
            layers.append(nn.BatchNorm2d(outer))
            layers.append(nn.LeakyReLU(SLOPE))
        layers.append(nn.ConvTranspose2d(width, 1, 4, 2, 1))
        layers.append(nn.Tanh())
        self.layers = nn.Sequential(*layers)

    def forward(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Noise (N, NOISE) and labels (N,) to images (N, 1, px, px) in [-1, 1]."""
        if self.embedding is not None:
            noise = torch.cat([noise, self.embedding(labels)], 1)
        return self.layers(self.dense(noise).view(-1, *self.start))


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
        for inner, outer in ((1, width), (width, 2 * width), (2 * width, 4 * width)):
            self.layers.append(nn.Conv2d(inner, outer, 4, 2, 1))
            self.layers.append(nn.LeakyReLU(SLOPE))
            self.layers.append(FastDropout(DROPPED_SHARE))

        # Logits of the features; the class enters by projection.
        flat = 4 * width * (px // 8) ** 2
        self.dense = nn.Linear(flat, outputs)
        self.embedding = nn.Embedding(n_classes, flat) if n_classes else None
        if self.embedding is not None:
            nn.init.normal_(self.embedding.weight, 0.0, INITIAL_STD)

    def forward(self, images: torch.Tensor, labels: torch.Tensor | None = None) -> torch.Tensor:
        """Images (N, 1, px, px) and labels (N,) to logits (N,), or (N, outputs) for several."""
        return self.logits(self.features(images), labels)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, px, px) to features (N, flat)."""
        return self.layers(images).flatten(1)

    def logits(self, features: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """Features (N, flat) under labels (N,) to logits (N,) or (N, outputs)."""
        logits = self.dense(features)
        if self.embedding is not None:
            projection = (self.embedding(labels) * features).sum(1, keepdim=True)
            logits = logits + projection
        return logits[:, 0] if logits.shape[1] == 1 else logits


class FastDropout(nn.Module):
    """Dropout by random bytes: torch's own takes half of a step's time on a CPU."""

    def __init__(self, share: float):
        super().__init__()
        self.dropped = round(share * 256)  # of the 256 values of a byte

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x

        # A random word holds eight bytes, one for each activation.
        words = torch.empty(-(-x.numel() // 8), dtype=torch.int64, device=x.device)
        words.random_(-(2**63), None)  # all 64 bits

        # Keep the share, and scale it up so that the mean stays.
        kept = words.view(torch.uint8)[: x.numel()].view(x.shape) >= self.dropped
        return x * (kept.to(x.dtype) * (256 / (256 - self.dropped)))


class DCGAN(Network):
    """Generator and discriminator, conditional on the class, or a pair of them a class.

    Raises:
        StudyError: px is no multiple of 8.
    """

    drawing_parts = ("generators",)

    def __init__(
        self,
        *,
        px: int,  # side of the images, a multiple of 8
        width: int,  # channels of the layers of highest resolution
        lr: float,  # Adam's learning rate of both networks
        n_classes: int,
        conditional: bool,  # the class enters both networks; otherwise a pair a class, in turn
    ):
        super().__init__(
            {
                "px": px,
                "width": width,
                "lr": lr,
                "n_classes": n_classes,
                "conditional": conditional,
            }
        )
        if px % 8:
            raise StudyError(
                f"gan_px is {px}; a DCGAN doubles its image three times, so it must be a multiple "
                "of 8, such as 48 or 64"
            )

        # Make the networks.
        self.one_class_per_batch = not conditional
        pairs = 1 if conditional else n_classes
        seen = n_classes if conditional else 0  # classes that each network tells apart
        self.generators = nn.ModuleList([ConvGenerator(px, width, seen) for _ in range(pairs)])
        self.discriminators = nn.ModuleList(
            [ConvDiscriminator(px, width, seen) for _ in range(pairs)]
        )

        # The discriminator has no batch norm: weights as small would leave it without a gradient.
        for layer in self.generators.modules():
            if isinstance(layer, (nn.ConvTranspose2d, nn.Linear)):
                nn.init.normal_(layer.weight, 0.0, INITIAL_STD)
        self.to(memory_format=torch.channels_last)  # a quarter faster on a CPU

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make Adam for each side."""
        lr = self.settings["lr"]
        return {
            "generators": torch.optim.Adam(self.generators.parameters(), lr, BETAS),
            "discriminators": torch.optim.Adam(self.discriminators.parameters(), lr, BETAS),
        }

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of the discriminator, then one of the generator."""
        pair = int(labels[0]) if self.one_class_per_batch else 0
        generator, discriminator = self.generators[pair], self.discriminators[pair]

        # Discriminator.
        with autocast_like(images):
            noise = torch.randn(len(images), NOISE, device=images.device)
            fakes = generator(noise, labels)
            loss_discriminator = self.discriminator_loss(discriminator, images, fakes, labels)
        backward_and_step(optimisers["discriminators"], loss_discriminator)

        # Generator, through the discriminator as it is now.
        discriminator.requires_grad_(False)
        with autocast_like(images):
            loss_generator = bce(discriminator(fakes, labels), 1.0)
        backward_and_step(optimisers["generators"], loss_generator)
        discriminator.requires_grad_(True)
        return {
            "loss_generator": loss_generator.detach(),
            "loss_discriminator": loss_discriminator.detach(),
        }

    def discriminator_loss(
        self, discriminator: ConvDiscriminator, images, fakes, labels
    ) -> torch.Tensor:
        """Loss of the discriminator on real images, generated ones, and real ones mislabelled."""
        features = discriminator.features(images)
        loss_fake = bce(discriminator(fakes.detach(), labels), 0.0)
        loss_real = bce(discriminator.logits(features, labels), 1.0)
        if discriminator.embedding is None:
            return loss_real + loss_fake

        # Real images under any other class are as wrong as generated ones.
        n_classes = self.settings["n_classes"]
        others = (labels + torch.randint_like(labels, 1, n_classes)) % n_classes
        loss_mislabelled = bce(discriminator.logits(features, others), 0.0)
        return loss_real + (loss_fake + loss_mislabelled) / 2

    def draw(self, labels: np.ndarray, seeds: np.ndarray) -> torch.Tensor:
        """Make images of labels and seeds; see Network.draw."""
        device = next(self.parameters()).device
        noise = seed_noise(seeds, (NOISE,)).to(device)
        wanted = torch.as_tensor(labels, device=device)
        if not self.one_class_per_batch:
            return self.generators[0](noise, wanted)

        # Each generator makes the whole batch, so that shapes never depend on how many rows are
        # of its class.
        every = torch.stack([generator(noise, wanted) for generator in self.generators])
        return every[wanted, torch.arange(len(wanted), device=device)]


def bce(logits: torch.Tensor, target: float) -> torch.Tensor:
    """Average the binary cross-entropy of logits against one target, in float32."""
    targets = torch.full_like(logits, target, dtype=torch.float32)
    return binary_cross_entropy_with_logits(logits.float(), targets)
