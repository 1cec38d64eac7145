"""How often are verdicts right where the truth is known? Whole verdicts on drawn faces.

    helping      new faces of the same source
    mislabelled  six labels in ten are wrong
    noisy        one label in four is wrong
    narrow       new pictures of five people
    copied       the real images with a little grain: nothing new
    shifted      new faces in the reverse class shares
    permuted     class names exchanged: to be refused before training

The true effect of a world (a kind of pool beside a number of real images) is what the networks of
all its verdicts show on faces that nobody has seen.

    python -m lib.verdict.known_truth --count 210 --folder runs/known-truth --workers 2

continues where it was stopped, from the folder and from params/verdict_known_truth.csv, which
--record writes: one row a verdict.
The time of each verdict counts in processor seconds of two cores, so that a busy machine changes
nothing. Faces are drawn at half the side and a verdict has a quarter of the time: it repeats its
trainings as often as at full size, at a quarter of the price.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lib.curation.intervals import wilson
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.duplicates import near_groups
from lib.faces.faceset import FaceSet
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.study.paths import ROOT
from lib.verdict.inputs import Inputs, beside_real
from lib.verdict.measured import (
    CORES,
    NEAR,
    STOPPED,
    command,
    keep,
    measured_verdict,
    reach_missing,
)
from lib.verdict.protocol import Protocol

KINDS = ("helping", "mislabelled", "noisy", "narrow", "copied", "shifted", "permuted")
SIZES = (300, 1000, 3000)  # real images
NOISE = 0.1  # share of wrong labels among the real training faces
BEYOND = 1500  # faces on which the truth is measured
PX = 24  # side of the faces: a training step takes a quarter of what one at 48 px takes
SECONDS = 150.0  # of a verdict: a quarter of what one at 48 px has
GRAIN = 2.0  # grey levels, of copied faces
CLEAR = 0.02  # true effect from which a verdict should be decided

# Seeds of drawings: no verdict and no pool shares a face with another.
FIRST_REAL_SEED, POOL_SEED = 3000, 8_000_000_000
POOL_SEEDS, BEYOND_SEED = 1_000_000, 77
RECORD = ROOT / "params" / "verdict_known_truth.csv"
PROTOCOL = Protocol(image_px=PX)


def world(number: int) -> tuple[str, int]:
    """Name the kind of pool and the number of real images of a verdict."""
    return KINDS[number % len(KINDS)], SIZES[number // len(KINDS) % len(SIZES)]


def drawn_inputs(number: int) -> Inputs:
    """Draw the images of one verdict."""
    kind, size = world(number)
    real = drawn_study(size, 0, 0, NOISE, FIRST_REAL_SEED + number, px=PX)
    real = real.with_columns(cluster=near_groups(real.images, NEAR))
    faces = drawn_pool(number, kind, real)
    return Inputs(real, (beside_real(kind, faces, real, NEAR),), ())


def drawn_pool(number: int, kind: str, real: FaceSet) -> FaceSet:
    """Draw a pool of a kind."""
    # As many images as there are real ones, in their class shares.
    count = len(real)
    rng = np.random.default_rng([number, KINDS.index(kind)])
    seeds = POOL_SEED + number * POOL_SEEDS + np.arange(count)
    labels = rng.permutation(np.resize(real.labels, count))
    if kind == "copied":
        return _copied(real, count, rng)
    if kind == "shifted":
        shares = 1 / np.maximum(real.counts().to_numpy(), 1)
        labels = rng.choice(len(real.classes), count, p=shares / shares.sum())

    # What is wrong with them.
    wrong = {"mislabelled": 0.6, "noisy": 0.25}.get(kind, 0.0)
    identities = 5 if kind == "narrow" else 0
    faces = draw_faces(labels, seeds, px=PX, identities=identities, mislabelled_share=wrong)

    # Class names in another order.
    if kind == "permuted":
        names = np.array(real.classes)
        moved = (faces.labels + 1 + number % (len(names) - 1)) % len(names)
        faces = faces.with_columns(**{"class": names[moved]})
    return faces


def _copied(real: FaceSet, count: int, rng: np.random.Generator) -> FaceSet:
    """Repeat real images with a little grain."""
    rows = np.arange(count) % len(real)
    grain = rng.normal(0, GRAIN, real.images[rows].shape)
    images = np.clip(real.images[rows] + grain, 0, 255).astype(np.uint8)
    ids = [f"copied-{place}" for place in range(count)]
    return replace(real, images=images, table=real.table.iloc[rows].assign(id=ids))


def run_one(folder: Path, number: int) -> dict:
    """Reach one verdict: its number, kind and size, and what `measured_verdict` returns."""
    # All verdicts are measured on the same further faces.
    kind, size = world(number)
    found = measured_verdict(
        drawn_inputs(number),
        drawn_study(0, 0, BEYOND, 0.0, BEYOND_SEED, px=PX),
        PROTOCOL,
        folder=folder / f"runs{number:04d}",
        seconds=SECONDS,
    )
    return {"number": number, "kind": kind, "size": size, **found}


def rates(results: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Count how often the words were right, by world.

    Args:
        results: one row a verdict, of `run_one`.
        margin: smallest difference of interest.

    Returns:
        Columns kind, size, verdicts, truth (mean over the verdicts), words (counted), wrong,
        undecided, probe_right (verdicts whose probe has the truth's sign), seconds (the longest).
    """
    # One row a world.
    rows = []
    for (kind, size), group in results.groupby(["kind", "size"], sort=False):
        truth = float(group["truth"].mean()) if "truth" in group else np.nan
        wrong = [is_wrong(word, kind, truth, margin) for word in group["word"]]
        rows.append(
            {
                "kind": kind,
                "size": size,
                "verdicts": len(group),
                "truth": truth,
                "words": ", ".join(f"{w} {n}" for w, n in group["word"].value_counts().items()),
                "wrong": sum(wrong),
                "undecided": int(group["word"].eq(UNDECIDED).sum()),
                "probe_right": int((group["probe"] * truth > 0).sum()) if "probe" in group else 0,
                "seconds": float(group["seconds"].max()),
            }
        )
    return pd.DataFrame(rows)


