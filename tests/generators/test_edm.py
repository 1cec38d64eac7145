"""EDM against its theory: preconditioning, loss, and a sampler whose answer is known."""

import pytest
import torch
from torch import nn

from lib.generators import edm
from lib.generators.edm import SIGMA_MAX, Sampler
from lib.generators.sampling import seed_noise

LABELS = torch.eye(7)


class Gaussian(nn.Module):
    """F of the perfect denoiser of N(mean, std ** 2), written as EDM preconditions it.

    A label vector's first number is the mean.
    """

    def __init__(self, std: float):
        super().__init__()
        self.std = std

    def forward(self, x, noise, labels, augmentation=None):
        # Undo the scaling of the input.
        sigma = (4 * noise).exp()
        skip, out, scale, _ = (c.view(-1, 1, 1, 1) for c in edm.precondition(sigma))
        sigma, noisy = sigma.view(-1, 1, 1, 1), x / scale

        # The posterior mean, scaled as an output.
        mean = labels[:, 0].view(-1, 1, 1, 1)
        share = self.std**2 / (self.std**2 + sigma**2)
        return (mean + share * (noisy - mean) - skip * noisy) / out


class Mean(Gaussian):
    """The perfect denoiser of one image of grey level label[0]."""

    def __init__(self):
        super().__init__(0.0)


def largest_noise(n: int = 8) -> torch.Tensor:
    """Draw the noise that sampling begins with."""
    return seed_noise(range(n), (1, 16, 16)) * SIGMA_MAX


def test_preconditioning_keeps_inputs_and_targets_at_variance_one():
    sigma = torch.tensor([0.002, 0.1, 0.5, 3.0, 80.0])
    skip, out, scale, noise = edm.precondition(sigma)
    assert torch.allclose(scale**2 * (sigma**2 + edm.SIGMA_DATA**2), torch.ones(5))
    target = (1 - skip) ** 2 * edm.SIGMA_DATA**2 + skip**2 * sigma**2
    assert torch.allclose(target, out**2)
    assert torch.allclose(edm.loss_weight(sigma) * out**2, torch.ones(5))
    assert torch.allclose(noise, sigma.log() / 4)


def test_a_network_that_predicts_zero_has_a_loss_of_one():
    torch.manual_seed(0)
    images = torch.randn(512, 1, 16, 16) * edm.SIGMA_DATA
    loss = edm.training_loss(lambda x, *_: torch.zeros_like(x), images, torch.zeros(512, 7))
    assert float(loss) == pytest.approx(1, rel=0.05)


def test_no_denoiser_has_a_lower_loss_than_the_perfect_one():
    images = torch.randn(512, 1, 16, 16, generator=torch.Generator().manual_seed(1)) * 0.25
    losses = {}
    for std in (0.15, 0.25, 0.4):
        torch.manual_seed(0)
        losses[std] = float(edm.training_loss(Gaussian(std), images, torch.zeros(512, 7)))
    assert min(losses, key=losses.get) == 0.25


def test_a_tenth_of_the_labels_is_dropped_in_training():
    kept = []

    def network(x, noise, labels, augmentation):
        kept.append(labels.sum(1))
        return torch.zeros_like(x)

    torch.manual_seed(0)
    edm.training_loss(network, torch.zeros(2000, 1, 4, 4), torch.eye(7)[torch.arange(2000) % 7])
    assert float(kept[0].mean()) == pytest.approx(0.9, abs=0.02)


@pytest.mark.parametrize(("steps", "error"), [(12, 0.06), (48, 0.01)])
def test_the_sampler_reaches_mean_and_spread_of_gaussian_data(steps, error):
    labels = torch.zeros(64, 7)
    labels[:, 0] = 0.1
    images = Sampler(steps=steps, guidance=1.0).run(Gaussian(0.25), largest_noise(64), labels)
    assert float(images.mean()) == pytest.approx(0.1, abs=0.02)
    assert float(images.std()) == pytest.approx(0.25, rel=error)


def test_the_sampler_finds_the_image_when_the_denoiser_knows_it():
    labels = torch.full((8, 7), 0.3)
    images = Sampler(guidance=1.0).run(Mean(), largest_noise(), labels)
    assert torch.allclose(images, torch.full_like(images, 0.3), atol=1e-4)


def test_the_sampler_is_of_second_order(monkeypatch):
    # At an end of 0.2 the steps are small enough for the order to show.
    monkeypatch.setattr(edm, "SIGMA_MIN", 0.2)
    labels, denoiser = torch.zeros(8, 7), Gaussian(0.25)
    coarse, fine, exact = (
        Sampler(steps=steps, guidance=1.0).run(denoiser, largest_noise(), labels)
        for steps in (16, 32, 512)
    )
    errors = [(images - exact).abs().mean() for images in (coarse, fine)]
    assert errors[0] / errors[1] > 3


def test_noise_levels_fall_from_the_largest_to_the_smallest():
    sigmas = Sampler(steps=12).sigmas()
    assert len(sigmas) == 12
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[0] == pytest.approx(edm.SIGMA_MAX) and sigmas[-1] == pytest.approx(edm.SIGMA_MIN)


def test_guidance_goes_on_in_the_direction_of_the_label():
    # The unlabelled image is black, the labelled one 0.1 lighter: guidance 3 makes it 0.3.
    labels = torch.zeros(8, 7)
    labels[:, 0] = 0.1
    sampler = Sampler(guidance=3.0, interval=(0.0, 100.0))
    images = sampler.run(Mean(), largest_noise(), labels)
    assert torch.allclose(images, torch.full_like(images, 0.3), atol=1e-4)


def test_guidance_holds_inside_the_interval_alone():
    sampler = Sampler(guidance=3.0, interval=(0.15, 10.0))
    guided = [sigma for sigma in sampler.sigmas() if sampler.guides(sigma)]
    assert guided and all(0.15 < sigma <= 10 for sigma in guided)
    unguided = Sampler(guidance=1.0)
    assert not any(unguided.guides(sigma) for sigma in unguided.sigmas())


def test_autoguidance_goes_away_from_the_weaker_network():
    class Lighter(Mean):
        """A network that is off by 0.1."""

        def forward(self, x, noise, labels, augmentation=None):
            return super().forward(x, noise, labels + 0.1)

    sampler = Sampler(guidance=2.0, interval=(0.0, 100.0), guide=Lighter())
    images = sampler.run(Mean(), largest_noise(), torch.zeros(8, 7))
    assert torch.allclose(images, torch.full_like(images, -0.1), atol=1e-4)
