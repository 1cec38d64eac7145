"""Snapshots of a training at log-spaced steps, and averages of any length made of them."""

import numpy as np
import pytest
import torch
from small_generators import noise_faces, small_generator

from lib.generators.__main__ import main
from lib.generators.averages import power_of_length, update_average
from lib.generators.diffusion import LENGTHS
from lib.generators.posthoc import (
    approximation_error,
    combination,
    generator_of_length,
    overlap,
)
from lib.generators.training_snapshots import snapshot_path, snapshot_steps
from lib.generators.weights import read_generator
from lib.study.errors import StudyError


def test_snapshots_are_at_halved_steps_and_the_last_is_the_end():
    assert snapshot_steps(20_000, 8) == [156, 312, 625, 1250, 2500, 5000, 10_000, 20_000]
    assert snapshot_steps(3, 8) == [1, 2, 3]
    assert snapshot_steps(100, 0) == []


def test_a_snapshot_is_the_generator_that_a_shorter_training_gives(tmp_path):
    faces = noise_faces()
    whole = small_generator("stylegan", gan_checkpoints=3)
    whole.fit(faces, folder=tmp_path / "whole")
    short = small_generator("stylegan", gan_steps=3)
    short.fit(faces, folder=tmp_path / "short")

    snapshot = read_generator(snapshot_path(tmp_path / "whole", 3, {}))
    assert snapshot.facts()["training"]["steps"] == 3
    assert snapshot.learnt_from == whole.learnt_from
    weights, expected = snapshot.network.drawing_weights(), short.network.drawing_weights()
    for name, tensor in expected.items():
        assert torch.equal(weights[name], tensor.half().float())
    names = [path.name for path in sorted((tmp_path / "whole" / "snapshots").iterdir())]
    assert names == [f"step-{step:07d}.safetensors" for step in (2, 3, 6)]


def test_snapshots_do_not_change_a_training(tmp_path):
    with_snapshots = small_generator("diffusion", gan_checkpoints=3)
    log = with_snapshots.fit(noise_faces(), folder=tmp_path / "a")
    other = small_generator("diffusion").fit(noise_faces(), folder=tmp_path / "b")
    assert log["loss"].tolist() == other["loss"].tolist()


def test_a_training_that_passed_a_snapshot_is_not_taken_for_one_that_kept_it(tmp_path):
    small_generator("dcgan").fit(noise_faces(), folder=tmp_path)
    with pytest.raises(StudyError, match="6 steps without a snapshot at step 3; remove"):
        small_generator("dcgan", gan_checkpoints=2).fit(noise_faces(), folder=tmp_path)


def test_every_average_of_a_diffusion_training_is_kept(tmp_path):
    generator = small_generator("diffusion", gan_checkpoints=1)
    generator.fit(noise_faces(), folder=tmp_path)
    for length in LENGTHS:
        snapshot = read_generator(snapshot_path(tmp_path, 6, {"average": length}))
        expected = generator.network.averages[LENGTHS.index(length)].state_dict()
        weights = snapshot.network.drawing_weights()
        assert torch.allclose(weights["conv_in.weight"], expected["conv_in.weight"], atol=1e-3)


# --------------------------------------------------------------------------------------------------
# Averages of another length.


def test_the_overlap_of_profiles_is_their_integral():
    def profile(times, steps, length):
        power = power_of_length(length)
        values = (power + 1) * times**power / steps ** (power + 1)
        return np.where(times <= steps, values, 0)

    times = np.linspace(0, 100, 200_001)
    product = profile(times, 100, 0.1) * profile(times, 60, 0.2)
    integral = np.trapezoid(product, times)
    assert overlap((100, 0.1), (60, 0.2)) == pytest.approx(integral, rel=1e-4)
    assert overlap((60, 0.2), (100, 0.1)) == overlap((100, 0.1), (60, 0.2))


def test_a_stored_profile_is_its_own_average():
    profiles = [(steps, length) for steps in (250, 500, 1000) for length in (0.05, 0.2)]
    shares = combination(profiles, 1000, 0.2)
    assert shares == pytest.approx([0, 0, 0, 0, 0, 1], abs=1e-6)
    assert approximation_error(profiles, 1000, 0.2) == pytest.approx(0, abs=1e-6)


def test_more_snapshots_come_nearer_to_another_profile():
    few = [(1000, length) for length in LENGTHS]
    many = [(steps, length) for steps in snapshot_steps(1000, 8) for length in LENGTHS]
    for length in (0.03, 0.07, 0.25):
        assert approximation_error(many, 1000, length) < approximation_error(few, 1000, length)


def test_the_combination_is_near_the_average_that_a_training_would_have_kept():
    # Weights on a random walk, averaged as a training does it.
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal((4000, 50)), 0).astype(np.float32)
    steps, lengths = snapshot_steps(4000, 8), (*LENGTHS, 0.07)
    averages = {length: torch.nn.Linear(50, 1, bias=False) for length in lengths}
    weights, kept = torch.nn.Linear(50, 1, bias=False), {}
    with torch.no_grad():
        for step, values in enumerate(walk, start=1):
            weights.weight.copy_(torch.from_numpy(values))
            for length, average in averages.items():
                update_average(average, weights, step, length)
                if step in steps:
                    kept[step, length] = average.weight[0].numpy().copy()

    profiles = [(step, length) for step in steps for length in LENGTHS]
    shares = combination(profiles, 4000, 0.07)
    combined = sum(share * kept[profile] for share, profile in zip(shares, profiles))
    expected = kept[4000, 0.07]
    nearest_kept = min(np.abs(kept[4000, length] - expected).mean() for length in LENGTHS)
    assert np.abs(combined - expected).mean() < nearest_kept / 4


def test_the_command_writes_an_average_of_another_length(tmp_path):
    generator = small_generator("diffusion", gan_checkpoints=3)
    generator.fit(noise_faces(), folder=tmp_path)
    snapshots = sorted(map(str, (tmp_path / "snapshots").iterdir()))
    out = tmp_path / "averaged.safetensors"
    main(["average", *snapshots, "--length", "0.12", "--out", str(out)])
    made = read_generator(out)
    assert made.network.settings["average"] == 0.12 and made.steps == 6
    assert made.sample(np.arange(7), np.arange(7)).images.shape == (7, 16, 16)


def test_snapshots_of_two_trainings_are_not_averaged(tmp_path):
    paths = []
    for seed in (0, 1):
        small_generator("diffusion", gan_checkpoints=1, seed=seed).fit(
            noise_faces(), folder=tmp_path / str(seed)
        )
        paths += sorted((tmp_path / str(seed) / "snapshots").iterdir())
    with pytest.raises(StudyError, match="of another training than"):
        generator_of_length(paths, 0.07)
    with pytest.raises(StudyError, match="a length above 0 and below 0.28"):
        generator_of_length(paths[:3], 0.5)
