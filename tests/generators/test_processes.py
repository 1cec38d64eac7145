"""Several processes: one step of two is the step of one that has seen the whole batch; a launched training leaves one checkpoint."""

import fcntl
import os
import subprocess
import sys

import pytest
import torch

from lib.faces.drawn import drawn_study
from lib.faces.faceset import save_faces
from lib.generators.checkpoints import load_facts
from lib.generators.processes import descend, processes, together
from lib.study.paths import ROOT, study_paths


def test_one_process_averages_over_itself():
    assert processes("cpu").num_processes == 1 and processes("cpu").is_main_process
    assert together(torch.tensor(3.0)) == 3


def test_a_gradient_longer_than_allowed_is_clipped():
    weight = torch.nn.Parameter(torch.zeros(2))
    optimiser = torch.optim.SGD([weight], 1.0)
    descend(optimiser, (weight * torch.tensor([3.0, 4.0])).sum())
    assert torch.equal(weight.detach(), torch.tensor([-3.0, -4.0]))
    descend(optimiser, (weight * torch.tensor([3.0, 4.0])).sum(), longest=1.0)
    assert torch.allclose(weight.detach(), torch.tensor([-3.6, -4.8]), atol=1e-4)


STEP = """
import sys, torch
from lib.generators.processes import descend, processes
state = processes("cpu")
weight = torch.nn.Parameter(torch.zeros(2))
rows = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.5, 4.0], [-2.0, 1.0]])[state.process_index :: state.num_processes]
descend(torch.optim.SGD([weight], 1.0), ((rows @ (weight + 1)) ** 2).mean())
open(f"{sys.argv[1]}-{state.process_index}", "w").write(repr(weight.tolist()))
"""


@pytest.mark.slow
def test_a_step_of_two_processes_is_the_step_of_one_that_saw_the_whole_batch(tmp_path):
    (tmp_path / "step.py").write_text(STEP)
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29618"]
    for words, name in (([sys.executable], "one"), (launch, "two")):
        command = [*words, str(tmp_path / "step.py"), str(tmp_path / name)]
        run = subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300)
        assert run.returncode == 0, run.stderr[-2000:]
    one, *two = ((tmp_path / name).read_text() for name in ("one-0", "two-0", "two-1"))
    assert one == two[0] == two[1] and one != "[0.0, 0.0]"


@pytest.mark.slow
def test_two_processes_train_one_generator(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    save_faces(drawn_study(60, 7, 7, 0.0, 0), paths.data)
    small = {"generator": "stylegan", "gan_px": 16, "gan_width": 8, "gan_batch": 8, "gan_steps": 4, "log_every_steps": 2, "device": "cpu"}
    launch = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "29617"]
    sets = [word for key, value in small.items() for word in ("--set", f"{key}={value}")]
    words = [*launch, "-m", "lib.generators.several", "quick", "dcgan", "--output", str(tmp_path), *sets]
    run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert "4 steps on 2 process(es)" in run.stdout, run.stderr[-2000:]
    (checkpoint,) = paths.generators.glob("*/checkpoint.safetensors")
    assert load_facts(checkpoint)["step"] == 4
    with open(checkpoint.parent / "lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        run = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert run.returncode and "another run trains in" in run.stderr