def is_wrong(word: str, kind: str, truth: float, margin: float) -> bool:
    """Tell whether a word contradicts the truth; undecided never does."""
    if kind == "permuted" or word == STOPPED:
        return (word == STOPPED) != (kind == "permuted")
    # A word is wrong where the truth contradicts it.
    contradicted = {
        HELPS: truth <= 0,
        HURTS: truth >= 0,
        EQUIVALENT: abs(truth) >= margin,
        UNDECIDED: False,
    }
    return bool(contradicted[word])


def summary(table: pd.DataFrame) -> str:
    """Say in one line how often verdicts were wrong, undecided, and foretold by the probe."""
    verdicts, wrong = int(table["verdicts"].sum()), int(table["wrong"].sum())
    share, low, high = wilson(wrong, verdicts)
    clear = table[(table["truth"].abs() >= CLEAR) & (table["kind"] != "permuted")]
    count = max(1, int(clear["verdicts"].sum()))
    undecided, foretold = clear["undecided"].sum() / count, clear["probe_right"].sum() / count
    return (
        f"{verdicts} verdicts: {wrong} wrong words ({share:.1%}, 95% interval {low:.1%} to "
        f"{high:.1%}); of the {count} with a true effect of {100 * CLEAR:g} points or more "
        f"{undecided:.0%} undecided, the probe has the sign of {foretold:.0%}; longest "
        f"{table['seconds'].max():.0f} processor seconds of {SECONDS * CORES:.0f}"
    )


def main() -> None:
    """Reach the verdicts that are missing, count all, and record them."""
    parser = command("verdicts on drawn faces whose truth is known", "known-truth")
    parser.add_argument("--count", type=int, default=210)
    options = parser.parse_args()

    # Reach what is missing, and count all.
    reached = reach_missing(
        partial(run_one, options.folder),
        [(number,) for number in range(options.count)],
        ["number"],
        record=RECORD,
        folder=options.folder,
        protocol=PROTOCOL,
        workers=options.workers,
    )
    table = rates(reached, PROTOCOL.margin)
    print(table.to_string())
    print(summary(table))
    if options.record:
        keep(RECORD, reached, PROTOCOL, ["number"])


if __name__ == "__main__":
    main()
