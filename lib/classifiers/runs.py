"""Runs: one classifier, one arm, one seed each. Finished runs are never run twice, stale ones never served.

A run's folder holds predictions.npz (float32 class probabilities of every evaluated image), history.csv, for the first seeds the weights,
and result.json, written last: a folder without it is unfinished. An unfinished run that took minutes goes on from its checkpoint.
"""

import itertools
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.classifiers.cluster import on_cluster
from lib.classifiers.models import training_code
from lib.classifiers.options import Options, options_of
from lib.classifiers.recipes import recipes_of
from lib.classifiers.workers import side_by_side
from lib.faces.arms import UNCURATED, Arm, asked_for, filtered_pool, filters_of
from lib.faces.faceset import FaceSet, load_faces
from lib.faces.folds import in_fold, require_independent, without_copies
from lib.faces.mixing import build_arm
from lib.faces.pool import judged_alone, load_pool
from lib.study.errors import StudyError
from lib.study.records import atomic_write, content_hash, read_json, write_json

EVALUATED = ("val", "test")
PROGRESS_LINES = 8


@dataclass(frozen=True)
class Job:
    """One run to do."""

    arm: Arm
    classifier: str
    recipe: str
    seed: int
    steps: int
    epochs: int
    keep_weights: bool
    device: str = "cpu"
    key: str = ""
    options: Options = Options()
    folds: int = 0  # that share out the real faces; 0: their own train and test
    fold: int = 0  # the one that this run does not see and is asked about, 1 to folds

    @property
    def folder(self) -> str:
        fold = f"-fold{self.fold}" if self.fold else ""
        return f"{self.arm.name}-{self.classifier}-{self.recipe}-seed{self.seed}{fold}-{self.key[:8]}"


@dataclass(frozen=True)
class Sources:
    """Where the images of all arms lie: a worker reads them once."""

    data: Path  # packed real faces
    pools: dict  # folder by pool name
    curated: bool  # True: only what curation kept
    seed: int  # of subsets, duplicates and shuffles
    filter_arms: tuple = ()  # curation steps whose verdict alone filters the pools of some arms
    folds: int = 0  # that share out the real faces, see lib.faces.folds; 0: their own train and test
    near_copy_distance: float = 6.0  # with folds: pools are rid of copies of real faces

    def read(self) -> tuple[FaceSet, dict]:
        """Read the real faces and the pools, resized to the real faces' size; pools filtered by one step under names of their own."""
        real = load_faces(self.data)
        pools = {name: load_pool(folder, curated=self.curated) for name, folder in self.pools.items()}
        for name, folder in self.pools.items() if self.filter_arms else ():
            judged = judged_alone(folder)
            for step in filters_of([step for step in self.filter_arms if step in judged]):
                pools[filtered_pool(name, step)] = load_pool(folder, steps=() if step == UNCURATED else (step,))
        if self.folds:
            for name, folder in self.pools.items():
                require_independent(name, folder, pools[name])
            pools = {name: without_copies(pool, real, self.near_copy_distance) for name, pool in pools.items()}
        return real, {name: pool.resized(real.images.shape[1]) for name, pool in pools.items()}

    def parts(self, real: FaceSet) -> dict[int, FaceSet]:
        """The real faces as each fold splits them, by its number; as they are under 0 without folds."""
        return {number: in_fold(real, self.folds, number, seed=self.seed) for number in range(1, self.folds + 1) or (0,)}


def arm_faces(arm: Arm, real: FaceSet, pools: dict, seed: int) -> FaceSet:
    """Build an arm's training set from the study's faces."""
    extra = real.split("extra")
    return build_arm(arm, real.split("train"), pools, seed=seed, extra=extra)


def length_of(arm: Arm, params: dict) -> tuple[int, int]:
    """Return steps and epochs of an arm's training: those of the study, but for `fewer` the steps that a supplement of its share has for
    its real images.
    """
    steps = params["train_steps"]
    return max(1, round((1 - arm.share) * steps)) if arm.kind == "fewer" else steps, params["train_epochs"]


def plan_jobs(arms: list[Arm], sources: Sources, params: dict) -> list[Job]:
    """List every run of a study with its key: seeds outside, then folds, arms inside, so that a half-done study has whole seeds.

    Args:
        params: classifiers, recipes, train_steps, train_epochs, seeds, more_seeds, more_seeds_arms, keep_weights, device, and the options
            (lib.classifiers.options).
    """
    from lib.generators.hardware import resolve_device

    real, pools = sources.read()
    parts = sources.parts(real)
    held = {fold: [part.split(name).digest() for name in EVALUATED] for fold, part in parts.items()}
    digests = {(fold, arm): arm_faces(arm, part, pools, sources.seed).digest() for fold, part in parts.items() for arm in arms}
    recipes, device = recipes_of(params["classifiers"], params["recipes"]), resolve_device(params["device"])
    options, code = options_of(params), {name: training_code(name) for name in recipes}
    jobs = []
    again = asked_for(arms, params["more_seeds_arms"], "more_seeds_arms")
    for seed in range(params["seeds"] + params["more_seeds"]):
        for classifier, fold, arm in itertools.product(recipes, parts, arms if seed < params["seeds"] else again):
            recipe, data, length = recipes[classifier], [digests[fold, arm], held[fold]], length_of(arm, params)
            key = content_hash([*data, classifier, asdict(recipe), seed, length, device, code[classifier], asdict(options)])
            keep = seed < params["keep_weights"] and fold < 2
            jobs.append(Job(arm, classifier, recipe.name, seed, *length, keep, device, key, options, sources.folds, fold))
    return jobs


