"""The trainings of a verdict: what each learns from and predicts, done by a pool of processes and
kept, so that a verdict that was stopped goes on where it was, and a second pool on the same real
images finds the trainings on real images alone.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from lib.classifiers.recipes import TrainingPlan
from lib.compute.workers import run_in_pool
from lib.faces.arms import Arm
from lib.faces.faceset import FaceSet, load_faces, save_faces
from lib.faces.mixing import build_arm
from lib.study.errors import StudyError
from lib.study.records import atomic_write, content_hash, parsing, read_json, write_json
from lib.verdict.inputs import Inputs, Pool
from lib.verdict.protocol import Protocol, stratified_folds

ALONE = Arm("base")  # the real images alone
CHOOSING = 0  # the repetition whose folds choose the lengths; others compare


@dataclass(frozen=True)
class Training:
    """One network to train: on what, for how long, and which images it predicts."""

    arm: Arm
    steps: int
    repetition: int  # CHOOSING, or from 1
    fold: int  # of the images that it does not learn from, from 0
    key: str = ""  # of all that it computes


@dataclass(frozen=True)
class Trained:
    """What a training left."""

    probabilities: np.ndarray  # float32 (n, C) of the images at `rows`
    rows: np.ndarray  # int64 (n,), positions among the real images
    wall_seconds: float  # that it took,
    cpu_seconds: float  # and of one processor
    beyond: np.ndarray  # float32 (m, C) of further images, where there are some


@dataclass(frozen=True)
class Laboratory:
    """Images and rules, as every process has them."""

    inputs: Inputs
    protocol: Protocol
    folder: Path  # of the results
    beyond: FaceSet | None = None  # further images that every network predicts

    def training(self, arm: Arm, steps: int, repetition: int, fold: int) -> Training:
        """Describe a training and key it by what it computes."""
        unnamed = Training(arm, steps, repetition, fold)
        pools = [pool for pool in self.inputs.pools if pool.name == arm.pool]
        parts = [
            self.inputs.digest,
            [pool.digest for pool in pools],
            self.plan(unnamed).definition(),
            asdict(replace(arm, pool="")),
            [repetition, fold, self.folds(repetition), self.protocol.seed],
            "" if self.beyond is None else len(self.beyond),
        ]
        return replace(unnamed, key=content_hash(parts)[:20])

    def plan(self, training: Training) -> TrainingPlan:
        """Plan a training."""
        # Improved real images are trained on in another way.
        way = training.arm.only if training.arm.kind == "improved" else ""
        return self.protocol.plan(training.steps, training.repetition, training.fold, way)

    def folds(self, repetition: int) -> int:
        """Count the networks of a repetition."""
        held_out = self.inputs.has_test and repetition != CHOOSING
        return 1 if held_out else self.protocol.folds

    @property
    def networks(self) -> int:
        """Networks of a repetition that compares arms."""
        return self.folds(CHOOSING + 1)

    @property
    def first_look(self) -> int:
        """Repetitions that a look needs at least: one network says nothing of another."""
        return 1 if self.networks > 1 else self.protocol.first_look

    def size(self, arm: Arm) -> int:
        """Count the images of an arm in the comparisons, but for copies that are left out."""
        learnt = len(self.inputs.train_rows)
        if self.networks > 1:
            learnt = learnt * (self.networks - 1) // self.networks
        return learnt + arm.added

    def steps(self, arm: Arm, passes: float) -> int:
        """Count the optimiser steps of an arm at a length."""
        return self.protocol.steps(self.size(arm), passes)

    def fold_numbers(self, repetition: int) -> np.ndarray:
        """Number the fold of each training image, int64 (N,)."""
        real = self.inputs.real.select(self.inputs.train_rows)
        seed = (self.protocol.seed, repetition)
        return stratified_folds(real.labels, real.clusters, self.folds(repetition), seed)

    def held_rows(self, repetition: int, fold: int) -> np.ndarray:
        """List the real images that a training predicts."""
        if self.folds(repetition) == 1:
            return self.inputs.scored_rows
        return self.inputs.train_rows[self.fold_numbers(repetition) == fold]

    def training_set(self, training: Training) -> FaceSet:
        """Build what a network learns from: none of the images that it predicts, nor a copy."""
        # All real images but those of the fold.
        held = self.held_rows(training.repetition, training.fold)
        learnt = np.setdiff1d(self.inputs.train_rows, held)
        real, arm, pools = self.inputs.real.select(learnt), training.arm, {}

        # The pool's images but copies of these, as many of them as the arm asks for.
        for pool in self.inputs.pools:
            if pool.name == arm.pool:
                pools[pool.name] = pool.without_copies_of(held)
                arm = replace(arm, added=min(arm.added, len(pools[pool.name])))
        if arm.pool and not arm.added:
            return real
        if arm.kind == "subset":
            arm = replace(arm, real=min(arm.real, len(real)))
        return build_arm(arm, real, pools, seed=self.protocol.seed, draw=training.repetition)

    def result(self, training: Training) -> Path:
        """Name the file of a training's result."""
        return self.folder / f"{training.key}.npz"

    def load(self, training: Training) -> Trained | None:
        """Read what a training left; None where it is not done, or its file is damaged."""
        path = self.result(training)
        try:
            with parsing(path), np.load(path, allow_pickle=False) as values:
                return Trained(
                    values["probabilities"].astype(np.float32),
                    values["rows"],
                    *map(float, values["seconds"]),
                    values["beyond"].astype(np.float32),
                )
        except StudyError:
            return None


