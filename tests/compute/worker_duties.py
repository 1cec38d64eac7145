"""What the workers of test_workers.py and test_cluster.py do, as processes can import it."""

import os
import signal
import time
from pathlib import Path

import numpy as np


def prepare(folder: str) -> Path:
    """Prepare a process."""
    return Path(folder)


def work(folder: Path, task: str) -> None:
    """Do what the task's name says and leave TASK.done; each attempt adds a line to TASK.tries."""
    tries = folder / f"{task}.tries"
    gpu = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    with open(tries, "a") as file:
        file.write(f"{os.getpid()} {os.environ['OMP_NUM_THREADS']} {gpu}\n")
    first_attempt = len(tries.read_text().splitlines()) == 1
    if task == "dies-always" or (task == "dies-once" and first_attempt):
        os.kill(os.getpid(), signal.SIGKILL)
    if task == "raises":
        raise ValueError("a fault in the code")
    if task == "full":
        raise SystemExit("no memory")
    if task == "sleeps":
        time.sleep(60)
    if task == "keeps":
        (folder / "keeps.share").write_text(str(share_of_memory_kept()))

    # Until another process has its task too.
    while task.startswith("waits") and len(list(folder.glob("waits*.tries"))) < 2:
        time.sleep(0.02)
    (folder / f"{task}.done").touch()


def share_of_memory_kept() -> float:
    """Measure how much of an array's memory this process has after the array is freed, 0 to 1."""
    before = resident_pages()
    array = np.ones(2**23)
    grown = resident_pages() - before
    del array
    return (resident_pages() - before) / grown


def resident_pages() -> int:
    """Count this process's pages in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1])
