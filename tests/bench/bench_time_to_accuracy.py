"""How long training takes to S1's 57.88% on Schürmann's validation split.

The fast recipe against S1's, and the fast recipe's parts:

    python tests/bench/bench_time_to_accuracy.py --data dataset_base --seeds 1,2,3 --threads 4
    python tests/bench/bench_time_to_accuracy.py --data runs/schuermann/data --ablation 4

The second turns each part off in turn, for 4 epochs. A study's packed data folder is read as it is,
with its marks of copies; any other source is read and its copies are marked first.

The time counts steps alone, not the evaluations of the validation split; processor time, which
other work changes less, is beside it. S1's recipe is measured over --s1-steps steps, between the
seeds of ours; the last lines tell how many epochs would make the ratio 20. Whether it needs as many
is seen with --s1-within: it trains so many seconds of processor time, evaluated each half epoch.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pandas as pd
import torch

from lib.classifiers.models import predict
from lib.classifiers.recipes import FAST, SCHUERMANN, Recipe, TrainingPlan
from lib.classifiers.trainer import make_trainer, take_step
from lib.classifiers.training import fit
from lib.faces.duplicates import mark_copies
from lib.faces.faceset import FaceSet, load_faces
from lib.faces.sources import read_faces
from lib.study.machine import environment_facts
from lib.study.params import load_params

TARGET = 0.5788  # S1's base on its validation split

# What turns each part of the fast recipe off.
PARTS = {
    "none": {},
    "schedule": {"lr_schedule": "constant", "lr_peak": 0.05},
    "optimiser": {"optimiser": "adam", "lr_peak": 0.003, "weight_decay": 0.0},
    "weight decay": {"weight_decay": 0.0},
    "label smoothing": {"label_smoothing": 0.0},
    "flip": {"flip": False},
    "shift": {"shift_px": 0},
    "test-time flip": {"test_time_flip": False},
    "batch 256": {"batch_size": 128, "lr_peak": 0.15},
}


def read_marked(path: Path) -> FaceSet:
    """Read a source with its copies marked."""
    faces = load_faces(path) if (path / "faces.npz").exists() else read_faces(path)
    if "leaked" in faces.table:
        return faces
    return mark_copies(faces, load_params("quick")["near_copy_distance"])


def clocks() -> np.ndarray:
    """Read the wall clock and this process's processor time, seconds (2,)."""
    return np.array([time.perf_counter(), time.process_time()])


def follow(train: FaceSet, held: FaceSet, recipe: Recipe, seed: int, epochs: int) -> pd.DataFrame:
    """Train the fast network and evaluate the held images after each epoch.

    Returns:
        One row an epoch: epoch, seconds, cpu_seconds, accuracy, accuracy_leak_free.
    """
    clean, rows = ~held.table["leaked"].to_numpy(bool), []
    recipe = replace(recipe, curve_points=epochs or recipe.epochs)
    trainer = make_trainer(train, TrainingPlan("fast", recipe, seed, epochs=epochs))
    began, evaluating = clocks(), np.zeros(2)

    def evaluate(row: dict) -> None:
        now = clocks()
        seconds, cpu_seconds = now - began - evaluating
        predicted = predict(trainer.current, held.images, test_time_flip=recipe.test_time_flip)
        right = predicted.argmax(1) == held.labels
        rows.append(
            {
                "epoch": round(row["epoch"], 2),
                "seconds": seconds,
                "cpu_seconds": cpu_seconds,
                "accuracy": right.mean(),
                "accuracy_leak_free": right[clean].mean(),
            }
        )
        print(
            f"    seed {seed}, epoch {row['epoch']:.2f}: {seconds:.1f} s, {cpu_seconds:.1f} s of "
            f"processor, {right.mean():.2%}, leak-free {right[clean].mean():.2%}",
            flush=True,
        )
        evaluating[:] += clocks() - now

    fit(trainer, progress=evaluate)
    return pd.DataFrame(rows)


def first_pass(curve: pd.DataFrame, column: str) -> pd.Series:
    """Return the first row that passes the target; not-a-number where none does."""
    passed = curve[curve[column] >= TARGET]
    return passed.iloc[0] if len(passed) else curve.iloc[0] * np.nan


def s1_rate(train: FaceSet, steps: int) -> np.ndarray:
    """Measure S1's network and recipe: images a second, and a second of processor (2,)."""
    trainer = make_trainer(train, TrainingPlan("s1", SCHUERMANN, seed=0, steps=steps + 1))
    trainer.model.train()
    take_step(trainer, 0)  # warm up
    began = clocks()
    for step in range(1, steps + 1):
        take_step(trainer, step)
    return steps * trainer.schedule.batch_size / (clocks() - began)


