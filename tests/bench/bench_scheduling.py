"""What it costs to schedule many tiny runs.

1,000 runs of the small network over 4 workers: the share of the workers' time that is not spent
inside a run, and the driver's memory.

    python tests/bench/bench_scheduling.py
    python tests/bench/bench_scheduling.py --cluster local
"""

import argparse
import os
import resource
import statistics
import tempfile
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from lib.classifiers.jobs import plan_jobs
from lib.classifiers.recipes import TrainingOptions
from lib.classifiers.runs import prepare, run_job
from lib.classifiers.training_sets import Sources
from lib.compute.cluster import run_on_cluster
from lib.compute.workers import run_in_pool
from lib.faces.arms import Arm
from lib.faces.drawn import draw_faces
from lib.faces.faceset import save_faces
from lib.study.machine import environment_facts

MIB = 2**20  # bytes


def main() -> None:
    """Print the overhead of scheduling, and the driver's memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("runs", 1000), ("workers", 4), ("steps", 20)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument(
        "--cluster", default="", help="a Dask scheduler, or local; empty: plain processes"
    )
    args = parser.parse_args()
    facts = environment_facts()
    print(
        f"{args.runs} runs of {args.steps} steps, {args.workers} workers, "
        f"{args.cluster or 'plain processes'}; {facts['cpu']}, {facts['cores']} cores, "
        f"commit {facts['commit']}"
    )
    with tempfile.TemporaryDirectory() as folder:
        measure(args, Path(folder))


def measure(args, folder: Path) -> None:
    """Do the runs and print what they cost."""
    sources, jobs = planned(args, folder)
    duties = (prepare_timed, run_timed, (sources, folder), args.workers)
    ended = run_in_pool(jobs, *duties)
    if args.cluster:
        ended = run_on_cluster(jobs, *duties, args.cluster)

    # Do the runs, and watch this process's memory.
    began, processor_began = time.perf_counter(), time.process_time()
    first, memory = 0.0, []
    for _, reason in ended:
        assert not reason, reason
        first = first or time.perf_counter() - began
        memory.append(resident_mib())
    wall = time.perf_counter() - began
    processor = time.process_time() - processor_began

    # The workers' own notes.
    inside = [seconds for _, seconds in numbers(folder, "times")]
    reading = [seconds for (seconds,) in numbers(folder, "prepared")]
    assert len(inside) == args.runs
    of_worker = wall * args.workers
    print(
        f"wall {wall:.1f} s; a run {1000 * statistics.median(inside):.0f} ms (median), "
        f"{1000 * of_worker / args.runs:.0f} ms of a worker"
    )
    overhead = 1 - sum(inside) / of_worker
    print(f"overhead, start of the workers and all: {overhead:.1%} of the workers' time")
    print(
        f"overhead once they run: {1 - sum(inside) / sum(spans(folder)):.1%}; the first run ended "
        f"after {first:.1f} s, reading the faces {max(reading):.2f} s"
    )
    print(
        f"driver's own work: {1000 * processor / args.runs:.1f} ms of processor time a run, "
        "this measurement's included"
    )
    quarter = memory[len(memory) // 4]
    print(
        f"driver's memory: {quarter:.0f} MiB after a quarter of the runs, {memory[-1]:.0f} MiB "
        f"after all, peak {peak_mib():.0f} MiB"
    )


def planned(args, folder: Path) -> tuple[Sources, list]:
    """Draw faces and plan one run a seed."""
    faces = draw_faces(np.arange(200) % 7, np.arange(200))
    split = np.repeat(["train", "val", "test"], [100, 50, 50])
    save_faces(replace(faces, table=faces.table.assign(split=split)), folder / "data")
    sources = Sources(folder / "data", {}, True, 0)
    params = {
        "classifiers": ["small"],
        "recipes": ["quick"],
        "train_steps": args.steps,
        "train_epochs": 0,
        "train_lengths": [1.0],
        "train_passes": [],
        "draws": False,
        "seeds": args.runs,
        "more_seeds": 0,
        "more_seeds_arms": [],
        "keep_weights": 0,
        "device": "cpu",
        **asdict(TrainingOptions()),
    }
    return sources, plan_jobs([Arm("base")], sources, params)


def prepare_timed(sources: Sources, folder: Path) -> tuple:
    """Prepare a worker, and note how long it took, seconds."""
    began = time.perf_counter()
    prepared = prepare(sources, folder)
    note(folder, "prepared", f"{time.perf_counter() - began}")
    return prepared


def run_timed(prepared: tuple, job) -> None:
    """Do a run, and note when it began and how long it took, seconds."""
    began = time.time()
    run_job(prepared, job)
    note(prepared[-1], "times", f"{began} {time.time() - began}")


def note(folder: Path, what: str, line: str) -> None:
    """Append a line to this process's notes."""
    with open(folder / f"{what}-{os.getpid()}", "a") as file:
        file.write(f"{line}\n")


def numbers(folder: Path, what: str) -> list[list[float]]:
    """Read the notes of all processes, one list of numbers a line."""
    rows = []
    for file in folder.glob(f"{what}-*"):
        for line in file.read_text().splitlines():
            rows.append([float(word) for word in line.split()])
    return rows


def spans(folder: Path) -> list[float]:
    """Measure each worker's time from its first run's beginning to its last's end, seconds."""
    seconds = []
    for file in folder.glob("times-*"):
        rows = [[float(word) for word in line.split()] for line in file.read_text().splitlines()]
        seconds.append(sum(rows[-1]) - rows[0][0])
    return seconds


def resident_mib() -> float:
    """Measure this process's resident memory now, MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


def peak_mib() -> float:
    """Measure this process's largest resident memory so far, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
