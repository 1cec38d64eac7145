"""How long training takes to S1's 57.88 % on Schürmann's validation split: our fast recipe against S1's, and the fast recipe's parts.

    python tests/bench/bench_time_to_accuracy.py --data dataset_base --seeds 1,2,3 --threads 4
    python tests/bench/bench_time_to_accuracy.py --data runs/schuermann/data --ablation 4 --seeds 1,2   # each part off in turn, 4 epochs

A study's packed data folder is read as it is, with its marks of copies; any other source is read and its copies are marked first.
The time counts steps alone, not the looks at the validation split; processor time, which other work changes less, is beside it.
S1's recipe is measured over --s1-steps steps, between the seeds of ours; the last lines say how many epochs would make the ratio 20.
Whether it needs as many is seen with --s1-within: it trains so many seconds of processor time, and each half epoch says how far it is.
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

from lib.classifiers.recipes import RECIPES, Recipe
from lib.classifiers.trainer import make_trainer, take_step
from lib.classifiers.training import fit, predict
from lib.faces.duplicates import mark_copies
from lib.faces.faceset import FaceSet, load_faces
from lib.faces.sources import read_faces
from lib.study.machine import environment_facts
from lib.study.params import load_params

TARGET = 0.5788  # S1's base on its validation split
PARTS = {  # what turns each part of the fast recipe off
    "none": {},
    "schedule": {"schedule": "constant", "lr_peak": 0.05},
    "optimiser": {"optimiser": "adam", "lr_peak": 0.003, "weight_decay": 0.0},
    "weight decay": {"weight_decay": 0.0},
    "label smoothing": {"label_smoothing": 0.0},
    "flip": {"flip": False},
    "shift": {"shift_px": 0},
    "flip average": {"flip_average": False},
    "batch 256": {"batch_size": 128, "lr_peak": 0.15},
}


def read_marked(path: Path) -> FaceSet:
    """Read a source with its copies marked."""
    faces = load_faces(path) if (path / "faces.npz").exists() else read_faces(path)
    return faces if "leaked" in faces.table else mark_copies(faces, load_params("quick")["near_copy_distance"])


def follow(train: FaceSet, held: FaceSet, recipe: Recipe, seed: int, epochs: int) -> pd.DataFrame:
    """Train the fast network and look at the held images after each epoch: epoch, seconds, cpu_seconds, accuracy, accuracy_leak_free."""
    clean, rows = ~held.table["leaked"].to_numpy(bool), []
    trainer = make_trainer(train, "fast", replace(recipe, curve_points=epochs or recipe.epochs), seed, 0, epochs, "cpu")
    away = [0.0, 0.0]
    began = time.perf_counter(), time.process_time()

    def look(row: dict) -> None:
        now = time.perf_counter(), time.process_time()
        right = predict(trainer.current, held.images, flip_average=recipe.flip_average).argmax(1) == held.labels
        seconds, cpu = (now[i] - began[i] - away[i] for i in (0, 1))
        accuracy = {"accuracy": right.mean(), "accuracy_leak_free": right[clean].mean()}
        rows.append({"epoch": round(row["epoch"], 2), "seconds": seconds, "cpu_seconds": cpu} | accuracy)
        print(f"    seed {seed}, epoch {row['epoch']:.2f}: {seconds:.1f} s, {cpu:.1f} s of processor, {right.mean():.2%}, "
              f"leak-free {right[clean].mean():.2%}", flush=True)  # fmt: skip
        for i, clock in enumerate((time.perf_counter, time.process_time)):
            away[i] += clock() - now[i]

    fit(trainer, None, None, [], look)
    return pd.DataFrame(rows)


def first_pass(curve: pd.DataFrame, column: str) -> pd.Series:
    """Return the first row that passes the target; not-a-number where none does."""
    passed = curve[curve[column] >= TARGET]
    return passed.iloc[0] if len(passed) else curve.iloc[0] * np.nan


def s1_rate(train: FaceSet, steps: int) -> tuple[float, float]:
    """Return the images a second, and a second of processor, that S1's network and recipe train in the engine."""
    trainer = make_trainer(train, "s1", RECIPES["schuermann"], 0, steps + 1, 0, "cpu")
    trainer.model.train()
    take_step(trainer, 0)
    began = time.perf_counter(), time.process_time()
    for step in range(1, steps + 1):
        take_step(trainer, step)
    images = steps * trainer.recipe.batch_size
    return images / (time.perf_counter() - began[0]), images / (time.process_time() - began[1])


