"""Simulation study: how often are the verdicts right where the truth is known?

Two levels of simulation. `simulated_predictions` draws the correctness of two arms' classifiers
from a model of seeds, images and runs; intervals and tests are calibrated on thousands of them.
`run_study` is a whole study on drawn faces with real training: it trains base and three supplements
of known effect, and the verdicts are counted over many such studies.

    helping    new faces of the same source
    harmless   copies of the training images: nothing new at the same number of steps
    harmful    most labels wrong
    permuted   class names exchanged, which must be stopped before training

Sizes are small, so the margin of equivalence is wide.

    python -m lib.metrics.simulation_study --studies 40 --folder runs/simulation-study

continues where it was stopped, and writes params/simulation_study.csv at its end.
"""

import argparse
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.curation.label_order import label_permutation
from lib.faces.arms import Arm
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.faceset import FaceSet
from lib.faces.mixing import build_arm, synthetic_count
from lib.study.machine import environment_facts
from lib.study.paths import ROOT
from lib.study.records import read_json, write_csv, write_json

TRAIN = 250  # training drawings of a study
TEST = 1500  # test drawings of a study
SEEDS = 5  # runs an arm
STEPS = 80  # optimiser steps of a run
LABEL_CLASSIFIER_STEPS = 300  # of the network that the labels are checked by
LABEL_CLASSIFIER_SEED = 99
SHARE = 0.8  # synthetic share of the supplements
NOISE = 0.1  # share of wrong labels among the training drawings
WRONG = 0.6  # share of wrong labels in the harmful pool
MARGIN = 0.03  # smallest effect of interest at these sizes, accuracy

# Seeds of drawings: no study and no pool shares a face with another.
FIRST_STUDY_SEED = 1000
FIRST_POOL_SEED = 5_000_000_000
POOL_SEEDS = 1_000_000  # of one study
HARMFUL_OFFSET = 500_000

STOPPED = "stopped"
NOT_STOPPED = "not stopped"
TRUTHS = {
    "helping": "helps",
    "harmless": "equivalent",
    "harmful": "hurts",
    "permuted": STOPPED,
    "in order": NOT_STOPPED,
}
RECORD = ROOT / "params" / "simulation_study.csv"
COLUMNS = ["pool", "truth", "studies", "correct", "low", "high", "wrong", "verdicts"]
CONDITIONS = ["sizes", "date", "torch"]  # under which the rates were measured


def simulated_predictions(
    rng: np.random.Generator,
    *,
    n_seeds: int,
    n_clusters: int,
    effect: float,
    seed_sd: float,
    copies: float = 0.05,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Simulate on which images the classifiers of two arms are right.

    Args:
        rng: of everything.
        n_seeds: runs an arm.
        n_clusters: different images.
        effect: true difference of the arms' accuracy, in expectation over images and runs.
        seed_sd: standard deviation of a run's accuracy that no image explains (a better or worse
            minimum), in accuracy.
        copies: share of images that occur twice (one cluster).

    Returns:
        Two arms float64 (S, N) of zeros and ones, and clusters int64 (N,).
    """
    clusters = np.repeat(np.arange(n_clusters), 1 + (rng.random(n_clusters) < copies))

    # An image's chance of being classified right; the arms differ on images, not only on average.
    easy = rng.beta(1.3, 0.7, size=n_clusters)
    swing = rng.uniform(-0.1, 0.1, size=n_clusters)
    arms = []
    for sign in (-1, 1):
        run = rng.normal(0, seed_sd, size=(n_seeds, 1))
        chance = 0.1 + 0.75 * easy + sign * (0.5 * swing + effect / 2) + run

        # Copies are classified alike: a network is a function of the image.
        right = rng.random((n_seeds, n_clusters)) < np.clip(chance, 0, 1)
        arms.append(right[:, clusters].astype(np.float64))
    return arms[0], arms[1], clusters


def run_study(number: int) -> dict[str, str]:
    """Run one study: draw, train four arms SEEDS times each, decide.

    Args:
        number: of the study, which depends on it alone.

    Returns:
        For each key of TRUTHS the verdict of the study.
    """
    # Drawings of this study's own, and pools of known effect.
    faces = drawn_study(TRAIN, 0, TEST, NOISE, FIRST_STUDY_SEED + number)
    real = faces.split("train")
    pools = pools_of(real, number)
    verdicts = _verdicts(real, faces.split("test"), pools, number)

    # The gate for permuted labels sees a good pool under its own names and under another order.
    pool = pools["helping"]
    predicted = _label_classifier(real, pool)
    k = len(pool.classes)
    permuted = (pool.labels + 1 + number % (k - 1)) % k
    for name, labels in (("permuted", permuted), ("in order", pool.labels)):
        renamed = label_permutation(labels, predicted, pool.classes)
        verdicts[name] = STOPPED if renamed else NOT_STOPPED
    return verdicts


def pools_of(real: FaceSet, number: int) -> dict[str, FaceSet]:
    """Make the pools of one study, as large as the supplement takes.

    Args:
        real: the training drawings.
        number: of the study.
    """
    n = synthetic_count(len(real), SHARE)

    # Balanced classes, and seeds that no other study uses.
    labels = np.arange(n) % len(real.classes)
    seeds = FIRST_POOL_SEED + number * POOL_SEEDS + np.arange(n)

    # Copies of the training images, each once before any twice.
    rows = np.arange(n) % len(real)
    ids = [f"copied-{place}" for place in range(n)]
    copied = replace(real, images=real.images[rows], table=real.table.iloc[rows].assign(id=ids))
    return {
        "helping": draw_faces(labels, seeds),
        "harmless": copied,
        "harmful": draw_faces(labels, seeds + HARMFUL_OFFSET, mislabelled_share=WRONG),
    }


def rates(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Count how often the verdicts were right.

    Args:
        verdicts: one row a study, one column a key of TRUTHS.

    Returns:
        Columns pool, truth, studies, correct (share of the studies whose verdict is the truth),
        low, high (Wilson's 95% interval), wrong (studies with another verdict than the truth and
        undecided), verdicts (all of them, counted).
    """
    rows = []
    for name, truth in TRUTHS.items():
        given = verdicts[name]

        # Undecided is neither correct nor wrong.
        share, low, high = wilson(int((given == truth).sum()), len(given))
        wrong = int((~given.isin([truth, "undecided"])).sum())
        counted = ", ".join(f"{word} {count}" for word, count in given.value_counts().items())
        rows.append((name, truth, len(given), share, low, high, wrong, counted))
    return pd.DataFrame(rows, columns=COLUMNS)


