"""Mixed precision, as a GPU has it, tried on the CPU.

Every step of every network runs in it, and what must stay in float32 stays there.
"""

import functools
import importlib
from types import SimpleNamespace

import pytest
import torch

from lib.generators import network
from lib.generators.cgan import ACGAN, CGAN
from lib.generators.dcgan import DCGAN
from lib.generators.diffusion import Diffusion
from lib.generators.stylegan import StyleGAN

SIZES = {"px": 16, "width": 16, "lr": 1e-3, "n_classes": 7, "r1": 1.0, "precision": "auto"}
STYLE = {**SIZES, "condition": "one-hot", "share": 0.5, "truncation": 1.0}
DIFFUSION = {
    "px": 16,
    "lr": 1e-3,
    "n_classes": 7,
    "channels": [16, 32],
    "blocks": [1, 1],
    "sample_steps": 2,
}
NETWORKS = {
    "dcgan": functools.partial(DCGAN, **SIZES, conditional=True),
    "dcgan of one class": functools.partial(DCGAN, **SIZES, conditional=False),
    "cgan": functools.partial(CGAN, **SIZES),
    "acgan": functools.partial(ACGAN, **SIZES),
    "diffusion": functools.partial(Diffusion, **DIFFUSION),
    "diffusion, augmented": functools.partial(Diffusion, **DIFFUSION, augment_share=0.5),
    "stylegan": functools.partial(StyleGAN, **STYLE, augment="none"),
    "stylegan, augmented": functools.partial(StyleGAN, **STYLE, augment="adaptive"),
}


@pytest.fixture
def mixed(monkeypatch):
    """Makes the generators' mixed precision, off on a CPU, what it is on a GPU."""
    for name in ("adversarial", "diffusion"):
        module = importlib.import_module(f"lib.generators.{name}")
        monkeypatch.setattr(module, "autocast_like", in_bfloat16)


def in_bfloat16(images, wanted="mixed"):
    return torch.autocast("cpu", torch.bfloat16)


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_its_steps_in_mixed_precision(name, mixed):
    torch.manual_seed(0)
    trained = NETWORKS[name]().train()
    optimisers = trained.optimisers()
    before = {key: value.clone() for key, value in trained.state_dict().items()}
    images, labels = torch.rand(8, 1, 16, 16) * 2 - 1, torch.arange(8) % 7
    if trained.one_class_per_batch:
        labels = labels * 0

    # Losses are finite and in float32.
    for step in range(4):
        for loss in trained.update(images, labels, step, optimisers).values():
            assert loss.dtype == torch.float32 and torch.isfinite(loss)

    # Weights have moved and kept their precision.
    after = trained.state_dict()
    assert all(after[key].dtype == value.dtype for key, value in before.items())
    assert any(not torch.equal(after[key], value) for key, value in before.items())
    assert torch.isfinite(trained.eval().draw(labels.numpy(), labels.numpy())).all()


def test_where_an_augmented_image_goes_is_computed_in_float32(mixed):
    style = StyleGAN(**STYLE, augment="fixed")
    images = torch.rand(8, 1, 16, 16) * 2 - 1
    torch.manual_seed(1)
    plain = style.seen(images)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(style.seen(images), plain)


def test_the_class_losses_of_an_acgan_are_computed_in_float32(mixed, monkeypatch):
    kinds = []
    module = importlib.import_module("lib.generators.cgan")
    cross_entropy = module.cross_entropy

    def noted(logits, target):
        kinds.append(logits.dtype)
        return cross_entropy(logits, target)

    monkeypatch.setattr(module, "cross_entropy", noted)
    trained = NETWORKS["acgan"]().train()
    trained.update(torch.rand(8, 1, 16, 16), torch.arange(8) % 7, 0, trained.optimisers())
    assert kinds == [torch.float32] * 3


@pytest.mark.parametrize(
    ("device", "native", "wanted", "precision"),
    [
        ("cuda", True, "mixed", "bf16"),
        ("cuda", False, "mixed", "fp32"),
        ("cpu", True, "mixed", "fp32"),
        ("cpu", True, "bf16", "bf16"),
        ("cpu", False, "bf16", "fp32"),
        ("cuda", True, "fp32", "fp32"),
    ],
)
def test_bfloat16_is_used_where_it_is_wanted_and_native(
    device, native, wanted, precision, monkeypatch
):
    def is_supported(including_emulation=True):
        return native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", is_supported)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx512_bf16": native})
    monkeypatch.setattr(network, "autocast", lambda device, precision: (device, precision))
    images = SimpleNamespace(device=torch.device(device))
    assert network.autocast_like(images, wanted) == (device, precision)
