"""The diffusion model: what its network reads, soft labels, editing, averages, guides."""

import numpy as np
import pytest
import torch
from small_generators import disturbed, enlarged, noise_faces, small_generator

from lib.generators.diffusion import LENGTHS, Diffusion
from lib.generators.diffusion_augmentation import AUGMENTATIONS, augment, mirror
from lib.generators.diffusion_networks import UNet
from lib.generators.edm import precondition
from lib.generators.export import export_weights
from lib.generators.sampling import from_grey
from lib.generators.source import with_predicted_labels
from lib.generators.training_loop import training_key
from lib.study.errors import StudyError

SETTINGS = {
    "px": 16,
    "lr": 1e-3,
    "n_classes": 7,
    "channels": [16, 32],
    "blocks": [1, 1],
    "sample_steps": 4,
    "precision": "fp32",
}
TINY = {"px": 16, "n_classes": 7, "channels": (16, 32), "blocks": (1, 1), "patch": 2}
LABELS, SEEDS = np.arange(5), np.arange(5)


def small(**changes) -> Diffusion:
    torch.manual_seed(0)
    return disturbed(Diffusion(**SETTINGS | changes))


def faces(px: int = 16) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, px, px)).astype(np.uint8)


# --------------------------------------------------------------------------------------------------
# The network.


def test_a_fresh_network_predicts_zero():
    network = UNet(**TINY)
    predicted = network(torch.randn(4, 1, 16, 16), torch.zeros(4), torch.zeros(4, 7))
    assert predicted.abs().max() == 0


def test_noise_level_label_and_augmentation_matter():
    torch.manual_seed(0)
    network = disturbed(UNet(**TINY, augmentation=3))
    x, labels, zeros = torch.randn(1, 1, 16, 16), torch.eye(7)[:1], torch.zeros(1)
    plain = network(x, zeros, labels)
    assert not torch.equal(plain, network(x, zeros, torch.eye(7)[1:2]))
    assert not torch.equal(plain, network(x, zeros + 1, labels))
    assert not torch.equal(plain, network(x, zeros, labels, torch.ones(1, 3)))
    assert torch.equal(plain, network(x, zeros, labels, torch.zeros(1, 3)))


@pytest.mark.parametrize(
    ("channels", "blocks", "weights"),
    [((32, 64, 128), (1, 1, 1), 1_640_100), ((32, 96, 160), (1, 1, 2), 4_098_436)],
)
def test_the_networks_of_the_study_have_so_many_weights(channels, blocks, weights):
    network = UNet(px=48, n_classes=7, channels=channels, blocks=blocks, patch=2)
    assert sum(parameter.numel() for parameter in network.parameters()) == weights


def test_names_of_weights_are_those_that_weights_files_hold():
    names = {name.split(".")[0] for name in UNet(**TINY, augmentation=6).state_dict()}
    assert names == {
        "noise_features",
        "noise_embedding",
        "noise_mixing",
        "label_embedding",
        "augmentation_embedding",
        "conv_in",
        "encoder",
        "downsample",
        "middle",
        "decoder",
        "upsample",
        "norm_out",
        "conv_out",
    }


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"px": 50}, "gan_px is 50; 2 levels on patches of 2 need a multiple of 4"),
        ({"blocks": [1]}, "diffusion_blocks.*one entry a level"),
        ({"channels": [16, 20]}, "diffusion_channels.*multiples of 8"),
        ({"channels": [16, 200]}, "shared by 3 heads of attention"),
        ({"interval": [1.0]}, "diffusion_interval.*two noise levels"),
        ({"interval": [2.0, 1.0]}, "diffusion_interval.*the lower first"),
        ({"average": 0.3}, "diffusion_average is 0.3; .* above 0 and below 0.28"),
        ({"precision": "fp16"}, "gan_precision is 'fp16'"),
        ({"sample_steps": 1}, "diffusion_sample_steps is 1"),
        ({"guide": "/nowhere.safetensors"}, "nowhere.safetensors: no such"),
    ],
)
def test_settings_that_do_not_fit_are_named(changes, message):
    with pytest.raises(StudyError, match=message):
        small(**changes)


# --------------------------------------------------------------------------------------------------
# Training.


