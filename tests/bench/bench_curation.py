"""What curation costs and how good it is: seconds and memory of each step, recall and precision on
injected faults, whom the detector rejects.

    python tests/bench/bench_curation.py                              # drawn faces
    python tests/bench/bench_curation.py --data fer2013 --steps 1500  # folder, zip, csv or parquet
    python tests/bench/bench_curation.py --sizes 10000,30000,100000   # cost as the pool grows

The label classifier and the features are the reference classifier, trained here for --steps on
three quarters of the training images.
"""

import argparse
import ctypes
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pandas as pd

from lib.classifiers.reference import ReferenceClassifier, fit_reference
from lib.curation.bias import bias_table
from lib.curation.chain import curate
from lib.curation.consistency import probability_table
from lib.curation.detection import FaceSettings, detect_faces, reject_faceless
from lib.curation.injected_faults import (
    FAULT_SHARE,
    TARGETS,
    inject_faults,
    split_without_copies,
    step_quality,
)
from lib.curation.steps import STEPS, StepInputs, face_settings, inputs_of
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.duplicates import mark_copies
from lib.faces.faceset import FaceSet
from lib.faces.sources import read_faces
from lib.study.machine import environment_facts
from lib.study.params import load_params

PARAMS = load_params("quick")
CLEAN_IMAGES = 4000  # that faults are injected into, at most
DOUBTS = (0.02, 0.05, 0.1)  # values of label_doubt beside confident learning
DRAWN = 20_000  # different drawings that a large pool is made of
FIRST_SEED = 10**6  # of the drawings, which no study draws
DIVERSE_SHARE = 20  # the step diverse keeps one image in so many


def whom_the_detector_rejects(faces: FaceSet) -> None:
    """Print what the Haar cascade rejects by every known attribute, with S1's settings and ours."""
    rows = (
        ("S1's settings", FaceSettings(), 0.0),
        ("ours", face_settings(PARAMS), PARAMS["face_least_share"]),
    )
    for name, settings, least_share in rows:
        began = time.process_time()
        boxes = detect_faces(faces.images, settings)
        keep = reject_faceless(faces, boxes, least_share=least_share)["keep"].to_numpy()
        each_ms = 1e3 * (time.process_time() - began) / len(keep)
        counts = f"{(~keep).sum():,} of {len(keep):,} rejected"
        print(f"\n{name}: {counts}, {each_ms:.2f} ms of processor an image")
        print(bias_table(faces, keep).to_string(index=False))


def how_good_each_step_is(faces: FaceSet, steps: int, seed: int) -> None:
    """Print recall, precision and cost of each step on injected faults."""
    train = faces.split("train")
    held_out = faces.select(faces.table["split"].isin(["val", "test"]).to_numpy())
    reference = _reference(faces, steps, seed)

    # Faults into clean held-out images, taken from the others.
    clean, others = split_without_copies(held_out, n=CLEAN_IMAGES, seed=seed)
    faulty = inject_faults(clean, share=FAULT_SHARE, seed=seed, train=train, held_out=others)
    probabilities = probability_table(faulty, reference.probabilities(faulty.images))
    inputs = StepInputs(train, others, reference.features, probabilities)

    # A step is as good as the classifier that it asks.
    accuracy = (reference.probabilities(clean.images).argmax(1) == clean.labels).mean()
    print(
        f"\nlabel classifier: accuracy {accuracy:.1%} on {len(clean):,} images; {len(train):,} to "
        "train on"
    )
    print(step_quality(faulty, list(TARGETS), PARAMS, inputs).to_string(index=False))
    for doubt in DOUBTS:
        quality = step_quality(faulty, ["label"], PARAMS | {"label_doubt": doubt}, inputs)
        print(f"\nlabel_doubt {doubt}:\n{quality.to_string(index=False)}")


