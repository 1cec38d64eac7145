"""How fast each recipe trains on this machine, and how much of the machine it uses.

    python tests/bench/bench_recipes.py                                    # one CPU thread
    python tests/bench/bench_recipes.py --device cuda --steps 200          # precisions, compilation
    python tests/bench/bench_recipes.py --device cuda --processes 1 2 4 8  # runs that share a GPU

Images are noise, which takes as long as faces do. Operations are counted by torch over one step
(convolutions and matrix products, forward and backward, a multiply-add as two) and not estimated.
Variants take turns, so that other work on the machine hits all alike.
"""

import argparse
import multiprocessing
import os
import sys
import time
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pandas as pd
import torch
from torch.utils.flop_counter import FlopCounterMode

from lib.classifiers.models import build_classifier
from lib.classifiers.recipes import RECIPES, TrainingPlan
from lib.classifiers.trainer import Trainer, make_trainer, take_step
from lib.compute.devices import deterministic
from lib.faces.faceset import FaceSet
from lib.study.machine import environment_facts, thread_environment

PAIRS = (("schuermann", "s1"), ("fast", "fast"), ("best", "deep"))  # recipe, network
S1_IMAGES = 28_821  # of S1's training set
ENDLESS = 10**6  # steps of a plan whose end is never reached
CLASSES = ("a", "b", "c", "d", "e", "f", "g")

# Precision, mode of torch.compile ("" for none), deterministic algorithms alone.
VARIANTS = {
    "fp32": ("fp32", "", False),
    "fp32 deterministic": ("fp32", "", True),
    "bf16": ("bf16", "", False),
    "bf16 compiled": ("bf16", "default", False),
    "bf16 compiled, graphs": ("bf16", "reduce-overhead", False),
}


def noise(n: int) -> FaceSet:
    """Make images of noise, 48 x 48, with random classes."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": [str(i) for i in range(n)], "class": rng.choice(CLASSES, n)})
    images = rng.integers(0, 256, (n, 48, 48)).astype(np.uint8)
    return FaceSet(images, table.assign(split="train", source="noise"), CLASSES)


def trainer_of(pair: tuple[str, str], variant: str, args) -> Trainer:
    """Make the state of a training, with untrained teachers where the recipe has some."""
    name, network = pair
    precision, mode, _ = VARIANTS[variant]
    recipe = replace(RECIPES[name], precision=precision)
    plan = TrainingPlan(network, recipe, seed=0, steps=ENDLESS, device=args.device)
    count = recipe.distillation_teachers
    teachers = [build_classifier(network, classes=len(CLASSES)) for _ in range(count)]
    trainer = make_trainer(noise(args.images), plan, tuple(teachers))
    trainer.model.train()
    if mode:
        trainer = replace(trainer, model=torch.compile(trainer.model, mode=mode))
    return trainer


def operations(trainer: Trainer) -> float:
    """Count the floating-point operations of one step, for each of its images."""
    with FlopCounterMode(display=False) as counter:
        take_step(trainer, 0)
    return counter.get_total_flops() / trainer.schedule.batch_size


def rate(trainer: Trainer, args, variant: str) -> float:
    """Return images a second over so many steps."""
    with deterministic(VARIANTS[variant][2] and args.device == "cuda"):
        began = time.perf_counter()
        for step in range(args.steps):
            sums = take_step(trainer, step)
        float(sums[0])  # waits for the device
    return args.steps * trainer.schedule.batch_size / (time.perf_counter() - began)


def serve(pair: tuple[str, str], variant: str, args, pipe) -> None:
    """Train in a process of its own whenever asked to."""
    torch.set_num_threads(1)
    trainer = trainer_of(pair, variant, args)
    rate(trainer, args, variant)  # warm up
    pipe.send("ready")
    while pipe.recv():
        pipe.send(rate(trainer, args, variant))


def several(pair: tuple[str, str], variant: str, count: int, args) -> float:
    """Return images a second of so many processes at once, on one device."""
    context, pipes = multiprocessing.get_context("spawn"), []
    for _ in range(count):
        here, there = context.Pipe()
        arguments = (pair, variant, args, there)
        context.Process(target=serve, args=arguments, daemon=True).start()
        pipes.append(here)

    # Wait until all are ready, then let them work at the same time.
    for pipe in pipes:
        pipe.recv()
    for pipe in pipes:
        pipe.send(True)
    total = sum(pipe.recv() for pipe in pipes)
    for pipe in pipes:
        pipe.send(False)
    return total


def line_of(name: str, rates: list[float], per_image: float) -> str:
    """Write what a variant reached as one line.

    Args:
        rates: images a second, one a round.
        per_image: operations.
    """
    median = float(np.median(rates))
    spread = f"[{min(rates):,.0f}, {max(rates):,.0f}]"
    teraflops, epoch = median * per_image / 1e12, S1_IMAGES / median
    speed = f"{median:,.0f} {spread} images/s, {teraflops:.3f} TFLOP/s"
    return f"  {name}: {speed}, {epoch:,.1f} s an epoch of S1's"


def compare(pair: tuple[str, str], variants: list[str], args) -> None:
    """Print the speed of each variant of a recipe, then of several processes."""
    per_image = operations(trainer_of(pair, "fp32", args))
    print(f"{pair[0]} ({pair[1]}): {per_image / 1e9:.2f} GFLOP an image and step", flush=True)
    trainers = {variant: trainer_of(pair, variant, args) for variant in variants}
    for variant, trainer in trainers.items():  # warm up
        rate(trainer, args, variant)
    rates = {variant: [] for variant in variants}
    for _ in range(args.rounds):
        for variant, trainer in trainers.items():
            rates[variant].append(rate(trainer, args, variant))
    for variant in variants:
        print(line_of(variant, rates[variant], per_image), flush=True)
    for count in args.processes:
        totals = [several(pair, variants[0], count, args) for _ in range(args.rounds)]
        print(line_of(f"{variants[0]}, {count} processes", totals, per_image), flush=True)


def main() -> None:
    """Print the table of all recipes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--steps", type=int, default=5, help="of a round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=4096, help="in the training set")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--variants",
        nargs="*",
        default=[],
        choices=list(VARIANTS),
        help="all that the device has, if left out",
    )
    parser.add_argument(
        "--processes",
        type=int,
        nargs="*",
        default=[],
        help="numbers of processes at once, each for the first variant",
    )
    args = parser.parse_args()
    os.environ.update(thread_environment(args.threads))
    torch.set_num_threads(args.threads)
    facts = environment_facts()
    machine = f"{facts['cpu']}, {facts['cores']} cores (load {os.getloadavg()[0]:.0f})"
    print(
        f"{machine}, {args.threads} threads, {facts['device']}, torch {torch.__version__}; "
        f"n = {args.rounds} rounds of {args.steps} steps",
        flush=True,
    )
    on_device = list(VARIANTS) if args.device == "cuda" else ["fp32", "bf16"]
    for pair in PAIRS:
        compare(pair, args.variants or on_device, args)


if __name__ == "__main__":
    main()
