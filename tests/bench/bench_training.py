"""S1's training loop as its code has it against the engine, side by side in one run.

    python tests/bench/bench_training.py --data dataset_base/train                # one thread each
    python tests/bench/bench_training.py --data dataset_base/train --threads 4 --seeds-at-once 4
    python tests/bench/bench_training.py --data dataset_base/train --images 2000 --curves 3

The second trains four seeds at once, the third prints learning curves of three seeds each.

Network, batch, optimiser and precision are the same. The loop: a DataLoader over single files,
batch 128, Adam at 0.001, fp32, S1's network. Each is a process, the engine's with the variables
that training processes have. They take turns of --steps steps, --rounds times; ratios are of the
same round, so other work on the machine hits both alike. First the two are shown to be the same
training: from the same weights and batches, their losses step by step.
"""

import argparse
import contextlib
import copy
import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from lib.classifiers.batches import step_seed
from lib.classifiers.models import build_classifier, predict
from lib.classifiers.recipes import SCHUERMANN, TrainingPlan
from lib.classifiers.trainer import Trainer, make_trainer, take_step
from lib.classifiers.training import train
from lib.compute.workers import environment
from lib.faces.faceset import FaceSet
from lib.study.machine import KEPT_MEMORY, environment_facts, thread_environment

BATCH = SCHUERMANN.batch_size
ENDLESS = 10**6  # steps of a plan whose end is never reached


def files_of(folder: Path, images: int) -> torch.utils.data.Subset:
    """Open a data set of single files (1, 48, 48) in [0, 1].

    Args:
        folder: of class folders.
        images: how many of its files, evenly over all.
    """
    from torchvision import datasets, transforms

    to_grey = transforms.Compose([transforms.Grayscale(), transforms.ToTensor()])
    files = datasets.ImageFolder(str(folder), to_grey)
    rows = np.linspace(0, len(files) - 1, min(images, len(files))).astype(int)
    return torch.utils.data.Subset(files, rows.tolist())


def packed(files: torch.utils.data.Subset) -> FaceSet:
    """Read the very same files into a face set, in the same order."""
    classes, samples = files.dataset.classes, [files.dataset.samples[i] for i in files.indices]
    images = [(files[row][0][0].numpy() * 255).round() for row in range(len(samples))]
    table = pd.DataFrame(
        {
            "id": [Path(path).name for path, _ in samples],
            "class": [classes[label] for _, label in samples],
            "split": "train",
            "source": "files",
        }
    )
    return FaceSet(np.stack(images).astype(np.uint8), table, tuple(classes))


# The loop, as S1's code has it.


