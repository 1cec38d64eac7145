"""What all GANs share: one making of the generated images, the penalty, the average that draws."""

import numpy as np
import pytest
import torch
from small_generators import small_generator

from lib.generators import adversarial
from lib.generators.adversarial import PENALTY_EVERY, r1_penalty
from lib.generators.averages import update_average
from lib.generators.dcgan import DROPPED_SHARE, FastDropout
from lib.generators.stylegan_networks import StyleDiscriminator
from lib.study.errors import StudyError

GANS = ["dcgan", "cgan", "acgan", "stylegan"]
LABELS = torch.arange(8) % 7
each = pytest.mark.parametrize("name", GANS)


@pytest.fixture(autouse=True)
def seeded():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def network_of(name: str, **changes):
    return small_generator(name, **changes).network.train()


def images() -> torch.Tensor:
    return torch.rand(8, 1, 16, 16) * 2 - 1


@each
def test_a_step_makes_its_generated_images_once(name):
    network, calls = network_of(name), []
    network.generator.register_forward_hook(lambda *_: calls.append(1))
    network.update(images(), LABELS, 0, network.optimisers())
    assert len(calls) == 1


@each
def test_both_networks_take_their_step(name):
    network = network_of(name)
    before = {key: value.clone() for key, value in network.state_dict().items()}
    losses = network.update(images(), LABELS, 0, network.optimisers())
    assert {"loss_generator", "loss_discriminator"} <= set(losses)
    moved = {
        key.split(".")[0]
        for key, value in network.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert {"generator", "discriminator", "average"} <= moved


@each
def test_the_average_draws_and_not_the_trained_generator(name):
    network = network_of(name).eval()
    labels, seeds = np.arange(4), np.arange(4)
    drawn = network.draw(labels, seeds)
    with torch.no_grad():
        for weights in network.generator.parameters():
            weights.zero_()
    assert torch.equal(network.draw(labels, seeds), drawn)
    assert set(network.drawing_weights()) == {
        f"average.{name}" for name in network.average.state_dict()
    }


def test_images_are_drawn_in_full_precision_whatever_the_training_s():
    auto, full = (network_of("dcgan", gan_precision=kind).eval() for kind in ("auto", "fp32"))
    labels, seeds = np.arange(4), np.arange(4)
    assert torch.equal(auto.draw(labels, seeds), full.draw(labels, seeds))
    with pytest.raises(StudyError, match="gan_precision is 'half'; choices: auto, fp32"):
        network_of("dcgan", gan_precision="half")


def test_running_statistics_are_averaged_with_the_weights():
    average, network = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    for step, mean in enumerate((1.0, 3.0), start=1):
        network.running_mean.fill_(mean)
        update_average(average, network, step, 0.2)
    assert 1 < float(average.running_mean[0]) < 3


# --------------------------------------------------------------------------------------------------
# Losses.


def test_r1_equals_a_numerical_gradient():
    discriminator = StyleDiscriminator(8, 2, n_classes=7, condition="one-hot").double()
    one, label = torch.rand(1, 1, 8, 8, dtype=torch.float64), torch.tensor([3])
    numerical = 0.0
    for step in 1e-5 * torch.eye(64, dtype=torch.float64).view(64, 1, 1, 8, 8):
        difference = discriminator(one + step, label) - discriminator(one - step, label)
        numerical += (difference / 2e-5).square().item()
    one.requires_grad_(True)
    penalty = r1_penalty(discriminator(one, label), one)
    assert penalty.item() == pytest.approx(numerical, rel=1e-3)


@each
@pytest.mark.parametrize("r1", [0.0, 2.0])
def test_a_lazy_penalty_counts_as_half_of_r1_in_every_step(name, r1, monkeypatch):
    weights = []

    class Weighed:
        """A penalty of 0 that notes what it is multiplied with."""

        def __rmul__(self, weight):
            weights.append((step, weight))
            return 0.0

    monkeypatch.setattr(adversarial, "r1_penalty", lambda logits, images: Weighed())
    network = network_of(name, gan_r1=r1)
    optimisers = network.optimisers()
    for step in range(2 * PENALTY_EVERY):
        network.update(images(), LABELS, step, optimisers)
    expected = [(0, PENALTY_EVERY), (PENALTY_EVERY, PENALTY_EVERY)] if r1 else []
    assert weights == expected  # PENALTY_EVERY * 2 / 2


@each
def test_the_penalty_holds_the_discriminator_s_gradient_down(name, monkeypatch):
    monkeypatch.setattr(adversarial, "PENALTY_EVERY", 1)

    def steepness(r1: float) -> float:
        """Train the discriminator for some steps, and measure its gradient at the images."""
        torch.manual_seed(0)
        network, real = network_of(name, gan_r1=r1, gan_lr=0.01), images()
        optimisers = network.optimisers()
        for step in range(12):
            network.update(real.clone(), LABELS, step, optimisers)
        inputs = real.clone().requires_grad_(True)
        logits = network.eval().discriminator(inputs, LABELS).reshape(8, -1)[:, 0]
        return float(r1_penalty(logits, inputs).detach())

    assert steepness(30.0) < 0.5 * steepness(0.0)


def test_any_other_label_is_a_wrong_one():
    network = network_of("dcgan")
    labels = torch.full((2000,), 4)
    others = network.other_labels(labels)
    assert set(others.tolist()) == {0, 1, 2, 3, 5, 6}


def test_real_images_are_mirrored_at_random(monkeypatch):
    seen = []
    monkeypatch.setattr(adversarial, "mirror", lambda batch: seen.append(batch) or batch)
    network, real = network_of("dcgan"), images()
    network.update(real, LABELS, 1, network.optimisers())
    assert len(seen) == 1 and seen[0] is real


# --------------------------------------------------------------------------------------------------
# DCGAN.


def test_dropout_keeps_its_share_the_mean_and_the_layout():
    x = torch.ones(64, 16, 12, 12).to(memory_format=torch.channels_last)
    dropped = FastDropout(DROPPED_SHARE).train()(x)
    assert float((dropped == 0).float().mean()) == pytest.approx(DROPPED_SHARE, abs=0.01)
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.01)
    assert dropped.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(FastDropout(DROPPED_SHARE).eval()(x), x)


def test_with_a_pair_a_class_only_the_pair_of_the_batch_learns():
    network = network_of("dcgan", gan_conditional=False)
    before = {key: value.clone() for key, value in network.generator.named_parameters()}
    network.update(images(), torch.full((8,), 2), 0, network.optimisers())
    moved = {
        key.split(".")[1]
        for key, value in network.generator.named_parameters()
        if not torch.equal(value, before[key])
    }
    assert moved == {"2"}
