"""Time and memory of maps of many faces, UMAP and openTSNE. Not a test: run it by hand.

    python tests/bench/bench_maps.py --points 40000 --threads 2

Features are of seven overlapping clouds in 128 dimensions. Every line is a process of its own, so
that its peak memory is its own.
"""

import argparse
import multiprocessing
import os
import resource
import time

CLOUDS, DIMENSIONS = 7, 128


def measure(method: str, points: int, threads: int, results) -> None:
    """Fit one map in this process.

    Puts wall time, processor time (seconds) and peak memory (MB) into the queue `results`.
    """
    for key in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
        os.environ[key] = str(threads)
    import numpy as np

    from lib.embedding import MapSettings, map_features

    rng = np.random.default_rng(0)
    features = rng.normal(size=(points, DIMENSIONS)).astype(np.float32)
    centres = rng.normal(size=(CLOUDS, DIMENSIONS)).astype(np.float32)
    features += centres[np.arange(points) % CLOUDS]

    start, spent = time.perf_counter(), time.process_time()
    map_features(features, method, MapSettings(threads=threads))
    wall, spent = time.perf_counter() - start, time.process_time() - spent
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    results.put((wall, spent, peak))


def main() -> None:
    """Print one line a method."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=40000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="umap,tsne")
    options = parser.parse_args()

    spawn = multiprocessing.get_context("spawn")
    for method in options.only.split(","):
        results = spawn.Queue()
        arguments = (method, options.points, options.threads, results)
        child = spawn.Process(target=measure, args=arguments)
        child.start()
        wall, spent, peak = results.get()
        child.join()
        size = f"{options.points:,} points, {options.threads} thread(s)"
        print(
            f"{method}: {size}: {wall:.0f} s, {spent:.0f} s of processor, {peak:.0f} MB",
            flush=True,
        )


if __name__ == "__main__":
    main()
