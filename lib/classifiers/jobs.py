"""The runs of a study before they are done: one arm, one classifier, one seed, one length each.

A run's key is what it computes: its images and its plan (see lib.classifiers.recipes), and no hash
of code.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

from lib.classifiers.recipes import Recipe, TrainingPlan, improved, options_of, recipes_of
from lib.classifiers.training_sets import Sources
from lib.faces.arm_plan import asked_for
from lib.faces.arms import Arm
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.records import content_hash

# Splits that every run predicts: one to choose on, one to report on.
EVALUATED = ("val", "test")


@dataclass(frozen=True)
class Job:
    """One run to do."""

    arm: Arm  # what is trained on
    plan: TrainingPlan  # how
    key: str  # of what the run computes
    keep_weights: bool  # whether the trained network stays on disk
    folds: int = 0  # that the real faces are divided into; 0: their own train and test
    fold: int = 0  # the one that this run predicts and does not train on, 1 to folds
    length: float = 1.0  # of the training, as a multiple of the study's steps
    draw: int | None = None  # of subsets and copies, see lib.faces.mixing; None: the study's one

    @property
    def folder(self) -> str:
        """Name of the run's folder."""
        plan = self.plan
        training = f"{plan.classifier}-{plan.recipe.name}-seed{plan.seed}"

        # Only where a study has several of them.
        fold = f"-fold{self.fold}" if self.fold else ""
        length = f"-length{self.length:g}" if self.length != 1 else ""
        return f"{self.arm.name}-{training}{fold}{length}-{self.key[:8]}"


def arm_steps(arm: Arm, train_steps: int, n_real: int) -> int:
    """Return the optimiser steps of an arm's runs.

    They are the study's, but for the control fewer_steps: as many as a supplement of its size
    takes on its real images.

    Args:
        train_steps: of the other arms.
        n_real: number of all real training images.
    """
    if arm.kind != "fewer_steps":
        return train_steps

    # The share of the real images, by the numbers of images or as a number of its own.
    real = arm.real or n_real
    share = real / (real + arm.added) if arm.added else 1 - arm.share
    return max(1, round(share * train_steps))


def plan_jobs(arms: list[Arm], sources: Sources, params: dict) -> list[Job]:
    """List every run of a study: seeds outside, then folds, arms inside.

    In this order a half-done study has whole seeds.

    Args:
        arms: to train on.
        sources: where the images are.
        params: classifiers, recipes, train_steps, train_lengths, train_passes, train_epochs,
            draws, seeds, real_counts, real_count_seeds, more_seeds, more_seeds_arms, keep_weights,
            device, and the fields of TrainingOptions.

    Raises:
        StudyError: an arm that cannot be built, an unknown recipe or device, a pattern of
            more_seeds_arms that fits no arm.
    """
    from lib.compute.devices import resolve_device

    # How everything is trained.
    recipes = recipes_of(params["classifiers"], params["recipes"])
    device, options = resolve_device(params["device"]), options_of(params)

    # What identifies the images of each run.
    real, pools = sources.read()
    splits, n_real = sources.splits(real), len(real.split("train"))
    count = params["seeds"] + params["more_seeds"]
    draw_of = {seed: seed if params["draws"] else None for seed in range(count)}
    digests = _digests(arms, splits, pools, sources, set(draw_of.values()))

    # Some numbers of real images have fewer seeds; arms that a pilot left undecided have more.
    seeds_at = dict(zip(params["real_counts"], params["real_count_seeds"]))
    more, jobs = asked_for(arms, params["more_seeds_arms"], "more_seeds_arms"), []
    trained = {name: trained_lengths(arms, n_real, recipes[name], params) for name in recipes}
    for seed, draw in draw_of.items():
        chosen = arms if seed < params["seeds"] else more
        chosen = [arm for arm in chosen if seed < seeds_at.get(arm.real, count)]
        for classifier, fold, arm, length in _each(recipes, splits, chosen, trained):
            # Improved real images alone are trained in another way.
            way = arm.only if arm.kind == "improved" else ""
            recipe, own_options = improved(recipes[classifier], options, way)
            plan = TrainingPlan(
                classifier=classifier,
                recipe=recipe,
                seed=seed,
                steps=_times(length, arm_steps(arm, params["train_steps"], n_real)),
                epochs=_times(length, params["train_epochs"]),
                device=device,
                options=own_options,
            )
            key = content_hash([*digests[fold, draw, arm], plan.definition()])

            # Of several folds the first keeps its networks.
            keep = seed < params["keep_weights"] and fold < 2
            jobs.append(Job(arm, plan, key, keep, sources.folds, fold, length, draw))
    return jobs