def save_laboratory(laboratory: Laboratory, folder: Path) -> None:
    """Write images and rules for the processes that train."""
    # Images, and which of them are copies.
    save_faces(laboratory.inputs.real, folder / "real")
    names = []
    for number, pool in enumerate(laboratory.inputs.pools):
        save_faces(pool.faces, folder / f"pool{number}")
        with atomic_write(folder / f"groups{number}.npz") as file:
            np.savez(file, pool=pool.groups, real=pool.real_groups)
        names.append(pool.name)
    if laboratory.beyond is not None:
        save_faces(laboratory.beyond, folder / "beyond")

    # Rules and names, written last.
    rules = asdict(laboratory.protocol) | {"passes": list(laboratory.protocol.passes)}
    write_json(
        folder / "laboratory.json",
        {
            "protocol": rules,
            "pools": names,
            "folder": str(laboratory.folder),
            "beyond": laboratory.beyond is not None,
        },
    )


def load_laboratory(folder: Path) -> Laboratory:
    """Read what `save_laboratory` wrote, on one thread."""
    import torch

    torch.set_num_threads(1)
    facts, pools = read_json(folder / "laboratory.json"), []
    for number, name in enumerate(facts["pools"]):
        with np.load(folder / f"groups{number}.npz", allow_pickle=False) as packed:
            groups, real_groups = packed["pool"], packed["real"]
        pools.append(Pool(name, load_faces(folder / f"pool{number}"), groups, real_groups))

    # JSON has lists alone.
    rules = facts["protocol"] | {"passes": tuple(facts["protocol"]["passes"])}
    return Laboratory(
        Inputs(load_faces(folder / "real"), tuple(pools), ()),
        Protocol(**rules),
        Path(facts["folder"]),
        load_faces(folder / "beyond") if facts["beyond"] else None,
    )


def do_training(laboratory: Laboratory, training: Training) -> None:
    """Train a network, unless that has been done, and write what it predicts."""
    if laboratory.load(training) is not None:
        return
    from lib.classifiers.training import train

    # Time counts from the first image to the last prediction.
    began = time.monotonic(), time.process_time()

    # Train, and predict what was held out.
    rows = laboratory.held_rows(training.repetition, training.fold)
    evaluated = {"held": laboratory.inputs.real.select(rows)}
    if laboratory.beyond is not None:
        evaluated["beyond"] = laboratory.beyond
    faces = laboratory.training_set(training)
    found = train(faces, laboratory.plan(training), evaluate=evaluated).probabilities

    # Probabilities in half precision: the class that is most probable stays what it is.
    classes = len(faces.classes)
    with atomic_write(laboratory.result(training)) as file:
        np.savez(
            file,
            probabilities=found["held"].astype(np.float16),
            rows=rows,
            seconds=[time.monotonic() - began[0], time.process_time() - began[1]],
            beyond=found.get("beyond", np.zeros((0, classes))).astype(np.float16),
        )


def run_trainings(
    laboratory: Laboratory,
    prepared: Path,
    trainings: Iterable[Training],
    workers: int,
    deadline: float,
) -> Iterator[Training]:
    """Do trainings side by side and yield each that is done; the caller may stop at any time.

    Args:
        laboratory: images and rules.
        prepared: folder that `save_laboratory` wrote.
        trainings: in order; may be a generator that decides what is worth doing next.
        workers: processes; 0: none, everything happens in this one.
        deadline: of the processes, by time.monotonic: what is not done by then is given up.
    """
    if not workers:
        for training in trainings:
            do_training(laboratory, training)
            yield training
        return
    duties = (load_laboratory, do_training, (prepared,), workers)
    for training, trouble in run_in_pool(trainings, *duties, deadline=deadline):
        if trouble:
            raise RuntimeError(f"{training.arm.name}: {trouble}")
        yield training