def run_jobs(jobs: list[Job], sources: Sources, folder: Path, *, workers: int = 0, cluster: str = "", progress=print) -> pd.DataFrame:
    """Run what is unfinished, in processes of one thread each; return the table of all runs.

    Args:
        jobs: from plan_jobs.
        sources: where the images lie.
        folder: receives one folder a run.
        workers: processes side by side, 0 for one a core, or two a GPU.
        cluster: address of a Dask scheduler, or "local": the runs go there instead, see lib.classifiers.cluster.
        progress: called with a line of text now and then.
    """
    from lib.generators.hardware import environments_on, processes_on

    folder, began, done = Path(folder), time.time(), 0
    waiting = [job for job in jobs if not finished(folder, job)]
    progress(f"{len(jobs)} runs: {len(jobs) - len(waiting)} finished before, {len(waiting)} to do")
    device = waiting[0].device if waiting else "cpu"
    duties = prepare, run_job, (sources, folder), min(workers or processes_on(device), max(1, len(waiting)))
    own = environments_on(device)
    for job, trouble in on_cluster(waiting, *duties, cluster, own) if cluster and waiting else side_by_side(waiting, *duties, own):
        if trouble:
            write_json(folder / job.folder / "result.json", identity(job) | {"failed": trouble})
        done += 1
        if done * PROGRESS_LINES // len(waiting) > (done - 1) * PROGRESS_LINES // len(waiting):
            spent = time.time() - began
            progress(f"{done} of {len(waiting)} runs in {spent:.0f} s, about {spent / done * (len(waiting) - done):.0f} s to go")
    return load_runs(folder, jobs)


def finished(folder: Path, job: Job) -> bool:
    """Tell whether a run is done: result.json is written last."""
    return (Path(folder) / job.folder / "result.json").exists()


def identity(job: Job) -> dict:
    """Say which run a result is of."""
    fold = {"fold": job.fold} if job.fold else {}
    return {"arm": asdict(job.arm), "classifier": job.classifier, "recipe": job.recipe, "seed": job.seed, "key": job.key} | fold


def prepare(sources: Sources, folder: Path) -> tuple:
    """Prepare a process: one thread, all images read once."""
    import torch

    torch.set_num_threads(1)
    return *sources.read(), sources.seed, folder


def run_job(prepared: tuple, job: Job) -> None:
    """Do one run. One that diverges is recorded as failed, with the reason; the others go on.

    Raises:
        SystemExit: the GPU's memory is full: this process ends, which gives back what it held, and another tries again.
    """
    import torch

    from lib.classifiers.training import train

    real, pools, seed, folder = prepared
    if finished(folder, job):  # a cluster asks again for what a worker had done before it died
        return
    real = in_fold(real, job.folds, job.fold, seed=seed)
    target, faces = folder / job.folder, arm_faces(job.arm, real, pools, seed)
    held = {name: real.split(name) for name in EVALUATED}
    held = {name: evaluated for name, evaluated in held.items() if len(evaluated)}
    settings = {
        "classifier": job.classifier,
        "recipe": job.recipe,
        "seed": job.seed,
        "steps": job.steps,
        "epochs": job.epochs,
        "options": job.options,
    }
    record = identity(job) | asdict(job.options) | {"images_by_source": faces.table["source"].value_counts().to_dict()}
    watch = "val" if "val" in held else ""
    try:
        result = train(faces, **settings, device=job.device, evaluate=held, watch=watch, folder=target)
    except StudyError as error:
        write_json(target / "result.json", record | {"failed": str(error)})
        return
    except torch.OutOfMemoryError as error:
        raise SystemExit(f"{job.folder}: {error}") from None
    _save(result, job, target, real.images.shape[1])
    accuracy = {f"accuracy_{n}": float((result.probabilities[n].argmax(1) == s.labels).mean()) for n, s in held.items()}
    write_json(target / "result.json", record | {"failed": ""} | accuracy | result.facts)


def _save(result, job: Job, target: Path, image_px: int) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with atomic_write(target / "predictions.npz") as file:
        np.savez(file, **result.probabilities)
    with atomic_write(target / "history.csv", "w") as file:
        result.history.to_csv(file, index=False)
    if job.keep_weights:
        from lib.classifiers.weights import save_model

        facts = {"arm": job.arm.name, "seed": job.seed, "recipe": job.recipe, "key": job.key}
        save_model(result.model, target / "model.safetensors", classifier=job.classifier, image_px=image_px, facts=facts)


def load_runs(folder: Path, jobs: list[Job]) -> pd.DataFrame:
    """Read the finished runs among these jobs, in their order.

    Returns:
        One row a run: folder, arm, kind, pool, share, control_of, weight, only, classifier, recipe, seed, key, fold (with folds),
        the options (class_weights, sampling, early_stopping_patience, deterministic), failed ("" if not), accuracy_val, accuracy_test,
        steps, best_step, images, seconds, images_per_second.
    """
    rows = []
    for job in jobs:
        if (path := Path(folder) / job.folder / "result.json").exists():
            record = read_json(path)
            arm = record.pop("arm")
            rows.append({"folder": job.folder, "arm": arm.pop("name"), **arm, **record})
    return pd.DataFrame(rows).drop(columns="images_by_source", errors="ignore")


def load_predictions(folder: Path) -> dict[str, np.ndarray]:
    """Read a run's predictions: float32 (N, 7) by split."""
    with np.load(Path(folder) / "predictions.npz", allow_pickle=False) as packed:
        return {name: packed[name] for name in packed.files}


def load_history(folder: Path) -> pd.DataFrame:
    """Read a run's learning curve."""
    return pd.read_csv(Path(folder) / "history.csv")
