"""Learning rates over a training, and which checkpoints it goes on from."""

import os
import signal
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pandas as pd
import pytest
import torch
from small_generators import noise_faces, small_generator

from lib.compute.checkpoints import load_facts, load_tensors
from lib.generators.schedules import CHECKPOINT, CONSTANT_CHECKPOINT, Schedule
from lib.generators.training_log import sheets
from lib.study.paths import ROOT


def state(schedule: Schedule, step: int) -> dict:
    """Describe a checkpoint of a training with a schedule."""
    return {"step": step, "schedule": asdict(schedule)}


def same_weights(first, second) -> bool:
    (weights, _), (others, _) = load_tensors(first), load_tensors(second)
    return all(torch.equal(weights[name], others[name]) for name in weights)


def test_the_rate_rises_stays_and_falls_in_straight_lines():
    schedule = Schedule(steps=1000, warm_up=50, decay_share=0.5)
    rates = [schedule.rate(step) for step in (0, 24, 49, 499, 500, 750, 999)]
    assert rates == [0.02, 0.5, 1.0, 1.0, 1.0, 0.5, 0.002]


def test_without_warm_up_and_decay_the_rate_is_the_full_one():
    schedule = Schedule(steps=10)
    assert {schedule.rate(step) for step in range(10)} == {1.0}
    assert schedule.decay_from == 10


def test_rates_are_shares_of_what_each_optimiser_was_made_with():
    weights = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimisers = [torch.optim.SGD([w], lr) for w, lr in zip(weights, (0.1, 0.2))]
    schedule = Schedule(steps=4, decay_share=1.0)
    for step in range(4):
        schedule.set_rates(optimisers, step)
    rates = [optimiser.param_groups[0]["lr"] for optimiser in optimisers]
    assert rates == pytest.approx([0.025, 0.05])


def test_a_schedule_goes_on_from_states_that_it_passes_through():
    decaying = Schedule(steps=100, decay_share=0.4)
    assert decaying.continues(state(decaying, 80))
    assert decaying.continues(state(Schedule(steps=50), 50))
    assert decaying.continues(state(Schedule(steps=200, decay_share=0.4), 60))
    assert decaying.continues({"step": 100})  # saved before there were schedules

    # Past its end, after it should have fallen, or fallen itself.
    assert not decaying.continues({"step": 101})
    assert not decaying.continues(state(Schedule(steps=200), 61))
    assert not Schedule(steps=200).continues(state(decaying, 61))
    assert not Schedule(steps=200, warm_up=5).continues(state(decaying, 10))


@pytest.mark.parametrize("name", ["diffusion", "dcgan"])
def test_a_decaying_training_resumes_exactly(name, tmp_path):
    faces, changes = noise_faces(), {"gan_decay_share": 0.5, "log_every_steps": 2}
    small_generator(name, **changes).fit(faces, folder=tmp_path / "whole")

    # Killed at the log of step 4, after the rate began to fall at step 3.
    class Killed(BaseException):
        pass

    def kill(text):
        if "step 4/6" in text:
            raise Killed

    with pytest.raises(Killed):
        small_generator(name, **changes).fit(faces, folder=tmp_path / "broken", progress=kill)
    small_generator(name, **changes).fit(faces, folder=tmp_path / "broken")
    weights = [tmp_path / part / "generator.safetensors" for part in ("whole", "broken")]
    assert same_weights(*weights)


def test_the_decay_changes_the_last_steps_alone(tmp_path):
    faces = noise_faces()
    for share in (0.0, 0.5):
        small_generator(gan_decay_share=share).fit(faces, folder=tmp_path / str(share))
    decayed = tmp_path / "0.5"
    assert load_facts(decayed / CONSTANT_CHECKPOINT)["step"] == 3
    assert load_facts(decayed / CHECKPOINT)["step"] == 6
    assert not (tmp_path / "0.0" / CONSTANT_CHECKPOINT).exists()
    assert not same_weights(tmp_path / "0.0" / CHECKPOINT, decayed / CHECKPOINT)
    small_generator(gan_steps=3).fit(faces, folder=tmp_path / "short")
    assert same_weights(tmp_path / "short" / CHECKPOINT, decayed / CONSTANT_CHECKPOINT)


