"""The training sets of a study's arms: where their images are, and how they are put together."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from lib.faces.arms import UNFILTERED, Arm, filtered_pool, filters_of
from lib.faces.faceset import FaceSet, load_faces
from lib.faces.folds import in_fold, require_independent, without_real_copies
from lib.faces.mixing import build_arm
from lib.faces.pool import load_pool, pool_knowledge, single_steps
from lib.study.errors import StudyError
from lib.study.generations import generation_name
from lib.study.records import atomic_write, content_hash, parsing


@dataclass(frozen=True)
class Sources:
    """Where the images of all arms are; a worker reads them once."""

    data: Path  # packed real faces
    pools: dict[str, Path]  # folder by pool name, see Arm.source
    curated: bool  # True: only what curation kept
    seed: int  # of subsets, duplicates and shuffles
    filter_arms: tuple[str, ...] = ()  # curation steps that alone filter the pools of some arms
    folds: int = 0  # that the real faces are divided into, see lib.faces.folds; 0: none
    near_copy_distance: float = 6.0  # with folds: pools are freed of copies of real faces
    judged: Path | None = None  # folder of what label classifiers say of pools; None: not kept
    label_classifier_steps: int = 300  # optimiser steps of each

    def read(self) -> tuple[FaceSet, dict[str, FaceSet]]:
        """Read the real faces and the pools, resized to the real faces' size.

        Pools that one step alone filters have names of their own, see lib.faces.arms.
        """
        # Each pool as curation left it, or as it was generated.
        real, pools = load_faces(self.data), {}
        for name, folder in self.pools.items():
            pools[name] = load_pool(folder, curated=self.curated)

        # Each pool once more for every filter.
        if self.filter_arms:
            for name, folder in self.pools.items():
                pools |= self._filtered(name, folder)

        # Over folds every real face is a test face once, so a pool must know none of them.
        if self.folds:
            for name, folder in self.pools.items():
                require_independent(name, folder, pools[name])
            for name, pool in pools.items():
                pools[name] = without_real_copies(pool, real, self.near_copy_distance)

        # A training set has images of one size.
        px = real.images.shape[1]
        return real, {name: pool.resized(px) for name, pool in pools.items()}

    def require_knowledge(self, arm: Arm) -> None:
        """Stop at an arm at numbers whose generator learnt from another number of real images.

        One that learnt from all of them is a bound, and stands beside any number.

        Raises:
            StudyError: names both numbers.
        """
        if arm.source not in self.pools or not arm.added:
            return
        knowledge, learnt = pool_knowledge(self.pools[arm.source])
        if knowledge == "same images" and learnt != arm.real:
            held = f"{arm.real:,}" if arm.real else "all"
            raise StudyError(
                f"the generator of {arm.source} learnt from {learnt:,} real images, this arm holds "
                f"{held}"
            )

    def splits(self, real: FaceSet) -> dict[int, FaceSet]:
        """Split the real faces for each fold, by its number; without folds as they are, under 0."""
        numbers = range(1, self.folds + 1) if self.folds else (0,)
        return {number: in_fold(real, self.folds, number, seed=self.seed) for number in numbers}

    def arm_faces(
        self, arm: Arm, real: FaceSet, pools: dict[str, FaceSet], draw: int | None
    ) -> FaceSet:
        """Build an arm's training set from the study's faces.

        Args:
            real: all real faces, split.
            pools: of `read`.
            draw: number of the draw, from 0, which decides subsets and copies and takes a
                generation of the pool; None: one draw for the study.
        """
        train, extra = real.split("train"), real.split("extra")
        if draw is not None:
            arm = replace(arm, generation=_generation_of_draw(arm, pools, draw))
        return build_arm(
            arm, train, pools, seed=self.seed, extra=extra, draw=draw, classify=self.classify
        )

    def classify(self, real: FaceSet, others: FaceSet) -> np.ndarray:
        """Train a label classifier on real faces and return what it says of others, float32 (N, C).

        What it says is kept: the arms of one draw share it.
        """
        from lib.classifiers.models import predict
        from lib.classifiers.reference import reference_plan, train_reference

        # The same images and the same training say the same.
        steps, seed = self.label_classifier_steps, self.seed
        plan = reference_plan(steps, seed).definition()
        key = content_hash([real.digest(), others.digest(), plan])
        path = None if self.judged is None else self.judged / f"{key[:20]}.npy"
        if path is not None and path.exists():
            with parsing(path, "delete it"):
                return np.load(path, allow_pickle=False)

        # A network of the real images alone.
        found = predict(train_reference(real, steps=steps, seed=seed).model, others.images)
        if path is not None:
            with atomic_write(path) as file:
                np.save(file, found)
        return found

    def _filtered(self, name: str, folder: Path) -> dict[str, FaceSet]:
        """Read a pool as each step alone leaves it, and as it was generated."""
        # Without a verdict of a step on this pool there are no images for the arms of that step.
        available = single_steps(folder)
        pools = {}
        for step in filters_of([step for step in self.filter_arms if step in available]):
            steps = () if step == UNFILTERED else (step,)
            pools[filtered_pool(name, step)] = load_pool(folder, steps=steps)
        return pools


def _generation_of_draw(arm: Arm, pools: dict[str, FaceSet], draw: int) -> int:
    """Choose the generation of the pool that a draw takes: its own, in turn where there are fewer.

    An arm that names a generation keeps it.
    """
    # Count the generations, which are numbered from 1 without gaps.
    made = 1
    while generation_name(arm.pool, made + 1) in pools:
        made += 1
    return arm.generation if arm.generation > 1 else draw % made + 1
