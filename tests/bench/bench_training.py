"""S1's training loop as its code has it against the engine: same network, batch, optimiser and precision, side by side in one run.

    python tests/bench/bench_training.py --data dataset_base/train                        # one thread each
    python tests/bench/bench_training.py --data dataset_base/train --threads 4 --seeds-at-once 4   # four seeds at once
    python tests/bench/bench_training.py --data dataset_base/train --images 2000 --curves 3        # learning curves of three seeds each

The loop: a DataLoader over single files, batch 128, Adam at 0.001, fp32, S1's network. Each is a process, the engine's with the variables
that training processes have. They take turns of --steps steps, --rounds times; ratios are of the same round, so other work on the machine
hits both alike. First the two are shown to be the same training: from the same
weights and batches, their losses step by step.
"""

import argparse
import contextlib
import copy
import itertools
import multiprocessing
import os
import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pandas as pd
import torch
from torch.nn import functional as F

from lib.classifiers.models import build_classifier
from lib.classifiers.order import step_seed
from lib.classifiers.recipes import RECIPES
from lib.classifiers.trainer import make_trainer, take_step
from lib.classifiers.training import predict, train
from lib.classifiers.workers import environment
from lib.faces.faceset import FaceSet
from lib.study.machine import KEPT_MEMORY, environment_facts, thread_environment

RECIPE = RECIPES["schuermann"]


def files_of(folder: Path, images: int):
    """Return a data set of single files (1, 48, 48) in [0, 1], every k-th of a folder of class folders, `images` of them."""
    from torchvision import datasets, transforms

    files = datasets.ImageFolder(str(folder), transforms.Compose([transforms.Grayscale(), transforms.ToTensor()]))
    rows = np.linspace(0, len(files) - 1, min(images, len(files))).astype(int)
    return torch.utils.data.Subset(files, rows.tolist())


def loop_steps(model, optimiser, batches, steps: int) -> list[float]:
    """Take steps as S1's code does and return the losses."""
    losses = []
    for _ in range(steps):
        x, labels = next(batches)
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return losses


