"""Workers: every task is done once, a death costs its own task alone, nobody outlives the parent."""

import importlib
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lib.classifiers.workers import side_by_side


@pytest.fixture
def duties(monkeypatch):
    """The module of duties, which a process started now can import too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("worker_duties")


def done(folder: Path) -> set:
    return {path.stem for path in folder.glob("*.done")}


def test_a_death_costs_its_task_alone_and_is_tried_again(tmp_path, duties):
    tasks = ["a", "dies-once", "b", "dies-always", "c"]
    outcome = dict(side_by_side(tasks, duties.prepare, duties.work, (str(tmp_path),), 2))
    assert outcome.keys() == set(tasks)
    assert {task for task, trouble in outcome.items() if trouble} == {"dies-always"}
    assert "exit code -9" in outcome["dies-always"] and "memory" in outcome["dies-always"]
    assert done(tmp_path) == {"a", "b", "c", "dies-once"}
    lines = [line.split() for path in tmp_path.glob("*.tries") for line in path.read_text().splitlines()]
    assert {words[1] for words in lines} == {"1"} and str(os.getpid()) not in {words[0] for words in lines}


def test_each_process_has_a_gpu_of_its_own(tmp_path, duties):
    each = ({"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "GPU-5"})
    assert dict(side_by_side(["waits-a", "waits-b"], duties.prepare, duties.work, (str(tmp_path),), 2, each)).keys() == {
        "waits-a",
        "waits-b",
    }
    assert {path.read_text().split()[2] for path in tmp_path.glob("*.tries")} == {"3", "GPU-5"}


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is counted as Linux does")
def test_a_process_keeps_the_memory_of_an_array_that_is_freed(tmp_path, duties):
    list(side_by_side(["keeps"], duties.prepare, duties.work, (str(tmp_path),), 1))
    assert float((tmp_path / "keeps.share").read_text()) > 0.9


def test_a_process_that_ends_for_want_of_memory_is_replaced(tmp_path, duties):
    outcome = dict(side_by_side(["full", "a"], duties.prepare, duties.work, (str(tmp_path),), 1))
    assert "is there enough memory" in outcome["full"] and outcome["a"] == ""
    assert len((tmp_path / "full.tries").read_text().splitlines()) == 2


def test_a_fault_in_the_code_is_raised_with_its_traceback(tmp_path, duties):
    with pytest.raises(RuntimeError, match="ValueError: a fault in the code"):
        list(side_by_side(["raises"], duties.prepare, duties.work, (str(tmp_path),), 1))


def test_workers_die_with_their_parent(tmp_path):
    code = "import worker_duties as t\nfrom lib.classifiers.workers import side_by_side\n"
    code += f"if __name__ == '__main__':\n    list(side_by_side(['sleeps'], t.prepare, t.work, ({str(tmp_path)!r},), 1))\n"
    (tmp_path / "parent.py").write_text(code)
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], env=environment)
    tries = tmp_path / "sleeps.tries"
    assert wait_until(lambda: tries.exists() and tries.read_text())
    child = int(tries.read_text().split()[0])
    parent.kill()
    parent.wait()
    assert wait_until(lambda: not Path(f"/proc/{child}").exists()), "the worker outlived its parent"


def wait_until(condition, seconds: float = 20) -> bool:
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False