def recorded_rates(path: Path = RECORD) -> pd.DataFrame:
    """Read the rates that were measured last.

    Returns:
        The columns of `rates`, and CONDITIONS in every row; no rows where nothing is recorded.
    """
    # A fresh copy of the project has none.
    if not path.exists():
        return pd.DataFrame(columns=[*COLUMNS, *CONDITIONS])
    return pd.read_csv(path)


def prepare(folder: Path) -> Path:
    """Prepare a worker process: one thread."""
    import torch

    torch.set_num_threads(1)
    return folder


def work(folder: Path, number: int) -> None:
    """Run one study and write its verdicts into a file."""
    write_json(_file_of(folder, number), run_study(number))


def main() -> None:
    """Run the studies that have no verdicts yet; when all have some, record the rates."""
    from lib.compute.workers import run_in_pool

    parser = argparse.ArgumentParser(
        description="studies on drawn faces whose truth is known: how often are verdicts right?"
    )
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "simulation-study")
    parser.add_argument("--workers", type=int, default=1, help="processes, one thread each")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    files = {number: _file_of(options.folder, number) for number in range(options.studies)}

    # Run what is missing.
    waiting = [number for number, file in files.items() if not file.exists()]
    done = run_in_pool(waiting, prepare, work, (options.folder,), options.workers)
    for number, trouble in done:
        print(f"study {number}: {trouble or read_json(files[number])}", flush=True)

    # Count, and record with the conditions.
    table = rates(pd.DataFrame([read_json(file) for file in files.values()]))
    facts = environment_facts()
    sizes = (
        f"{TRAIN} training and {TEST} test drawings, {SEEDS} seeds, {STEPS} steps, margin "
        f"{100 * MARGIN:g} points"
    )
    torch_version = facts["versions"]["torch"]
    write_csv(RECORD, table.assign(sizes=sizes, date=facts["date"], torch=torch_version))
    print(table.to_string())


def _file_of(folder: Path, number: int) -> Path:
    return folder / f"{number:03d}.json"


def _verdicts(
    real: FaceSet, test: FaceSet, pools: dict[str, FaceSet], number: int
) -> dict[str, str]:
    """Train base and a supplement of each pool, and decide each supplement against base."""
    from lib.classifiers.recipes import TrainingPlan, recipe_of
    from lib.classifiers.training import train
    from lib.metrics.contrasts import effects, gather_arms

    arms = [Arm("base")] + [Arm("supplement", name, SHARE) for name in pools]
    runs = []
    predictions = []
    for arm in arms:
        # All runs of an arm share its training set and differ in their seed.
        training_set = build_arm(arm, real, pools, seed=number)
        for seed in range(SEEDS):
            plan = TrainingPlan("small", recipe_of("quick"), seed=seed, steps=STEPS)
            result = train(training_set, plan, evaluate={"test": test})
            runs.append(asdict(arm) | {"classifier": plan.classifier, "seed": seed})
            predictions.append(result.probabilities["test"])

    # The study's own statistics decide, as in notebook 50.
    gathered = gather_arms(pd.DataFrame(runs), predictions)
    table = effects(gathered, test.labels, np.arange(len(test)), margin=MARGIN)
    against_base = table[table["role"] == "base"].set_index("pool")
    return {name: str(against_base.loc[name, "verdict"]) for name in pools}


def _label_classifier(real: FaceSet, pool: FaceSet) -> np.ndarray:
    """Train a network on real faces and predict a pool's classes, int64 (N,)."""
    from lib.classifiers.recipes import TrainingPlan, recipe_of
    from lib.classifiers.training import train

    plan = TrainingPlan(
        "small", recipe_of("quick"), seed=LABEL_CLASSIFIER_SEED, steps=LABEL_CLASSIFIER_STEPS
    )
    return train(real, plan, evaluate={"pool": pool}).probabilities["pool"].argmax(1)


if __name__ == "__main__":
    main()