def endless(files, workers: int):
    """Yield shuffled batches of 128, pass after pass."""
    loader = torch.utils.data.DataLoader(files, RECIPE.batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    while True:
        yield from loader


def packed(files) -> FaceSet:
    """Read the very same files into a face set in the same order."""
    classes, rows = files.dataset.classes, [files.dataset.samples[i] for i in files.indices]
    images = np.stack([(files[i][0][0].numpy() * 255).round().astype(np.uint8) for i in range(len(rows))])
    names = [classes[label] for _, label in rows]
    return FaceSet(images, pd.DataFrame({"id": [Path(path).name for path, _ in rows], "class": names, "split": "train", "source": "files"}))


def engine(faces: FaceSet, precision: str = "fp32", compiled: bool = False):
    """Return the engine's state for S1's recipe."""
    trainer = make_trainer(faces, "s1", replace(RECIPE, precision=precision), 0, 10**6, 0, "cpu")
    trainer.model.train()
    return replace(trainer, model=torch.compile(trainer.model)) if compiled else trainer


def check_agreement(files, faces: FaceSet, steps: int) -> None:
    """Print the losses of loop and engine from the same weights over the same batches, with the same dropout."""
    trainer = engine(faces)
    model = copy.deepcopy(trainer.model).to(memory_format=torch.contiguous_format)
    optimiser, pairs = torch.optim.Adam(model.parameters(), lr=0.001), []
    for step in range(steps):
        rows = trainer.rows(step).tolist()
        ours = take_step(trainer, step)
        batch = torch.utils.data.default_collate([files[row] for row in rows])
        torch.manual_seed(step_seed(trainer.schedule.seed, step))  # dropout
        pairs.append((float(ours[0] / ours[2]), loop_steps(model, optimiser, iter([batch]), 1)[0]))
    far = max((abs(a - b) for a, b in pairs), default=0.0)
    losses = ", ".join(f"{a:.5f}/{b:.5f}" for a, b in pairs)
    print(f"same weights and batches: losses {losses} (engine/loop); farthest {far:.1e}", flush=True)


def loop_of(args):
    """Return a function that takes `--steps` steps as S1's code does."""
    model = build_classifier("s1")
    optimiser, batches = torch.optim.Adam(model.parameters(), lr=0.001), endless(files_of(args.data, args.images), args.loader_workers)
    return lambda: loop_steps(model, optimiser, batches, args.steps)


def engine_of(args, precision: str, compiled: bool):
    """Return a function that takes `--steps` of the engine's steps."""
    trainer, counter = engine(packed(files_of(args.data, args.images)), precision, compiled), itertools.count()
    return lambda: [float(take_step(trainer, next(counter))[0]) for _ in range(args.steps)]


def serve(make, args, threads: int, pipe) -> None:
    """Live as the process of a way: work whenever told to, and tell the processor time that it took."""
    torch.set_num_threads(threads)
    work = make()
    work()  # warm up
    pipe.send(0.0)
    with contextlib.suppress(EOFError):  # the parent has ended
        while pipe.recv():
            began = time.process_time()
            work()
            pipe.send(time.process_time() - began)


class Way:
    """Processes that train so many seeds at once, started with the variables that such a process has."""

    def __init__(self, make, args, threads: int, variables: dict, count: int = 1):
        context, self.pipes, self.images = multiprocessing.get_context("spawn"), [], count * args.steps * RECIPE.batch_size
        with environment(thread_environment(threads) | variables):
            for _ in range(count):
                ours, theirs = context.Pipe()
                context.Process(target=serve, args=(make, args, threads, theirs), daemon=True).start()
                self.pipes.append(ours)
        self._told()

    def rates(self) -> tuple[float, float]:
        """Return images a second and images a second of processor time, over one turn."""
        began = time.perf_counter()
        for pipe in self.pipes:
            pipe.send(True)
        processor = self._told()
        return self.images / (time.perf_counter() - began), self.images / processor

    def _told(self) -> float:
        return sum(pipe.recv() for pipe in self.pipes)


def compare_speed(args) -> None:
    """Print images a second of the loop and of each way of the engine, and their ratios by round."""
    fp32 = partial(engine_of, args, "fp32", False)
    ways = {"loop": Way(partial(loop_of, args), args, args.threads, {}), "engine": Way(fp32, args, args.threads, KEPT_MEMORY)}
    if args.given_back:
        ways["engine, memory given back"] = Way(fp32, args, args.threads, {})
    if args.bf16:
        ways["engine bf16"] = Way(partial(engine_of, args, "bf16", False), args, args.threads, KEPT_MEMORY)
    if args.compile:
        ways["engine compiled"] = Way(partial(engine_of, args, "fp32", True), args, args.threads, KEPT_MEMORY)
    if args.seeds_at_once:
        ways[f"{args.seeds_at_once} engines at once"] = Way(fp32, args, 1, KEPT_MEMORY, args.seeds_at_once)
    found = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            found[name].append(way.rates())
        print("  " + ", ".join(f"{name} {rates[-1][0]:.1f} ({rates[-1][1]:.1f})" for name, rates in found.items())
              + " images/s (a second of processor)", flush=True)  # fmt: skip
    for name, rates in found.items():
        wall, cpu = (np.array(rates)[:, i] / np.array(found["loop"])[:, i] for i in (0, 1))
        print(f"{name}: median {np.median([r[0] for r in rates]):.1f} images/s, {np.median(wall):.2f} [{wall.min():.2f}, {wall.max():.2f}] "
              f"times the loop, {np.median(cpu):.2f} [{cpu.min():.2f}, {cpu.max():.2f}] by processor time; "
              f"n = {args.rounds} rounds of {args.steps} steps")  # fmt: skip


def compare_curves(files, faces: FaceSet, args) -> None:
    """Print the accuracy on every fifth image, unseen in training, after each epoch: loop and engine, several seeds."""
    held = np.arange(len(faces)) % 5 == 0
    kept, rest = faces.select(~held), faces.select(held)
    own = torch.utils.data.Subset(files, np.flatnonzero(~held).tolist())
    for seed in range(args.curves):
        torch.manual_seed(seed)
        model, curve = build_classifier("s1"), []
        optimiser, batches = torch.optim.Adam(model.parameters(), lr=0.001), endless(own, args.loader_workers)
        for _ in range(args.epochs):
            model.train()
            loop_steps(model, optimiser, batches, -(-len(own) // RECIPE.batch_size))
            curve.append((predict(model, rest.images).argmax(1) == rest.labels).mean())
        recipe = replace(RECIPE, curve_points=args.epochs)
        ours = train(kept, classifier="s1", recipe=recipe, seed=seed, epochs=args.epochs, evaluate={"rest": rest}, watch="rest").history
        for name, values in (("loop", curve), ("engine", ours["accuracy_watched"])):
            print(f"  seed {seed}, {name}: {', '.join(f'{value:.2%}' for value in values)} on {len(rest):,} images", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder of class folders")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--agree", type=int, default=3, help="steps over which the losses are compared")
    parser.add_argument("--loader-workers", type=int, default=0)
    parser.add_argument("--seeds-at-once", type=int, default=0)
    parser.add_argument("--bf16", action="store_true")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--given-back", action="store_true", help="also the engine in a process that keeps no freed memory")
    parser.add_argument("--curves", type=int, default=0, help="seeds of the learning curves; 0: speed instead")
    parser.add_argument("--epochs", type=int, default=3, help="of the learning curves")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    files, facts = files_of(args.data, args.images), environment_facts()
    faces = packed(files)
    machine = f"{facts['cpu']}, {facts['cores']} cores (load {os.getloadavg()[0]:.0f}), {args.threads} threads, torch {torch.__version__}"
    print(f"{machine}, {len(faces):,} files", flush=True)
    if args.curves:
        compare_curves(files, faces, args)
    else:
        check_agreement(files, faces, args.agree)
        compare_speed(args)


if __name__ == "__main__":
    main()
