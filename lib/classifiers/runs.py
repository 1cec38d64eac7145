"""Runs of a study: one arm, one classifier, one seed each.

A run's folder holds predictions.npz (float32 class probabilities of every evaluated image, and the
class list), history.csv, for the first seeds the weights, and result.json, written last: a folder
without it is unfinished. An unfinished run that took minutes continues from its checkpoint. A
finished run is never repeated while its key stays, and never served when its key has changed. The
key is what the run computes: its images and its plan (see lib.classifiers.recipes), and no hash of
code.
"""

import io
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from lib.classifiers.jobs import EVALUATED, Job
from lib.classifiers.training_sets import Sources
from lib.compute.cluster import run_on_cluster
from lib.compute.progress import Bar
from lib.compute.workers import run_in_pool
from lib.faces.arms import ARM_FIELDS, Arm, arm_of
from lib.faces.faceset import FaceSet
from lib.faces.folds import in_fold
from lib.study.errors import DamagedFile, StudyError, UnwritableFile
from lib.study.kept import are_whole, digests, read_sealed, set_aside, write_sealed
from lib.study.records import (
    atomic_write,
    copy_whole,
    parsing,
    remove_half_written,
    write_csv,
)

# Lines of progress over all runs together.
PROGRESS_LINES = 8

# Files of a run's folder.
RESULT, PREDICTIONS = "result.json", "predictions.npz"
HISTORY, WEIGHTS = "history.csv", "model.safetensors"
REMEDY = "run notebook 40 again"  # where one of them is damaged

# Fields that arms have got since a run was finished, which its result leaves out.
ADDED_FIELDS = asdict(Arm("base"))
# Reasons that say nothing about the run: those for which workers give it up, and a full disk.
DIED, FULL = ("its process died", "its workers died"), "no space left"

# What a worker of a cluster must have in the same version as the caller.
CODE = ("lib.classifiers.runs", "lib.classifiers.jobs")


def run_jobs(
    jobs: list[Job], sources: Sources, folder: Path, *, workers: int = 0, cluster: str = ""
) -> pd.DataFrame:
    """Do the runs that are not finished, in processes of one thread each.

    Args:
        jobs: from plan_jobs.
        sources: where the images are.
        folder: receives one folder a run.
        workers: processes at once, 0 for one a core, or two a GPU.
        cluster: address of a Dask scheduler, or "local": the runs go there instead, see
            lib.compute.cluster.

    Returns:
        The table of all runs, see load_runs.
    """
    # What is left to do, once where several arms ask for it.
    folder = Path(folder)
    unfinished = [job for job in jobs if not finished(folder, job)]
    same_as = _same_runs(jobs, unfinished)
    waiting = [job for job in unfinished if job.folder not in same_as]
    bar = Bar("training", len(waiting), "runs")
    if not bar.live:
        done_before = len(jobs) - len(unfinished)
        shared = f", {len(same_as)} the same as others" if same_as else ""
        print(f"{len(jobs)} runs: {done_before} finished before, {len(waiting)} to do{shared}")
    if not unfinished:
        return load_runs(folder, jobs)

    # Workers write the results; a person sees a bar, a batch run prints lines.
    began, given_up = time.time(), []
    with bar:
        for done, (job, reason) in enumerate(_work(waiting, sources, folder, workers, cluster), 1):
            if reason:
                given_up.append(job)
            bar.step()
            if not bar.live and is_progress_line(done, len(waiting)):
                spent = time.time() - began
                left = spent / done * (len(waiting) - done)
                print(f"{done} of {len(waiting)} runs in {spent:.0f} s, about {left:.0f} s to go")
    _repeat_alone(given_up, sources, folder, cluster)

    # What another arm's run computed.
    for job in unfinished:
        if job.folder in same_as:
            _take_over(folder, same_as[job.folder], job)
    return load_runs(folder, jobs)


def _same_runs(jobs: list[Job], unfinished: list[Job]) -> dict[str, Job]:
    """Find the unfinished runs that compute what another run does: equal images, equal plans.

    Copies of the real images, for example, are the same for two pools of equal class counts. Runs
    whose weights stay are done by themselves, for a weights file names its arm.

    Returns:
        The other run by the folder of each.
    """
    # A finished run comes before one that is to be done.
    left = {job.folder for job in unfinished}
    first = {}
    for job in [*(job for job in jobs if job.folder not in left), *unfinished]:
        if not job.keep_weights:
            first.setdefault(job.key, job)
    return {
        job.folder: first[job.key]
        for job in unfinished
        if not job.keep_weights and first[job.key].folder != job.folder
    }


def _take_over(folder: Path, done: Job, job: Job) -> None:
    """Write a run that another one computed already."""
    source, target = folder / done.folder, folder / job.folder
    if not finished(folder, done):
        return
    record = read_sealed(source / RESULT)

    # The same files, then the result with the fields of its own arm.
    for name in record.get("files", {}):
        copy_whole(source / name, target / name)
    write_sealed(target / RESULT, record | identity(job) | {"same_as": done.folder})


def _repeat_alone(jobs: list[Job], sources: Sources, folder: Path, cluster: str) -> None:
    """Do runs whose processes died, as for want of memory, once more, one at a time.

    Raises:
        StudyError: their processes die of them even so.
    """
    # Most often there are none.
    if not jobs:
        return
    print(f"{len(jobs)} runs whose processes died are done once more, one at a time")
    for job, reason in _work(jobs, sources, folder, 1, cluster):
        if reason:
            raise StudyError(
                f"the run {job.folder} cannot be done: {reason} All others are kept; close other "
                "programs or take a machine with more memory, and run again"
            )


