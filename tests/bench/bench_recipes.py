"""How fast each recipe trains on this machine, and how much of it is used: images and floating-point operations a second.

    python tests/bench/bench_recipes.py                                        # one CPU thread
    python tests/bench/bench_recipes.py --device cuda --steps 200              # a GPU: precisions and compilation side by side
    python tests/bench/bench_recipes.py --device cuda --processes 1 2 4 8      # and how many runs share it best

Images are noise, which takes as long as faces do. Operations are counted by torch over one step (convolutions and matrix products, forward
and backward, a multiply-add as two) and not estimated. Ways take turns, so that other work on the machine hits all alike.
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
from lib.classifiers.recipes import RECIPES
from lib.classifiers.trainer import Trainer, make_trainer, take_step
from lib.faces.faceset import CLASSES, FaceSet
from lib.generators.hardware import deterministic
from lib.study.machine import environment_facts, thread_environment

PAIRS = (("schuermann", "s1"), ("fast", "fast"), ("best", "deep"))
S1_IMAGES = 28_821
WAYS = {  # precision, mode of torch.compile, deterministic algorithms alone
    "fp32": ("fp32", "", False),
    "fp32 deterministic": ("fp32", "", True),
    "bf16": ("bf16", "", False),
    "bf16 compiled": ("bf16", "default", False),
    "bf16 compiled, graphs": ("bf16", "reduce-overhead", False),
}


def noise(n: int) -> FaceSet:
    """Make faces of noise, 48 x 48."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"id": [str(i) for i in range(n)], "class": rng.choice(CLASSES, n), "split": "train", "source": "noise"})
    return FaceSet(rng.integers(0, 256, (n, 48, 48)).astype(np.uint8), table)


def trainer_of(pair: tuple[str, str], way: str, args) -> Trainer:
    """Make the state of a training: a recipe, a network, and its teachers, untrained, where it has some."""
    recipe, network = pair
    precision, mode, _ = WAYS[way]
    teachers = tuple(build_classifier(network) for _ in range(RECIPES[recipe].teachers))
    wanted = replace(RECIPES[recipe], precision=precision)
    trainer = make_trainer(noise(args.images), network, wanted, 0, 10**6, 0, args.device, teachers=teachers)
    trainer.model.train()
    return replace(trainer, model=torch.compile(trainer.model, mode=mode)) if mode else trainer


def operations(trainer: Trainer) -> float:
    """Count the floating-point operations of one step, for each of its images."""
    with FlopCounterMode(display=False) as counter:
        take_step(trainer, 0)
    return counter.get_total_flops() / trainer.schedule.batch_size


def rate(trainer: Trainer, args, way: str) -> float:
    """Return images a second over so many steps."""
    with deterministic(WAYS[way][2] and args.device == "cuda"):
        began = time.perf_counter()
        for step in range(args.steps):
            sums = take_step(trainer, step)
        float(sums[0])  # waits for the device
    return args.steps * trainer.schedule.batch_size / (time.perf_counter() - began)


def one_of_several(pair: tuple[str, str], way: str, args, pipe) -> None:
    """Train in a process of its own whenever told to."""
    torch.set_num_threads(1)
    trainer = trainer_of(pair, way, args)
    rate(trainer, args, way)
    pipe.send("ready")
    while pipe.recv():
        pipe.send(rate(trainer, args, way))


def several(pair: tuple[str, str], way: str, count: int, args) -> float:
    """Return images a second of so many processes at once, on one device."""
    context, pipes = multiprocessing.get_context("spawn"), []
    for _ in range(count):
        ours, theirs = context.Pipe()
        context.Process(target=one_of_several, args=(pair, way, args, theirs), daemon=True).start()
        pipes.append(ours)
    [pipe.recv() for pipe in pipes]
    [pipe.send(True) for pipe in pipes]
    found = sum(pipe.recv() for pipe in pipes)
    [pipe.send(False) for pipe in pipes]
    return found


def told(name: str, images_a_second: list[float], each: float) -> str:
    """Say what a way reached."""
    middle = float(np.median(images_a_second))
    spread = f"[{min(images_a_second):,.0f}, {max(images_a_second):,.0f}]"
    return f"  {name}: {middle:,.0f} {spread} images/s, {middle * each / 1e12:.3f} TFLOP/s, {S1_IMAGES / middle:,.1f} s an epoch of S1's"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--images", type=int, default=4096)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--ways", nargs="*", default=[], choices=list(WAYS), help="all that the device has, if left out")
    parser.add_argument("--processes", type=int, nargs="*", default=[], help="numbers of processes at once, each for the first way")
    args = parser.parse_args()
    os.environ.update(thread_environment(args.threads))
    torch.set_num_threads(args.threads)
    facts = environment_facts()
    print(f"{facts['cpu']}, {facts['cores']} cores (load {os.getloadavg()[0]:.0f}), {args.threads} threads, {facts['device']}, "
          f"torch {torch.__version__}; n = {args.rounds} rounds of {args.steps} steps", flush=True)  # fmt: skip
    ways = args.ways or [way for way in WAYS if args.device == "cuda" or way in ("fp32", "bf16")]
    for pair in PAIRS:
        each = operations(trainer_of(pair, "fp32", args))
        print(f"{pair[0]} ({pair[1]}): {each / 1e9:.2f} GFLOP an image and step", flush=True)
        trainers, found = {way: trainer_of(pair, way, args) for way in ways}, {way: [] for way in ways}
        for way, trainer in trainers.items():  # warm up
            rate(trainer, args, way)
        for _ in range(args.rounds):
            for way, trainer in trainers.items():
                found[way].append(rate(trainer, args, way))
        for way, rates in found.items():
            print(told(way, rates, each), flush=True)
        for count in args.processes:
            print(
                told(f"{ways[0]}, {count} processes", [several(pair, ways[0], count, args) for _ in range(args.rounds)], each), flush=True
            )


if __name__ == "__main__":
    main()
