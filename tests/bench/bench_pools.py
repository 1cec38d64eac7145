"""What each generator's images are worth: distance to real faces, whether labels hold, and what a network learns from them alone.

    python tests/bench/bench_pools.py --study runs/comp7055-cpu runs/comp7055-cpu/pools/* runs/internship-cpu/pools/dcgan
    python tests/bench/bench_pools.py --study runs/comp7055-cpu --networks small --images 28000 --epochs 5 runs/comp7055-cpu/pools/*
    python tests/bench/bench_pools.py --study runs/comp7055-cpu --networks s1 --images 28709 --steps 450 runs/comp7055-cpu/pools/*

Each pool gives its first --images in order of generation; as many real training images stand beside them. S1's network is trained by S1's
recipe, the small one by `fast`, for --epochs passes or --steps, and both are scored on the real validation split (PublicTest). S1's network
has no norms and names the commonest class for its first few hundred steps.
What has been measured lies in --results, a JSON a line, and is not measured again.
"""

import argparse
import itertools
import json
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402
import torch  # noqa: E402

from lib.classifiers.instrument import load_instrument  # noqa: E402
from lib.classifiers.recipes import recipe_of  # noqa: E402
from lib.classifiers.training import train  # noqa: E402
from lib.curation.intervals import wilson  # noqa: E402
from lib.faces.faceset import FaceSet, load_faces  # noqa: E402
from lib.metrics.distances import frechet  # noqa: E402
from lib.metrics.pools import SPLITS, draw_like, measure, real_halves  # noqa: E402
from lib.study.machine import environment_facts  # noqa: E402

