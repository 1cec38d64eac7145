"""Workers: every task is done once, a death costs its task alone, none outlives the parent."""

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib.compute.workers import run_in_pool

HERE = Path(__file__).parent
LINUX = pytest.mark.skipif(
    not Path("/proc/self/statm").exists(), reason="memory is counted as Linux does"
)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Do tasks in a pool; the duties are a module that a process started now can import too."""
    monkeypatch.syspath_prepend(str(HERE))
    duties = importlib.import_module("worker_duties")

    def run_tasks(tasks: list[str], workers: int, *environments) -> dict[str, str]:
        arguments = (duties.prepare, duties.work, (str(tmp_path),), workers)
        return dict(run_in_pool(tasks, *arguments, *environments))

    return run_tasks


def attempts(folder: Path) -> list[list[str]]:
    """Read the process, the threads and the GPU of every attempt at a task."""
    lines = []
    for path in folder.glob("*.tries"):
        lines += [line.split() for line in path.read_text().splitlines()]
    return lines


def test_a_death_costs_its_task_alone_and_is_tried_again(tmp_path, run):
    tasks = ["a", "dies-once", "b", "dies-always", "c"]
    outcome = run(tasks, 2)
    assert outcome.keys() == set(tasks)
    assert {task for task, reason in outcome.items() if reason} == {"dies-always"}
    assert "exit code -9" in outcome["dies-always"]
    assert "memory" in outcome["dies-always"]
    assert {path.stem for path in tmp_path.glob("*.done")} == {"a", "b", "c", "dies-once"}


def test_each_task_is_done_in_another_process_of_one_thread(tmp_path, run):
    run(["a", "b"], 2)
    processes, threads = zip(*(words[:2] for words in attempts(tmp_path)))
    assert set(threads) == {"1"}
    assert str(os.getpid()) not in processes


def test_no_more_processes_are_started_than_asked_for(tmp_path, run):
    run(list("abcdef"), 1)
    assert len({words[0] for words in attempts(tmp_path)}) == 1


def test_each_process_has_a_gpu_of_its_own(tmp_path, run):
    environments = ({"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "GPU-5"})
    outcome = run(["waits-a", "waits-b"], 2, environments)
    assert outcome == {"waits-a": "", "waits-b": ""}
    assert {words[2] for words in attempts(tmp_path)} == {"3", "GPU-5"}


@LINUX
def test_a_process_keeps_the_memory_of_an_array_that_is_freed(tmp_path, run):
    run(["keeps"], 1)
    assert float((tmp_path / "keeps.share").read_text()) > 0.9


def test_a_process_that_ends_for_want_of_memory_is_replaced(tmp_path, run):
    outcome = run(["full", "a"], 1)
    assert "is there enough memory" in outcome["full"]
    assert outcome["a"] == ""
    assert len((tmp_path / "full.tries").read_text().splitlines()) == 2


def test_a_fault_in_the_code_is_raised_with_its_traceback(run):
    with pytest.raises(RuntimeError, match="ValueError: a fault in the code"):
        run(["raises"], 1)


PARENT = """
import sys
import worker_duties
from lib.compute.workers import run_in_pool
if __name__ == "__main__":
    arguments = (worker_duties.prepare, worker_duties.work, (sys.argv[1],), 1)
    list(run_in_pool(["sleeps"], *arguments))
"""


def test_workers_end_with_their_parent(tmp_path):
    (tmp_path / "parent.py").write_text(PARENT)
    command = [sys.executable, str(tmp_path / "parent.py"), str(tmp_path)]
    parent = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(HERE)})
    tries = tmp_path / "sleeps.tries"
    assert wait_until(lambda: tries.exists() and tries.read_text())
    child = int(tries.read_text().split()[0])
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not Path(f"/proc/{child}").exists()), "the worker outlived its parent"


def wait_until(condition, seconds: float = 20) -> bool:
    """Wait until a condition holds; False where it does not in time."""
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_deadline_stops_what_is_at_work_and_keeps_what_is_done(tmp_path, run, monkeypatch):
    began = time.monotonic()
    outcome = run(["a", "sleeps"], 2, ({},), began + 4)
    assert time.monotonic() - began < 30
    assert "sleeps" not in outcome
