"""Mixed precision, as a GPU has it, tried on the CPU: every step of every network runs, and what must stay in float32 stays there."""

import functools
import importlib

import pytest
import torch

from lib.generators import processes
from lib.generators.cgan import ACGAN, CGAN
from lib.generators.dcgan import DCGAN
from lib.generators.diffusion import Diffusion
from lib.generators.stylegan import StyleGAN

STYLE = {"px": 16, "width": 8, "lr": 1e-3, "condition": "one-hot", "share": 0.5, "r1": 1.0, "truncation": 1.0}
NETWORKS = {
    "dcgan": functools.partial(DCGAN, px=16, width=8, lr=1e-3, conditional=True),
    "dcgan of one class": functools.partial(DCGAN, px=16, width=8, lr=1e-3, conditional=False),
    "cgan": functools.partial(CGAN, px=16, width=8, lr=1e-3),
    "acgan": functools.partial(ACGAN, px=16, width=8, lr=1e-3),
    "diffusion": functools.partial(Diffusion, px=16, width=8, lr=1e-3, guidance=2.0, sample_steps=2, patch=2),
    "stylegan": functools.partial(StyleGAN, **STYLE, augment="none"),
    "stylegan, augmented": functools.partial(StyleGAN, **STYLE, augment="adaptive"),
}


@pytest.fixture
def mixed(monkeypatch):
    """Makes the generators' mixed precision, nothing on a CPU, what it is on a GPU."""
    for name in ("dcgan", "cgan", "stylegan", "diffusion"):
        module = importlib.import_module(f"lib.generators.{name}")
        monkeypatch.setattr(module, "half", lambda like: torch.autocast("cpu", torch.bfloat16))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_takes_its_steps_in_mixed_precision(name, mixed):
    torch.manual_seed(0)
    network = NETWORKS[name]().train()
    optimisers, before = network.optimisers(), {key: value.clone() for key, value in network.state_dict().items()}
    images, labels = torch.rand(8, 1, 16, 16) * 2 - 1, torch.arange(8) % 7
    for step in range(4):
        losses = network.update(images, labels if "one class" not in name else labels * 0, step, optimisers)
        assert all(loss.dtype == torch.float32 and torch.isfinite(loss) for loss in losses.values()), losses
    after = network.state_dict()
    assert all(after[key].dtype == value.dtype for key, value in before.items())
    assert any(not torch.equal(after[key], value) for key, value in before.items())
    assert torch.isfinite(network.eval().draw(labels.numpy(), labels.numpy())).all()


def test_where_an_augmented_image_goes_is_computed_in_float32(mixed):
    network = StyleGAN(**STYLE, augment="fixed")
    images = torch.rand(8, 1, 16, 16) * 2 - 1
    torch.manual_seed(1)
    plain = network.seen(images)
    torch.manual_seed(1)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(network.seen(images), plain)


def test_the_class_losses_of_an_acgan_are_computed_in_float32(mixed, monkeypatch):
    kinds = []
    module = importlib.import_module("lib.generators.cgan")
    whole = module.cross_entropy
    monkeypatch.setattr(module, "cross_entropy", lambda logits, target: kinds.append(logits.dtype) or whole(logits, target))
    network = NETWORKS["acgan"]().train()
    network.update(torch.rand(8, 1, 16, 16), torch.arange(8) % 7, 0, network.optimisers())
    assert kinds == [torch.float32] * 3


@pytest.mark.parametrize("native", [True, False])
def test_a_gpu_without_bfloat16_trains_in_float32(native, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: native or including_emulation)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: False)
    assert processes.mixes("cuda") == native and not processes.mixes("cpu")
