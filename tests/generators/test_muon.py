"""MuonAdam, and running averages of weights of a length."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from lib.generators.averages import power_of_length, update_average
from lib.generators.diffusion import LENGTHS, OUTER_WEIGHTS
from lib.generators.diffusion_networks import UNet
from lib.generators.muon import BETAS, MUON_RMS, MuonAdam, orthogonalise


def linear(seed: int, inputs: int = 3, outputs: int = 3) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(inputs, outputs)


@pytest.mark.parametrize("shape", [(32, 288), (96, 32), (64, 160)])
def test_singular_values_are_brought_near_one(shape):
    torch.manual_seed(0)
    values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
    assert 0.5 < values.min() and values.max() < 1.3


def test_hidden_matrices_go_to_muon_and_the_rest_to_adam():
    network = UNet(px=16, n_classes=7, channels=(16, 32), blocks=(1, 1), patch=2, augmentation=6)
    optimiser = MuonAdam(network, 0.1, outer=OUTER_WEIGHTS)
    hidden, others = (group["params"] for group in optimiser.param_groups)
    names = {id(weights): name for name, weights in network.named_parameters()}
    assert len(hidden) + len(others) == len(names)
    assert all(weights.ndim > 1 for weights in hidden)
    matrices = {names[id(weights)].split(".")[0] for weights in others if weights.ndim > 1}
    assert matrices == set(OUTER_WEIGHTS)


def test_a_muon_step_has_the_size_it_should():
    layer = linear(0, 64, 32)
    before = layer.weight.detach().clone()
    optimiser = MuonAdam(layer, 0.01, outer=("none",))
    layer(torch.randn(8, 64)).square().sum().backward()
    optimiser.step()
    change = layer.weight.detach() - before

    # Eight rows of input: rank 8 of 32, whose singular values are near 1.
    expected = 0.01 * MUON_RMS * math.sqrt(64) * math.sqrt(8 / (32 * 64))
    assert float(change.square().mean().sqrt()) == pytest.approx(expected, rel=0.25)


def test_matrices_of_one_shape_step_as_each_alone():
    torch.manual_seed(0)
    networks = [UNet(px=16, n_classes=7, channels=(16, 32), blocks=(1, 1), patch=2)]
    networks.append(copy.deepcopy(networks[0]))
    optimisers = [MuonAdam(network, 0.1, outer=OUTER_WEIGHTS) for network in networks]
    for number in range(3):
        for network, optimiser in zip(networks, optimisers):
            torch.manual_seed(number)
            for weights in network.parameters():
                weights.grad = torch.randn_like(weights)
            group = optimiser.param_groups[0]
            with torch.no_grad():
                if network is networks[0]:
                    optimiser.muon_step(group, group["params"])
                else:
                    optimiser.muon_step_by_shape(group, group["params"])
    for weights, others in zip(networks[0].parameters(), networks[1].parameters()):
        assert torch.allclose(weights, others, atol=1e-5)


def test_the_adam_part_is_torch_s_adam():
    layer, reference = linear(0), linear(0)
    ours = MuonAdam(layer, 0.01, outer=("weight",))
    theirs = torch.optim.Adam(reference.parameters(), 0.01, BETAS)
    for number in range(5):
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(number))
        for network, optimiser in ((layer, ours), (reference, theirs)):
            optimiser.zero_grad()
            network(x).square().sum().backward()
            optimiser.step()
    assert torch.allclose(layer.weight, reference.weight, atol=1e-6)


@pytest.mark.parametrize("length", LENGTHS)
def test_the_profile_of_an_average_has_its_length(length):
    times = np.linspace(0, 1, 200_001)
    weights = times ** power_of_length(length)
    mean = np.average(times, weights=weights)
    deviation = math.sqrt(np.average((times - mean) ** 2, weights=weights))
    assert deviation == pytest.approx(length, rel=1e-3)


def test_an_average_is_the_weighted_mean_of_all_steps():
    average, network = linear(9), linear(0)
    seen = []
    for step in range(1, 30):
        nn.init.normal_(network.weight)
        seen.append(network.weight.detach().clone())
        update_average(average, network, step, 0.1)

    # Weights of the steps: t ** gamma, up to the terms of a sum that stands for an integral.
    profile = np.arange(1, 30) ** power_of_length(0.1)
    expected = np.average(torch.stack(seen).numpy(), axis=0, weights=profile)
    assert np.allclose(average.weight.detach(), expected, atol=0.1)


def test_an_average_forgets_where_it_began():
    average, network = linear(1), linear(0)
    update_average(average, network, 1, 0.1)
    assert torch.equal(average.weight, network.weight)