RECIPE = {"s1": "schuermann", "small": "fast"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pools", nargs="*", type=Path, help="folders of pools")
    parser.add_argument("--study", type=Path, required=True, help="folder with data/ and instrument/ of the real faces")
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--networks", nargs="*", default=["small", "s1"], choices=list(RECIPE))
    parser.add_argument("--steps", type=int, default=0, help="in place of --epochs, the same for pools of all sizes")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--workers", type=int, default=1, help="trainings at once, each with --threads threads")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "runs" / "bench_pools.jsonl")
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    faces = load_faces(asked.study / "data")
    real, held = faces.split("train"), faces.split("val")
    known, instrument = read(asked.results), load_instrument(asked.study / "instrument")
    pools = {"real": None} | {folder.name: folder for folder in asked.pools if (folder / "faces.parquet").exists()}
    for name, folder in pools.items():
        if not any(row["pool"] == name and row["what"] == "distance" for row in known):
            known += keep(asked.results, distances(instrument, held, name, load_faces(folder) if folder else real))
    jobs = [  # every pool with one network before the next, so that a run cut short compares like with like
        {
            "pool": name,
            "what": network,
            "images": asked.images,
            "epochs": 0 if asked.steps else asked.epochs,
            "steps": asked.steps,
            "seed": seed,
        }
        for network, seed, name in itertools.product(asked.networks, range(asked.seeds), pools)
    ]
    jobs = [job for job in jobs if not any(job.items() <= row.items() for row in known)]
    with ProcessPoolExecutor(asked.workers, get_context("spawn"), torch.set_num_threads, (asked.threads,)) as workers:
        for done in as_completed([workers.submit(alone, pools[job["pool"]], asked.study / "data", job) for job in jobs]):
            known += keep(asked.results, [done.result()])
    facts = environment_facts()
    where = f"{facts['cpu']}, {asked.threads} thread(s), torch {torch.__version__}"
    print(f"{where}; {len(real):,} real training images, {len(held):,} held out")
    print(overview(known).to_string(index=False))


def distances(instrument, held: FaceSet, name: str, pool: FaceSet) -> list[dict]:
    """Measure Fréchet distances in the classifier's features against half of the held-out real images, and how often labels hold.

    Returns:
        Rows distance (value, low, high, n; for "real" the other half stands for the pool, and the interval is that of one more pair) and
        labels (share of images in which the classifier sees the stated class).
    """
    features = instrument.features(held.images)
    reference, other = real_halves(len(features), len(features), 0)
    if name == "real":
        pairs = [real_halves(len(features), len(features), seed) for seed in range(SPLITS)]
        values = np.array([frechet(features[a], features[b]) for a, b in pairs])
        reach = 2.26 * values.std(ddof=1) * np.sqrt(1 + 1 / SPLITS)  # t with 9 degrees of freedom
        row = {"value": values.mean(), "low": values.mean() - reach, "high": values.mean() + reach, "n": len(reference)}
        pool = held
    else:
        chosen = pool.select(draw_like(pool.labels, held.labels, len(reference), 0))
        row = measure(features[reference], instrument.features(chosen.images), seed=0, by=only_frechet).iloc[0]
        row = {key: float(row[key]) for key in ("value", "low", "high")} | {"n": int(row["n"])}
    first = pool.select(np.arange(min(len(pool), 4000)))
    hits = int((instrument.probabilities(first.images).argmax(1) == first.labels).sum())
    share, low, high = wilson(hits, len(first))
    labels = {"value": share, "low": low, "high": high, "n": len(first)}
    return [{"pool": name, "what": "distance", **row}, {"pool": name, "what": "labels", **labels}]


def only_frechet(real: np.ndarray, synth: np.ndarray, *, seed: int) -> dict[str, float]:
    return {"fd": frechet(real, synth)}


def shuffled(real: FaceSet) -> FaceSet:
    """Bring real images into random order, as the files lie by class in some sources."""
    return real.select(np.random.default_rng(0).permutation(len(real)))


def alone(folder: Path | None, data: Path, job: dict) -> dict:
    """Train a network on the first images of a pool (of the real ones without one) alone and score it on the held-out real ones.

    Returns:
        The job with value (accuracy), low, high (95 % Wilson interval), n, trained_on, seconds.
    """
    faces = load_faces(data)
    source, held = load_faces(folder) if folder else shuffled(faces.split("train")), faces.split("val")
    part = source.select(np.arange(min(len(source), job["images"])))
    part = FaceSet(part.images, part.table[["id", "class", "split", "source"]]).resized(held.images.shape[1])
    recipe = replace(recipe_of(RECIPE[job["what"]]), curve_points=20)
    began = time.perf_counter()
    length = {"steps": job["steps"], "epochs": job["epochs"]}
    result = train(part, classifier=job["what"], recipe=recipe, seed=job["seed"], **length, evaluate={"val": held})
    hits = int((result.probabilities["val"].argmax(1) == held.labels).sum())
    value, low, high = wilson(hits, len(held))
    end = {"fitted": float(result.history["accuracy"].iloc[-1]), "seconds": time.perf_counter() - began}
    return job | {"value": value, "low": low, "high": high, "n": len(held), "trained_on": len(part)} | end


def overview(rows: list[dict]) -> pd.DataFrame:
    """Lay out one row a pool, one column a measurement (mean over seeds; the interval of the first)."""
    table = pd.DataFrame([{"images": 0, "epochs": 0, "steps": 0} | row for row in rows])
    digits = {"distance": "{:.2f} ({:.2f} to {:.2f})"}
    cells = {}
    for (pool, what, images, epochs, steps), group in table.groupby(["pool", "what", "images", "epochs", "steps"], sort=False):
        one = group.iloc[0]
        column = (
            what if what in ("distance", "labels") else f"{what}, {images:,.0f} x {epochs:.0f}" if epochs else f"{what}, {steps:.0f} steps"
        )
        form = digits.get(what, "{:.1%} ({:.1%} to {:.1%})")
        cells.setdefault(pool, {})[column] = form.format(group["value"].mean(), one["low"], one["high"])
    return pd.DataFrame(cells).T.fillna("–").rename_axis("pool").reset_index()


def read(path: Path) -> list[dict]:
    """Read what earlier calls measured."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def keep(path: Path, rows: list[dict]) -> list[dict]:
    """Append rows and hand them back."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    for row in rows:
        print(", ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in row.items()), flush=True)
    return rows


if __name__ == "__main__":
    main()
