"""What curation costs and how good it is: seconds and memory of each step, recall and precision
on planted faults, whom the detector rejects.

    python tests/bench/bench_curation.py                                   # drawn faces
    python tests/bench/bench_curation.py --data fer2013 --steps 1500       # real faces: folder, zip, csv or parquet
    python tests/bench/bench_curation.py --sizes 10000,25000,50000,100000  # memory of the steps that compare images

The judge of labels and the features are the reference classifier, trained here for --steps on three quarters of the training images.
"""

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from lib.classifiers.instrument import fit_instrument  # noqa: E402
from lib.curation import consistency, planted  # noqa: E402
from lib.curation.bias import bias_table  # noqa: E402
from lib.curation.chain import curate  # noqa: E402
from lib.curation.detection import FaceSettings, detect_faces, reject_faceless  # noqa: E402
from lib.curation.steps import Evidence, face_settings  # noqa: E402
from lib.faces.drawn import drawn_study  # noqa: E402
from lib.faces.duplicates import mark_copies  # noqa: E402
from lib.faces.faceset import FaceSet  # noqa: E402
from lib.faces.sources import read_faces  # noqa: E402
from lib.study.machine import environment_facts  # noqa: E402
from lib.study.params import load_params  # noqa: E402

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


def seconds_and_memory(faces: FaceSet, sizes: list[int]) -> None:
    """Print processor time and the peak of memory of the steps that compare images, over growing
    pools (mirrored and darkened copies fill them).
    """
    train, held = faces.split("train"), faces.select((faces.table["split"] != "train").to_numpy())
    more = np.concatenate([faces.images, faces.images[:, :, ::-1], (faces.images * 0.8).astype(np.uint8)])
    while len(more) < max(sizes):
        more = np.concatenate([more, np.clip(more.astype(np.int16) + 7, 0, 255).astype(np.uint8)])
    features = lambda images: np.random.default_rng(0).normal(size=(len(images), 256)).astype(np.float32)
    for size in sizes:
        rows = np.random.default_rng(0).permutation(len(more))[:size]
        table = pd.DataFrame({"id": [f"p{i}" for i in range(size)], "class": "happy", "split": "train", "source": "synthetic"})
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.process_time()
        steps = ["blank", "blur", "exposure", "exact_copy", "near_copy", "leak", "memorised"]
        done = curate(FaceSet(more[rows], table), steps, PARAMS, Evidence(train, held, features))
        after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"\n{size:,} images: {time.process_time() - began:.0f} s of processor, peak {after:,.0f} MB (before: {before:,.0f})")
        print(", ".join(f"{name} {seconds:.1f} s" for name, seconds in done.seconds.items()), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", default="", help="real faces; without it drawn ones")
    parser.add_argument("--steps", type=int, default=800, help="of the reference classifier")
    parser.add_argument("--sizes", default="", help="sizes of pools for the memory of the steps that compare images")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    facts = environment_facts()
    print(f"commit {facts['commit']}, {facts['device']}, {facts['cores']} cores")
    faces = read_faces(options.data) if options.data else drawn_study(4000, 3000, 5000, 0.1, options.seed)
    faces = mark_copies(faces, PARAMS["near_copy_distance"])
    if options.sizes:
        seconds_and_memory(faces, [int(size) for size in options.sizes.split(",")])
    else:
        how_good_each_step_is(faces, options.steps, options.seed)
        whom_the_detector_rejects(faces)


if __name__ == "__main__":
    main()
