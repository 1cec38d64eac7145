"""Drawn faces in the part of a generator: the truth about them is known, so they test the study."""

from dataclasses import dataclass

import numpy as np

from lib.faces.drawn import draw_faces, drawable
from lib.faces.faceset import FaceSet
from lib.generators.contract import Generator


@dataclass(frozen=True)
class DrawnGenerator(Generator):
    """A generator that draws the seven emotions, or some of them.

    Raises:
        StudyError: a class that cannot be drawn.
    """

    px: int  # side of its images, pixels
    classes: tuple[str, ...]  # emotions that labels number
    identities: int = 0  # people it draws from, 0: a new one per image
    mislabelled_share: float = 0.0  # of images whose face is of another class than stated, 0 to 1

    name = "drawn"
    remade_at_once = True

    def __post_init__(self):
        drawable(self.classes)

    @property
    def settings(self) -> dict:
        return {"identities": self.identities, "mislabelled_share": self.mislabelled_share}

    def sample(self, labels: np.ndarray, seeds: np.ndarray) -> FaceSet:
        """Draw one face per (label, seed), int64 (N,) each.

        The table keeps what was really drawn in true_class.
        """
        # Draw.
        labels, seeds = np.asarray(labels, np.int64), np.asarray(seeds, np.int64)
        faces = draw_faces(
            labels,
            seeds,
            classes=self.classes,
            px=self.px,
            identities=self.identities,
            mislabelled_share=self.mislabelled_share,
        )

        # Record how, as other generators do; `class` is what is stated.
        ids = [f"drawn-{name}-{seed}" for name, seed in zip(faces.table["class"], seeds)]
        return faces.with_columns(id=ids, generator=self.name)