def seconds_and_memory(faces: FaceSet, sizes: list[int], steps: int) -> None:
    """Print seconds and peak memory, above the images themselves, over growing pools.

    Each step examines the whole pool by itself; the last row is the chain of all of them.
    """
    reference = _reference(faces, steps, 0)
    rows = []
    for size in sizes:
        pool = grown(size, faces.classes)
        probabilities = reference.probabilities(pool.images)
        inputs = inputs_of(faces, pool, features=reference.features, probabilities=probabilities)
        params = PARAMS | {"diverse_images": size // DIVERSE_SHARE}
        for names in (*([name] for name in STEPS), list(STEPS)):
            work = partial(curate, pool, names, params, inputs)
            done, seconds, megabytes = watched_peak(work)
            label = names[0] if len(names) == 1 else "all"
            rows.append((label, size, seconds, megabytes, len(done.faces)))
            print(f"{size:,} {label}: {seconds:.1f} s, {megabytes:.0f} MB", flush=True)

    table = pd.DataFrame(rows, columns=["step", "images", "seconds", "megabytes", "kept"])
    wide = table.pivot(index="step", columns="images", values=["megabytes", "seconds", "kept"])
    each = pool.images[0].nbytes / 1e6
    print(f"\nmegabytes above the images ({each:.4f} MB each), and seconds")
    print(wide.loc[[*STEPS, "all"]].round(1).to_string())


def grown(size: int, classes: tuple[str, ...]) -> FaceSet:
    """Make a large pool out of drawn faces, so that some are near-copies and most are not.

    Every further use of a drawing is shifted, lit anew and noisy, every second one mirrored.
    """
    rng = np.random.default_rng(0)
    labels = np.arange(min(size, DRAWN)) % len(classes)
    drawn = draw_faces(labels, np.arange(len(labels)) + FIRST_SEED).images
    images = np.empty((size, *drawn.shape[1:]), np.uint8)
    for first in range(0, size, len(drawn)):
        part = drawn[: size - first]
        turn = first // len(drawn)
        if turn % 2:
            part = part[:, :, ::-1]
        moved = np.roll(part, 2 * turn, axis=1).astype(np.int16)
        light = rng.integers(-20, 20, (len(part), 1, 1))
        grain = rng.integers(-4, 5, moved.shape, dtype=np.int16)
        images[first : first + len(part)] = np.clip(moved + (light + grain), 0, 255)

    table = {
        "id": [f"p{i}" for i in range(size)],
        "class": np.array(classes)[np.arange(size) % len(drawn) % len(classes)],
        "split": "train",
        "source": "synthetic",
    }
    return FaceSet(images, pd.DataFrame(table), classes)


def watched_peak(work: Callable) -> tuple:
    """Run something; return its result, seconds, and megabytes by which memory rose (Linux)."""
    # Memory that lies free would hide what is taken.
    ctypes.CDLL(None).malloc_trim(0)
    # Writing 5 resets the peak.
    Path("/proc/self/clear_refs").write_text("5")
    before = _status("VmRSS")
    began = time.perf_counter()
    result = work()
    return result, time.perf_counter() - began, _status("VmHWM") - before


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="", help="real faces; without it drawn ones")
    parser.add_argument("--steps", type=int, default=800, help="of the reference classifier")
    parser.add_argument("--sizes", default="", help="sizes of pools whose cost is shown by step")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    facts = environment_facts()
    print(f"commit {facts['commit']}, {facts['device']}, {facts['cores']} cores")

    if options.data:
        faces = read_faces(options.data)
    else:
        faces = drawn_study(4000, 3000, 5000, 0.1, options.seed)
    faces = mark_copies(faces, PARAMS["near_copy_distance"])
    if options.sizes:
        sizes = [int(size) for size in options.sizes.split(",")]
        seconds_and_memory(faces, sizes, options.steps)
    else:
        how_good_each_step_is(faces, options.steps, options.seed)
        whom_the_detector_rejects(faces)


def _reference(faces: FaceSet, steps: int, seed: int) -> ReferenceClassifier:
    """Train a reference classifier that is not kept."""
    with tempfile.TemporaryDirectory() as folder:
        return fit_reference(faces, Path(folder), steps=steps, seed=seed)


def _status(key: str) -> float:
    """Read a line of /proc/self/status, megabytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    line = next(line for line in lines if line.startswith(key))
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    main()
