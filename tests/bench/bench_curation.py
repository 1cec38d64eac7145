"""What curation costs and how good it is: seconds and memory of each step, recall and precision
on planted faults, whom the detector rejects.

    python tests/bench/bench_curation.py                                   # drawn faces
    python tests/bench/bench_curation.py --data fer2013 --steps 1500       # real faces: folder, zip, csv or parquet
    python tests/bench/bench_curation.py --sizes 10000,30000,100000        # seconds and memory of every step as the pool grows

The judge of labels and the features are the reference classifier, trained here for --steps on three quarters of the training images.
"""

import argparse
import ctypes
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np
import pandas as pd

from lib.classifiers.instrument import fit_instrument
from lib.curation import consistency, planted
from lib.curation.bias import bias_table
from lib.curation.chain import curate
from lib.curation.detection import FaceSettings, detect_faces, reject_faceless
from lib.curation.steps import STEPS, Evidence, face_settings
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.duplicates import mark_copies
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.sources import read_faces
from lib.study.machine import environment_facts
from lib.study.params import load_params

PARAMS = load_params("quick")


def whom_the_detector_rejects(faces: FaceSet) -> None:
    """Print what the Haar cascade rejects by class and by what else is known, with S1's settings and with ours."""
    for name, settings, least in (("S1's settings", FaceSettings(), 0.0), ("ours", face_settings(PARAMS), PARAMS["face_least_share"])):
        began = time.process_time()
        keep = reject_faceless(faces, detect_faces(faces.images, settings), least_share=least)["keep"].to_numpy()
        print(
            f"\n{name}: {(~keep).sum():,} of {len(keep):,} rejected, {1e3 * (time.process_time() - began) / len(keep):.2f} ms of "
            f"processor an image"
        )
        print(bias_table(faces, keep).to_string(index=False))


def how_good_each_step_is(faces: FaceSet, steps: int, seed: int) -> None:
    """Print recall, precision and cost of each step on planted faults."""
    train, held = faces.split("train"), faces.select(faces.table["split"].isin(["val", "test"]).to_numpy())
    with tempfile.TemporaryDirectory() as folder:
        instrument = fit_instrument(faces, Path(folder), steps=steps, seed=seed)
    base, others = planted.without_copies(held, n=4000, seed=seed)
    faulty = planted.plant_failures(base, share=0.04, seed=seed, train=train, held_out=others)
    said = consistency.probability_table(faulty, instrument.probabilities(faulty.images))
    evidence = Evidence(train, others, instrument.features, said)
    print(
        f"\njudge right on {(instrument.probabilities(base.images).argmax(1) == base.labels).mean():.1%} of {len(base):,} images; "
        f"{len(train):,} to train on"
    )
    print(planted.step_quality(faulty, list(planted.MEANT_FOR), PARAMS, evidence).to_string(index=False))
    for doubt in (0.02, 0.05, 0.1):
        quality = planted.step_quality(faulty, ["label"], PARAMS | {"label_doubt": doubt}, evidence)
        print(f"\nlabel_doubt {doubt}:\n{quality.to_string(index=False)}")


def seconds_and_memory(faces: FaceSet, sizes: list[int], steps: int) -> None:
    """Print seconds and the peak of memory, above the images themselves, of each step alone and of the chain, over growing pools.

    Each step judges the whole pool by itself; the last row is the chain of all of them.
    """
    train, held = faces.split("train"), faces.select((faces.table["split"] != "train").to_numpy())
    with tempfile.TemporaryDirectory() as folder:
        instrument = fit_instrument(faces, Path(folder), steps=steps, seed=0)
    rows = []
    for size in sizes:
        pool = grown(size)
        evidence = Evidence(train, held, instrument.features, consistency.probability_table(pool, instrument.probabilities(pool.images)))
        params = PARAMS | {"diverse_images": size // 20}
        for names in (*([name] for name in STEPS), list(STEPS)):
            done, seconds, megabytes = watched_peak(lambda: curate(pool, names, params, evidence))  # noqa: B023
            label = names[0] if len(names) == 1 else "all"
            rows.append((label, size, seconds, megabytes, len(done.faces)))
            print(f"{size:,} {label}: {seconds:.1f} s, {megabytes:.0f} MB", flush=True)
    table = pd.DataFrame(rows, columns=["step", "images", "seconds", "megabytes", "kept"])
    print(f"\nmegabytes above the images ({pool.images[0].nbytes / 1e6:.4f} MB each), and seconds")
    print(table.pivot(index="step", columns="images", values=["megabytes", "seconds", "kept"]).loc[[*STEPS, "all"]].round(1).to_string())


def grown(size: int, *, drawn: int = 20_000) -> FaceSet:
    """Make a large pool out of drawn faces: mirrored, shifted, lit anew and noisy, so that some are near-copies and most are not."""
    rng = np.random.default_rng(0)
    labels = np.arange(min(size, drawn)) % 7
    base = draw_faces(labels, np.arange(len(labels)) + 10**6).images
    images = np.empty((size, *base.shape[1:]), np.uint8)
    for first in range(0, size, len(base)):
        part, turn = base[: size - first], first // len(base)
        moved = np.roll(part if turn % 2 == 0 else part[:, :, ::-1], 2 * turn, axis=1).astype(np.int16)
        light = rng.integers(-20, 20, (len(part), 1, 1)) + rng.integers(-4, 5, moved.shape, dtype=np.int16)
        images[first : first + len(part)] = np.clip(moved + light, 0, 255)
    names = np.array(CLASSES)[np.arange(size) % len(base) % 7]
    table = pd.DataFrame({"id": [f"p{i}" for i in range(size)], "class": names, "split": "train", "source": "synthetic"})
    return FaceSet(images, table)


def watched_peak(work: Callable) -> tuple:
    """Run something; give its result, seconds, and the megabytes by which memory rose at its highest (Linux)."""
    ctypes.CDLL(None).malloc_trim(0)  # memory that lies free would hide what is taken
    Path("/proc/self/clear_refs").write_text("5")
    before, began = _status("VmRSS"), time.perf_counter()
    result = work()
    return result, time.perf_counter() - began, _status("VmHWM") - before


def _status(key: str) -> float:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="", help="real faces; without it drawn ones")
    parser.add_argument("--steps", type=int, default=800, help="of the reference classifier")
    parser.add_argument("--sizes", default="", help="sizes of pools whose seconds and memory are shown, step by step")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    facts = environment_facts()
    print(f"commit {facts['commit']}, {facts['device']}, {facts['cores']} cores")
    faces = read_faces(options.data) if options.data else drawn_study(4000, 3000, 5000, 0.1, options.seed)
    faces = mark_copies(faces, PARAMS["near_copy_distance"])
    if options.sizes:
        seconds_and_memory(faces, [int(size) for size in options.sizes.split(",")], options.steps)
    else:
        how_good_each_step_is(faces, options.steps, options.seed)
        whom_the_detector_rejects(faces)


if __name__ == "__main__":
    main()