def test_an_image_is_mirrored_or_left():
    images = from_grey(torch.from_numpy(faces()))
    torch.manual_seed(0)
    mirrored = mirror(images.repeat(20, 1, 1, 1))
    same = (mirrored == images.repeat(20, 1, 1, 1)).all((1, 2, 3))
    flipped = (mirrored == images.repeat(20, 1, 1, 1).flip(3)).all((1, 2, 3))
    assert torch.equal(same, ~flipped)
    assert 20 < int(same.sum()) < 80


def test_augmentation_describes_what_it_changed():
    images = from_grey(torch.from_numpy(faces())).repeat(8, 1, 1, 1)
    unchanged, description = augment(images, 0.0)
    assert torch.allclose(unchanged, images, atol=1e-5)
    assert description.shape == (40, AUGMENTATIONS) and description.abs().max() == 0

    torch.manual_seed(0)
    changed, description = augment(images, 0.5)
    moved = (changed - images).abs().amax((1, 2, 3)) > 1e-3
    assert torch.equal(moved, description.abs().amax(1) > 0)
    assert changed.abs().max() <= 1.001


def test_votes_are_mixed_into_the_labels_that_are_learnt():
    people = noise_faces(14)
    votes = np.zeros((14, 7))
    votes[:, 2], votes[:, 3] = 6, 2
    votes[0] = 0  # no votes on these classes
    columns = {f"votes_{name}": votes[:, i] for i, name in enumerate(people.classes)}
    people = people.with_columns(**columns)

    targets = small(votes_share=0.5).targets(people)
    own = np.eye(7)[people.labels]
    expected = 0.5 * own + 0.5 * np.array([0, 0, 0.75, 0.25, 0, 0, 0])
    assert targets.dtype == np.float32
    assert np.allclose(targets[1:], expected[1:]) and np.allclose(targets[0], own[0])
    assert np.array_equal(small().targets(people), people.labels)
    with pytest.raises(StudyError, match="diffusion_votes_share is 0.5.*'votes_angry'"):
        small(votes_share=0.5).targets(noise_faces())


def test_a_training_on_soft_labels_is_one_of_its_own(tmp_path):
    people = noise_faces()
    soft = people.with_columns(**{f"votes_{name}": 1.0 for name in people.classes})
    generator = small_generator("diffusion", diffusion_votes_share=0.5)
    other = people.with_columns(**{f"votes_{name}": 2.0 for name in people.classes[:1]})
    other = other.with_columns(**{f"votes_{name}": 1.0 for name in people.classes[1:]})
    folders = [generator.training_folder(known, tmp_path, tmp_path) for known in (soft, other)]
    assert folders[0] != folders[1]
    assert len(generator.fit(soft, folder=tmp_path)) == 2


def test_half_precision_resumes_exactly_too(tmp_path):
    auto = {"gan_precision": "auto", "diffusion_dropout": 0.1}
    people = noise_faces()
    small_generator("diffusion", **auto).fit(people, folder=tmp_path / "whole")
    small_generator("diffusion", **auto, gan_steps=3).fit(people, folder=tmp_path / "broken")
    small_generator("diffusion", **auto).fit(people, folder=tmp_path / "broken")
    first, second = (
        (tmp_path / name / "generator.safetensors").read_bytes() for name in ("whole", "broken")
    )
    assert first == second


# --------------------------------------------------------------------------------------------------
# Sampling.


def test_guidance_of_one_is_no_guidance():
    none = small(guidance=1.0).draw(LABELS, SEEDS)
    outside = small(guidance=3.0, interval=[100.0, 200.0]).draw(LABELS, SEEDS)
    almost = small(guidance=1.0 + 1e-6).draw(LABELS, SEEDS)
    assert torch.equal(none, outside)
    assert torch.allclose(none, almost, atol=1e-3)
    assert not torch.allclose(none, small(guidance=3.0).draw(LABELS, SEEDS), atol=1e-3)


