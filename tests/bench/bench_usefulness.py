"""Which measure foretells usefulness, over many drawn pools whose faults are known? Not a test: run it by hand.

OMP_NUM_THREADS=1 python tests/bench/bench_usefulness.py

Eighteen pools: 0 (all different), 40 or 5 people x 0, 20 or 50 % wrong labels x as drawn, or dark and blurred. A pool's use is the accuracy
on real test faces of what is taught by the pool alone: a linear learner on the encoder's features, and the network `small`, each a setting
of its own. A line is printed for every pool, so that a run that is stopped has told something.
"""

import argparse
import itertools
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from lib.classifiers.training import train
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.faceset import FaceSet
from lib.metrics.causes import linear_probe
from lib.metrics.distances import all_distances
from lib.metrics.encoder import fit_encoder
from lib.metrics.known import class_kernel_distance, label_agreement
from lib.metrics.spaces import pixel_space, remembering
from lib.metrics.twosample import two_sample
from lib.metrics.usefulness import foretell, what_foretells

NEGATIVE = ("fd", "kd", "kd_class")


def pools(size: int) -> dict[str, FaceSet]:
    """Draw the pools by name."""
    found = {}
    labels = np.random.default_rng(1).integers(7, size=size)
    for number, (people, wrong, dark) in enumerate(itertools.product((0, 40, 5), (0.0, 0.2, 0.5), (False, True))):
        seeds = 50_000_000 + number * size + np.arange(size)
        pool = draw_faces(labels, seeds, identities=people, mislabelled_share=wrong)
        images = np.stack([cv2.GaussianBlur(image, (0, 0), 1.2) // 2 for image in pool.images]) if dark else pool.images
        found[f"{people or 'all'} people, {wrong:.0%} wrong{', dark' if dark else ''}"] = FaceSet(images, pool.table)
    return found


def measures(space: str, real: tuple, synth: tuple) -> dict[str, float]:
    """Measure one pool in one space, oriented so that more promises more use."""
    row = all_distances(real[0], synth[0]) | {
        "kd_class": class_kernel_distance(real, synth, seed=0),
        "labels": label_agreement(real, synth),
    }
    row["not told apart"] = -two_sample(real[0], synth[0])["accuracy"]
    return {f"{name} ({space})": -value if name in NEGATIVE else value for name, value in row.items()}


def network_accuracy(pool: FaceSet, test: FaceSet, steps: int, seeds: int) -> float:
    """Teach the network `small` by a pool alone: mean accuracy over seeds."""
    settings = {"classifier": "small", "recipe": "quick", "steps": steps, "evaluate": {"test": test}}
    said = [train(pool, seed=seed, **settings).probabilities["test"].argmax(1) for seed in range(seeds)]
    return float(np.mean([(own == test.labels).mean() for own in said]))


def main() -> None:
    """Print the table of correlations of each setting and of both, and the sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="of a pool")
    parser.add_argument("--steps", type=int, default=60, help="of the network; 0: the linear learner alone")
    parser.add_argument("--seeds", type=int, default=2)
    given, start = parser.parse_args(), time.process_time()
    faces = drawn_study(600, 0, 800, 0.1, 0)
    test, rows, gains = faces.split("test"), [], []
    with tempfile.TemporaryDirectory() as folder:
        encoder = remembering(fit_encoder(faces, Path(folder)).features)
    spaces = {"encoder": encoder, "pixels": remembering(pixel_space(faces.split("train").images))}
    learn = linear_probe(encoder, test)
    for name, pool in pools(given.images).items():
        use = {"linear": float((learn(pool.images, pool.labels) == test.labels).mean())}
        use |= {"network": network_accuracy(pool, test, given.steps, given.seeds)} if given.steps else {}
        gains += [{"pool": name, "setting": setting, "gain": gain} for setting, gain in use.items()]
        for space, extract in spaces.items():
            real = extract(test.images[: given.images]), test.labels[: given.images]
            found = measures(space, real, (extract(pool.images), pool.labels))
            rows += [{"pool": name, "measure": measure, "value": value} for measure, value in found.items()]
        print(f"{time.process_time() - start:.0f} s of processor: {name}, taught by it {use}", flush=True)
    values, gains = pd.DataFrame(rows), pd.DataFrame(gains)
    for setting in gains["setting"].unique():
        print(setting, foretell(values, gains[gains["setting"] == setting], seed=0).round(2).to_string(), sep="\n", flush=True)
    table = foretell(values, gains, seed=0)
    print("all settings", table.round(2).to_string(), what_foretells(table), sep="\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
