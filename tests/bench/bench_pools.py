"""What each generator's images are worth.

Distance to real faces, whether labels hold, and what a network learns from the images alone.

    S=runs/comp7055-cpu
    python tests/bench/bench_pools.py --study $S $S/pools/* runs/internship-cpu/pools/dcgan
    python tests/bench/bench_pools.py --study $S --networks small --epochs 5 $S/pools/*
    python tests/bench/bench_pools.py --study $S --networks s1 --images 28709 --steps 450 $S/pools/*

Each pool gives its first --images in order of generation; as many real training images stand beside
them. S1's network is trained by S1's recipe, the small one by `fast`, for --epochs passes or
--steps, and both are scored on the real validation split (PublicTest). S1's network has no norms
and predicts the most frequent class for its first few hundred steps. What has been measured lies
in --results, a JSON a line, and is not measured again.
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

from lib.classifiers.recipes import TrainingPlan, recipe_of  # noqa: E402
from lib.classifiers.reference import load_reference  # noqa: E402
from lib.classifiers.training import train  # noqa: E402
from lib.curation.intervals import wilson  # noqa: E402
from lib.faces.faceset import FaceSet, load_faces  # noqa: E402
from lib.metrics.distances import frechet  # noqa: E402
from lib.metrics.pools import SPLITS, draw_like, measure, real_halves  # noqa: E402
from lib.study.machine import environment_facts  # noqa: E402

RECIPE = {"s1": "schuermann", "small": "fast"}
T_975 = 2.26  # quantile of Student's t with SPLITS - 1 = 9 degrees of freedom
LABELLED = 4000  # images whose labels are compared with the classifier's, at most
CURVE_POINTS = 20  # of a training's learning curve
COLUMNS = ["id", "class", "split", "source"]  # that a training set needs


def main() -> None:
    options = parsed()
    torch.set_num_threads(options.threads)
    faces = load_faces(options.study / "data")
    real, held = faces.split("train"), faces.split("val")
    pools = {"real": None}  # beside the pools, by name: their folder
    for folder in options.pools:
        if (folder / "faces.parquet").exists():
            pools[folder.name] = folder

    # Measure what is not in the results yet.
    rows = read_results(options.results)
    rows += measure_distances(options, rows, pools, real, held)
    rows += train_networks(options, rows, pools)

    # Print all of it.
    facts = environment_facts()
    where = f"{facts['cpu']}, {options.threads} thread(s), torch {torch.__version__}"
    print(f"{where}; {len(real):,} real training images, {len(held):,} held out")
    print(overview(rows).to_string(index=False))


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pools", nargs="*", type=Path, help="folders of pools")
    parser.add_argument(
        "--study",
        type=Path,
        required=True,
        help="folder with data/ and reference/ of the real faces",
    )
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--networks", nargs="*", default=["small", "s1"], choices=list(RECIPE))
    parser.add_argument(
        "--steps", type=int, default=0, help="in place of --epochs, the same for pools of all sizes"
    )
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument(
        "--workers", type=int, default=1, help="trainings at once, each with --threads threads"
    )
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--results", type=Path, default=ROOT / "runs" / "bench_pools.jsonl")
    return parser.parse_args()


# --------------------------------------------------------------------------------------------------
# Distances and labels.


def measure_distances(
    options: argparse.Namespace, known: list[dict], pools: dict, real: FaceSet, held: FaceSet
) -> list[dict]:
    """Measure distance and labels of each pool that the known rows lack."""
    reference = load_reference(options.study / "reference")
    measured = {row["pool"] for row in known if row["what"] == "distance"}
    rows = []
    for name, folder in pools.items():
        if name in measured:
            continue
        pool = load_faces(folder) if folder else real
        new = [
            {"pool": name, "what": "distance", **distance_row(reference, held, pool, name)},
            {"pool": name, "what": "labels", **labels_row(reference, pool if folder else held)},
        ]
        rows += append_results(options.results, new)
    return rows


def distance_row(reference, held: FaceSet, pool: FaceSet, name: str) -> dict:
    """Measure the Fréchet distance in the classifier's features to half of the held-out images.

    Returns:
        value, low, high, n. For "real" the other half stands for the pool, and the interval is
        that of one more pair of halves.
    """
    features = reference.features(held.images)
    half, _ = real_halves(len(features), len(features), 0)
    if name == "real":
        values = []
        for seed in range(SPLITS):
            one, other = real_halves(len(features), len(features), seed)
            values.append(frechet(features[one], features[other]))
        mean, spread = np.mean(values), np.std(values, ddof=1)
        reach = T_975 * spread * np.sqrt(1 + 1 / SPLITS)
        return {"value": mean, "low": mean - reach, "high": mean + reach, "n": len(half)}

    # A pool of the same class shares, or the distance is one of shares.
    chosen = pool.select(draw_like(pool.labels, held.labels, len(half), 0))
    table = measure(features[half], reference.features(chosen.images), seed=0, by=only_frechet)
    row = table.iloc[0]
    return {key: float(row[key]) for key in ("value", "low", "high")} | {"n": int(row["n"])}


def labels_row(reference, pool: FaceSet) -> dict:
    """Measure in what share of images the classifier predicts the stated class, with n."""
    first = pool.select(np.arange(min(len(pool), LABELLED)))
    predicted = reference.probabilities(first.images).argmax(1)
    share, low, high = wilson(int((predicted == first.labels).sum()), len(first))
    return {"value": share, "low": low, "high": high, "n": len(first)}


def only_frechet(real: np.ndarray, synth: np.ndarray, *, seed: int) -> dict[str, float]:
    """Measure one distance in place of all; called by lib.metrics.pools.measure."""
    return {"fd": frechet(real, synth)}


# --------------------------------------------------------------------------------------------------
# Trainings.


def train_networks(options: argparse.Namespace, known: list[dict], pools: dict) -> list[dict]:
    """Train each network on each pool where the known rows lack it, some at once."""
    # Every pool with one network before the next: a run cut short then compares like with like.
    jobs = []
    for network, seed, name in itertools.product(options.networks, range(options.seeds), pools):
        job = {
            "pool": name,
            "what": network,
            "images": options.images,
            "epochs": 0 if options.steps else options.epochs,
            "steps": options.steps,
            "seed": seed,
        }
        if not any(job.items() <= row.items() for row in known):
            jobs.append(job)

    rows = []
    with ProcessPoolExecutor(
        options.workers, get_context("spawn"), torch.set_num_threads, (options.threads,)
    ) as workers:
        data = options.study / "data"
        running = [workers.submit(train_on, pools[job["pool"]], data, job) for job in jobs]
        for done in as_completed(running):
            rows += append_results(options.results, [done.result()])
    return rows


def train_on(folder: Path | None, data: Path, job: dict) -> dict:
    """Train a network on the first images of a pool alone, and score it on held-out real ones.

    Args:
        folder: of the pool; None: real training images.
        data: folder of the real faces.
        job: pool, what (network), images, epochs, steps, seed.

    Returns:
        The job with value (accuracy), low, high (95% Wilson interval), n, trained_on, fitted
        (accuracy on the training images), seconds.
    """
    faces = load_faces(data)
    held = faces.split("val")

    # Real images in random order: in some sources the files lie by class.
    real = faces.split("train")
    real = real.select(np.random.default_rng(0).permutation(len(real)))
    source = load_faces(folder) if folder else real
    part = source.select(np.arange(min(len(source), job["images"])))
    part = replace(part, table=part.table[COLUMNS]).resized(held.images.shape[1])

    # Train and score.
    began = time.perf_counter()
    recipe = replace(recipe_of(RECIPE[job["what"]]), curve_points=CURVE_POINTS)
    plan = TrainingPlan(job["what"], recipe, job["seed"], job["steps"], job["epochs"])
    result = train(part, plan, evaluate={"val": held})
    predicted = result.probabilities["val"].argmax(1)
    value, low, high = wilson(int((predicted == held.labels).sum()), len(held))
    return job | {
        "value": value,
        "low": low,
        "high": high,
        "n": len(held),
        "trained_on": len(part),
        "fitted": float(result.history["accuracy"].iloc[-1]),
        "seconds": time.perf_counter() - began,
    }


# --------------------------------------------------------------------------------------------------
# Results.


def overview(rows: list[dict]) -> pd.DataFrame:
    """Lay out one row a pool, one column a measurement: mean over seeds, interval of the first."""
    table = pd.DataFrame([{"images": 0, "epochs": 0, "steps": 0} | row for row in rows])
    cells = {}
    keys = ["pool", "what", "images", "epochs", "steps"]
    for (pool, what, images, epochs, steps), group in table.groupby(keys, sort=False):
        column = what
        if what in RECIPE:
            length = f"{images:,.0f} x {epochs:.0f}" if epochs else f"{steps:.0f} steps"
            column = f"{what}, {length}"
        digits = ".2f" if what == "distance" else ".1%"
        shown = (group["value"].mean(), group["low"].iloc[0], group["high"].iloc[0])
        value, low, high = (format(number, digits) for number in shown)
        cells.setdefault(pool, {})[column] = f"{value} ({low} to {high})"
    return pd.DataFrame(cells).T.fillna("–").rename_axis("pool").reset_index()


def read_results(path: Path) -> list[dict]:
    """Read what earlier calls measured."""
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]


def append_results(path: Path, rows: list[dict]) -> list[dict]:
    """Append rows to the results, print them and return them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
    for row in rows:
        parts = []
        for key, value in row.items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            parts.append(f"{key} {shown}")
        print(", ".join(parts), flush=True)
    return rows


if __name__ == "__main__":
    main()
