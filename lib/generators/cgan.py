"""Two conditional GANs of S2: a plain one of dense layers, and ACGAN.

Source: Mirza and Osindero 2014, arXiv 1411.1784 (conditional GAN); Odena et al. 2017,
arXiv 1610.09585 (ACGAN, whose discriminator also predicts the class).
"""

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from lib.compute.processes import backward_and_step
from lib.generators.dcgan import BETAS, NOISE, SLOPE, ConvDiscriminator, ConvGenerator, bce
from lib.generators.network import Network, autocast_like
from lib.generators.sampling import seed_noise


class CGAN(Network):
    """S2's conditional GAN of dense layers: noise is multiplied by the label's embedding."""

    drawing_parts = ("embedding", "generator")

    def __init__(
        self,
        *,
        px: int,  # side of the images
        width: int,  # sixteenth of the widest hidden layer's units
        lr: float,  # Adam's learning rate
        n_classes: int,
    ):
        super().__init__({"px": px, "width": width, "lr": lr, "n_classes": n_classes})
        small, large, pixels = 8 * width, 16 * width, px * px

        # Generator.
        self.embedding = nn.Embedding(n_classes, NOISE)
        self.generator = nn.Sequential(
            nn.Linear(NOISE, small),
            nn.LeakyReLU(SLOPE),
            nn.BatchNorm1d(small),
            nn.Linear(small, large),
            nn.LeakyReLU(SLOPE),
            nn.BatchNorm1d(large),
            nn.Linear(large, pixels),
            nn.Tanh(),
        )

        # Discriminator: the label's embedding is laid beside the pixels.
        self.discriminator_embedding = nn.Embedding(n_classes, pixels)
        self.discriminator = nn.Sequential(
            nn.Linear(2 * pixels, large),
            nn.LeakyReLU(SLOPE),
            nn.Linear(large, small),
            nn.LeakyReLU(SLOPE),
            nn.Linear(small, 1),
        )

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make Adam for each side; an embedding is trained with the side that reads it."""
        generator = [*self.embedding.parameters(), *self.generator.parameters()]
        discriminator = [
            *self.discriminator_embedding.parameters(),
            *self.discriminator.parameters(),
        ]
        lr = self.settings["lr"]
        return {
            "generator": torch.optim.Adam(generator, lr, BETAS),
            "discriminator": torch.optim.Adam(discriminator, lr, BETAS),
        }

    def generate(self, noise: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Noise (N, NOISE) and labels (N,) to images (N, 1, px, px) in [-1, 1]."""
        px = self.settings["px"]
        return self.generator(noise * self.embedding(labels)).view(-1, 1, px, px)

    def logits(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Images (N, 1, px, px) and labels (N,) to logits (N,), positive for real."""
        inputs = torch.cat([images.flatten(1), self.discriminator_embedding(labels)], 1)
        return self.discriminator(inputs)[:, 0]

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of the discriminator, then one of the generator.

        Classes of generated images are drawn at random.
        """
        n_classes = self.settings["n_classes"]
        wanted = torch.randint(n_classes, labels.shape, device=labels.device)

        # Discriminator.
        with autocast_like(images):
            noise = torch.randn(len(labels), NOISE, device=labels.device)
            fakes = self.generate(noise, wanted)
            loss_real = bce(self.logits(images, labels), 1.0)
            loss_fake = bce(self.logits(fakes.detach(), wanted), 0.0)
            loss_discriminator = loss_real + loss_fake
        backward_and_step(optimisers["discriminator"], loss_discriminator)

        # Generator.
        with autocast_like(images):
            loss_generator = bce(self.logits(fakes, wanted), 1.0)
        backward_and_step(optimisers["generator"], loss_generator)
        return {
            "loss_generator": loss_generator.detach(),
            "loss_discriminator": loss_discriminator.detach(),
        }

    def draw(self, labels: np.ndarray, seeds: np.ndarray) -> torch.Tensor:
        """Make images of labels and seeds; see Network.draw."""
        device = self.embedding.weight.device
        noise = seed_noise(seeds, (NOISE,)).to(device)
        return self.generate(noise, torch.as_tensor(labels, device=device))


class ACGAN(Network):
    """ACGAN on DCGAN's layers: the discriminator sees no label, but predicts the class."""

    drawing_parts = ("generator",)

    def __init__(
        self,
        *,
        px: int,  # side of the images, a multiple of 8
        width: int,  # channels of the layers of highest resolution
        lr: float,  # Adam's learning rate
        n_classes: int,
    ):
        super().__init__({"px": px, "width": width, "lr": lr, "n_classes": n_classes})

        self.generator = ConvGenerator(px, width, n_classes)
        # One logit for real or generated, then one for each class.
        self.discriminator = ConvDiscriminator(px, width, 0, outputs=1 + n_classes)
        self.to(memory_format=torch.channels_last)

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make Adam for each side."""
        lr = self.settings["lr"]
        return {
            "generator": torch.optim.Adam(self.generator.parameters(), lr, BETAS),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), lr, BETAS),
        }

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, torch.Tensor]:
        """Take one step of the discriminator, then one of the generator.

        The discriminator learns real from generated and the class of both; the generator to pass
        for real and for its class. Classes of generated images are drawn at random.
        """
        n_classes = self.settings["n_classes"]
        wanted = torch.randint(n_classes, labels.shape, device=labels.device)

        # Discriminator; class losses in float32.
        with autocast_like(images):
            fakes = self.generator(torch.randn(len(labels), NOISE, device=labels.device), wanted)
            real = self.discriminator(images).float()
            fake = self.discriminator(fakes.detach()).float()
        loss_class = cross_entropy(real[:, 1:], labels) + cross_entropy(fake[:, 1:], wanted)
        loss_discriminator = bce(real[:, 0], 1.0) + bce(fake[:, 0], 0.0) + loss_class
        backward_and_step(optimisers["discriminator"], loss_discriminator)

        # Generator.
        with autocast_like(images):
            fake = self.discriminator(fakes).float()
        loss_generator = bce(fake[:, 0], 1.0) + cross_entropy(fake[:, 1:], wanted)
        backward_and_step(optimisers["generator"], loss_generator)
        return {
            "loss_generator": loss_generator.detach(),
            "loss_discriminator": loss_discriminator.detach(),
            "loss_class": loss_class.detach(),
        }

    def draw(self, labels: np.ndarray, seeds: np.ndarray) -> torch.Tensor:
        """Make images of labels and seeds; see Network.draw."""
        device = self.generator.embedding.weight.device
        noise = seed_noise(seeds, (NOISE,)).to(device)
        return self.generator(noise, torch.as_tensor(labels, device=device))
