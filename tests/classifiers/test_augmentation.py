"""Augmentation: identities, ranges, what is kept, and the generator that governs it all."""

from dataclasses import replace

import pytest
import torch

from lib.classifiers import augmentation as aug
from lib.classifiers.recipes import RECIPES

PLAIN = RECIPES["schuermann"]
ALL = replace(PLAIN, flip=True, shift_px=3, rotation_degrees=10.0, zoom_share=0.1, brightness_share=0.1, contrast_share=0.2, cutout_px=8)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randint(0, 256, (64, 12, 10), dtype=torch.uint8, generator=generator())


def test_a_recipe_without_augmentation_only_scales_to_one(images):
    x = aug.augment(images, PLAIN, generator())
    assert x.shape == (64, 1, 12, 10) and x.dtype == torch.float32
    assert torch.equal((x[:, 0] * 255).round().to(torch.uint8), images)


def test_the_generator_governs_every_draw(images):
    first, again, other = (aug.augment(images, ALL, generator(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_pixels_stay_in_range(images):
    x = aug.augment(images, ALL, generator())
    assert 0 <= x.min() and x.max() <= 1


def test_about_half_of_the_images_are_mirrored_and_the_others_untouched(images):
    flipped = aug.flip(images, generator())
    same = (flipped == images).all((1, 2))
    mirrored = (flipped == images.flip(2)).all((1, 2))
    assert (same ^ mirrored).all() and 16 < same.sum() < 48


def test_shifts_reach_each_offset_and_repeat_the_edge():
    ramp = (torch.arange(12)[:, None] * 16 + torch.arange(10)).to(torch.uint8).expand(500, 12, 10)
    shifted = aug.shift(ramp, 2, generator())
    rows, columns = shifted[:, 6, 5] // 16, shifted[:, 6, 5] % 16
    assert set((rows.int() - 6).tolist()) == set((columns.int() - 5).tolist()) == {-2, -1, 0, 1, 2}
    up = shifted[rows == 8]  # looks two rows further down: the last row stands three times
    assert torch.equal(up[:, 9], up[:, 10]) and torch.equal(up[:, 10], up[:, 11])


def test_no_rotation_and_no_zoom_is_the_identity(images):
    x = aug.to_float(images)
    torch.testing.assert_close(aug.rotate_and_zoom(x, 0.0, 0.0, generator()), x, atol=1e-5, rtol=0)


def test_rotation_turns_about_the_centre():
    x = torch.zeros(50, 1, 13, 13)
    x[:, :, 6, 6] = 1
    turned = aug.rotate_and_zoom(x, 45.0, 0.0, generator())
    assert (turned[:, 0, 6, 6] > 0.9).all()


def test_brightness_moves_the_mean_and_contrast_the_spread():
    x = torch.full((200, 1, 6, 6), 0.5) + torch.linspace(-0.1, 0.1, 36).view(6, 6)
    brighter, stretched = aug.relight(x, 0.2, 0.0, generator()), aug.relight(x, 0.0, 0.3, generator())
    moved = brighter.mean((1, 2, 3)) - 0.5
    assert moved.abs().max() <= 0.2 and moved.min() < -0.15 and moved.max() > 0.15
    torch.testing.assert_close(brighter.std((1, 2, 3)), x.std((1, 2, 3)))
    torch.testing.assert_close(stretched.mean((1, 2, 3)), x.mean((1, 2, 3)))
    assert (stretched.std((1, 2, 3)) / x.std((1, 2, 3)) - 1).abs().max() <= 0.3 + 1e-4


def test_cutout_blanks_at_most_its_square():
    x = aug.cutout(torch.ones(100, 1, 20, 20), 6, generator())
    blanked = (x == 0.5).sum((1, 2, 3))
    assert blanked.max() == 36 and blanked.min() > 0 and ((x == 0.5) | (x == 1)).all()


def test_mixup_mixes_two_images_by_the_share(images):
    x = aug.to_float(images)
    mixed, partners, share = aug.mix(x, replace(PLAIN, mixup_alpha=0.4), generator(3))
    torch.testing.assert_close(mixed, x * share + x[partners] * (1 - share))
    assert 0 < share < 1 and sorted(partners.tolist()) == list(range(64))


def test_cutmix_says_the_share_of_pixels_that_stayed():
    x = torch.arange(30.0).view(30, 1, 1, 1).expand(30, 1, 16, 16).contiguous()
    for seed in range(5):
        mixed, partners, share = aug.mix(x, replace(PLAIN, cutmix_alpha=1.0), generator(seed))
        moved = partners != torch.arange(30)
        kept = (mixed == x).float().mean((1, 2, 3))
        torch.testing.assert_close(kept[moved], torch.full_like(kept[moved], share))


def test_the_beta_draws_have_betas_mean_and_variance():
    for alpha in (0.4, 1.0):
        g = generator(1)
        draws = torch.tensor([aug._beta(alpha, g) for _ in range(4000)])
        variance = 1 / (4 * (2 * alpha + 1))
        assert draws.mean() == pytest.approx(0.5, abs=4 * (variance / 4000) ** 0.5)
        assert draws.var() == pytest.approx(variance, rel=0.08)
