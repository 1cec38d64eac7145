"""Runs of a study: one arm, one classifier, one seed each.

A run's folder holds predictions.npz (float32 class probabilities of every evaluated image, and the
class list), history.csv, for the first seeds the weights, and result.json, written last: a folder
without it is unfinished. An unfinished run that took minutes continues from its checkpoint. A
finished run is never repeated while its key stays, and never served when its key has changed. The
key is what the run computes: its images and its plan (see lib.classifiers.recipes), and no hash of
code.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from lib.classifiers.recipes import Recipe, TrainingPlan, options_of, recipes_of
from lib.classifiers.training_sets import Sources, arm_faces
from lib.compute.cluster import run_on_cluster
from lib.compute.workers import run_in_pool
from lib.faces.arms import ARM_FIELDS, Arm, arm_of, asked_for
from lib.faces.faceset import FaceSet
from lib.faces.folds import in_fold
from lib.study.errors import StudyError
from lib.study.records import atomic_write, content_hash, read_json, write_json

# Splits that every run predicts: one to choose on, one to report on.
EVALUATED = ("val", "test")

# Lines of progress over all runs together.
PROGRESS_LINES = 8

# Files of a run's folder.
RESULT, PREDICTIONS = "result.json", "predictions.npz"
HISTORY, WEIGHTS = "history.csv", "model.safetensors"

# What a worker of a cluster must have in the same version as the caller.
CODE = ("lib.classifiers.runs",)


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
            draws, seeds, more_seeds, more_seeds_arms, keep_weights, device, and the fields of
            TrainingOptions.

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
    digests = _digests(arms, splits, pools, sources.seed, set(draw_of.values()))

    # Arms that a pilot left undecided have further seeds.
    more, jobs = asked_for(arms, params["more_seeds_arms"], "more_seeds_arms"), []
    trained = {name: trained_lengths(arms, n_real, recipes[name], params) for name in recipes}
    for seed, draw in draw_of.items():
        chosen = arms if seed < params["seeds"] else more
        for classifier, fold, arm, length in _each(recipes, splits, chosen, trained):
            plan = TrainingPlan(
                classifier=classifier,
                recipe=recipes[classifier],
                seed=seed,
                steps=_times(length, arm_steps(arm, params["train_steps"], n_real)),
                epochs=_times(length, params["train_epochs"]),
                device=device,
                options=options,
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
    seed: int,
    draws: set[int | None],
) -> dict[tuple[int, int | None, Arm], list]:
    """Identify the images of each fold, draw and arm: its training set's, then the evaluated
    sets'.
    """
    digests = {}
    for fold, part in splits.items():
        held = [part.split(name).digest() for name in EVALUATED]
        for draw, arm in product(draws, arms):
            faces = arm_faces(arm, part, pools, seed, draw)
            digests[fold, draw, arm] = [faces.digest(), held]
    return digests


def run_jobs(
    jobs: list[Job],
    sources: Sources,
    folder: Path,
    *,
    workers: int = 0,
    cluster: str = "",
    progress: Callable[[str], None] = print,
) -> pd.DataFrame:
    """Do the runs that are not finished, in processes of one thread each.

    Args:
        jobs: from plan_jobs.
        sources: where the images are.
        folder: receives one folder a run.
        workers: processes at once, 0 for one a core, or two a GPU.
        cluster: address of a Dask scheduler, or "local": the runs go there instead, see
            lib.compute.cluster.
        progress: called with a line of text now and then.

    Returns:
        The table of all runs, see load_runs.
    """
    # What is left to do.
    folder = Path(folder)
    waiting = [job for job in jobs if not finished(folder, job)]
    progress(f"{len(jobs)} runs: {len(jobs) - len(waiting)} finished before, {len(waiting)} to do")
    if not waiting:
        return load_runs(folder, jobs)

    # Workers write the results; one that died of a run leaves that to this process.
    began = time.time()
    for done, (job, reason) in enumerate(_work(waiting, sources, folder, workers, cluster), 1):
        if reason:
            write_json(folder / job.folder / RESULT, identity(job) | {"failed": reason})
        if is_progress_line(done, len(waiting)):
            spent = time.time() - began
            left = spent / done * (len(waiting) - done)
            progress(f"{done} of {len(waiting)} runs in {spent:.0f} s, about {left:.0f} s to go")
    return load_runs(folder, jobs)


def _work(
    jobs: list[Job], sources: Sources, folder: Path, workers: int, cluster: str
) -> Iterator[tuple]:
    """Do runs in processes here or on a cluster, and yield each with "" or why it was given up."""
    from lib.compute.devices import environments_on, processes_on

    device = jobs[0].plan.device
    count = min(workers or processes_on(device), len(jobs))
    duties = (prepare, run_job, (sources, folder), count)
    environments = environments_on(device)
    if cluster:
        return run_on_cluster(jobs, *duties, cluster, environments, CODE)
    return run_in_pool(jobs, *duties, environments)


def is_progress_line(done: int, total: int) -> bool:
    """Tell whether a line of progress is due: PROGRESS_LINES of them, evenly over all runs."""
    return done * PROGRESS_LINES // total > (done - 1) * PROGRESS_LINES // total


def finished(folder: Path, job: Job) -> bool:
    """Tell whether a run is done: its result is written last."""
    return (Path(folder) / job.folder / RESULT).exists()


def identity(job: Job) -> dict:
    """Describe a run as its result does: the arm's fields, and what was trained on it."""
    fold = {"fold": job.fold} if job.fold else {}
    draw = {} if job.draw is None else {"draw": job.draw}
    return {
        "arm": asdict(job.arm),
        "classifier": job.plan.classifier,
        "recipe": job.plan.recipe.name,
        "seed": job.plan.seed,
        "length": job.length,
        "key": job.key,
        **fold,
        **draw,
        **asdict(job.plan.options),
    }


