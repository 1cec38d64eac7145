"""Time and memory of maps of many faces, UMAP and openTSNE. Not a test: run it by hand.

python tests/bench/bench_maps.py --points 40000 --threads 2

Features are of seven overlapping clouds in 128 dimensions. Every line is a process of its own, so that its peak memory is its own.
"""

import argparse
import multiprocessing
import os
import resource
import time


def measure(method: str, points: int, threads: int, answers) -> None:
    """Fit one map in this process: wall time, processor time, peak memory in all."""
    os.environ.update({key: str(threads) for key in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS")})
    import numpy as np

    from lib.embedding import map_features

    rng = np.random.default_rng(0)
    features = rng.normal(size=(points, 128)).astype(np.float32) + rng.normal(size=(7, 128)).astype(np.float32)[np.arange(points) % 7]
    start, spent = time.perf_counter(), time.process_time()
    map_features(features, method, threads=threads)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    answers.put((time.perf_counter() - start, time.process_time() - spent, peak))


def main() -> None:
    """Print one line a method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=40000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="umap,tsne")
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    for method in given.only.split(","):
        answers = spawn.Queue()
        child = spawn.Process(target=measure, args=(method, given.points, given.threads, answers))
        child.start()
        wall, spent, peak = answers.get()
        child.join()
        print(f"{method}: {given.points:,} points, {given.threads} thread(s): {wall:.0f} s, {spent:.0f} s of processor, {peak:.0f} MB",
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
