"""What the workers of test_workers.py do: a module of its own, so that another process can import it."""

import os
import signal
import time
from pathlib import Path


def prepare(folder: str) -> Path:
    return Path(folder)


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
    if task == "full":
        raise SystemExit("no memory")
    if task == "sleeps":
        time.sleep(60)
    (folder / f"{task}.done").touch()