def test_a_longer_training_goes_on_from_where_the_rate_began_to_fall(tmp_path):
    faces, pool = noise_faces(), tmp_path / "pool"
    short = small_generator(gan_decay_share=0.5)
    folder = short.training_folder(faces, tmp_path, pool)
    short.fit(faces, folder=folder)
    before = (folder / CHECKPOINT).read_bytes()

    # The finished training is left as it is.
    longer = small_generator(gan_decay_share=0.5, gan_steps=12)
    other = longer.training_folder(faces, tmp_path, pool)
    assert other.name == f"{folder.name}-12-decay0.5"
    lines = []
    longer.fit(faces, folder=other, progress=lines.append)
    assert "goes on from step 3 of 12" in lines[0]
    assert (folder / CHECKPOINT).read_bytes() == before

    # It is what it would have been from the start.
    small_generator(gan_decay_share=0.5, gan_steps=12).fit(faces, folder=tmp_path / "whole")
    assert same_weights(other / "generator.safetensors", tmp_path / "whole/generator.safetensors")

    # A training at the constant rate goes on from there too, in a folder of its own.
    constant = small_generator(gan_steps=12)
    assert constant.training_folder(faces, tmp_path, pool).name == f"{folder.name}-12"


def test_two_lengths_of_one_training_asked_for_at_once_both_come_out_whole(tmp_path):
    """Both find the folder empty and choose it; the shorter one gets its turn last."""
    faces, pool = noise_faces(), tmp_path / "pool"
    longer, shorter = small_generator(gan_steps=12), small_generator(gan_steps=6)
    folder = longer.training_folder(faces, tmp_path, pool)
    assert shorter.training_folder(faces, tmp_path, pool) == folder
    longer.fit(faces, folder=folder)
    before = (folder / CHECKPOINT).read_bytes()
    shorter.fit(faces, folder=folder)
    assert (folder / CHECKPOINT).read_bytes() == before
    small_generator(gan_steps=6).fit(faces, folder=tmp_path / "whole")
    own = folder.with_name(f"{folder.name}-6") / "generator.safetensors"
    assert same_weights(own, tmp_path / "whole/generator.safetensors")


def test_a_longer_training_goes_on_in_the_shared_folder_and_the_shorter_one_stays(tmp_path):
    faces, pool = noise_faces(), tmp_path / "pool"
    shorter, longer = small_generator(), small_generator(gan_steps=12)
    folder = shorter.training_folder(faces, tmp_path, pool)
    log = shorter.fit(faces, folder=folder)
    before = (folder / "generator.safetensors").read_bytes()
    assert longer.training_folder(faces, tmp_path, pool) == folder
    longer.fit(faces, folder=folder)

    # Asked for again, the shorter one is there with its sheets, and nothing is trained.
    again, lines = small_generator(), []
    own = again.training_folder(faces, tmp_path, pool)
    assert own.name == f"{folder.name}-6"
    pd.testing.assert_frame_equal(again.fit(faces, folder=own, progress=lines.append), log)
    assert lines == ["dcgan: goes on from step 6 of 6"]
    assert (own / "generator.safetensors").read_bytes() == before
    assert list(sheets(own, 16)) == [3, 6] and list(sheets(folder, 16)) == [3, 6, 9, 12]


def test_a_training_that_was_broken_off_is_not_kept_as_a_finished_one(tmp_path):
    class Killed(BaseException):
        pass

    def kill(text):
        raise Killed

    faces, pool = noise_faces(), tmp_path / "pool"
    shorter, longer = small_generator(), small_generator(gan_steps=12)
    folder = shorter.training_folder(faces, tmp_path, pool)
    with pytest.raises(Killed):
        shorter.fit(faces, folder=folder, progress=kill)
    longer.fit(faces, folder=folder)
    assert [path.name for path in tmp_path.glob("dcgan-*")] == [folder.name]


@pytest.mark.slow
@pytest.mark.parametrize("dies_at", [0, 9])
def test_two_processes_ask_for_two_lengths_at_once_though_one_is_killed(tmp_path, dies_at):
    """Both choose the empty folder; whoever has it first, each gets what it asked for."""

    def ask(steps: int, *words: str) -> subprocess.Popen:
        asking = [sys.executable, str(Path(__file__).with_name("asking.py"))]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        own = os.environ | {"PYTHONPATH": str(ROOT)}  # lib beside these tests
        return subprocess.Popen([*asking, str(tmp_path), str(steps), *words], env=own, **pipes)

    def ended(processes: list[subprocess.Popen]) -> list[int]:
        assert [process.stdout.readline() for process in processes] == ["ready\n"] * len(processes)
        for process in processes:
            process.stdin.write("\n")
            process.stdin.flush()
        return [process.wait(300) for process in processes]

    dies = [str(dies_at)] if dies_at else []
    assert ended([ask(12, *dies), ask(6)]) == [-signal.SIGKILL if dies else 0, 0]
    if dies:
        assert ended([ask(12)]) == [0]
    for steps in (6, 12):
        whole = small_generator(gan_steps=steps)
        whole.fit(noise_faces(), folder=tmp_path / f"whole-{steps}")
        file = whole.save(tmp_path / f"alone-{steps}")
        assert same_weights(tmp_path / f"asked-{steps}" / file.name, file)
