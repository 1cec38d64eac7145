"""EDM: preconditioning and loss of a denoiser, and the sampler that draws images with it.

Source: Karras et al. 2022, arXiv 2206.00364 (EDM); Lu et al. 2022, arXiv 2211.01095
(DPM-Solver++); Ho and Salimans 2022, arXiv 2207.12598 (classifier-free guidance); Kynkaanniemi et
al. 2024, arXiv 2404.07724 (guidance in an interval); Karras et al. 2024, arXiv 2406.02507
(autoguidance).

Images are float32 (N, 1, px, px) in [-1, 1]; labels float32 (N, classes), rows of sum 1, or zeros
for no label; sigmas float32 (N,), standard deviations of the noise.
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

SIGMA_DATA = 0.5  # standard deviation of the images
LOG_SIGMA_MEAN, LOG_SIGMA_STD = -0.6, 1.2  # of ln(sigma) in training
DROPPED_SHARE = 0.1  # of labels in training, so that guidance has an unconditional prediction

# Of the sampler's noise levels (EDM's equation 5).
SIGMA_MAX, SIGMA_MIN, RHO = 60.0, 0.02, 7.0

# --------------------------------------------------------------------------------------------------
# Preconditioning and loss.


def precondition(sigma: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Compute c_skip, c_out, c_in and c_noise of EDM's table 1, each of sigma's shape."""
    total = sigma.square() + SIGMA_DATA**2
    skip = SIGMA_DATA**2 / total
    out = sigma * SIGMA_DATA / total.sqrt()
    scale = 1 / total.sqrt()
    return skip, out, scale, sigma.log() / 4


def denoise(
    network: nn.Module,  # F; callable(x, noise, labels, augmentation)
    x: Tensor,  # noisy images, not scaled
    sigma: Tensor,  # noise level of each
    labels: Tensor,
    augmentation: Tensor | None = None,  # see UNet.forward
) -> Tensor:
    """Predict the clean images behind noisy ones: D of EDM's equation 7, float32, not clipped."""
    skip, out, scale, noise = precondition(sigma)
    skip, out, scale = (c.view(-1, 1, 1, 1) for c in (skip, out, scale))
    return skip * x + out * network(scale * x, noise, labels, augmentation).float()


def training_loss(
    network: nn.Module, images: Tensor, labels: Tensor, augmentation: Tensor | None = None
) -> Tensor:
    """Compute the weighted denoising loss at random noise levels, EDM's equation 8; scalar.

    Labels are dropped at random; all randomness comes from torch's global generator.
    """
    n, device = len(images), images.device
    kept = torch.rand(n, 1, device=device) >= DROPPED_SHARE
    sigma = (torch.randn(n, device=device) * LOG_SIGMA_STD + LOG_SIGMA_MEAN).exp()
    noise = torch.randn_like(images)
    noisy = images + noise * sigma.view(-1, 1, 1, 1)
    predicted = denoise(network, noisy, sigma, labels * kept, augmentation)
    errors = (predicted - images).square().mean((1, 2, 3))
    return (loss_weight(sigma) * errors).mean()


@torch.no_grad()
def held_out_loss(network: nn.Module, images: Tensor, labels: Tensor) -> Tensor:
    """Compute the loss of EDM's equation 8 on images, the same noise at every call; scalar.

    The noise levels are quantiles of those of training, in a fixed order, so that networks can be
    compared.
    """
    n, source = len(images), torch.Generator().manual_seed(0)
    shares = (torch.randperm(n, generator=source) + 0.5) / n
    sigma = (torch.special.ndtri(shares) * LOG_SIGMA_STD + LOG_SIGMA_MEAN).exp().to(images.device)
    noise = torch.randn(images.shape, generator=source).to(images.device)
    predicted = denoise(network, images + noise * sigma.view(-1, 1, 1, 1), sigma, labels)
    return (loss_weight(sigma) * (predicted - images).square().mean((1, 2, 3))).mean()


def loss_weight(sigma: Tensor) -> Tensor:
    """Weight the squared error at a noise level by 1 / c_out ** 2, lambda of EDM's table 1."""
    return (sigma.square() + SIGMA_DATA**2) / (sigma * SIGMA_DATA).square()


# --------------------------------------------------------------------------------------------------
# Sampler.


@dataclass(frozen=True)
class Sampler:
    """DPM-Solver++(2M) on Karras' grid of noise levels, guided inside an interval of them."""

    steps: int = 12  # noise levels; the last prediction is the image
    guidance: float = 3.0  # weight of the labelled prediction against the other one, 1: no guidance
    interval: tuple[float, float] = (0.15, 10.0)  # guided where lower < sigma <= upper
    guide: nn.Module | None = None  # weaker network (autoguidance); None: the same one, unlabelled

    def sigmas(self) -> list[float]:
        """List the noise levels, largest first."""
        ends = SIGMA_MAX ** (1 / RHO), SIGMA_MIN ** (1 / RHO)
        return [float(root**RHO) for root in np.linspace(*ends, self.steps)]

    @torch.no_grad()
    def run(self, network: nn.Module, x: Tensor, labels: Tensor, *, first: int = 0) -> Tensor:
        """Follow the probability flow from noisy images to clean ones.

        Args:
            network: F of the denoiser.
            x: images with noise of sigmas()[first].
            labels: wanted ones.
            first: number of the noise level to begin at.

        Returns:
            float32 images, not clipped.
        """
        sigmas = self.sigmas()[first:]
        before, step_before = None, 0.0
        for sigma, following in zip(sigmas, sigmas[1:]):
            predicted = self.predict(network, x, sigma, labels)

            # The step is taken in ln(sigma), towards a line through this prediction and the last.
            step = math.log(sigma / following)
            target = predicted
            if before is not None:
                slope = step / (2 * step_before)
                target = (1 + slope) * predicted - slope * before
            ratio = following / sigma
            x = ratio * x + (1 - ratio) * target
            before, step_before = predicted, step
        return self.predict(network, x, sigmas[-1], labels)

    def predict(self, network: nn.Module, x: Tensor, sigma: float, labels: Tensor) -> Tensor:
        """Predict the clean images at one noise level, guided inside the interval."""
        sigmas = x.new_full((len(x),), sigma)
        if not self.guides(sigma):
            return denoise(network, x, sigmas, labels)

        # Autoguidance: away from what a weaker network predicts.
        if self.guide is not None:
            wanted = denoise(network, x, sigmas, labels)
            other = denoise(self.guide, x, sigmas, labels)
            return other + self.guidance * (wanted - other)

        # Classifier-free guidance: both predictions in one pass.
        both = torch.cat([labels, torch.zeros_like(labels)])
        predicted = denoise(network, x.repeat(2, 1, 1, 1), sigmas.repeat(2), both)
        wanted, other = predicted.chunk(2)
        return other + self.guidance * (wanted - other)

    def guides(self, sigma: float) -> bool:
        """Tell whether predictions at a noise level are guided."""
        low, high = self.interval
        return self.guidance != 1 and low < sigma <= high
