"""Laboratories without training: networks whose predictions are drawn at a stated accuracy."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np

from lib.faces.drawn import draw_faces
from lib.study.records import atomic_write
from lib.verdict.inputs import Inputs, beside_real
from lib.verdict.protocol import Protocol
from lib.verdict.trainings import Laboratory

CLASSES = ("happy", "sad", "surprise")
SECONDS = 3.0  # of one core, that each training is said to take


def inputs_of(real=150, pools=("made",), *, test=0, images=40) -> Inputs:
    """Draw real images and pools; every real image is different."""
    faces = draw_faces(np.arange(real + test) % 3, np.arange(real + test), classes=CLASSES)
    faces = faces.with_columns(
        cluster=np.arange(real + test), split=np.repeat(["train", "test"], [real, test])
    )
    made = []
    for number, name in enumerate(pools, 1):
        seeds = 10_000 * number + np.arange(images)
        pool = draw_faces(np.arange(images) % 3, seeds, classes=CLASSES)
        made.append(beside_real(name, pool, faces, 0.5))
    return Inputs(faces, tuple(made), ())


def laboratory_of(folder: Path, inputs: Inputs, **rules) -> Laboratory:
    """Set up a laboratory of short trainings."""
    short = replace(Protocol(), passes=(1.0, 2.0, 4.0), usual=2.0, least_seen=200)
    return Laboratory(inputs, replace(short, **rules), folder)


def simulate(monkeypatch, accuracy) -> list:
    """Put drawn predictions in the place of training.

    Args:
        accuracy: function of a training to the chance that each of its predictions is right.

    Returns:
        The trainings, as they are done.
    """
    done = []

    def do_training(laboratory, training):
        if laboratory.load(training) is not None:
            return
        done.append(training)
        rows = laboratory.held_rows(training.repetition, training.fold)
        labels = laboratory.inputs.real.labels[rows]
        rng = np.random.default_rng([training.repetition + 1, training.fold, len(done)])
        right = rng.random(len(rows)) < accuracy(training)
        seen = np.where(right, labels, (labels + 1) % len(CLASSES))
        with atomic_write(laboratory.result(training)) as file:
            np.savez(
                file,
                probabilities=np.eye(len(CLASSES))[seen].astype(np.float16),
                rows=rows,
                seconds=[SECONDS, SECONDS],
                beyond=np.zeros((0, len(CLASSES)), np.float16),
            )

    monkeypatch.setattr("lib.verdict.trainings.do_training", do_training)
    return done


class Time:
    """A clock that every training moves on by SECONDS."""

    def __init__(self, seconds: float, done: list, cores: int = 1):
        self.seconds, self.cores, self.done = seconds, cores, done
        self.activities = []

    @property
    def left(self) -> float:
        return self.seconds * self.cores - SECONDS * len(self.done)

    def cost(self, trained) -> float:
        return trained.wall_seconds

    def deadline(self, share: float = 1.0) -> float:
        return math.inf

    def text(self) -> str:
        return f"{self.left:.0f} s"

    def doing(self, text: str) -> None:
        self.activities.append(text)


def reach(folder: Path, number: int) -> dict:
    """Stand for a verdict, and leave a trace of having been called, once."""
    (folder / f"reached-{number}").touch(exist_ok=False)
    return {"number": number, "kind": "helping", "size": 300, "word": "helps", "seconds": 1.0}
