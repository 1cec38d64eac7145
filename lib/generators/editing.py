"""Image to image as a pool: real training faces in, the same faces with another expression out (S3 asked for it).

Diffusion noises a face part of the way and denoises it to another class; Stable Diffusion does so
with a prompt. The images still show the people of the photographs they are made from, so every page treats them as photographs.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet, resize
from lib.generators.contract import Generator
from lib.generators.pools import SHARD
from lib.generators.sampling import mixed_seed
from lib.generators.training_loop import face_set
from lib.study.errors import StudyError


@dataclass(frozen=True)
class Editor:
    """A generator that starts from real faces instead of noise.

    Args:
        generator: trained diffusion or Stable Diffusion.
        faces: real training faces; image i starts from one of another class than its label, which its seed chooses.
        strength: share of the way that is noised and done anew, above 0 (hardly a change) to 1 (another image).
    """

    generator: Generator
    faces: FaceSet
    strength: float

    @property
    def name(self) -> str:
        return self.generator.name

    @property
    def shard(self) -> int:
        """Images that a kill can cost."""
        return getattr(self.generator, "shard", SHARD)

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None):
        """Train the generator within; see its own fit."""
        return self.generator.fit(faces, folder=folder, progress=progress, distance=distance)

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Edit one real face per (label, seed), int64 (N,) each; the table names it in edited_from and its class in edited_class."""
        labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)
        starts = self.starts(labels, seeds)
        chosen = self.faces.table.iloc[starts]
        made = edit(self.generator, self.faces.images[starts], labels, seeds, self.strength)
        said = {"edited_from": chosen["id"].to_numpy(), "edited_class": chosen["class"].to_numpy(), "edit_strength": self.strength}
        return FaceSet(made.images, made.table.assign(**said))

    def starts(self, labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Choose the real face that each image starts from, int64 (N,): one of another class, by the seed alone.

        Raises:
            StudyError: all real faces are of the wanted class.
        """
        others = {label: np.flatnonzero(self.faces.labels != label) for label in np.unique(labels)}
        if any(not len(places) for places in others.values()):
            raise StudyError("edit_strength: the real faces are all of one class; there is none to give another expression")
        return np.array([others[label][mixed_seed(int(seed), 2) % len(others[label])] for label, seed in zip(labels, seeds)], np.int64)

    def save(self, folder: Path) -> Path:
        """Write the weights of the generator within."""
        return self.generator.save(folder)

    def load(self, folder: Path) -> "Editor":
        """Read the weights of the generator within."""
        return Editor(self.generator.load(folder), self.faces, self.strength)

    def facts(self) -> dict:
        """What the model card says."""
        facts = self.generator.facts()
        return facts | {"settings": facts["settings"] | {"edit_strength": self.strength, "edits": self.faces.digest()[:16]}}


def edited(generator: Generator, faces: FaceSet, strength: float) -> Generator:
    """Let a generator start from real faces, or leave it as it is where strength is 0."""
    return Editor(generator, faces, strength) if strength else generator


def before(pool: FaceSet, faces: FaceSet) -> FaceSet:
    """Find the real faces that an edited pool was made from: row i is what image i started from, at the pool's size."""
    rows = pd.Index(faces.table["id"]).get_indexer(pool.table["edited_from"])
    if (rows < 0).any():
        raise StudyError(f"{(rows < 0).sum()} edited images name a face that is not among the real ones; make the pool again (notebook 20)")
    return FaceSet(resize(faces.images[rows], pool.images.shape[1]), faces.table.iloc[rows].assign(id=pool.table["id"].to_numpy()))


def edit(generator: Generator, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray, strength: float) -> FaceSet:
    """Give images, uint8 (N, H, W), the expressions `labels`.

    Raises:
        StudyError: a generator that makes images from noise alone.
    """
    if hasattr(generator, "edit"):
        return generator.edit(images, labels, seeds, strength=strength)
    network = getattr(generator, "network", None)
    if not hasattr(network, "relabel"):
        raise StudyError(
            f"edit_strength is {strength}, but {generator.name} makes images from noise alone; choose diffusion or stable, or set it to 0"
        )
    network.to(generator.device).eval()
    return face_set(network.relabel(resize(images, generator.px), labels, seeds, strength=strength), labels, seeds, generator.name)
