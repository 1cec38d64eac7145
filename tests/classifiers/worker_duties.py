"""What the workers of test_workers.py do: a module of its own, so that another process can import it."""

import os
import signal
import time
from pathlib import Path

import numpy as np


def prepare(folder: str) -> Path:
    return Path(folder)


def resident() -> int:
    """Count this process's pages in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1])


def work(folder: Path, task: str) -> None:
    """Do what the task's name says."""
    with open(folder / f"{task}.tries", "a") as file:
        file.write(f"{os.getpid()} {os.environ['OMP_NUM_THREADS']} {os.environ.get('CUDA_VISIBLE_DEVICES', '')}\n")
    if task == "dies-always" or (task == "dies-once" and len((folder / f"{task}.tries").read_text().splitlines()) == 1):
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "raises":
        raise ValueError("a fault in the code")
    if task.startswith("waits"):  # until another process has its task too
        while len(list(folder.glob("waits*.tries"))) < 2:
            time.sleep(0.02)
    if task == "keeps":  # tells how much of an array's memory it has after the array has gone
        before = resident()
        array = np.ones(2**23)
        grown = resident() - before
        del array
        (folder / "keeps.share").write_text(str((resident() - before) / grown))
    if task == "full":
        raise SystemExit("no memory")
    if task == "sleeps":
        time.sleep(60)
    (folder / f"{task}.done").touch()
