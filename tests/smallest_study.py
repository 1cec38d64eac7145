"""The smallest study that still asks every question: one pool, two seeds, short trainings."""

import sys
from pathlib import Path

from lib.study.paths import ROOT

SMALLEST = {
    "seeds": 2,
    "train_steps": 40,
    "reference_steps": 150,
    "supplement_shares": 0.3,
    "replace_shares": 0.5,
    "synthetic_multiples": "[]",
    "n_boot": 100,
    "distance_images": 100,
    "embedding_images": 60,
    "map_images": 40,
    "map_seeds": 1,
    "map_perplexities": 10,
    "map_neighbors": 5,
    "video_frames": 10,
    "workers": 2,
}
GENERATED = {"pools": "dcgan", "gan_steps": 30, "pool_images": 900, "curation_steps": "blank"}


def command_of(folder: Path, **values) -> list[str]:
    """Give the words that run it into a folder, with other values."""
    sets = [f"--set={key}={value}" for key, value in (SMALLEST | values).items()]
    return [sys.executable, str(ROOT / "run_all.py"), "--output", str(folder), *sets]
