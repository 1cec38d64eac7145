"""A training that is asked for in a process of its own: python asking.py FOLDER STEPS [DIES_AT].

It says when it has chosen its folder, and begins when it is told to. What it got is written into
FOLDER/asked-STEPS. With a third word it is killed at the log of that step, by SIGKILL.
"""

import os
import signal
import sys
from pathlib import Path

from small_generators import noise_faces, small_generator

if __name__ == "__main__":
    root, steps, *dies_at = sys.argv[1:]
    generator, faces = small_generator(gan_steps=int(steps)), noise_faces()
    folder = generator.training_folder(faces, Path(root), Path(root) / "pool")
    print("ready", flush=True)
    sys.stdin.readline()

    def progress(line: str) -> None:
        if dies_at and f"step {dies_at[0]}" in line:
            os.kill(os.getpid(), signal.SIGKILL)

    generator.fit(faces, folder=folder, progress=progress)
    generator.save(Path(root) / f"asked-{steps}")