def trained_lengths(
    arms: list[Arm], n_real: int, recipe: Recipe, params: dict
) -> dict[Arm, list[float]]:
    """List the lengths at which each arm is trained.

    They are those of `train_lengths`. For arms at numbers `train_passes` leaves out the lengths at
    which neither the arm nor the largest arm of the same real images makes so many passes over
    its images: the largest needs the longest training, and its steps are trained for all of them,
    so that arms can be compared at equal steps too.

    Args:
        n_real: number of all real training images.
        recipe: whose batch size makes passes of steps.
        params: train_steps, train_lengths, train_passes.

    Raises:
        StudyError: passes without train_steps, or not two of them; no length left.
    """
    lengths, passes = params["train_lengths"], params["train_passes"]
    if not passes:
        return {arm: lengths for arm in arms}
    if len(passes) != 2 or not params["train_steps"]:
        raise StudyError("train_passes: fewest and most, two numbers, beside train_steps above 0")

    # Images of each arm, and of the largest one with as many real images.
    sizes = {arm: (arm.real or n_real) + arm.added for arm in arms}
    largest = {}
    for arm, size in sizes.items():
        largest[arm.real] = max(size, largest.get(arm.real, 0))

    # The lengths within bounds for either of them.
    seen = {length: length * params["train_steps"] * recipe.batch_size for length in lengths}
    chosen = {}
    for arm in arms:
        compared = (
            [largest[arm.real]] if arm.kind == "fewer_steps" else [sizes[arm], largest[arm.real]]
        )
        chosen[arm] = [
            length
            for length in lengths
            if any(passes[0] <= seen[length] / size <= passes[1] for size in compared)
        ]
        if not chosen[arm]:
            raise StudyError(
                f"train_passes: no length of train_lengths takes {passes[0]:g} to {passes[1]:g} "
                f"passes over the {sizes[arm]:,} images of arm {arm.name}; add another length"
            )
    return chosen


def _each(recipes: dict, splits: dict, arms: list[Arm], trained: dict) -> Iterator[tuple]:
    """Go through classifiers, folds, arms and the lengths at which each is trained."""
    for classifier, fold, arm in product(recipes, splits, arms):
        for length in trained[classifier][arm]:
            yield classifier, fold, arm, length


def _times(length: float, count: int) -> int:
    """Multiply a number of steps or epochs, at least 1; 0, for none given, stays."""
    return max(1, round(length * count)) if count else 0


def _digests(
    arms: list[Arm],
    splits: dict[int, FaceSet],
    pools: dict[str, FaceSet],
    sources: Sources,
    draws: set[int | None],
) -> dict[tuple[int, int | None, Arm], list]:
    """Hash the images of each run: those that it learns from and those that it predicts.

    Args:
        arms: to train on.
        splits: real faces as each fold splits them, by its number.
        pools: of `sources.read`.
        sources: where the images are.
        draws: numbers of the draws; None for the study's one.

    Returns:
        By fold, draw and arm: the training set's digest, and a list of the evaluated sets'.
    """
    digests = {}
    for fold, part in splits.items():
        held = [part.split(name).digest() for name in EVALUATED]
        for draw, arm in product(draws, arms):
            faces = sources.arm_faces(arm, part, pools, draw)
            digests[fold, draw, arm] = [faces.digest(), held]
    return digests