def race(train: FaceSet, held: FaceSet, seeds: list[int], s1_steps: int) -> None:
    """Print our time to the target by seed, and S1's speed measured in between."""
    rows, rates = [], []
    names = ["epoch", "seconds", "cpu_seconds"]
    for seed in seeds:
        rates.append(s1_rate(train, s1_steps))
        print(
            f"  S1: {rates[-1][0]:.1f} images/s, {rates[-1][1]:.1f} a second of processor "
            f"({s1_steps} steps)",
            flush=True,
        )
        curve = follow(train, held, FAST, seed, 0)
        whole, clean = first_pass(curve, "accuracy"), first_pass(curve, "accuracy_leak_free")
        row = {"seed": seed, **whole[names]}
        row |= {f"leak_free_{name}": clean[name] for name in names}
        row |= {"last": curve["accuracy"].iloc[-1]}
        row |= {"last_leak_free": curve["accuracy_leak_free"].iloc[-1]}
        rows.append(row)
    table = pd.DataFrame(rows)
    print(f"\nfast network, fast recipe, first evaluation at or above {TARGET:.2%}:")
    print(table.round(4).to_string(index=False))
    s1_epochs = len(train) / np.median(rates, axis=0)
    for clock, epoch, column in zip(("wall", "processor"), s1_epochs, names[1:]):
        ours, passed = table[column].median(), table[column].notna().sum()
        measured = f"extrapolated from {len(rates)} x {s1_steps} steps"
        print(f"{clock}: S1's recipe takes {epoch:.0f} s an epoch ({measured})")
        print(
            f"  ours takes {ours:.0f} s to the target (median; {passed} of {len(table)} seeds pass)"
        )
        print(
            "  that is a twentieth of S1's recipe's time if it needs "
            f"{20 * ours / epoch:.1f} epochs or more"
        )


def s1_within(train: FaceSet, held: FaceSet, seconds: float, seed: int = 1) -> None:
    """Train S1's network by its recipe until a processor time, seconds, or the target."""
    trainer = make_trainer(train, TrainingPlan("s1", SCHUERMANN, seed, epochs=250))
    clean = ~held.table["leaked"].to_numpy(bool)
    half_epoch = len(train) // (2 * trainer.schedule.batch_size)  # steps
    spent, step = 0.0, 0
    while spent < seconds:
        # Half an epoch, or less where the time is up.
        began, evaluation = time.process_time(), step + half_epoch
        trainer.model.train()
        while step < evaluation and spent + time.process_time() - began < seconds:
            take_step(trainer, step)
            step += 1
        spent += time.process_time() - began

        # Evaluate.
        right = predict(trainer.current, held.images).argmax(1) == held.labels
        accuracies = f"{right.mean():.2%}, leak-free {right[clean].mean():.2%}"
        epoch = step / half_epoch / 2
        print(f"  S1, epoch {epoch:.1f}, {spent:.0f} s of processor: {accuracies}", flush=True)
        if right.mean() >= TARGET:
            break


def ablate(train: FaceSet, held: FaceSet, seeds: list[int], epochs: int, parts: list[str]) -> None:
    """Print the accuracy without each part of the fast recipe."""
    rows = []
    for part in parts:
        recipe = replace(FAST, **PARTS[part])
        ends = [follow(train, held, recipe, seed, epochs).iloc[-1] for seed in seeds]
        whole = [100 * end["accuracy"] for end in ends]
        clean = [100 * end["accuracy_leak_free"] for end in ends]
        rows.append(
            {
                "off": part,
                "accuracy": np.mean(whole),
                "lowest": min(whole),
                "highest": max(whole),
                "leak_free": np.mean(clean),
            }
        )
    print(f"\nfast recipe at {epochs} epochs with one part off, %, {len(seeds)} seeds:")
    print(pd.DataFrame(rows).round(2).to_string(index=False))


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="dataset_base, or a study's packed data folder")
    add("--seeds", default="1,2,3")
    add("--threads", type=int, default=1)
    add("--s1-steps", type=int, default=6, help="steps of S1's recipe before each seed of ours")
    add("--s1-within", type=float, default=0, help="seconds of processor time; 0: the race")
    add("--ablation", type=int, default=0, help="epochs of the ablation; 0: the race")
    add("--parts", default=",".join(PARTS), help="parts to turn off in turn")
    return parser.parse_args()


def main() -> None:
    """Print the race, S1's recipe alone, or the ablation."""
    args, facts = arguments(), environment_facts()
    torch.set_num_threads(args.threads)
    faces = read_marked(args.data)
    train = faces.split("train")
    held = faces.select((faces.table["split"] != "train").to_numpy())
    seeds = [int(seed) for seed in args.seeds.split(",")]
    clean = int((~held.table["leaked"].astype(bool)).sum())
    print(f"{facts['cpu']}, {facts['cores']} cores, {args.threads} threads")
    print(f"torch {torch.__version__}; {len(train):,} train, {len(held):,} held", end="")
    print(f", of which {clean:,} leak-free", flush=True)
    if args.s1_within:
        s1_within(train, held, args.s1_within)
    elif args.ablation:
        ablate(train, held, seeds, args.ablation, args.parts.split(","))
    else:
        race(train, held, seeds, args.s1_steps)


if __name__ == "__main__":
    main()