def _work(
    jobs: list[Job], sources: Sources, folder: Path, workers: int, cluster: str
) -> Iterator[tuple]:
    """Do runs in processes here or on a cluster, and yield each with "" or why it was given up."""
    from lib.compute.devices import environments_on, processes_on

    if not jobs:
        return iter(())

    # All runs of a study are on one device.
    device = jobs[0].plan.device
    count = min(workers or processes_on(device), len(jobs))
    duties = (prepare, run_job, (sources, folder), count)
    environments = environments_on(device)
    if cluster:
        return run_on_cluster(jobs, *duties, cluster, environments, CODE, shared=folder)
    return run_in_pool(jobs, *duties, environments)


def is_progress_line(done: int, total: int) -> bool:
    """Tell whether a line of progress is due: PROGRESS_LINES of them, evenly over all runs."""
    return done * PROGRESS_LINES // total > (done - 1) * PROGRESS_LINES // total


def finished(folder: Path, job: Job) -> bool:
    """Tell whether a run is done, and all that it left is as it was written.

    Its result is written last. What is damaged is set aside, and the run is to be done again.
    """
    target = Path(folder) / job.folder
    if not (target / RESULT).exists():
        return False
    try:
        record = read_sealed(target / RESULT)
    except DamagedFile:
        record = {}
    if "arm" not in record:
        set_aside(target / RESULT)
        return False

    # An earlier version took runs for done whose processes had died, or whose disk was full.
    failed = record.get("failed", "")
    if failed:
        return not failed.startswith(DIED) and FULL not in failed
    return _is_whole(target, record)


def _is_whole(target: Path, record: dict) -> bool:
    """Tell whether a run's files are as they were written, and set aside what is not."""
    # A digest of each file, written with the result.
    if "files" in record:
        return are_whole(target, record["files"])

    # Results of an earlier version hold no digests: at least the files have to read.
    for name, read in ((PREDICTIONS, load_predictions), (HISTORY, load_history)):
        try:
            read(target)
        except DamagedFile:
            set_aside(target / name)
            return False
        except StudyError:
            return False
    return record["steps"] == load_history(target)["step"].iloc[-1]


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
    return *sources.read(), sources, folder


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

    real, pools, sources, folder = prepared

    # A cluster repeats what a worker had done before it died.
    if finished(folder, job):
        return

    # The images.
    real = in_fold(real, job.folds, job.fold, seed=sources.seed)
    faces = sources.arm_faces(job.arm, real, pools, job.draw)
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
    except (DamagedFile, UnwritableFile):
        raise
    except StudyError as error:
        write_sealed(target / RESULT, record | {"failed": str(error)})
        return
    except torch.OutOfMemoryError as error:
        raise SystemExit(f"{job.folder}: {error}") from None

    # The result, written last, with the digests of the other files.
    _save(result, job, target, faces)
    remove_half_written(target)
    record |= {"failed": "", "files": digests(target, (PREDICTIONS, HISTORY, WEIGHTS))}
    accuracies = _accuracies(result.probabilities, held)
    write_sealed(target / RESULT, record | accuracies | result.facts)


def _accuracies(probabilities: dict[str, np.ndarray], held: dict[str, FaceSet]) -> dict[str, float]:
    """Compute the accuracy on each evaluated set: accuracy_val, accuracy_test."""
    # Shares of the images whose most probable class is their label.
    accuracies = {}
    for name, part in held.items():
        correct = probabilities[name].argmax(1) == part.labels
        accuracies[f"accuracy_{name}"] = float(correct.mean())
    return accuracies


def _save(result, job: Job, target: Path, faces: FaceSet) -> None:
    """Write a run's predictions, its learning curve and, where asked for, its weights."""
    # Predictions carry the names of their columns.
    with atomic_write(target / PREDICTIONS) as file:
        np.savez(file, classes=np.array(faces.classes), **result.probabilities)
    write_csv(target / HISTORY, result.history)

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
        length, key, fold (with folds), draw (with draws), the options (class_weights, sampling,
        early_stopping_patience, deterministic), failed ("" if not), accuracy_val, accuracy_test,
        steps, best_step, images, seconds, images_per_second.
    """
    done = [job for job in jobs if finished(folder, job)]
    rows = [{"folder": job.folder} | read_result(Path(folder) / job.folder) for job in done]
    unlisted = ["images_by_source", "classes", "files"]
    return pd.DataFrame(rows).drop(columns=unlisted, errors="ignore")


def read_result(folder: Path) -> dict:
    """Read a run's result as a row: arm (its name), ARM_FIELDS, and the run's other facts."""
    record = {"length": 1.0} | read_sealed(Path(folder) / RESULT)
    with parsing(Path(folder) / RESULT, REMEDY):
        arm = arm_of(ADDED_FIELDS | record.pop("arm"))
    fields = {name: getattr(arm, name) for name in ARM_FIELDS}
    return {"arm": arm.name, **fields, **record}


def load_predictions(folder: Path) -> dict[str, np.ndarray]:
    """Read a run's predictions: float32 (N, classes) by split.

    Raises:
        DamagedFile: cut off, or changed since.
    """
    path = Path(folder) / PREDICTIONS
    with (
        parsing(path, REMEDY),
        np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as packed,
    ):
        return {name: packed[name] for name in packed.files if name != "classes"}


def load_history(folder: Path) -> pd.DataFrame:
    """Read a run's learning curve, see TrainingResult.history.

    Raises:
        DamagedFile: cut off, or no table.
    """
    path = Path(folder) / HISTORY
    with parsing(path, REMEDY):
        return pd.read_csv(path)