def prepare(sources: Sources, folder: Path) -> tuple:
    """Prepare a process: one thread, all images read once."""
    import torch

    torch.set_num_threads(1)
    return *sources.read(), sources.seed, folder


def run_job(prepared: tuple, job: Job) -> None:
    """Do one run. One that diverges is recorded as failed, with the reason; the others go on.

    Args:
        prepared: of `prepare`.

    Raises:
        SystemExit: the GPU's memory is full. This process ends, which frees what it held, and
            another tries again.
    """
    import torch

    from lib.classifiers.training import train

    real, pools, seed, folder = prepared

    # A cluster repeats what a worker had done before it died.
    if finished(folder, job):
        return

    # The images.
    real = in_fold(real, job.folds, job.fold, seed=seed)
    faces = arm_faces(job.arm, real, pools, seed, job.draw)
    held = {name: real.split(name) for name in EVALUATED}
    held = {name: part for name, part in held.items() if len(part)}
    record = identity(job) | {
        "classes": list(faces.classes),
        "images_by_source": faces.table["source"].value_counts().to_dict(),
    }

    # The training; it continues from a checkpoint in the run's folder.
    target, watch = folder / job.folder, "val" if "val" in held else ""
    try:
        result = train(faces, job.plan, evaluate=held, watch=watch, folder=target)
    except StudyError as error:
        write_json(target / RESULT, record | {"failed": str(error)})
        return
    except torch.OutOfMemoryError as error:
        raise SystemExit(f"{job.folder}: {error}") from None

    # The result, written last.
    _save(result, job, target, faces)
    accuracies = _accuracies(result.probabilities, held)
    write_json(target / RESULT, record | {"failed": ""} | accuracies | result.facts)


def _accuracies(probabilities: dict[str, np.ndarray], held: dict[str, FaceSet]) -> dict[str, float]:
    """Compute the accuracy on each evaluated set: accuracy_val, accuracy_test."""
    accuracies = {}
    for name, part in held.items():
        correct = probabilities[name].argmax(1) == part.labels
        accuracies[f"accuracy_{name}"] = float(correct.mean())
    return accuracies


def _save(result, job: Job, target: Path, faces: FaceSet) -> None:
    """Write a run's predictions, its learning curve and, where asked for, its weights."""
    target.mkdir(parents=True, exist_ok=True)

    # Predictions carry the names of their columns.
    with atomic_write(target / PREDICTIONS) as file:
        np.savez(file, classes=np.array(faces.classes), **result.probabilities)
    with atomic_write(target / HISTORY, "w") as file:
        result.history.to_csv(file, index=False)

    # Weights are large, and kept for the first seeds alone.
    if job.keep_weights:
        from lib.classifiers.models import save_model

        plan = job.plan
        facts = {"arm": job.arm.name, "seed": plan.seed, "recipe": plan.recipe.name}
        save_model(
            result.model,
            target / WEIGHTS,
            classifier=plan.classifier,
            image_px=faces.images.shape[1],
            classes=faces.classes,
            facts=facts | {"key": job.key},
        )


def load_runs(folder: Path, jobs: list[Job]) -> pd.DataFrame:
    """Read the finished runs among these jobs, in their order.

    Returns:
        One row a run: folder (its name), arm (its name), ARM_FIELDS, classifier, recipe, seed,
        length, key, fold (with folds), draw (with draws), the options (class_weights, sampling, early_stopping_patience,
        deterministic), failed ("" if not), accuracy_val, accuracy_test, steps, best_step, images,
        seconds, images_per_second.
    """
    done = [job for job in jobs if finished(folder, job)]
    rows = [{"folder": job.folder} | read_result(Path(folder) / job.folder) for job in done]
    return pd.DataFrame(rows).drop(columns=["images_by_source", "classes"], errors="ignore")


def read_result(folder: Path) -> dict:
    """Read a run's result as a row: arm (its name), ARM_FIELDS, and the run's other facts."""
    record = {"length": 1.0} | read_json(Path(folder) / RESULT)
    arm = arm_of(record.pop("arm"))
    fields = {name: getattr(arm, name) for name in ARM_FIELDS}
    return {"arm": arm.name, **fields, **record}


def load_predictions(folder: Path) -> dict[str, np.ndarray]:
    """Read a run's predictions: float32 (N, classes) by split."""
    with np.load(Path(folder) / PREDICTIONS, allow_pickle=False) as packed:
        return {name: packed[name] for name in packed.files if name != "classes"}


def load_classes(folder: Path) -> tuple[str, ...]:
    """Read the class list of a run's predictions, in the order of their columns."""
    with np.load(Path(folder) / PREDICTIONS, allow_pickle=False) as packed:
        return tuple(packed["classes"].tolist())


def load_history(folder: Path) -> pd.DataFrame:
    """Read a run's learning curve, see TrainingResult.history."""
    return pd.read_csv(Path(folder) / HISTORY)
