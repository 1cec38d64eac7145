"""What all GANs here share: a step of both networks, the penalty, and the average that draws.

A generator is a module of noise, float (N, noise_size), and labels, int64 (N,), to images; a
discriminator one of images and labels to a logit an image, positive for real. A kind of GAN gives
both, and changes the losses where it has others.

Source: Goodfellow et al. 2014, arXiv 1406.2661 (non-saturating loss); Mescheder et al. 2018,
arXiv 1801.04406 (R1); Karras et al. 2020, arXiv 1912.04958 (a penalty in every 16th step alone);
Yazici et al. 2019, arXiv 1806.04498 (averaged weights); Reed et al. 2016, arXiv 1605.05396,
algorithm 1 (real images under a wrong class are as wrong as generated ones).
Differs: a lazy penalty joins the loss of its step instead of taking a step of its own, so that real
images pass the discriminator once; both networks' steps share the generated images.

Measured: 120 CPU seconds of training each, on one core of an AMD EPYC (avx512_bf16, shared, torch
2.15), batch 64, all 28,709 FER2013 training images at 48 px. Agreement: share of 1,000 generated
images (class shares of the training set) to which a classifier gives their own label (1,000 of
PrivateTest: 60%); FD: Frechet distance in its features to PublicTest's 3,589 (those 1,000: 0.05).
One training a row unless said; the images alone give an agreement a standard error of 1.6 points.

| network                                                  | images/s | agreement | FD   |
|----------------------------------------------------------|----------|-----------|------|
| StyleGAN as before (full side, path length), 180 s       |       48 |      17 % | 3.57 |
| StyleGAN, width 16, lr 0.0025, r1 0.05                   |      294 |      27 % | 3.52 |
| StyleGAN, **lr 0.01** (two trainings)                    |      330 |  47, 48 % | 1.99, 1.25 |
| the first of them, drawn without the average             |          |      22 % | 4.04 |
| lr 0.01, without real images under wrong classes         |      352 |      19 % | 3.07 |
| lr 0.01, r1 0.1                                          |      335 |      40 % | 2.59 |
| lr 0.02                                                  |      373 |      22 % | 5.24 |
| lr 0.01, width 32                                        |      143 |      33 % | 3.31 |
| lr 0.0025, a bias of the features beside the projection  |      294 |      23 % | 3.81 |
| DCGAN as before, width 32, lr 0.0003, 180 s              |      266 |      25 % | 2.92 |
| DCGAN, width 32, lr 0.0003, r1 0.1                       |      388 |      41 % | 1.75 |
| DCGAN, **lr 0.001**, r1 0.1                              |      394 |      42 % | 1.70 |
| lr 0.001, without real images under wrong classes        |      359 |      26 % | 2.89 |
| lr 0.0003, r1 1                                          |      389 |      35 % | 2.40 |
| lr 0.0005, r1 0.01                                       |      399 |      39 % | 1.92 |
| that, drawn without the average                          |          |      31 % | 2.15 |
| lr 0.0003, r1 0.1, without dropout                       |      433 |      33 % | 2.00 |
| ACGAN, width 32, lr 0.001, r1 0.1                        |      369 |      47 % | 1.91 |
| R3GAN, width 32, lr 0.001, r1 0.1 and r1 2               | 147, 130 |  22, 16 % | 4.75, 3.78 |
| StyleGAN, lr 0.01, 287 images, without augmentation      |      326 |      36 % | 2.65 |
| the same, adaptive, p rising five times as fast          |      287 |      36 % | 3.10 |

Longer, on an NVIDIA H200 beside four other trainings, agreement and FD of 2,000 images by a
classifier that is right on 61%: DCGAN, 15,000 steps of 64, three trainings: 81, 82, 80%; 0.21,
0.25, 0.26. StyleGAN, 3,290 steps of 64, its learning rate not lowered: 71%, 0.36. Both draw faces
with their expressions, of disgust nearly one face.

On an NVIDIA H100 that nine trainings shared (MPS), 490 s each, by a classifier that is right on 54%
(FD of 2,000 real training images: 0.20), three trainings each: StyleGAN at 64 px, 3.3 million
images in steps of 1,280: 69, 70, 70%; 1.60, 1.81, 1.37. With adaptive augmentation, which rose to
0.02 at most, 2.6 to 3.5 million: 71, 70, 70%; 2.10, 1.27, 1.44. At 32 px, 3.7 to 5.7 million: 67,
68, 65%; 2.64, 3.63, 3.29. DCGAN as above: 74%; 1.76.

Few images: adaptive augmentation was not seen to help. 718 images (three draws), StyleGAN at 48 px,
170 s of the same GPU, 0.6 to 0.7 million images in steps of 256: without it FD 8.3, 9.4, 15.9 and
agreement 47, 50, 42%; with it, though it rose to 0.13 and kept the discriminator from being sure
(its loss 0.65 instead of 0.05): 11.4, 9.9, 14.4 and 43, 41, 38%.

R3GAN (Huang et al. 2025, arXiv 2501.05441: residual networks without norms, a relativistic loss, R1
and R2) was left out: at equal time it knows the classes less than half as well. After two minutes
all of them draw heads, hardly faces.
"""

import copy

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from lib.compute.processes import backward_and_step
from lib.generators.averages import update_average
from lib.generators.diffusion_augmentation import mirror
from lib.generators.network import PRECISIONS, Network, autocast_like, check_precision
from lib.generators.sampling import seed_noise

