"""Runs whose processes are killed in the middle, as the processes of test_runs.py can import them.

A machine that is short of memory kills so: by SIGKILL, whatever the process is at.
"""

import os
import signal
from pathlib import Path

from lib.classifiers import runs, training
from lib.study import records

VICTIM, DEATHS = "victim.txt", "deaths.txt"  # in the folder of the runs


def kill_of(folder: Path, run: str, times: int) -> None:
    """Arrange that a run is killed so many times."""
    (folder / VICTIM).write_text(f"{run} {times}")


def deaths_in(folder: Path) -> int:
    """Count how often a run was killed."""
    return (folder / DEATHS).stat().st_size


def run_job(prepared: tuple, job) -> None:
    """Do a run, or die of it: by turns while a checkpoint is written, and when it is there."""
    folder = prepared[-1]
    run, times = (folder / VICTIM).read_text().split()
    died = deaths_in(folder) if (folder / DEATHS).exists() else 0
    training.CHECKPOINT_SECONDS = -1.0
    if job.folder == run and died < int(times):
        with open(folder / DEATHS, "a") as file:
            file.write("x")
        if died % 2:
            _die_after(training, "save_checkpoint")
        else:
            records.os.replace = lambda *_: _die()
    runs.run_job(prepared, job)


def _die_after(module, name: str) -> None:
    """Let a function be the last thing that this process does."""
    original = getattr(module, name)

    def last(*arguments):
        original(*arguments)
        _die()

    setattr(module, name, last)


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
