"""The one training loop: exact resume, independence of the batch, stops, refusal of other files."""

import json
import random
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from damage import DAMAGES
from small_generators import TRAINED, enlarged, noise_faces, small_generator

from lib.compute.checkpoints import load_tensors, save_tensors
from lib.compute.seeds import mixed_seed
from lib.generators.batches import batch_rows
from lib.generators.sampling import seed_noise
from lib.generators.training_log import sheets
from lib.generators.training_loop import training_key
from lib.generators.versions import GENERATOR_VERSION
from lib.study.errors import StudyError

DIGITS = tuple("0123456789")
each = pytest.mark.parametrize(
    "chosen", TRAINED, ids=lambda chosen: "-".join(map(str, chosen.values()))
)


def images_of(generator, labels, seeds):
    return generator.sample(labels, seeds).images


@each
def test_resumed_training_equals_an_unbroken_one(chosen, tmp_path):
    faces = noise_faces()
    whole = small_generator(**chosen).fit(faces, folder=tmp_path / "whole")
    small_generator(**chosen, gan_steps=3).fit(faces, folder=tmp_path / "broken")
    torch.rand(7)  # what others draw in between must not matter
    lines = []
    resumed = small_generator(**chosen)
    log = resumed.fit(faces, folder=tmp_path / "broken", progress=lines.append)

    # The logs are the same.
    losses = [name for name in whole if name.startswith("loss")]
    assert losses and log["step"].tolist() == [3, 6]
    pd.testing.assert_frame_equal(whole[losses], log[losses], check_exact=True)
    assert "goes on from step 3 of 6" in lines[0]

    # So are the weights.
    first, _ = load_tensors(tmp_path / "whole" / "generator.safetensors")
    second, _ = load_tensors(tmp_path / "broken" / "generator.safetensors")
    assert all(torch.equal(first[name], second[name]) for name in first)


@each
def test_an_image_depends_on_its_label_and_seed_alone(chosen):
    generator = enlarged(small_generator(**chosen))
    labels, seeds = np.arange(45) % 7, np.arange(45) * 3
    images = images_of(generator, labels, seeds)
    order = np.random.default_rng(1).permutation(45)
    assert np.array_equal(images_of(generator, labels[order], seeds[order]), images[order])
    assert np.array_equal(images_of(generator, labels[40:41], seeds[40:41]), images[40:41])
    assert not np.array_equal(images_of(generator, labels[:1], seeds[1:2]), images[:1])


@each
def test_saved_weights_give_the_same_images(chosen, tmp_path):
    generator = enlarged(small_generator(**chosen))
    other = enlarged(small_generator(**chosen, seed=5))
    generator.save(tmp_path)
    labels, seeds = np.arange(7), np.arange(7)
    expected = images_of(generator, labels, seeds)
    assert not np.array_equal(images_of(other, labels, seeds), expected)
    other.load(tmp_path)
    assert np.array_equal(images_of(other, labels, seeds), expected)


@each
def test_other_classes_than_the_seven_are_learnt_and_sampled(chosen, tmp_path):
    generator = small_generator(**chosen, classes=DIGITS, gan_steps=2)
    generator.fit(noise_faces(40, classes=DIGITS), folder=tmp_path)
    labels = np.arange(10)
    faces = generator.sample(labels, labels)
    assert faces.classes == DIGITS
    assert faces.table["class"].tolist() == list(DIGITS)
    assert sheets(tmp_path, 16)[2].shape == (20, 16, 16)


def test_the_card_says_classes_and_what_was_learnt_from(tmp_path):
    faces = noise_faces(40, classes=DIGITS)
    generator = small_generator(classes=DIGITS)
    generator.fit(faces, folder=tmp_path)
    facts = json.loads((tmp_path / "generator.json").read_text())
    assert facts["classes"] == list(DIGITS)
    learnt_from = {
        "kind": "real",
        "images": 40,
        "digest": faces.digest(),
        "class_counts": [4] * 10,
    }
    assert facts["learnt_from"] == learnt_from

    # Who loads the weights knows it too.
    loaded = small_generator(classes=DIGITS).load(tmp_path)
    assert loaded.facts()["learnt_from"] == learnt_from | {"class_counts": (4,) * 10}


def test_training_leaves_the_global_generator_alone(tmp_path):
    torch.manual_seed(3)
    expected = torch.rand(4)
    torch.manual_seed(3)
    small_generator().fit(noise_faces(), folder=tmp_path)
    assert torch.equal(torch.rand(4), expected)


def test_sheets_and_distances_are_logged(tmp_path):
    def distance(images, labels):
        return {"mean": float(images.mean())}

    log = small_generator().fit(noise_faces(), folder=tmp_path, distance=distance)
    assert {"mean", "images_per_s", "seconds"} <= set(log.columns)
    shapes = {step: page.shape for step, page in sheets(tmp_path, 16).items()}
    assert shapes == {3: (14, 16, 16), 6: (14, 16, 16)}


