"""Time and memory of all distances between two sets of features, beside torch-fidelity, prdc and vendi-score. Not a test: run it by hand.

python tests/bench/bench_distances.py --images 28821 --dimensions 256

Every line is a process of its own, so that its peak memory is its own. prdc holds matrices of all pairs and is asked for fewer images.
"""

import argparse
import multiprocessing
import os
import resource
import time

import numpy as np

PEER_IMAGES = 5000


def features(images: int, dimensions: int) -> tuple[np.ndarray, np.ndarray]:
    """Two sets, float32 (N, D), whose distributions overlap."""
    rng = np.random.default_rng(0)
    real = rng.normal(size=(images, dimensions)).astype(np.float32)
    return real, (0.9 * real[::-1] + 0.3 * rng.normal(size=(images, dimensions))).astype(np.float32)


def ours(real, synth) -> dict:
    from lib.metrics.distances import all_distances

    return all_distances(real, synth)


def fidelity(real, synth) -> dict:
    import torch
    from torch_fidelity.metric_fid import fid_statistics_to_metric
    from torch_fidelity.metric_kid import kid_features_to_metric
    from torch_fidelity.metric_prc import prc_features_to_metric

    moments = [{"mu": x.mean(0), "sigma": np.cov(x, rowvar=False)} for x in (real.astype(np.float64), synth.astype(np.float64))]
    pair = torch.tensor(real), torch.tensor(synth)
    found = fid_statistics_to_metric(*moments, verbose=False)
    found |= kid_features_to_metric(*pair, kid_subsets=50, kid_subset_size=1000, verbose=False)
    return found | prc_features_to_metric(pair[1], pair[0], verbose=False)


def prdc(real, synth) -> dict:
    from prdc import compute_prdc

    return compute_prdc(real, synth, nearest_k=5)


def vendi(real, synth) -> dict:
    from vendi_score import vendi as published

    return {"vendi": published.score_dual(synth, normalize=True)}


def measure(name: str, images: int, dimensions: int, threads: int, answers) -> None:
    """Run one of them in this process and tell wall time, processor time, and how far memory rose above that of the features."""
    os.environ.update({key: str(threads) for key in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")})
    pair = features(images, dimensions)
    call = {"ours": ours, "torch-fidelity": fidelity, "prdc": prdc, "vendi-score": vendi}[name]
    small = [own[:200] for own in pair]
    call(*small) if name != "torch-fidelity" else None  # imports are not timed
    before, start, spent = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter(), time.process_time()
    found = call(*pair)
    rose = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    answers.put(
        (time.perf_counter() - start, time.process_time() - spent, rose, {key: round(float(value), 4) for key, value in found.items()})
    )


def main() -> None:
    """Print one line a package: images a side, seconds, memory, values."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=28821, help="of each set")
    parser.add_argument("--dimensions", type=int, default=256)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", default="ours,torch-fidelity,prdc,vendi-score", help="some of these four")
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    for name in given.only.split(","):
        images = min(given.images, PEER_IMAGES) if name == "prdc" else given.images
        answers = spawn.Queue()
        child = spawn.Process(target=measure, args=(name, images, given.dimensions, given.threads, answers))
        child.start()
        wall, spent, rose, found = answers.get()
        child.join()
        size = f"{images:,} + {images:,} x {given.dimensions}, {given.threads} thread(s)"
        print(f"{name}: {size}: {wall:.1f} s, {spent:.1f} s of processor, {rose:.0f} MB above the features; {found}", flush=True)


if __name__ == "__main__":
    main()
