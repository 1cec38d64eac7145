"""Diffusion: relabelling, guidance, and a denoiser that is known."""

import numpy as np
import pytest
import torch

from lib.generators.diffusion import Diffusion, sampler
from lib.study.errors import StudyError


def small(**more):
    torch.manual_seed(0)
    return Diffusion(**{"px": 16, "width": 8, "lr": 1e-3, "guidance": 1.0, "sample_steps": 4} | more).eval()


def faces(n=5):
    return np.random.default_rng(0).integers(0, 256, (n, 16, 16)).astype(np.uint8)


def test_the_sampler_finds_the_image_when_the_denoiser_knows_it():
    # a perfect denoiser of one known image: v = alpha * noise - sigma * image, with noise = (x - alpha * image) / sigma
    schedule, image = sampler(12), torch.linspace(-1, 1, 16).repeat(1, 1, 16, 1)
    x = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    for time in schedule.timesteps:
        alpha = schedule.alphas_cumprod[time].sqrt()
        sigma = (1 - alpha**2).sqrt()
        x = schedule.step(alpha * (x - alpha * image) / sigma - sigma * image, time, x).prev_sample
    assert torch.allclose(x, image, atol=0.02)


def test_strength_zero_gives_the_face_back_and_strength_one_forgets_it():
    model, labels, seeds = small(), np.arange(5), np.arange(5)
    assert np.array_equal(model.relabel(faces(), labels, seeds, strength=0.0), faces())
    other = 255 - faces()
    whole, half = (
        np.abs(model.relabel(faces(), labels, seeds, strength=s).astype(float) - model.relabel(other, labels, seeds, strength=s)).mean()
        for s in (1.0, 0.5)
    )
    assert whole < 0.1 * half


def test_a_relabelled_face_depends_on_its_own_face_label_and_seed_alone():
    model, labels, seeds = small(), np.arange(5), np.arange(5)
    all_at_once = model.relabel(faces(), labels, seeds, strength=0.5)
    assert np.array_equal(model.relabel(faces()[3:4], labels[3:4], seeds[3:4], strength=0.5), all_at_once[3:4])


def test_guidance_moves_the_image_away_from_the_unlabelled_one():
    labels, seeds = np.array([2]), np.array([4])
    images = [small(guidance=g).draw(labels, seeds) for g in (0.0, 1.0, 2.0)]
    assert (images[2] - images[0]).norm() > (images[1] - images[0]).norm() > 0


def test_wrong_sizes_are_named():
    with pytest.raises(StudyError, match="gan_px is 50"):
        small(px=50)
    with pytest.raises(StudyError, match="strength 2"):
        small().relabel(faces(), np.arange(5), np.arange(5), strength=2)