def race(train: FaceSet, held: FaceSet, seeds: list[int], s1_steps: int) -> None:
    """Print our time to the target by seed and S1's speed measured in between."""
    rows, rates = [], []
    for seed in seeds:
        rates.append(s1_rate(train, s1_steps))
        print(f"  S1: {rates[-1][0]:.1f} images/s, {rates[-1][1]:.1f} a second of processor ({s1_steps} steps)", flush=True)
        curve = follow(train, held, RECIPES["fast"], seed, 0)
        whole, clean = first_pass(curve, "accuracy"), first_pass(curve, "accuracy_leak_free")
        last = {"last": curve["accuracy"].iloc[-1], "last_leak_free": curve["accuracy_leak_free"].iloc[-1]}
        names = ["epoch", "seconds", "cpu_seconds"]
        rows.append({"seed": seed} | dict(whole[names]) | {f"leak_free_{name}": clean[name] for name in names} | last)
    table = pd.DataFrame(rows)
    print(f"\nfast network, fast recipe, first look at or above {TARGET:.2%}:\n{table.round(4).to_string(index=False)}")
    for clock, rate, ours in (("wall", 0, "seconds"), ("processor", 1, "cpu_seconds")):
        epoch = len(train) / np.median([r[rate] for r in rates])
        time_of_ours, passed = table[ours].median(), table[ours].notna().sum()
        print(f"{clock}: S1's recipe takes {epoch:.0f} s an epoch (extrapolated from {len(rates)} x {s1_steps} steps)")
        print(f"  ours takes {time_of_ours:.0f} s to the target (median; {passed} of {len(table)} seeds pass)")
        print(f"  that is a twentieth of S1's recipe's time if it needs {20 * time_of_ours / epoch:.1f} epochs or more")


def s1_within(train: FaceSet, held: FaceSet, seconds: float, seed: int = 1) -> None:
    """Train S1's network by its recipe for so many seconds of processor time, or until it passes the target."""
    trainer, clean = make_trainer(train, "s1", RECIPES["schuermann"], seed, 0, 250, "cpu"), ~held.table["leaked"].to_numpy(bool)
    spent, step, half = 0.0, 0, len(train) // (2 * trainer.recipe.batch_size)
    while spent < seconds:
        began, look = time.process_time(), step + half
        trainer.model.train()
        while step < look and spent + time.process_time() - began < seconds:
            take_step(trainer, step)
            step += 1
        spent += time.process_time() - began
        right = predict(trainer.current, held.images).argmax(1) == held.labels
        told = f"{right.mean():.2%}, leak-free {right[clean].mean():.2%}"
        print(f"  S1, epoch {step / half / 2:.1f}, {spent:.0f} s of processor: {told}", flush=True)
        if right.mean() >= TARGET:
            break


def ablate(train: FaceSet, held: FaceSet, seeds: list[int], epochs: int, parts: list[str]) -> None:
    """Print the accuracy without each part of the fast recipe."""
    rows = []
    for part in parts:
        ends = [follow(train, held, replace(RECIPES["fast"], **PARTS[part]), seed, epochs).iloc[-1] for seed in seeds]
        whole, clean = ([100 * end[column] for end in ends] for column in ("accuracy", "accuracy_leak_free"))
        rows.append({"off": part, "accuracy": np.mean(whole), "lowest": min(whole), "highest": max(whole), "leak_free": np.mean(clean)})
    table = pd.DataFrame(rows)
    print(f"\nfast recipe at {epochs} epochs with one part off, %, {len(seeds)} seeds:\n{table.round(2).to_string(index=False)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="Schürmann's dataset_base, or a study's packed data folder")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--s1-steps", type=int, default=6, help="steps of S1's recipe to measure before each seed of ours")
    parser.add_argument("--s1-within", type=float, default=0, help="seconds of processor time to give S1's recipe; 0: the race instead")
    parser.add_argument("--ablation", type=int, default=0, help="epochs of the ablation; 0: the race instead")
    parser.add_argument("--parts", default=",".join(PARTS), help="parts to turn off in turn")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    faces = read_marked(args.data)
    train, held = faces.split("train"), faces.select((faces.table["split"] != "train").to_numpy())
    facts, seeds = environment_facts(), [int(seed) for seed in args.seeds.split(",")]
    print(f"{facts['cpu']}, {facts['cores']} cores, {args.threads} threads, torch {torch.__version__}")
    print(f"{len(train):,} train, {len(held):,} held, of which {int((~held.table['leaked'].astype(bool)).sum()):,} leak-free", flush=True)
    if args.s1_within:
        s1_within(train, held, args.s1_within)
    elif args.ablation:
        ablate(train, held, seeds, args.ablation, args.parts.split(","))
    else:
        race(train, held, seeds, args.s1_steps)


if __name__ == "__main__":
    main()
