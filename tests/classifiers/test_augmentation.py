"""Augmentation: identities, ranges, what is kept, and the generator that governs all draws."""

from dataclasses import replace

import pytest
import torch

from lib.classifiers import augmentation
from lib.classifiers.recipes import SCHUERMANN

PLAIN = SCHUERMANN  # no augmentation
ALL = replace(
    PLAIN,
    flip=True,
    shift_px=3,
    rotation_degrees=10.0,
    zoom_share=0.1,
    brightness_share=0.1,
    contrast_share=0.2,
    cutout_px=8,
)


def generator(seed: int = 0) -> torch.Generator:
    """Return a seeded generator."""
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> torch.Tensor:
    """Images of noise, uint8 (64, 12, 10)."""
    return torch.randint(0, 256, (64, 12, 10), dtype=torch.uint8, generator=generator())


def test_a_recipe_without_augmentation_only_scales_to_one(images):
    x = augmentation.augment(images, PLAIN, generator())
    assert x.shape == (64, 1, 12, 10)
    assert x.dtype == torch.float32
    assert torch.equal((x[:, 0] * 255).round().to(torch.uint8), images)


def test_the_generator_governs_every_draw(images):
    first, repeated, other = (
        augmentation.augment(images, ALL, generator(seed)) for seed in (1, 1, 2)
    )
    assert torch.equal(first, repeated)
    assert not torch.equal(first, other)


def test_pixels_stay_in_range(images):
    x = augmentation.augment(images, ALL, generator())
    assert x.min() >= 0
    assert x.max() <= 1


def test_about_half_of_the_images_are_mirrored_and_the_others_untouched(images):
    flipped = augmentation.flip(images, generator())
    same = (flipped == images).all((1, 2))
    mirrored = (flipped == images.flip(2)).all((1, 2))
    assert (same ^ mirrored).all()
    assert 16 < same.sum() < 48


def test_shifts_reach_each_offset_and_repeat_the_edge():
    # The grey level tells row and column.
    ramp = (torch.arange(12)[:, None] * 16 + torch.arange(10)).to(torch.uint8).expand(500, 12, 10)
    shifted = augmentation.shift(ramp, 2, generator())
    rows, columns = shifted[:, 6, 5] // 16, shifted[:, 6, 5] % 16
    assert set((rows.int() - 6).tolist()) == {-2, -1, 0, 1, 2}
    assert set((columns.int() - 5).tolist()) == {-2, -1, 0, 1, 2}

    # Shifted up by two rows, the last row stands three times.
    up = shifted[rows == 8]
    assert torch.equal(up[:, 9], up[:, 10])
    assert torch.equal(up[:, 10], up[:, 11])


def test_no_rotation_and_no_zoom_is_the_identity(images):
    x = augmentation.to_float(images)
    same = augmentation.rotate_and_zoom(x, 0.0, 0.0, generator())
    torch.testing.assert_close(same, x, atol=1e-5, rtol=0)


def test_rotation_turns_about_the_centre():
    x = torch.zeros(50, 1, 13, 13)
    x[:, :, 6, 6] = 1
    turned = augmentation.rotate_and_zoom(x, 45.0, 0.0, generator())
    assert (turned[:, 0, 6, 6] > 0.9).all()


@pytest.fixture
def ramps() -> torch.Tensor:
    """Images around mid grey, float32 (200, 1, 6, 6)."""
    return torch.full((200, 1, 6, 6), 0.5) + torch.linspace(-0.1, 0.1, 36).view(6, 6)


def test_brightness_moves_the_mean_and_keeps_the_spread(ramps):
    brighter = augmentation.relight(ramps, 0.2, 0.0, generator())
    moved = brighter.mean((1, 2, 3)) - 0.5
    assert moved.abs().max() <= 0.2
    assert moved.min() < -0.15
    assert moved.max() > 0.15
    torch.testing.assert_close(brighter.std((1, 2, 3)), ramps.std((1, 2, 3)))


def test_contrast_changes_the_spread_and_keeps_the_mean(ramps):
    stretched = augmentation.relight(ramps, 0.0, 0.3, generator())
    torch.testing.assert_close(stretched.mean((1, 2, 3)), ramps.mean((1, 2, 3)))
    factors = stretched.std((1, 2, 3)) / ramps.std((1, 2, 3))
    assert (factors - 1).abs().max() <= 0.3 + 1e-4


def test_cutout_blanks_at_most_its_square():
    x = augmentation.cutout(torch.ones(100, 1, 20, 20), 6, generator())
    blanked = (x == 0.5).sum((1, 2, 3))
    assert blanked.max() == 36
    assert blanked.min() > 0
    assert ((x == 0.5) | (x == 1)).all()


def test_mixup_mixes_two_images_by_the_share(images):
    x = augmentation.to_float(images)
    recipe = replace(PLAIN, mixup_alpha=0.4)
    mixed, partners, share = augmentation.mix(x, recipe, generator(3))
    torch.testing.assert_close(mixed, x * share + x[partners] * (1 - share))
    assert 0 < share < 1
    assert sorted(partners.tolist()) == list(range(64))


@pytest.mark.parametrize("seed", range(5))
def test_cutmix_returns_the_share_of_pixels_that_stayed(seed):
    x = torch.arange(30.0).view(30, 1, 1, 1).expand(30, 1, 16, 16).contiguous()
    recipe = replace(PLAIN, cutmix_alpha=1.0)
    mixed, partners, share = augmentation.mix(x, recipe, generator(seed))
    moved = partners != torch.arange(30)
    kept = (mixed == x).float().mean((1, 2, 3))
    torch.testing.assert_close(kept[moved], torch.full_like(kept[moved], share))


@pytest.mark.parametrize("alpha", [0.4, 1.0])
def test_the_beta_draws_have_betas_mean_and_variance(alpha):
    source = generator(1)
    draws = torch.tensor([augmentation._beta(alpha, source) for _ in range(4000)])
    variance = 1 / (4 * (2 * alpha + 1))
    assert draws.mean() == pytest.approx(0.5, abs=4 * (variance / 4000) ** 0.5)
    assert draws.var() == pytest.approx(variance, rel=0.08)
