"""Two conditional GANs of S2: a plain one of dense layers, and ACGAN.

Source: Mirza and Osindero 2014, arXiv 1411.1784 (conditional GAN); Odena et al. 2017,
arXiv 1610.09585 (ACGAN, whose discriminator also predicts the class).
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, softplus

from lib.generators.adversarial import Adversarial
from lib.generators.dcgan import NOISE, SLOPE, ConvDiscriminator, ConvGenerator


class CGAN(Adversarial):
    """S2's conditional GAN of dense layers: noise is multiplied by the label's embedding."""

    def __init__(
        self,
        *,
        px: int,  # side of the images
        width: int,  # sixteenth of the widest hidden layer's units
        lr: float,  # Adam's learning rate
        r1: float,  # weight of the gradient penalty
        precision: str,  # of training: auto or fp32
        n_classes: int,
    ):
        settings = {"px": px, "width": width, "lr": lr, "r1": r1, "precision": precision}
        super().__init__(
            settings | {"n_classes": n_classes},
            DenseGenerator(px, width, n_classes),
            DenseDiscriminator(px, width, n_classes),
        )


class DenseGenerator(nn.Module):
    """Noise times the label's embedding, and three dense layers, to an image."""

    noise_size = NOISE

    def __init__(self, px: int, width: int, n_classes: int):
        super().__init__()
        self.px = px
        small, large = 8 * width, 16 * width
        self.embedding = nn.Embedding(n_classes, NOISE)
        self.layers = nn.Sequential(
            nn.Linear(NOISE, small),
            nn.LeakyReLU(SLOPE),
            nn.BatchNorm1d(small),
            nn.Linear(small, large),
            nn.LeakyReLU(SLOPE),
            nn.BatchNorm1d(large),
            nn.Linear(large, px * px),
            nn.Tanh(),
        )

    def forward(self, noise: Tensor, labels: Tensor) -> Tensor:
        """Noise (N, NOISE) and labels (N,) to images (N, 1, px, px) in [-1, 1]."""
        return self.layers(noise * self.embedding(labels)).view(-1, 1, self.px, self.px)


class DenseDiscriminator(nn.Module):
    """The label's embedding beside the pixels, and three dense layers, to a logit."""

    def __init__(self, px: int, width: int, n_classes: int):
        super().__init__()
        small, large, pixels = 8 * width, 16 * width, px * px
        self.embedding = nn.Embedding(n_classes, pixels)
        self.layers = nn.Sequential(
            nn.Linear(2 * pixels, large),
            nn.LeakyReLU(SLOPE),
            nn.Linear(large, small),
            nn.LeakyReLU(SLOPE),
            nn.Linear(small, 1),
        )

    def forward(self, images: Tensor, labels: Tensor) -> Tensor:
        """Images (N, 1, px, px) and labels (N,) to logits (N,), positive for real."""
        inputs = torch.cat([images.flatten(1), self.embedding(labels)], 1)
        return self.layers(inputs)[:, 0]


class ACGAN(Adversarial):
    """ACGAN on DCGAN's layers: the discriminator sees no label, but predicts the class.

    It learns real from generated and the class of both; the generator to pass for real and for its
    class.
    """

    def __init__(
        self,
        *,
        px: int,  # side of the images, a multiple of 8
        width: int,  # channels of the layers of highest resolution
        lr: float,  # Adam's learning rate
        r1: float,  # weight of the gradient penalty
        precision: str,  # of training: auto or fp32
        n_classes: int,
    ):
        settings = {"px": px, "width": width, "lr": lr, "r1": r1, "precision": precision}
        # One logit for real or generated, then one for each class.
        super().__init__(
            settings | {"n_classes": n_classes},
            ConvGenerator(px, width, n_classes),
            ConvDiscriminator(px, width, 0, outputs=1 + n_classes),
        )

    def discriminator_losses(self, images, fakes, labels) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the losses, those of the class beside the adversarial one."""
        real = self.discriminator(images).float()
        fake = self.discriminator(fakes).float()
        adversarial = softplus(-real[:, 0]).mean() + softplus(fake[:, 0]).mean()
        classes = cross_entropy(real[:, 1:], labels) + cross_entropy(fake[:, 1:], labels)
        return real[:, 0], {"loss_discriminator": adversarial, "loss_class": classes}

    def generator_loss(self, fakes, labels) -> Tensor:
        """Compute the adversarial loss and that of the class."""
        fake = self.discriminator(fakes).float()
        return softplus(-fake[:, 0]).mean() + cross_entropy(fake[:, 1:], labels)
