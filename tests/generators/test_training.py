"""The one training loop: exact resume, independence of the batch, stop on NaN, refusal of files that are no checkpoints."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lib.faces.faceset import CLASSES, FaceSet
from lib.generators.checkpoints import load_tensors, save_tensors
from lib.generators.contract import NETWORKS, make_generator, training_folder
from lib.generators.sampling import mixed_seed, seed_noise
from lib.generators.training_loop import batch_rows, sheets
from lib.study.errors import StudyError
from lib.study.params import load_params

SMALL = {"gan_px": 16, "gan_width": 8, "gan_batch": 8, "gan_steps": 6, "log_every_steps": 3, "diffusion_sample_steps": 3, "device": "cpu"}
SETTINGS = [{"generator": name} for name in NETWORKS] + [{"generator": "dcgan", "gan_conditional": False}]
each = pytest.mark.parametrize("chosen", SETTINGS, ids=lambda chosen: "-".join(map(str, chosen.values())))


def small_generator(chosen, **more):
    return make_generator(load_params("quick") | SMALL | chosen | more)


def lively(generator):
    """Enlarge untrained weights, so that images differ by more than a grey level."""
    with torch.no_grad():
        for parameter in generator.network.parameters():
            parameter.mul_(8 if parameter.dim() > 1 else 1)
    return generator


def noise_faces(n=30, px=16):
    images = np.random.default_rng(0).integers(0, 256, (n, px, px)).astype(np.uint8)
    table = pd.DataFrame(
        {"id": [f"face-{i}" for i in range(n)], "class": [CLASSES[i % 7] for i in range(n)], "split": "train", "source": "test"}
    )
    return FaceSet(images, table)


@each
def test_resumed_training_equals_an_unbroken_one(chosen, tmp_path):
    whole = small_generator(chosen).fit(noise_faces(), folder=tmp_path / "whole")
    small_generator(chosen, gan_steps=3).fit(noise_faces(), folder=tmp_path / "broken")
    torch.rand(7)  # what others draw in between must not matter
    lines = []
    resumed = small_generator(chosen)
    log = resumed.fit(noise_faces(), folder=tmp_path / "broken", progress=lines.append)
    losses = [name for name in whole if name.startswith("loss")]
    assert losses and log["step"].tolist() == [3, 6]
    pd.testing.assert_frame_equal(whole[losses], log[losses], check_exact=True)
    assert "goes on from step 3 of 6" in lines[0]
    first, _ = load_tensors(tmp_path / "whole" / "generator.safetensors")
    second, _ = load_tensors(tmp_path / "broken" / "generator.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)


@each
def test_an_image_depends_on_its_label_and_seed_alone(chosen):
    generator = lively(small_generator(chosen))
    labels, seeds = np.arange(45) % 7, np.arange(45) * 3
    images = generator.sample(labels, seeds).images
    order = np.random.default_rng(1).permutation(45)
    assert np.array_equal(generator.sample(labels[order], seeds[order]).images, images[order])
    assert np.array_equal(generator.sample(labels[40:41], seeds[40:41]).images, images[40:41])
    assert not np.array_equal(generator.sample(labels[:1], seeds[1:2]).images, images[:1])


@each
def test_saved_weights_give_the_same_images(chosen, tmp_path):
    generator = small_generator(chosen)
    generator.save(tmp_path)
    other = small_generator(chosen, seed=5)
    labels, seeds = np.arange(7), np.arange(7)
    assert not np.array_equal(other.sample(labels, seeds).images, generator.sample(labels, seeds).images)
    other.load(tmp_path)
    assert np.array_equal(other.sample(labels, seeds).images, generator.sample(labels, seeds).images)


def test_training_leaves_the_global_generator_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    small_generator(SETTINGS[0]).fit(noise_faces(), folder=tmp_path)
    assert torch.equal(torch.rand(4), expected)


def test_sheets_and_distances_are_logged(tmp_path):
    log = small_generator(SETTINGS[0]).fit(noise_faces(), folder=tmp_path, distance=lambda images, labels: {"mean": float(images.mean())})
    assert {"mean", "images_per_s", "seconds"} <= set(log.columns)
    assert {step: page.shape for step, page in sheets(tmp_path, 16).items()} == {3: (14, 16, 16), 6: (14, 16, 16)}


def test_other_data_starts_a_training_anew(tmp_path):
    small_generator(SETTINGS[0]).fit(noise_faces(), folder=tmp_path)
    lines = []
    small_generator(SETTINGS[0]).fit(noise_faces(29), folder=tmp_path, progress=lines.append)
    assert not any("goes on" in line for line in lines)


def test_pools_that_draw_otherwise_share_one_training(tmp_path):
    first, later = (small_generator({"generator": "diffusion"}, diffusion_guidance=g) for g in (1.5, 3.0))
    log = first.fit(noise_faces(), folder=training_folder(first, noise_faces(), tmp_path, tmp_path))
    lines = []
    home = training_folder(later, noise_faces(), tmp_path, tmp_path)
    again = later.fit(noise_faces(), folder=home, progress=lines.append)
    assert lines == [f"diffusion: goes on from step {log['step'].max()} of {log['step'].max()}"]
    pd.testing.assert_frame_equal(again, log)
    assert all(torch.equal(a, b) for a, b in zip(first.network.state_dict().values(), later.network.state_dict().values(), strict=True))
    assert home != training_folder(later, noise_faces(29), tmp_path, tmp_path), "other faces, another training"
    assert home != training_folder(replace(later, steps=1), noise_faces(), tmp_path, tmp_path), "a longer training is left as it is"
    assert training_folder(make_generator(load_params("quick")), noise_faces(), tmp_path, tmp_path / "pool") == tmp_path / "pool"


def test_divergence_stops_with_step_and_loss(tmp_path):
    generator = small_generator(SETTINGS[0])
    with torch.no_grad():
        next(generator.network.parameters()).fill_(float("nan"))
    with pytest.raises(StudyError, match="loss_.* is nan at step 1 of 6.*lower its learning rate"):
        generator.fit(noise_faces(), folder=tmp_path)
    assert not (tmp_path / "generator.safetensors").exists()


def test_pickles_are_refused(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "generator.safetensors")
    with pytest.raises(StudyError, match="pickled checkpoint can run code"):
        small_generator(SETTINGS[0]).load(tmp_path)


def test_cut_off_and_foreign_files_are_refused(tmp_path):
    generator = small_generator(SETTINGS[0])
    path = generator.save(tmp_path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(StudyError, match="cut off"):
        generator.load(tmp_path)
    state = generator.network.state_dict()
    name = next(iter(state))
    save_tensors(path, state | {name: torch.zeros(1, 2, 3)}, {})
    with pytest.raises(StudyError, match=r"has shape \(1, 2, 3\)"):
        generator.load(tmp_path)
    save_tensors(path, {"other": torch.zeros(1)}, {})
    with pytest.raises(StudyError, match="lacks the tensor"):
        generator.load(tmp_path)
    with pytest.raises(StudyError, match="no such checkpoint"):
        generator.load(tmp_path / "nowhere")


def test_every_image_is_used_once_a_pass():
    plan = small_generator(SETTINGS[0])
    labels = np.arange(24) % 7
    rows = np.concatenate([batch_rows(step, labels, plan, False).numpy() for step in range(3)])
    assert sorted(rows) == list(range(24))
    assert set(labels[batch_rows(2, labels, plan, True).numpy()]) == {2}


def test_noise_of_a_seed_is_its_own():
    noise = seed_noise(np.array([5, 6, 5]), (3,))
    assert torch.equal(noise[0], noise[2]) and not torch.equal(noise[0], noise[1])
    assert not torch.equal(seed_noise(np.array([5]), (3,), stream=1)[0], noise[0])
    assert mixed_seed(1, 2) != mixed_seed(2, 1)
