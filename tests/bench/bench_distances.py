"""Time and memory of all distances between two sets of features, beside torch-fidelity, prdc and
vendi-score. Not a test: run it by hand.

    python tests/bench/bench_distances.py --images 28821 --dimensions 256

Every line is a process of its own, so that its peak memory is its own. prdc holds matrices of all
pairs and is given fewer images.
"""

import argparse
import multiprocessing
import os
import resource
import time

import numpy as np

PRDC_IMAGES = 5000  # most images a side for prdc
WARM_UP = 200  # images of the call that is not timed


def features(images: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Make two sets, float32 (N, D), whose distributions overlap."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(images, dimensions)).astype(np.float32)
    noise = rng.normal(size=(images, dimensions))
    return real, (0.9 * real[::-1] + 0.3 * noise).astype(np.float32)


def ours(real: np.ndarray, synth: np.ndarray) -> dict:
    from lib.metrics.distances import all_distances

    return all_distances(real, synth)


def fidelity(real: np.ndarray, synth: np.ndarray) -> dict:
    import torch
    from torch_fidelity.metric_fid import fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    moments = []
    for x in (real.astype(np.float64), synth.astype(np.float64)):
        moments.append({"mu": x.mean(0), "sigma": np.cov(x, rowvar=False)})
    values = fid_statistics_to_metric(*moments, verbose=False)

    pair = torch.tensor(real), torch.tensor(synth)
    subsets = min(1000, len(real))
    values |= kid_features_to_metric(*pair, kid_subsets=50, kid_subset_size=subsets, verbose=False)
    return values | prc_features_to_metric(pair[1], pair[0], verbose=False)


def prdc(real: np.ndarray, synth: np.ndarray) -> dict:
    from prdc import compute_prdc

    return compute_prdc(real, synth, nearest_k=5)


def vendi(real: np.ndarray, synth: np.ndarray) -> dict:
    from vendi_score import vendi as published

    return {"vendi": published.score_dual(synth, normalize=True)}


CALLS = {"ours": ours, "torch-fidelity": fidelity, "prdc": prdc, "vendi-score": vendi}


def measure(name: str, images: int, dimensions: int, threads: int, results) -> None:
    """Time one of CALLS in this process.

    Puts wall time, processor time (seconds), how far memory rose above that of the features (MB),
    and the values into the queue `results`.
    """
    for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[key] = str(threads)
    pair = features(images, dimensions)
    call = CALLS[name]

    # Imports are not timed.
    call(*[each[:WARM_UP] for each in pair])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start, spent = time.perf_counter(), time.process_time()
    values = call(*pair)
    wall, spent = time.perf_counter() - start, time.process_time() - spent
    rose = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    rounded = {key: round(float(value), 4) for key, value in values.items()}
    results.put((wall, spent, rose, rounded))


def main() -> None:
    """Print one line a package: images a side, seconds, memory, values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=28821, help="of each set")
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default=",".join(CALLS), help="some of these four")
    options = parser.parse_args()

    spawn = multiprocessing.get_context("spawn")
    for name in options.only.split(","):
        images = min(options.images, PRDC_IMAGES) if name == "prdc" else options.images
        results = spawn.Queue()
        arguments = (name, images, options.dimensions, options.threads, results)
        child = spawn.Process(target=measure, args=arguments)
        child.start()
        wall, spent, rose, values = results.get()
        child.join()
        size = f"{images:,} + {images:,} x {options.dimensions}, {options.threads} thread(s)"
        times = f"{wall:.1f} s, {spent:.1f} s of processor, {rose:.0f} MB above the features"
        print(f"{name}: {size}: {times}; {values}", flush=True)


if __name__ == "__main__":
    main()