PENALTY_EVERY = 16  # steps
AVERAGE_LENGTH = 0.05  # of the weights that draw, a share of the training so far
MISLABELLED = 0.5  # share of real images under a wrong class among what is to be rejected


class Adversarial(Network):
    """A generator, its running average, which draws, and a discriminator.

    Generated images have the labels of the batch. Losses are computed in float32, images are drawn
    in it.
    """

    drawing_parts = ("average",)
    betas = (0.5, 0.999)  # of Adam (Radford et al. 2016)

    def __init__(self, settings: dict, generator: nn.Module, discriminator: nn.Module):
        """Put the networks together.

        Args:
            settings: of the kind of GAN, with at least n_classes, lr, r1 (weight of the gradient
                penalty, 0: none) and precision (of training).
        """
        super().__init__(settings)
        check_precision(settings["precision"])
        self.generator = generator
        self.discriminator = discriminator
        self.average = copy.deepcopy(generator).requires_grad_(False)
        self.to(memory_format=torch.channels_last)  # a quarter faster on a CPU

    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Make Adam for each side."""
        lr = self.settings["lr"]
        return {
            "generator": torch.optim.Adam(self.generator.parameters(), lr, self.betas),
            "discriminator": torch.optim.Adam(self.discriminator.parameters(), lr, self.betas),
        }

    def update(self, images, labels, step: int, optimisers: dict) -> dict[str, Tensor]:
        """Take one step of the discriminator, then one of the generator on the same images."""
        precision = PRECISIONS[self.settings["precision"]]
        images = mirror(images)
        noise = torch.randn(len(images), self.generator.noise_size, device=images.device)
        penalised = self.settings["r1"] > 0 and step % PENALTY_EVERY == 0

        # Discriminator; a penalty counts on average as half of r1 in each step.
        with autocast_like(images, precision):
            fakes = self.generator(noise, labels).float()
            real = self.seen(images).requires_grad_(penalised)
            logits, losses = self.discriminator_losses(real, self.seen(fakes.detach()), labels)
        total = sum(losses.values())
        if penalised:
            total = total + PENALTY_EVERY * self.settings["r1"] / 2 * r1_penalty(logits, real)
        backward_and_step(optimisers["discriminator"], total)

        # Generator, through the discriminator as it is now.
        self.discriminator.requires_grad_(False)
        with autocast_like(images, precision):
            losses["loss_generator"] = self.generator_loss(self.seen(fakes), labels)
        backward_and_step(optimisers["generator"], losses["loss_generator"])
        self.discriminator.requires_grad_(True)

        # Average.
        update_average(self.average, self.generator, step + 1, AVERAGE_LENGTH)
        return {name: value.detach() for name, value in losses.items()}

    def seen(self, images: Tensor) -> Tensor:
        """Change images before the discriminator sees them; as they are by default."""
        return images

    def discriminator_losses(
        self, images: Tensor, fakes: Tensor, labels: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute what the discriminator goes down.

        Args:
            images: real ones, float32 (N, 1, px, px) in [-1, 1].
            fakes: generated ones of the same labels, without gradient.
            labels: int64 (N,).

        Returns:
            Logits of the real images, float32 (N,), and losses by name.
        """
        real = self.discriminator(images, labels).float()
        fake = self.discriminator(fakes, labels).float()
        return real, {"loss_discriminator": softplus(-real).mean() + softplus(fake).mean()}

    def generator_loss(self, fakes: Tensor, labels: Tensor) -> Tensor:
        """Compute how far generated images, with gradient, are from passing for real, scalar."""
        return softplus(-self.discriminator(fakes, labels).float()).mean()

    def draw(self, labels: np.ndarray, seeds: np.ndarray) -> Tensor:
        """Make images of labels and seeds with the averaged weights; see Network.draw."""
        device = next(self.parameters()).device
        noise = seed_noise(seeds, (self.average.noise_size,)).to(device)
        return self.average(noise, torch.as_tensor(labels, device=device))


class Projected(Adversarial):
    """A GAN whose discriminator has `features` of images and `logits` of features under labels.

    It also learns to reject real images under a wrong class, which costs no pass of its own.

    Source: Miyato and Koyama 2018, arXiv 1802.05637, eq. 3 (projection discriminator).
    """

    def discriminator_losses(
        self, images: Tensor, fakes: Tensor, labels: Tensor
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute what the discriminator goes down; see Adversarial."""
        # A network a class sees no labels, so none can be wrong.
        if self.one_class_per_batch:
            return super().discriminator_losses(images, fakes, labels)

        features = self.discriminator.features(images)
        real = self.discriminator.logits(features, labels).float()
        wrong = self.discriminator.logits(features, self.other_labels(labels)).float()
        fake = self.discriminator(fakes, labels).float()
        rejected = softplus(fake).mean().lerp(softplus(wrong).mean(), MISLABELLED)
        return real, {"loss_discriminator": softplus(-real).mean() + rejected}

    def other_labels(self, labels: Tensor) -> Tensor:
        """Draw any other label for each."""
        n_classes = self.settings["n_classes"]
        return (labels + torch.randint_like(labels, 1, n_classes)) % n_classes


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """Average the squared norm of the gradient of logits (N,) at real images, scalar."""
    gradient = torch.autograd.grad(logits.sum(), images, create_graph=True)[0]
    return gradient.square().sum((1, 2, 3)).mean()
