"""Which measure foretells usefulness, over many drawn pools whose faults are known? Not a test: run it by hand.

python tests/bench/bench_usefulness.py

Eighteen pools: 0 (all different), 40 or 5 people x 0, 20 or 50 % wrong labels x as drawn, or dark and blurred. A pool's use is the accuracy
on real test faces of a linear learner taught by the pool alone, on the encoder's features.
"""

import itertools
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.faceset import FaceSet
from lib.metrics.causes import linear_probe
from lib.metrics.distances import all_distances
from lib.metrics.encoder import fit_encoder
from lib.metrics.known import class_kernel_distance, label_agreement
from lib.metrics.spaces import pixel_space, remembering
from lib.metrics.twosample import two_sample
from lib.metrics.usefulness import foretell, what_foretells

IMAGES = 500
NEGATIVE = ("fd", "kd", "kd_class")


def pools() -> dict[str, FaceSet]:
    """Draw the pools by name."""
    found = {}
    labels = np.random.default_rng(1).integers(7, size=IMAGES)
    for number, (people, wrong, dark) in enumerate(itertools.product((0, 40, 5), (0.0, 0.2, 0.5), (False, True))):
        seeds = 50_000_000 + number * IMAGES + np.arange(IMAGES)
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


def main() -> None:
    """Print the table of correlations and the sentence."""
    start = time.process_time()
    faces = drawn_study(1000, 0, 1000, 0.1, 0)
    test, rows, gains = faces.split("test"), [], []
    with tempfile.TemporaryDirectory() as folder:
        encoder = remembering(fit_encoder(faces, Path(folder)).features)
    spaces = {"encoder": encoder, "pixels": remembering(pixel_space(faces.split("train").images))}
    learn = linear_probe(encoder, test)
    for name, pool in pools().items():
        gains.append({"pool": name, "setting": "linear", "gain": float((learn(pool.images, pool.labels) == test.labels).mean())})
        for space, extract in spaces.items():
            real = extract(test.images[:IMAGES]), test.labels[:IMAGES]
            found = measures(space, real, (extract(pool.images), pool.labels))
            rows += [{"pool": name, "measure": measure, "value": value} for measure, value in found.items()]
    table = foretell(pd.DataFrame(rows), pd.DataFrame(gains), seed=0)
    print(pd.DataFrame(gains).round(3).to_string(), table.round(3).to_string(), what_foretells(table), sep="\n\n")
    print(f"{time.process_time() - start:.0f} s of processor")


if __name__ == "__main__":
    main()
