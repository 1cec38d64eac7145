"""Image to image as a pool: real training faces in, the same faces with another class out.

Diffusion noises a face part of the way and denoises it to another class; Stable Diffusion does so
with a prompt (S3 asked for it). The images still show the people of the photographs that they are
made from, so every page treats them as photographs.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.compute.seeds import mixed_seed
from lib.faces.faceset import FaceSet, resize
from lib.generators.contract import Generator, LearntFrom, learnt_from_faces
from lib.study.errors import StudyError

CHOICE_STREAM = 2  # of a seed, for the choice of the real face


@dataclass(frozen=True)
class Editor(Generator):
    """A generator that starts from real faces instead of noise.

    Image i starts from a face of another class than its label, which its seed chooses.
    """

    generator: Generator  # trained, one that can edit: diffusion or Stable Diffusion
    faces: FaceSet  # real training faces
    strength: float  # share of the way that is done anew, above 0 (hardly a change) to 1

    # ----------------------------------------------------------------------------------------------
    # Editing.

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Edit one real face per (label, seed), int64 (N,) each.

        The table names the face in edited_from and its class in edited_class.
        """
        labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)

        # Edit the chosen faces.
        rows = self.source_rows(labels, seeds)
        edited = self.edit(self.faces.images[rows], labels, seeds, strength=self.strength)

        # Record what each image was made from.
        return edited.with_columns(
            edited_from=self.faces.table["id"].to_numpy()[rows],
            edited_class=self.faces.table["class"].to_numpy()[rows],
            edit_strength=self.strength,
        )

    def edit(
        self, images: np.ndarray, labels: np.ndarray, seeds: np.ndarray, *, strength: float
    ) -> FaceSet:
        """Give faces the classes `labels`; see Generator.edit."""
        return self.generator.edit(images, labels, seeds, strength=strength)

    def source_rows(self, labels: np.ndarray, seeds: np.ndarray) -> np.ndarray:
        """Choose the real face that each image starts from, one of another class, by the seed.

        Returns:
            int64 (N,), rows of `faces`.

        Raises:
            StudyError: all real faces are of the wanted class.
        """
        # List the faces of other classes, for each wanted class.
        others = {label: np.flatnonzero(self.faces.labels != label) for label in np.unique(labels)}
        if any(len(rows) == 0 for rows in others.values()):
            raise StudyError(
                "edit_strength: the real faces are all of one class; there is none to give "
                "another expression"
            )

        # Choose one for each image.
        chosen = np.empty(len(labels), np.int64)
        for i, (label, seed) in enumerate(zip(labels, seeds)):
            rows = others[label]
            chosen[i] = rows[mixed_seed(int(seed), CHOICE_STREAM) % len(rows)]
        return chosen

    # ----------------------------------------------------------------------------------------------
    # The rest of the contract, which the generator within answers.

    @property
    def name(self) -> str:
        return self.generator.name

    @property
    def px(self) -> int:
        return self.generator.px

    @property
    def classes(self) -> tuple[str, ...]:
        return self.generator.classes

    @property
    def device(self) -> str:
        return self.generator.device

    @property
    def shard(self) -> int:
        return self.generator.shard

    @property
    def is_trained(self) -> bool:
        return self.generator.is_trained

    @property
    def can_edit(self) -> bool:
        return self.generator.can_edit

    @property
    def learnt_from(self) -> LearntFrom:
        """What the generator within learnt from; at least the faces that are edited."""
        if self.generator.learnt_from.kind == "real":
            return self.generator.learnt_from
        return learnt_from_faces(self.faces)

    def fit(self, faces: FaceSet, *, folder: Path, progress=None, distance=None) -> pd.DataFrame:
        """Train the generator within; see Generator.fit."""
        return self.generator.fit(faces, folder=folder, progress=progress, distance=distance)

    def training_folder(self, faces: FaceSet, trainings: Path, folder: Path) -> Path:
        """Choose where the generator within trains."""
        return self.generator.training_folder(faces, trainings, folder)

    def prompts(self, labels: np.ndarray, seeds: np.ndarray) -> list[str] | None:
        """Give the text that each image is edited by; None where there is no text."""
        return self.generator.prompts(labels, seeds)

    def save(self, folder: Path) -> Path:
        """Write the weights of the generator within, and what it edits."""
        file = self.generator.save(folder)
        super().save(folder)
        return file

    def load(self, folder: Path) -> "Editor":
        """Read the weights of the generator within."""
        return replace(self, generator=self.generator.load(folder))

    def facts(self) -> dict:
        """Describe the generator within, and what it edits."""
        facts = self.generator.facts()
        edits = {"edit_strength": self.strength, "edits": self.faces.digest()[:16]}
        return facts | {"settings": facts["settings"] | edits}


def with_editing(generator: Generator, faces: FaceSet, strength: float) -> Generator:
    """Let a generator start from real faces; it stays as it is where strength is 0."""
    if not strength:
        return generator
    return Editor(generator, faces, strength)


def edited_sources(pool: FaceSet, faces: FaceSet) -> FaceSet:
    """Find the real faces that an edited pool was made from.

    Returns:
        Face set at the pool's size and with its ids; row i is what image i started from.

    Raises:
        StudyError: an image names a face that is not among `faces`.
    """
    # Find the face that each image names.
    rows = pd.Index(faces.table["id"]).get_indexer(pool.table["edited_from"])
    missing = int((rows < 0).sum())
    if missing:
        raise StudyError(
            f"{missing} edited images name a face that is not among the real ones; "
            "make the pool again (notebook 20)"
        )

    # Take these faces, at the pool's size.
    images = resize(faces.images[rows], pool.images.shape[1])
    table = faces.table.iloc[rows].assign(id=pool.table["id"].to_numpy())
    return replace(faces, images=images, table=table)
