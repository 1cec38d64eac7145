"""Recorded training steps do what the ones that are written out do; on a CPU, unrecorded."""

import numpy as np
import pytest
import torch
from small_generators import noise_faces, small_generator

from lib.generators.captured import CapturedSteps
from lib.generators.sampling import from_grey


def on_device(generator, faces):
    images = torch.from_numpy(faces.images)
    return images, generator.network.label_vectors(torch.from_numpy(faces.labels))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_step_is_the_update_of_the_network(share):
    ours, theirs = (small_generator("diffusion", diffusion_augment_share=share) for _ in range(2))
    images, labels = on_device(ours, noise_faces(8).resized(ours.px))
    steps = CapturedSteps(ours.network.train(), images, labels, batch=8)
    optimisers = theirs.network.train().optimisers()
    for step in range(5):
        # The order is given, so that both draw the same noise.
        steps.order = torch.arange(8)
        torch.manual_seed(step)
        loss = float(steps.step(0.002, 8))
        for group in optimisers["model"].param_groups:
            group["lr"] = 0.002
        torch.manual_seed(step)
        wanted = theirs.network.update(from_grey(images), labels, step, optimisers)["loss"]
        assert loss == pytest.approx(float(wanted), rel=1e-4)
    others = theirs.network.state_dict()
    for name, weights in ours.network.state_dict().items():
        assert torch.allclose(weights, others[name], atol=1e-5), name


def test_each_pass_takes_every_image_once_and_the_first_ones_alone():
    generator = small_generator("diffusion")
    images, labels = on_device(generator, noise_faces(20).resized(generator.px))
    steps, seen = CapturedSteps(generator.network, images, labels, batch=4), []
    for _ in range(5):
        steps.step(0.0, 10)
        seen += steps.rows.tolist()
    assert sorted(seen[:10]) == list(range(10)) == sorted(seen[10:])


def test_a_training_that_begins_anew_knows_nothing_of_the_last():
    generator = small_generator("diffusion")
    images, labels = on_device(generator, noise_faces(8).resized(generator.px))
    steps = CapturedSteps(generator.network, images, labels, batch=8)
    fresh = {name: tensor.clone() for name, tensor in generator.network.state_dict().items()}
    ends = []
    for _ in range(2):
        generator.network.load_state_dict(fresh)
        steps.begin()
        torch.manual_seed(3)
        for _ in range(3):
            steps.step(0.01, 8)
        ends.append(generator.network.averages[0].conv_in.weight.detach().numpy().copy())
    assert np.array_equal(*ends)