def test_guidance_in_one_pass_is_that_of_two():
    model = small()
    x, sigma = torch.randn(5, 1, 16, 16), 1.0
    network, sampler = model.drawing_average(), model.sampler()
    labels = torch.eye(7)[:5]
    skip, out, scale, noise = precondition(torch.full((5,), sigma))

    def predicted(vectors):
        inputs = scale.view(-1, 1, 1, 1) * x
        return skip[0] * x + out[0] * network(inputs, noise, vectors)

    wanted, other = predicted(labels), predicted(torch.zeros(5, 7))
    guided = sampler.predict(network, x, sigma, labels)
    assert torch.allclose(guided, other + sampler.guidance * (wanted - other), atol=1e-4)


def test_a_network_that_guides_itself_changes_nothing(tmp_path):
    generator = enlarged(small_generator("diffusion"))
    path = export_weights(generator, tmp_path / "guide.safetensors")
    plain = generator.network
    guided = Diffusion(**plain.settings | {"guide": str(path)})
    guided.load_state_dict(plain.state_dict())
    plain.settings["guidance"] = 1.0
    plain.eval()
    guided.eval()

    # Weights are rounded to float16 in the file, and 3 times their rounding is what is left.
    difference = (plain.draw(LABELS, SEEDS) - guided.draw(LABELS, SEEDS)).abs().mean()
    assert float(difference) < 0.02

    # A guide that differs moves the images, and is no part of the weights.
    other = enlarged(small_generator("diffusion", seed=3))
    export_weights(other, path)
    moved = Diffusion(**plain.settings | {"guide": str(path), "guidance": 3.0})
    moved.load_state_dict(plain.state_dict())
    assert float((moved.eval().draw(LABELS, SEEDS) - plain.draw(LABELS, SEEDS)).abs().mean()) > 0.1
    with pytest.raises(StudyError, match="draws 7 classes at 16 px; a guide must draw 2"):
        Diffusion(**SETTINGS | {"guide": str(path), "n_classes": 2})


def test_predicted_labels_are_learnt_where_they_are_chosen():
    people = noise_faces(14)
    probabilities = np.full((14, 7), 0.1)
    probabilities[:, 5] = 0.4
    soft = with_predicted_labels(people, probabilities)
    targets = small(votes_share=0.5, soft_labels="predicted").targets(soft)
    assert targets[2] == pytest.approx([0.05, 0.05, 0.55, 0.05, 0.05, 0.2, 0.05])
    with pytest.raises(StudyError, match="no column 'votes_angry'.*diffusion_soft_labels"):
        small(votes_share=0.5).targets(soft)


def test_a_setting_that_came_later_leaves_the_keys_of_trainings_without_it(monkeypatch):
    key = training_key(small_generator("diffusion"), noise_faces())
    monkeypatch.setattr(Diffusion, "added_settings", {})
    assert training_key(small_generator("diffusion"), noise_faces()) != key
    monkeypatch.undo()
    chosen = small_generator("diffusion", diffusion_soft_labels="predicted")
    assert training_key(chosen, noise_faces()) != key


def test_each_average_draws_its_own_images():
    images = [small(average=length).draw(LABELS, SEEDS) for length in LENGTHS]
    assert not torch.equal(images[0], images[1]) and not torch.equal(images[1], images[2])


def test_strength_zero_gives_the_face_back_and_strength_one_forgets_it():
    model = small()
    assert np.array_equal(model.edit(faces(), LABELS, SEEDS, strength=0.0), faces())

    def difference(strength):
        """Measure how far the edits of two opposite faces are apart, grey levels."""
        edited = model.edit(faces(), LABELS, SEEDS, strength=strength).astype(float)
        other = model.edit(255 - faces(), LABELS, SEEDS, strength=strength).astype(float)
        return np.abs(edited - other).mean()

    assert difference(1.0) < 0.1 * difference(0.5)


def test_an_edited_face_depends_on_its_own_face_label_and_seed_alone():
    model = small()
    together = model.edit(faces(), LABELS, SEEDS, strength=0.5)
    alone = model.edit(faces()[3:4], LABELS[3:4], SEEDS[3:4], strength=0.5)
    assert np.array_equal(alone, together[3:4])


def test_faces_of_any_size_are_edited():
    assert small().edit(faces(px=24), LABELS, SEEDS, strength=0.5).shape == (5, 16, 16)


def test_a_strength_above_one_is_named():
    with pytest.raises(StudyError, match="strength is 2"):
        small().edit(faces(), LABELS, SEEDS, strength=2)
