"""Ready-made synthetic images: a folder that another generator filled, in its order of generation."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES, FaceSet
from lib.study.errors import StudyError
from lib.study.records import write_json


@dataclass(frozen=True)
class Folder:
    """A generator whose images exist already: seed i is the i-th of them.

    Args:
        faces: all its images, in order of generation.
        path: where they came from.
    """

    faces: FaceSet
    path: str
    name: str = "folder"

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None) -> pd.DataFrame:
        """Learn nothing, for the images are made; the log is empty."""
        return pd.DataFrame({"step": []})

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Take the images at the places `seeds`, int64 (N,); their labels must be those asked for.

        Raises:
            StudyError: more images than there are, or another label at a place.
        """
        seeds = np.asarray(seeds, np.int64)
        if len(seeds) and seeds.max() >= len(self.faces):
            raise StudyError(f"{self.path}: {seeds.max() + 1} images asked for, {len(self.faces)} there; lower pool_images (0: all)")
        taken = self.faces.select(seeds)
        wrong = np.flatnonzero(taken.labels != np.asarray(labels))
        if len(wrong):
            found, asked = taken.table["class"][wrong[0]], CLASSES[labels[wrong[0]]]
            raise StudyError(f"{self.path}: image {seeds[wrong[0]]} is {found}, not {asked}; ready-made images keep their labels")
        return taken

    def save(self, folder: Path) -> Path:
        """Write generator.json."""
        write_json(Path(folder) / "generator.json", self.facts())
        return Path(folder) / "generator.json"

    def load(self, folder: Path) -> "Folder":
        """Return itself: there are no weights."""
        return self

    def facts(self) -> dict:
        """What the model card says."""
        settings = {"images": len(self.faces), "digest": self.faces.digest()[:16]}
        return {"generator": self.name, "px": self.faces.images.shape[1], "settings": settings, "training": {}, "parameters": {}}


def read_folder(path: str) -> Folder:
    """Read ready-made images and put them in order of generation.

    Raises:
        StudyError: no path given, or nothing there.
    """
    if not path:
        raise StudyError("synthetic is empty, but the pool `folder` needs ready-made images: give --synthetic PATH")
    from lib.faces.sources import read_images

    faces = read_images(path)
    faces = faces.select(generation_order(faces.table["file"]))
    seeds = np.arange(len(faces))
    return Folder(FaceSet(faces.images, faces.table.assign(split="train", source="synthetic", generator="folder", seed=seeds)), str(path))


def generation_order(files) -> np.ndarray:
    """Order file names by the last number in each; names without one come last, by name.

    Returns:
        int64 (N,): places in order of generation.
    """

    def place(row: int) -> tuple:
        numbers = re.findall(r"\d+", Path(names[row]).stem)
        return (0, int(numbers[-1]), names[row]) if numbers else (1, 0, names[row])

    names = [str(file) for file in files]
    return np.array(sorted(range(len(names)), key=place), np.int64)