def loop_steps(model, optimiser, batches: Iterator, steps: int) -> list[float]:
    """Take steps as S1's code does, and return the losses."""
    losses = []
    for _ in range(steps):
        x, labels = next(batches)
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def endless(files: torch.utils.data.Subset, workers: int) -> Iterator:
    """Yield shuffled batches, pass after pass."""
    loader = torch.utils.data.DataLoader(
        files, BATCH, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    while True:
        yield from loader


def s1_network(files: torch.utils.data.Subset) -> torch.nn.Module:
    """Build S1's network for the files' classes."""
    return build_classifier("s1", classes=len(files.dataset.classes))


def loop_of(args) -> Callable[[], list[float]]:
    """Return a function that takes `--steps` steps as S1's code does."""
    files = files_of(args.data, args.images)
    model = s1_network(files)
    optimiser = torch.optim.Adam(model.parameters(), lr=SCHUERMANN.lr_peak)
    batches = endless(files, args.loader_workers)
    return lambda: loop_steps(model, optimiser, batches, args.steps)


# The engine.


def engine(faces: FaceSet, precision: str = "fp32", compiled: bool = False) -> Trainer:
    """Return the engine's state for S1's recipe."""
    recipe = replace(SCHUERMANN, precision=precision)
    trainer = make_trainer(faces, TrainingPlan("s1", recipe, seed=0, steps=ENDLESS))
    trainer.model.train()
    if compiled:
        trainer = replace(trainer, model=torch.compile(trainer.model))
    return trainer


def engine_of(args, precision: str, compiled: bool) -> Callable[[], list[float]]:
    """Return a function that takes `--steps` of the engine's steps."""
    trainer = engine(packed(files_of(args.data, args.images)), precision, compiled)
    counter = itertools.count()
    return lambda: [float(take_step(trainer, next(counter))[0]) for _ in range(args.steps)]


def check_agreement(files: torch.utils.data.Subset, faces: FaceSet, steps: int) -> None:
    """Print the losses of both from the same weights, batches and dropout."""
    trainer = engine(faces)
    model = copy.deepcopy(trainer.model).to(memory_format=torch.contiguous_format)
    optimiser = torch.optim.Adam(model.parameters(), lr=SCHUERMANN.lr_peak)
    pairs = []
    for step in range(steps):
        rows = trainer.rows(step).tolist()
        loss, _, images = take_step(trainer, step).tolist()
        batch = torch.utils.data.default_collate([files[row] for row in rows])
        torch.manual_seed(step_seed(trainer.plan.seed, step))  # dropout
        (loop_loss,) = loop_steps(model, optimiser, iter([batch]), 1)
        pairs.append((loss / images, loop_loss))
    farthest = max((abs(a - b) for a, b in pairs), default=0.0)
    losses = ", ".join(f"{a:.5f}/{b:.5f}" for a, b in pairs)
    print(f"same weights and batches: losses {losses} (engine/loop); farthest {farthest:.1e}")


# Speed.


def serve(make: Callable, args, threads: int, pipe) -> None:
    """Work in a process of its own whenever asked to, and send the processor time it took."""
    torch.set_num_threads(threads)
    work = make()
    work()  # warm up
    pipe.send(0.0)
    with contextlib.suppress(EOFError):  # the parent has ended
        while pipe.recv():
            began = time.process_time()
            work()
            pipe.send(time.process_time() - began)


class Contestant:
    """Processes that train so many seeds at once.

    Args:
        make: returns the function that takes a turn's steps.
        args: the command line.
        threads: of each process.
        variables: of the processes' environment.
        count: of processes.
    """

    def __init__(self, make: Callable, args, threads: int, variables: dict, count: int = 1):
        self.images = count * args.steps * BATCH  # of a turn
        self.pipes = []
        context = multiprocessing.get_context("spawn")
        with environment(thread_environment(threads) | variables):
            for _ in range(count):
                here, there = context.Pipe()
                arguments = (make, args, threads, there)
                context.Process(target=serve, args=arguments, daemon=True).start()
                self.pipes.append(here)
        self._wait()

    def rates(self) -> tuple[float, float]:
        """Return images a second, and a second of processor time, over one turn."""
        began = time.perf_counter()
        for pipe in self.pipes:
            pipe.send(True)
        processor = self._wait()
        return self.images / (time.perf_counter() - began), self.images / processor

    def _wait(self) -> float:
        """Wait for all processes and add up their processor times, seconds."""
        return sum(pipe.recv() for pipe in self.pipes)


def contestants(args) -> dict[str, Contestant]:
    """Start the loop and what the command line asks for of the engine."""
    fp32 = partial(engine_of, args, "fp32", False)
    started = {
        "loop": Contestant(partial(loop_of, args), args, args.threads, {}),
        "engine": Contestant(fp32, args, args.threads, KEPT_MEMORY),
    }
    if args.given_back:
        started["engine, memory given back"] = Contestant(fp32, args, args.threads, {})
    if args.bf16:
        bf16 = partial(engine_of, args, "bf16", False)
        started["engine bf16"] = Contestant(bf16, args, args.threads, KEPT_MEMORY)
    if args.compile:
        compiled = partial(engine_of, args, "fp32", True)
        started["engine compiled"] = Contestant(compiled, args, args.threads, KEPT_MEMORY)
    if args.seeds_at_once:
        name = f"{args.seeds_at_once} engines at once"
        started[name] = Contestant(fp32, args, 1, KEPT_MEMORY, args.seeds_at_once)
    return started


def compare_speed(args) -> None:
    """Print images a second of all, and their ratios to the loop by round."""
    started = contestants(args)
    rates = {name: [] for name in started}
    for _ in range(args.rounds):
        parts = []
        for name, contestant in started.items():
            wall, processor = contestant.rates()
            rates[name].append((wall, processor))
            parts.append(f"{name} {wall:.1f} ({processor:.1f})")
        print(f"  {', '.join(parts)} images/s (a second of processor)", flush=True)
    loop = np.array(rates["loop"])
    for name, pairs in rates.items():
        wall, processor = (np.array(pairs) / loop).T
        print(
            f"{name}: median {np.median(np.array(pairs)[:, 0]):.1f} images/s, {spread(wall)} times "
            f"the loop, {spread(processor)} by processor time; "
            f"n = {args.rounds} rounds of {args.steps} steps"
        )


def spread(ratios: np.ndarray) -> str:
    """Write a median with its range."""
    return f"{np.median(ratios):.2f} [{ratios.min():.2f}, {ratios.max():.2f}]"


# Learning curves.


def compare_curves(files: torch.utils.data.Subset, faces: FaceSet, args) -> None:
    """Print the accuracy on every fifth image, unseen in training, after each epoch."""
    held = np.arange(len(faces)) % 5 == 0
    kept, rest = faces.select(~held), faces.select(held)
    own = torch.utils.data.Subset(files.dataset, np.array(files.indices)[~held].tolist())
    recipe = replace(SCHUERMANN, curve_points=args.epochs)
    for seed in range(args.curves):
        plan = TrainingPlan("s1", recipe, seed, epochs=args.epochs)
        result = train(kept, plan, evaluate={"rest": rest}, watch="rest")
        curves = {
            "loop": loop_curve(own, rest, seed, args),
            "engine": result.history["accuracy_watched"],
        }
        for name, values in curves.items():
            line = ", ".join(f"{value:.2%}" for value in values)
            print(f"  seed {seed}, {name}: {line} on {len(rest):,} images", flush=True)


def loop_curve(files: torch.utils.data.Subset, rest: FaceSet, seed: int, args) -> list[float]:
    """Train by the loop, and return the accuracy on unseen images after each epoch."""
    torch.manual_seed(seed)
    model, accuracies = s1_network(files), []
    optimiser = torch.optim.Adam(model.parameters(), lr=SCHUERMANN.lr_peak)
    batches = endless(files, args.loader_workers)
    for _ in range(args.epochs):
        model.train()
        loop_steps(model, optimiser, batches, -(-len(files) // BATCH))
        accuracies.append((predict(model, rest.images).argmax(1) == rest.labels).mean())
    return accuracies


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--data", type=Path, required=True, help="folder of class folders")
    add("--images", type=int, default=2000)
    add("--threads", type=int, default=1)
    add("--rounds", type=int, default=5)
    add("--steps", type=int, default=4, help="of a turn")
    add("--agree", type=int, default=3, help="steps over which the losses are compared")
    add("--loader-workers", type=int, default=0)
    add("--seeds-at-once", type=int, default=0)
    add("--bf16", action="store_true")
    add("--compile", action="store_true")
    add("--given-back", action="store_true", help="also an engine that keeps no freed memory")
    add("--curves", type=int, default=0, help="seeds of the learning curves; 0: speed instead")
    add("--epochs", type=int, default=3, help="of the learning curves")
    return parser.parse_args()


def main() -> None:
    """Print the comparison of speed, or of learning curves."""
    args, facts = arguments(), environment_facts()
    torch.set_num_threads(args.threads)
    files = files_of(args.data, args.images)
    faces = packed(files)
    machine = f"{facts['cpu']}, {facts['cores']} cores (load {os.getloadavg()[0]:.0f})"
    print(f"{machine}, {args.threads} threads, torch {torch.__version__}, {len(faces):,} files")
    if args.curves:
        compare_curves(files, faces, args)
    else:
        check_agreement(files, faces, args.agree)
        compare_speed(args)


if __name__ == "__main__":
    main()
