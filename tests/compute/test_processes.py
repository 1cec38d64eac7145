"""Several processes: one step of two is the step of one that has seen the whole batch.

A launched training leaves one checkpoint, and two runs never train in one folder at once.
"""

import fcntl
import os
import subprocess
import sys

import pytest
import torch

from lib.compute.checkpoints import load_facts
from lib.compute.processes import all_reduce_mean, process_state
from lib.faces.drawn import drawn_study
from lib.faces.faceset import save_faces
from lib.study.paths import ROOT, study_paths

STEP = """
import sys, torch
from lib.compute.processes import backward_and_step, process_state

state = process_state("cpu")
weight = torch.nn.Parameter(torch.zeros(2))
rows = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0], [-2.0, 1.0]])
rows = rows[state.process_index :: state.num_processes]
loss = ((rows @ (weight + 1)) ** 2).mean()
backward_and_step(torch.optim.SGD([weight], 1.0), loss)
open(f"{sys.argv[1]}-{state.process_index}", "w").write(repr(weight.tolist()))
"""


def launch(port: int, *words: str) -> list[str]:
    """Give the command that starts two processes on this machine."""
    torchrun = ["-m", "torch.distributed.run", "--nproc_per_node", "2"]
    return [sys.executable, *torchrun, "--master_port", str(port), *words]


def run(command: list[str]) -> subprocess.CompletedProcess:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )


def test_one_process_averages_over_itself():
    state = process_state("cpu")
    assert state.num_processes == 1 and state.is_main_process
    assert all_reduce_mean(torch.tensor(3.0)) == 3


@pytest.mark.slow
def test_a_step_of_two_processes_is_the_step_of_one_that_saw_the_whole_batch(tmp_path):
    script = tmp_path / "step.py"
    script.write_text(STEP)
    for command in (
        [sys.executable, str(script), str(tmp_path / "one")],
        launch(29618, str(script), str(tmp_path / "two")),
    ):
        done = run(command)
        assert done.returncode == 0, done.stderr[-2000:]
    one, *two = ((tmp_path / name).read_text() for name in ("one-0", "two-0", "two-1"))
    assert one == two[0] == two[1]
    assert one != "[0.0, 0.0]"


@pytest.mark.slow
def test_two_processes_train_one_generator_and_wait_for_no_other_run(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    save_faces(drawn_study(60, 7, 7, 0.0, 0), paths.data)
    small = {
        "generator": "stylegan",
        "gan_px": 16,
        "gan_width": 8,
        "gan_batch": 8,
        "gan_steps": 4,
        "log_every_steps": 2,
        "device": "cpu",
    }
    words = ["-m", "lib.generators.distributed", "quick", "dcgan", "--output", str(tmp_path)]
    for key, value in small.items():
        words += ["--set", f"{key}={value}"]
    command = launch(29617, *words)

    # Train.
    done = run(command)
    assert "4 steps on 2 process(es)" in done.stdout, done.stderr[-2000:]
    (checkpoint,) = paths.generators.glob("*/checkpoint.safetensors")
    assert load_facts(checkpoint)["step"] == 4

    # Another run has the lock.
    with open(checkpoint.parent / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        done = run(command)
    assert done.returncode and "another run trains in" in done.stderr
