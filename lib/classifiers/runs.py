"""Runs: one classifier, one arm, one seed each. Finished runs are never run twice, stale ones never served.

A run's folder holds predictions.npz (float32 class probabilities of every evaluated image), history.csv, for the first seeds the weights,
and result.json, written last: a folder without it is unfinished and is run again.
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.faceset import FaceSet, load_faces
from lib.faces.mixing import Arm, build_arm
from lib.faces.pool import load_pool
from lib.study.errors import StudyError
from lib.study.fingerprints import code_digest
from lib.study.records import atomic_write, content_hash, read_json, write_json

EVALUATED = ("val", "test")
ATTEMPTS = 3  # times a dead worker is replaced before a run is given up


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
    key: str = ""

    @property
    def folder(self) -> str:
        return f"{self.arm.name}-{self.classifier}-{self.recipe}-seed{self.seed}-{self.key[:8]}"


@dataclass(frozen=True)
class Sources:
    """Where the images of all arms lie: a worker reads them once."""

    data: Path  # packed real faces
    pools: dict  # folder by pool name
    curated: bool  # True: only what curation kept
    seed: int  # of subsets, duplicates and shuffles

    def read(self) -> tuple[FaceSet, dict]:
        """Read the real faces and the pools, resized to the real faces' size."""
        real = load_faces(self.data)
        return real, {name: _usable(load_pool(folder), self.curated).resized(real.images.shape[1]) for name, folder in self.pools.items()}


def _usable(pool: FaceSet, curated: bool) -> FaceSet:
    """Drop what curation rejected and take its labels, if asked to."""
    if not curated or "keep" not in pool.table:
        return pool
    kept = pool.select(pool.table["keep"].to_numpy(bool))
    if "curated_class" not in kept.table:
        return kept
    new = kept.table["curated_class"].fillna("")
    return FaceSet(kept.images, kept.table.assign(**{"class": new.where(new != "", kept.table["class"])}))


def arm_faces(arm: Arm, real: FaceSet, pools: dict, seed: int) -> FaceSet:
    """Build an arm's training set from the study's faces."""
    extra = real.split("extra")
    return build_arm(arm, real.split("train"), pools, seed=seed, extra=extra)


def plan_jobs(arms: list[Arm], sources: Sources, params: dict) -> list[Job]:
    """List every run of a study with its key, arms before seeds, so that a half-done study has whole seeds.

    Args:
        params: classifiers, recipes, train_steps, train_epochs, seeds, keep_weights.
    """
    real, pools = sources.read()
    held = [content_hash(real.split(name).digest()) for name in EVALUATED]
    digests = {arm: arm_faces(arm, real, pools, sources.seed).digest() for arm in arms}
    code = code_digest("lib.classifiers.training")
    length = (params["train_steps"], params["train_epochs"])
    jobs = []
    for seed in range(params["seeds"]):
        for classifier, recipe in zip(params["classifiers"], params["recipes"], strict=True):
            for arm in arms:
                key = content_hash([digests[arm], held, classifier, recipe, seed, length, code])
                jobs.append(Job(arm, classifier, recipe, seed, *length, seed < params["keep_weights"], key))
    return jobs


def run_jobs(jobs: list[Job], sources: Sources, folder: Path, *, workers: int = 0, progress=print) -> pd.DataFrame:
    """Run what is unfinished, in processes of one thread each; return the table of all runs.

    One thread a process: four such processes train more images a second than one with four threads, and sixteen threads on four
    cores train a ninth of that. A process that dies is replaced; its run starts again.

    Args:
        jobs: from plan_jobs.
        sources: where the images lie.
        folder: receives one folder a run.
        workers: processes side by side, 0 for one a core.
        progress: called with a line of text now and then.
    """
    folder = Path(folder)
    waiting = [job for job in jobs if not (folder / job.folder / "result.json").exists()]
    progress(f"{len(jobs)} runs: {len(jobs) - len(waiting)} finished before, {len(waiting)} to do")
    began, done, attempt = time.time(), 0, 0
    while waiting and attempt < ATTEMPTS:
        attempt += 1
        try:
            for _ in _parallel(waiting, sources, folder, workers or os.cpu_count()):
                done += 1
                if done % max(1, len(jobs) // 8) == 0:
                    progress(f"{done} runs done in {time.time() - began:.0f} s")
        except BrokenProcessPool:
            progress("a training process died; its run starts again")
        waiting = [job for job in waiting if not (folder / job.folder / "result.json").exists()]
    if waiting:
        raise StudyError(f"{len(waiting)} runs could not be finished, the first is {waiting[0].folder}; is there enough memory?")
    return load_runs(folder, jobs)


def _parallel(jobs: list[Job], sources: Sources, folder: Path, workers: int):
    """Yield the jobs as they finish."""
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    before = {name: os.environ.get(name) for name in threads}
    os.environ.update(threads)  # read by the children when they load their libraries
    try:
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(min(workers, len(jobs)), mp_context=context, initializer=_start, initargs=(sources,)) as pool:
            for future in as_completed([pool.submit(_run, job, str(folder)) for job in jobs]):
                yield future.result()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _start(sources: Sources) -> None:
    """Prepare a worker: one thread, images read once."""
    import torch

    global _FACES, _SEED
    torch.set_num_threads(1)
    _FACES, _SEED = sources.read(), sources.seed


def _run(job: Job, folder: str) -> str:
    """Do one run in a worker. A run that diverges is recorded as failed, with the reason; the others go on."""
    from lib.classifiers.recipes import recipe_of
    from lib.classifiers.training import train

    (real, pools), target = _FACES, Path(folder) / job.folder
    faces = arm_faces(job.arm, real, pools, _SEED)
    held = {name: real.split(name) for name in EVALUATED}
    held = {name: faces_of for name, faces_of in held.items() if len(faces_of)}
    settings = {"classifier": job.classifier, "recipe": recipe_of(job.recipe), "seed": job.seed, "steps": job.steps, "epochs": job.epochs}
    record = {"arm": asdict(job.arm), "classifier": job.classifier, "recipe": job.recipe, "seed": job.seed, "key": job.key}
    record["images_by_source"] = faces.table["source"].value_counts().to_dict()
    try:
        result = train(faces, **settings, evaluate=held, watch="val" if "val" in held else "test")
    except StudyError as error:
        write_json(target / "result.json", record | {"failed": str(error)})
        return job.folder
    _save(result, job, target, real.images.shape[1])
    accuracy = {f"accuracy_{n}": float((result.probabilities[n].argmax(1) == s.labels).mean()) for n, s in held.items()}
    write_json(target / "result.json", record | {"failed": ""} | accuracy | result.facts)
    return job.folder


def _save(result, job: Job, target: Path, image_px: int) -> None:
    target.mkdir(parents=True, exist_ok=True)
    with atomic_write(target / "predictions.npz") as file:
        np.savez(file, **result.probabilities)
    with atomic_write(target / "history.csv", "w") as file:
        result.history.to_csv(file, index=False)
    if job.keep_weights:
        from lib.classifiers.weights import save_model

        save_model(result.model, target / "model", classifier=job.classifier, image_px=image_px, arm=job.arm.name, seed=job.seed)


def load_runs(folder: Path, jobs: list[Job]) -> pd.DataFrame:
    """Read the finished runs among these jobs, in their order.

    Returns:
        One row a run: folder, arm, kind, pool, share, control_of, classifier, recipe, seed, key, failed ("" if not), accuracy_val,
        accuracy_test, steps, images, seconds, images_per_second.
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
