"""StyleGAN2-ADA against what its papers state."""

import numpy as np
import pytest
import torch
from torch.nn.functional import affine_grid, conv2d, conv_transpose2d, grid_sample

from lib.generators.stylegan import StyleGAN, path_length, slope
from lib.generators.stylegan_augmentation import adapted, augment, colour, geometry, rotation, scaling, translation
from lib.generators.stylegan_layers import Conv, Dense, blur, modulated_convolution, unit, upsample
from lib.generators.stylegan_networks import Discriminator, condition, levels, with_spread
from lib.study.errors import StudyError

SETTINGS = {"px": 16, "width": 4, "lr": 0.002, "condition": "one-hot", "augment": "adaptive", "share": 0.5, "r1": 1.0, "truncation": 1.0}


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


@pytest.mark.parametrize("up", [False, True])
def test_modulated_convolution_equals_convolution_with_scaled_weights(up):
    x, weight, style = torch.randn(3, 5, 8, 8), torch.randn(6, 5, 3, 3), torch.randn(3, 5)
    found = modulated_convolution(x, weight, style, up=up)
    for i in range(3):
        scaled = weight * style[i, None, :, None, None]
        scaled = scaled / (scaled.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        one = x[i : i + 1]
        expected = blur(conv_transpose2d(one, scaled.transpose(0, 1), stride=2), 1, 4.0) if up else conv2d(one, scaled, padding=1)
        assert torch.allclose(found[i : i + 1], expected, atol=1e-5)


def test_demodulated_output_has_unit_variance_whatever_the_style():
    x, weight = torch.randn(64, 16, 12, 12), torch.randn(8, 16, 3, 3)
    for strength in (0.1, 1.0, 30.0):
        out = modulated_convolution(x, weight, strength * torch.randn(64, 16))[:, :, 1:-1, 1:-1]  # the border sees zeros
        assert abs(out.var().item() - 1) < 0.05


def test_equalised_layers_keep_the_variance():
    assert abs(Dense(400, 300, lr=0.01)(torch.randn(200, 400)).var().item() - 1) < 0.05
    assert abs(Conv(30, 40, 3, active=False)(torch.randn(20, 30, 12, 12))[:, :, 1:-1, 1:-1].var().item() - 1) < 0.1
    assert torch.allclose(unit(5 * torch.randn(7, 9)).square().mean(1), torch.ones(7))


def test_resampling_keeps_constants_and_halves_or_doubles_the_side():
    flat = torch.full((1, 2, 8, 8), 3.0)
    assert torch.allclose(upsample(flat)[:, :, 1:-1, 1:-1], torch.tensor(3.0)) and upsample(flat).shape[-1] == 16
    assert torch.allclose(blur(flat, 1, 1.0)[:, :, 2:-2, 2:-2], torch.tensor(3.0)) and blur(flat, 1, 1.0, stride=2).shape[-1] == 4
    assert Conv(2, 3, 3, down=True)(flat).shape == (1, 3, 4, 4)


def test_augmentation_at_zero_is_the_identity_to_the_bit():
    images = torch.rand(9, 1, 16, 16) * 2 - 1
    assert torch.equal(augment(images, torch.tensor(0.0)), images)


def test_augmentation_at_one_changes_every_image_and_at_a_half_some():
    images = torch.rand(200, 1, 16, 16) * 2 - 1
    assert (augment(images, torch.tensor(1.0)) != images).flatten(1).any(1).all()
    moved = geometry(4000, 16, torch.tensor(0.1))[1].float().mean()
    # six transformations at 0.1 and two rotations that together happen with 0.1
    assert abs(moved.item() - (1 - 0.9**7)) < 0.04


def test_geometry_is_what_it_says():
    images = torch.rand(1, 1, 8, 8)

    def warped(matrix):
        return grid_sample(
            images, affine_grid(matrix[:, :2], [1, 1, 8, 8], align_corners=False), align_corners=False, padding_mode="reflection"
        )

    one = torch.ones(1)
    assert torch.allclose(warped(scaling(-one, one)), images.flip(3), atol=1e-5)
    assert torch.allclose(warped(rotation(one * torch.pi / 2)), torch.rot90(images, 1, (2, 3)), atol=1e-5)
    assert torch.allclose(warped(translation(one * 2 / 8, 0 * one))[..., :-1], images[..., 1:], atol=1e-5)  # one pixel
    scale, shift = colour(3, torch.tensor(0.0))
    assert torch.equal(scale, torch.ones(3)) and torch.equal(shift, torch.zeros(3))


def test_the_adaptive_probability_moves_the_right_way_and_stays_within_bounds():
    p = torch.tensor(0.3)
    assert adapted(p, torch.tensor(0.9), 5000) > p > adapted(p, torch.tensor(0.1), 5000)
    assert adapted(p, torch.tensor(0.9), 5000) - p == pytest.approx(0.01)  # 500,000 images from 0 to 1
    assert adapted(torch.tensor(0.0), torch.tensor(0.0), 5000) == 0 and adapted(torch.tensor(1.0), torch.tensor(1.0), 5000) == 1


def test_r1_equals_a_numerical_gradient():
    judge = Discriminator(8, 2, 7, 16).double()
    images, c = torch.rand(1, 1, 8, 8, dtype=torch.float64), condition(torch.tensor([3]), "one-hot").double()
    step = 1e-5 * torch.eye(64, dtype=torch.float64).view(64, 1, 1, 8, 8)
    numerical = torch.stack([(judge(images + d, c) - judge(images - d, c)) / 2e-5 for d in step])
    assert slope(judge, images, c).item() == pytest.approx(numerical.square().sum().item(), rel=1e-3)


def test_path_length_of_a_linear_synthesis_is_known():
    class Linear(torch.nn.Module):
        def noise_size(self):
            return 1

        def forward(self, w, noise):
            return 3.0 * w[:, 0].view(-1, 1, 4, 4)  # an orthogonal map times 3: a direction y pulls back to 3 y

    styles = torch.randn(20_000, 1, 16, requires_grad=True)
    penalty, lengths = path_length(Linear(), styles, torch.tensor(0.0))
    assert lengths.square().mean().item() == pytest.approx(9.0, rel=0.02)  # y has expected squared norm 1
    even, _ = path_length(Linear(), styles, lengths.mean().detach())
    assert even.item() == pytest.approx(lengths.var().item(), rel=0.05) and even < penalty


def test_the_spread_channel_sees_copies():
    x = torch.randn(8, 3, 4, 4)
    assert with_spread(x)[:, 3].min() > 0.1
    assert with_spread(x[:1].repeat(8, 1, 1, 1))[:, 3].max() < 1e-3


def test_truncation_zero_is_one_style_and_one_is_none():
    model = StyleGAN(**SETTINGS).eval()
    z, c = torch.randn(4, 32), condition(torch.arange(4), "one-hot")
    assert torch.allclose(model.average.mapping(z, c, 0.0), model.average.mapping.mean.expand(4, -1))
    half = model.average.mapping(z, c, 0.5)
    assert torch.allclose(half, (model.average.mapping(z, c) + model.average.mapping.mean) / 2, atol=1e-6)


def test_as_a_number_the_condition_of_neighbouring_classes_is_almost_one():
    def likeness(kind):
        mapping = StyleGAN(**SETTINGS | {"condition": kind}).maker.mapping
        torch.nn.init.normal_(mapping.embed.bias)  # as trained: the bias is not zero
        embedded = unit(mapping.embed(condition(torch.arange(7), kind)))
        return torch.cosine_similarity(embedded[5], embedded[6], dim=0).item()

    assert likeness("number") > 0.97 > likeness("one-hot")


def test_sides_and_choices():
    assert levels(48) == [3, 6, 12, 24, 48] and levels(64) == [4, 8, 16, 32, 64]
    with pytest.raises(StudyError, match="gan_augment is 'ada'.*adaptive"):
        StyleGAN(**SETTINGS | {"augment": "ada"})


@pytest.mark.parametrize("more", [{"augment": "fixed"}, {"augment": "none", "condition": "number"}, {"px": 24}])
def test_every_variant_trains_and_draws(more):
    model = StyleGAN(**SETTINGS | more).train()
    px, optimisers = model.settings["px"], model.optimisers()
    before = [p.clone() for p in model.maker.parameters()]
    for step in range(2):
        losses = model.update(torch.rand(8, 1, px, px) * 2 - 1, torch.arange(8) % 7, step, optimisers)
    assert all(torch.isfinite(value) for value in losses.values())
    assert losses["augmentation"] == (0.5 if more.get("augment") == "fixed" else 0.0)
    assert any(not torch.equal(a, b) for a, b in zip(before, model.maker.parameters()))
    assert model.eval().draw(np.arange(3), np.arange(3)).shape == (3, 1, px, px)
