"""Which measure predicts usefulness, over many drawn pools whose faults are known? Not a test: run
it by hand.

    OMP_NUM_THREADS=1 python tests/bench/bench_usefulness.py

Eighteen pools: 0 (all different), 40 or 5 people x 0, 20 or 50% wrong labels x as drawn, or dark
and blurred. A pool's use is the accuracy on real test faces of what is trained on the pool alone: a
linear learner on the encoder's features, and the network `small`, each a setting of its own. A line
is printed for every pool, so that a run that is stopped has not been in vain.
"""

import argparse
import itertools
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pandas as pd
import torch

from lib.classifiers.recipes import TrainingPlan, recipe_of
from lib.classifiers.training import train
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.faceset import FaceSet
from lib.metrics.causes import linear_probe
from lib.metrics.distances import all_distances
from lib.metrics.encoder import fit_encoder
from lib.metrics.known import class_kernel_distance, neighbour_label_agreement
from lib.metrics.spaces import pixel_space, remembering
from lib.metrics.twosample import two_sample
from lib.metrics.usefulness import usefulness_correlations, usefulness_sentence

NEGATIVE = ("fd", "kd", "kd_class")  # measures of which less promises more use
PEOPLE = (0, 40, 5)  # 0: all different
WRONG = (0.0, 0.2, 0.5)
FIRST_SEED = 50_000_000  # of the drawings


def pools(size: int) -> dict[str, FaceSet]:
    """Draw the pools by name."""
    labels = np.random.default_rng(1).integers(7, size=size)
    drawn = {}
    for number, (people, wrong, dark) in enumerate(itertools.product(PEOPLE, WRONG, (False, True))):
        seeds = FIRST_SEED + number * size + np.arange(size)
        pool = draw_faces(labels, seeds, identities=people, mislabelled_share=wrong)
        name = f"{people or 'all'} people, {wrong:.0%} wrong"
        if dark:
            images = [cv2.GaussianBlur(image, (0, 0), 1.2) // 2 for image in pool.images]
            pool = replace(pool, images=np.stack(images))
            name += ", dark"
        drawn[name] = pool
    return drawn


def measures(space: str, real: tuple, synth: tuple) -> dict[str, float]:
    """Measure one pool in one space, oriented so that more promises more use.

    Args:
        space: its name, for the names of the measures.
        real, synth: features float (N, D) and labels int64 (N,).
    """
    values = all_distances(real[0], synth[0])
    values["kd_class"] = class_kernel_distance(real, synth, seed=0)
    values["labels"] = neighbour_label_agreement(real, synth)
    values["not separable"] = -two_sample(real[0], synth[0])["accuracy"]
    oriented = {}
    for name, value in values.items():
        oriented[f"{name} ({space})"] = -value if name in NEGATIVE else value
    return oriented


def network_accuracy(pool: FaceSet, test: FaceSet, steps: int, seeds: int) -> float:
    """Train the network `small` on a pool alone: mean accuracy over seeds."""
    accuracies = []
    for seed in range(seeds):
        plan = TrainingPlan("small", recipe_of("quick"), seed=seed, steps=steps)
        predicted = train(pool, plan, evaluate={"test": test}).probabilities["test"].argmax(1)
        accuracies.append((predicted == test.labels).mean())
    return float(np.mean(accuracies))


def main() -> None:
    """Print the table of correlations of each setting and of both, and the sentence."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=400, help="of a pool")
    parser.add_argument("--steps", type=int, default=60, help="of the network; 0: none is trained")
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args()
    start = time.process_time()

    # Real faces, feature spaces and the linear learner.
    faces = drawn_study(600, 0, 800, 0.1, 0)
    test = faces.split("test")
    with tempfile.TemporaryDirectory() as folder:
        encoder = remembering(fit_encoder(faces, Path(folder)).features)
    spaces = {"encoder": encoder, "pixels": remembering(pixel_space(faces.split("train").images))}
    learn = linear_probe(encoder, test)
    real_images, real_labels = test.images[: options.images], test.labels[: options.images]

    # What each pool is worth, and what is measured of it.
    values, gains = [], []
    for name, pool in pools(options.images).items():
        use = {"linear": float((learn(pool.images, pool.labels) == test.labels).mean())}
        if options.steps:
            use["network"] = network_accuracy(pool, test, options.steps, options.seeds)
        for setting, gain in use.items():
            gains.append({"pool": name, "setting": setting, "gain": gain})
        for space, extract in spaces.items():
            pair = (extract(real_images), real_labels), (extract(pool.images), pool.labels)
            for measure, value in measures(space, *pair).items():
                values.append({"pool": name, "measure": measure, "value": value})
        spent = time.process_time() - start
        print(f"{spent:.0f} s of processor: {name}, accuracy trained on it {use}", flush=True)

    # Correlations over the pools, of each setting and of both.
    values, gains = pd.DataFrame(values), pd.DataFrame(gains)
    for setting, of_setting in gains.groupby("setting", sort=False):
        table = usefulness_correlations(values, of_setting, seed=0)
        print(setting, table.round(2).to_string(), sep="\n", flush=True)
    table = usefulness_correlations(values, gains, seed=0)
    print("all settings", table.round(2).to_string(), usefulness_sentence(table), sep="\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    main()
