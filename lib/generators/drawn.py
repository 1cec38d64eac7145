"""Drawn faces in the part of a generator: the truth about them is known, so they test the study itself."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet
from lib.study.records import write_json


@dataclass(frozen=True)
class Drawn:
    """A generator that draws.

    Args:
        px: side of its images, pixels.
        identities: people it draws from, 0: a new one per image.
        mislabelled_share: share of images whose face is of another class than the label, 0 to 1.
    """

    px: int = 48
    identities: int = 0
    mislabelled_share: float = 0.0
    name: str = "drawn"

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None) -> pd.DataFrame:
        """Learn nothing, for there is nothing to learn; the log is empty."""
        return pd.DataFrame({"step": []})

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Draw one face per (label, seed), int64 (N,) each; the table keeps what was really drawn in true_class."""
        labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)
        faces = draw_faces(labels, seeds, px=self.px, identities=self.identities, mislabelled_share=self.mislabelled_share)
        ids = [f"drawn-{kind}-{seed}" for kind, seed in zip(faces.table["class"], seeds)]
        return FaceSet(faces.images, faces.table.assign(id=ids, split="train", source="drawn", generator=self.name, seed=seeds))

    def save(self, folder: Path) -> Path:
        """Write generator.json."""
        write_json(Path(folder) / "generator.json", self.facts())
        return Path(folder) / "generator.json"

    def load(self, folder: Path) -> "Drawn":
        """Return itself: there are no weights."""
        return self

    def facts(self) -> dict:
        """What the model card says."""
        settings = {"identities": self.identities, "mislabelled_share": self.mislabelled_share}
        return {"generator": self.name, "px": self.px, "settings": settings, "training": {}, "parameters": {}}
