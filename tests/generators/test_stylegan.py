"""StyleGAN2-ADA against what its papers state."""

import numpy as np
import pytest
import torch
from torch.nn.functional import affine_grid, conv2d, conv_transpose2d, grid_sample

from lib.generators.stylegan import StyleGAN
from lib.generators.stylegan_augmentation import (
    adapted,
    augment,
    random_colour,
    random_geometry,
    rotation,
    scaling,
    translation,
)
from lib.generators.stylegan_layers import Conv, Dense, blur, modulated_convolution, unit, upsample
from lib.generators.stylegan_networks import class_condition, resolutions, spread
from lib.study.errors import StudyError

SETTINGS = {
    "px": 16,
    "width": 4,
    "lr": 0.002,
    "precision": "fp32",
    "n_classes": 7,
    "condition": "one-hot",
    "augment": "adaptive",
    "share": 0.5,
    "r1": 1.0,
    "truncation": 1.0,
}
INSIDE = (..., slice(1, -1), slice(1, -1))  # without the border, which sees zeros


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("up", [False, True])
def test_modulated_convolution_equals_convolution_with_scaled_weights(up):
    x, weight, style = torch.randn(3, 5, 8, 8), torch.randn(6, 5, 3, 3), torch.randn(3, 5)
    result = modulated_convolution(x, weight, style, up=up)
    for i in range(3):
        scaled = weight * style[i, None, :, None, None]
        norm = (scaled.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        scaled = scaled / norm
        one = x[i : i + 1]
        if up:
            expected = blur(conv_transpose2d(one, scaled.transpose(0, 1), stride=2), 1, 4.0)
        else:
            expected = conv2d(one, scaled, padding=1)
        assert torch.allclose(result[i : i + 1], expected, atol=1e-5)


@pytest.mark.parametrize("strength", [0.1, 1.0, 30.0])
def test_demodulated_output_has_unit_variance_whatever_the_style(strength):
    x, weight = torch.randn(64, 16, 12, 12), torch.randn(8, 16, 3, 3)
    out = modulated_convolution(x, weight, strength * torch.randn(64, 16))
    assert abs(out[INSIDE].var().item() - 1) < 0.05


def test_equalised_layers_keep_the_variance():
    dense = Dense(400, 300, lr=0.01)(torch.randn(200, 400))
    assert abs(dense.var().item() - 1) < 0.05
    convolved = Conv(30, 40, 3, active=False)(torch.randn(20, 30, 12, 12))
    assert abs(convolved[INSIDE].var().item() - 1) < 0.1
    assert torch.allclose(unit(5 * torch.randn(7, 9)).square().mean(1), torch.ones(7))


def test_resampling_keeps_constants_and_halves_or_doubles_the_side():
    flat, three = torch.full((1, 2, 8, 8), 3.0), torch.tensor(3.0)
    assert upsample(flat).shape[-1] == 16
    assert torch.allclose(upsample(flat)[INSIDE], three)
    assert torch.allclose(blur(flat, 1, 1.0)[:, :, 2:-2, 2:-2], three)
    assert blur(flat, 1, 1.0, stride=2).shape[-1] == 4
    assert Conv(2, 3, 3, down=True)(flat).shape == (1, 3, 4, 4)


def test_augmentation_at_zero_is_the_identity_to_the_bit():
    images = torch.rand(9, 1, 16, 16) * 2 - 1
    assert torch.equal(augment(images, torch.tensor(0.0)), images)


def test_augmentation_at_one_changes_every_image_and_at_a_tenth_some():
    images = torch.rand(200, 1, 16, 16) * 2 - 1
    assert (augment(images, torch.tensor(1.0)) != images).flatten(1).any(1).all()

    # Six transformations at 0.1, and two rotations that together happen with 0.1.
    _, moved = random_geometry(4000, 16, torch.tensor(0.1))
    assert abs(moved.float().mean().item() - (1 - 0.9**7)) < 0.04


def test_geometry_is_what_it_says():
    images, one = torch.rand(1, 1, 8, 8), torch.ones(1)

    def warped(matrix):
        grid = affine_grid(matrix[:, :2], [1, 1, 8, 8], align_corners=False)
        return grid_sample(images, grid, align_corners=False, padding_mode="reflection")

    def same(result, expected):
        return torch.allclose(result, expected, atol=1e-5)

    assert same(warped(scaling(-one, one)), images.flip(3))
    assert same(warped(rotation(one * torch.pi / 2)), torch.rot90(images, 1, (2, 3)))
    one_pixel = warped(translation(one * 2 / 8, 0 * one))
    assert same(one_pixel[..., :-1], images[..., 1:])
    scale, shift = random_colour(3, torch.tensor(0.0))
    assert torch.equal(scale, torch.ones(3)) and torch.equal(shift, torch.zeros(3))


def test_the_adaptive_probability_moves_the_right_way_and_stays_within_bounds():
    p, overfits, learns = torch.tensor(0.3), torch.tensor(0.9), torch.tensor(0.1)
    assert adapted(p, overfits, 5000) > p > adapted(p, learns, 5000)
    assert adapted(p, overfits, 5000) - p == pytest.approx(0.01)  # 500,000 images from 0 to 1
    assert adapted(torch.tensor(0.0), torch.tensor(0.0), 5000) == 0
    assert adapted(torch.tensor(1.0), torch.tensor(1.0), 5000) == 1


def test_the_spread_sees_copies():
    x = torch.randn(8, 3, 4, 4)
    assert spread(x).min() > 0.1
    assert spread(x[:1].repeat(8, 1, 1, 1)).max() < 1e-3


def test_the_spread_is_that_of_the_images_of_a_group():
    x = torch.randn(8, 3, 4, 4)
    groups = x.view(4, 2, 3, 4, 4)  # images i and i + 2, i + 4, i + 6 together
    expected = groups.std(0, unbiased=False).mean((1, 2, 3))
    assert torch.allclose(spread(x)[:, 0], expected.repeat(4), atol=1e-5)


def test_truncation_zero_is_one_style_and_one_is_none():
    mapping = StyleGAN(**SETTINGS).eval().average.mapping
    z, c = torch.randn(4, 32), class_condition(torch.arange(4), "one-hot", 7)
    assert torch.allclose(mapping(z, c, 0.0), mapping.mean.expand(4, -1))
    middle = (mapping(z, c) + mapping.mean) / 2
    assert torch.allclose(mapping(z, c, 0.5), middle, atol=1e-6)


def test_as_a_number_the_condition_of_neighbouring_classes_is_almost_one():
    def likeness(kind):
        mapping = StyleGAN(**SETTINGS | {"condition": kind}).generator.mapping
        torch.nn.init.normal_(mapping.embed.bias)  # as trained: the bias is not zero
        embedded = unit(mapping.embed(class_condition(torch.arange(7), kind, 7)))
        return torch.cosine_similarity(embedded[5], embedded[6], dim=0).item()

    assert likeness("number") > 0.97 > likeness("one-hot")


def test_sides_and_choices():
    assert resolutions(24) == [3, 6, 12, 24]
    assert resolutions(32) == [4, 8, 16, 32]
    with pytest.raises(StudyError, match="gan_px is 33.*even"):
        StyleGAN(**SETTINGS | {"px": 33})
    with pytest.raises(StudyError, match="gan_augment is 'ada'.*adaptive"):
        StyleGAN(**SETTINGS | {"augment": "ada"})


@pytest.mark.parametrize(
    "changes",
    [{"augment": "fixed"}, {"augment": "none", "condition": "number"}, {"px": 24}],
    ids=str,
)
def test_every_variant_trains_and_draws(changes):
    model = StyleGAN(**SETTINGS | changes).train()
    px, optimisers = model.settings["px"], model.optimisers()
    before = [weights.clone() for weights in model.generator.parameters()]
    for step in range(2):
        images, labels = torch.rand(8, 1, px, px) * 2 - 1, torch.arange(8) % 7
        losses = model.update(images, labels, step, optimisers)
    assert all(torch.isfinite(value) for value in losses.values())
    assert losses["augmentation"] == (0.5 if changes.get("augment") == "fixed" else 0.0)
    after = model.generator.parameters()
    assert any(not torch.equal(old, new) for old, new in zip(before, after))
    assert model.eval().draw(np.arange(3), np.arange(3)).shape == (3, 1, px, px)