def test_other_data_starts_a_training_anew(tmp_path):
    small_generator().fit(noise_faces(), folder=tmp_path)
    lines = []
    small_generator().fit(noise_faces(29), folder=tmp_path, progress=lines.append)
    assert not any("goes on" in line for line in lines)


def test_pools_that_sample_otherwise_share_one_training(tmp_path):
    faces, pool = noise_faces(), tmp_path / "pool"
    first = small_generator("diffusion", diffusion_guidance=1.5)
    later = small_generator("diffusion", diffusion_guidance=3.0)
    log = first.fit(faces, folder=first.training_folder(faces, tmp_path, pool))
    shared, lines = later.training_folder(faces, tmp_path, pool), []
    log_of_later = later.fit(faces, folder=shared, progress=lines.append)
    assert lines == ["diffusion: goes on from step 6 of 6"]
    pd.testing.assert_frame_equal(log_of_later, log)
    for name, tensor in first.network.state_dict().items():
        assert torch.equal(tensor, later.network.state_dict()[name])

    # Other faces are another training, and a longer training is left as it is.
    assert shared != later.training_folder(noise_faces(29), tmp_path, pool)
    assert shared != replace(later, steps=1).training_folder(faces, tmp_path, pool)


def test_what_learns_nothing_has_no_shared_training(tmp_path):
    drawn = small_generator("drawn")
    assert not drawn.is_trained
    assert drawn.training_folder(noise_faces(), tmp_path, tmp_path / "pool") == tmp_path / "pool"


@pytest.mark.parametrize(
    "changes",
    [{"gan_width": 12}, {"gan_lr": 0.1}, {"gan_batch": 4}, {"seed": 1}, {"log_every_steps": 2}],
    ids=str,
)
def test_another_setting_is_another_training(changes):
    faces = noise_faces()
    assert training_key(small_generator(**changes), faces) != training_key(small_generator(), faces)


def test_a_raised_version_is_another_training(monkeypatch):
    before = training_key(small_generator(), noise_faces())
    monkeypatch.setitem(GENERATOR_VERSION, "dcgan", GENERATOR_VERSION["dcgan"] + 1)
    assert training_key(small_generator(), noise_faces()) != before


def test_divergence_stops_with_step_and_loss(tmp_path):
    generator = small_generator()
    with torch.no_grad():
        next(generator.network.parameters()).fill_(float("nan"))
    with pytest.raises(StudyError, match="loss_.* is nan at step 1 of 6.*lower its learning rate"):
        generator.fit(noise_faces(), folder=tmp_path)
    assert not (tmp_path / "generator.safetensors").exists()


def test_pickles_are_refused(tmp_path):
    torch.save({"a": torch.zeros(2)}, tmp_path / "generator.safetensors")
    with pytest.raises(StudyError, match="pickled checkpoint can run code"):
        small_generator().load(tmp_path)


def test_weights_of_other_classes_are_refused(tmp_path):
    small_generator(classes=tuple("abcdefg")).save(tmp_path)
    with pytest.raises(StudyError, match="trained with classes.*'a'.*not with.*'angry'"):
        small_generator().load(tmp_path)


def test_cut_off_and_foreign_files_are_refused(tmp_path):
    generator = small_generator()
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
    labels = np.arange(24) % 7
    mixed = small_generator()
    rows = np.concatenate([batch_rows(mixed, step, labels).numpy() for step in range(3)])
    assert sorted(rows) == list(range(24))


def test_classes_take_turns_where_a_batch_holds_one():
    labels = np.arange(24) % 7
    in_turn = small_generator(gan_conditional=False)
    for step in range(8):
        rows = batch_rows(in_turn, step, labels).numpy()
        assert set(labels[rows]) == {step % 7}


def test_noise_of_a_seed_is_its_own():
    noise = seed_noise(np.array([5, 6, 5]), (3,))
    assert torch.equal(noise[0], noise[2])
    assert not torch.equal(noise[0], noise[1])
    assert not torch.equal(seed_noise(np.array([5]), (3,), stream=1)[0], noise[0])
    assert mixed_seed(1, 2) != mixed_seed(2, 1)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_training_with_a_damaged_checkpoint_ends_like_an_unbroken_one(damage, tmp_path):
    """Whichever of its files was damaged: the checkpoint of the end, the one before, weights."""
    changes = {"gan_decay_share": 0.5}  # keeps the checkpoint at the constant rate as well
    unbroken = small_generator(**changes)
    unbroken.fit(noise_faces(), folder=tmp_path / "a")
    wanted = {name: tensor.clone() for name, tensor in unbroken.network.state_dict().items()}
    files = sorted(path.name for path in (tmp_path / "a").glob("*.safetensors"))
    assert len(files) == 3
    for number, chosen in enumerate([[name] for name in files] + [files]):
        folder = tmp_path / f"b{number}"
        shutil.copytree(tmp_path / "a", folder)
        for name in chosen:
            damage(folder / name, random.Random(number))
        again = small_generator(**changes)
        again.fit(noise_faces(), folder=folder)
        weights = again.network.state_dict()
        assert all(torch.equal(weights[name], tensor) for name, tensor in wanted.items())
        assert small_generator(**changes).load(folder)
