"""Benchmark: what does it cost to schedule many tiny runs?

1,000 runs of the small network over 4 workers: the share of the workers' time that is not spent inside a run, and the driver's memory.

    python tests/bench/bench_scheduling.py
    python tests/bench/bench_scheduling.py --cluster local
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np

from lib.classifiers.cluster import on_cluster
from lib.classifiers.options import Options
from lib.classifiers.runs import Sources, plan_jobs, prepare, run_job
from lib.classifiers.workers import side_by_side
from lib.faces.arms import Arm
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet, save_faces
from lib.study.machine import environment_facts


def main() -> None:
    """Print the overhead of both ways of scheduling, and the driver's memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("runs", 1000), ("workers", 4), ("steps", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--cluster", default="", help="a Dask scheduler, or local; empty: plain processes")
    options = parser.parse_args()
    facts = environment_facts()
    print(f"{options.runs} runs of {options.steps} steps, {options.workers} workers, {options.cluster or 'plain processes'};"
          f" {facts['cpu']}, {facts['cores']} cores, commit {facts['commit']}")  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        measure(options, Path(folder))


def measure(options, folder: Path) -> None:
    """Do the runs and print what they cost."""
    sources, jobs = planned(options, folder)
    duties = prepare_timed, run_timed, (sources, folder), options.workers
    began, own, first, memory = time.perf_counter(), time.process_time(), 0.0, []
    ended = on_cluster(jobs, *duties, options.cluster) if options.cluster else side_by_side(jobs, *duties)
    for _, trouble in ended:
        assert not trouble, trouble
        first = first or time.perf_counter() - began
        memory.append(resident_mib())
    wall = time.perf_counter() - began
    inside = [float(line.split()[1]) for file in folder.glob("times-*") for line in file.read_text().splitlines()]
    starting = [float(line) for file in folder.glob("prepared-*") for line in file.read_text().splitlines()]
    assert len(inside) == options.runs
    print(
        f"wall {wall:.1f} s; a run {statistics.median(inside) * 1000:.0f} ms (median), {1000 * wall * options.workers / options.runs:.0f} "
        f"ms of a worker"
    )
    print(f"overhead, start of the workers and all: {1 - sum(inside) / (wall * options.workers):.1%} of the workers' time")
    print(
        f"overhead once they run: {1 - sum(inside) / sum(spans(folder)):.1%}; the first run ended after {first:.1f} s, reading the faces "
        f"{max(starting):.2f} s"
    )
    print(
        f"driver's own work: {(time.process_time() - own) / options.runs * 1000:.1f} ms of processor time a run, this measurement's "
        f"included"
    )
    quarter = len(memory) // 4
    print(
        f"driver's memory: {memory[quarter]:.0f} MiB after a quarter of the runs, {memory[-1]:.0f} MiB after all, peak {peak_mib():.0f} MiB"
    )


def planned(options, folder: Path) -> tuple[Sources, list]:
    """Draw faces and plan one run a seed."""
    labels = np.arange(200) % 7
    faces = draw_faces(labels, np.arange(200))
    save_faces(FaceSet(faces.images, faces.table.assign(split=["train"] * 100 + ["val"] * 50 + ["test"] * 50)), folder / "data")
    sources = Sources(folder / "data", {}, True, 0)
    params = {"classifiers": ["small"], "recipes": ["quick"], "train_steps": options.steps, "train_epochs": 0, "seeds": options.runs}
    return sources, plan_jobs([Arm("base", "base")], sources, params | asdict(Options()) | {"keep_weights": 0, "device": "cpu"})


def prepare_timed(sources: Sources, folder: Path) -> tuple:
    """Prepare a worker, and note how long it took."""
    began = time.perf_counter()
    prepared = prepare(sources, folder)
    with open(folder / f"prepared-{own_name()}", "a") as file:
        file.write(f"{time.perf_counter() - began}\n")
    return prepared


def run_timed(prepared: tuple, job) -> None:
    """Do a run, and note when it began and how long it took."""
    began = time.time()
    run_job(prepared, job)
    with open(prepared[-1] / f"times-{own_name()}", "a") as file:
        file.write(f"{began} {time.time() - began}\n")


def spans(folder: Path) -> list[float]:
    """Measure for each worker the time from the beginning of its first run to the end of its last, seconds."""
    found = []
    for file in folder.glob("times-*"):
        rows = [[float(word) for word in line.split()] for line in file.read_text().splitlines()]
        found.append(sum(rows[-1]) - rows[0][0])
    return found


def own_name() -> str:
    """Name this process."""
    return str(os.getpid())


def resident_mib() -> float:
    """Measure this process's resident memory now, MiB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 2**20


def peak_mib() -> float:
    """Measure this process's largest resident memory so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
