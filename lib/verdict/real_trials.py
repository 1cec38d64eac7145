"""Do verdicts on real photographs say what a whole study found? Whole verdicts, at full size.

    generated    the ready-made images of --synthetic
    dcgan        images of the published DCGAN, which had seen all real training images
    real         further real images: they must help
    shuffled     the ready-made images with their labels shuffled: they must not

    python -m lib.verdict.real_trials --data FER2013 --synthetic IMAGES --folder runs/real-trials

beside 300, 1,000 and 3,000 real training images, cross-validated as those of a person without a
test split. Continues where it was stopped, from the folder and from params/verdict_real_faces.csv,
which --record writes: one row a verdict. Time counts in processor seconds, so that one core may do
what two would do in half the time.
"""

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.duplicates import near_groups
from lib.faces.faceset import FaceSet, concat
from lib.faces.sampling import stratified
from lib.faces.sources import read_faces
from lib.metrics.statistics import EQUIVALENT, HELPS, HURTS, UNDECIDED
from lib.study.paths import ROOT
from lib.verdict.inputs import Inputs, beside_real, read_pool
from lib.verdict.measured import NEAR, command, keep, measured_verdict, reach_missing
from lib.verdict.protocol import Protocol

SIZES = (300, 1000, 3000)  # real images
POOLS = ("generated", "dcgan", "real", "shuffled")
POOL_IMAGES = 3000  # as params/verdict.yaml takes
PX = 48
SECONDS = 560.0  # of a verdict: ten minutes less its start and end
SEED = 300
WEIGHTS = ROOT / "reports" / "weights" / "dcgan-long.safetensors"
RECORD = ROOT / "params" / "verdict_real_faces.csv"

# The published study that asked the same of 5,096 images, and the number of real images of its arms
# that is next to each size.
STUDY = ROOT / "reports" / "amounts-cpu" / "gains.csv"
STUDY_SIZES = {300: 287, 1000: 718, 3000: 2871}
STUDY_ARMS = {
    "generated": "supplement-{}+5096-folder",
    "real": "extra-{}+5096",
    "shuffled": "supplement-{}+5096-folder-shuffled",
}


@dataclass(frozen=True)
class Sources:
    """Where the images are."""

    data: str
    synthetic: str
    folder: Path  # of the results


def trials() -> list[tuple[str, int]]:
    """List pool and number of real images of every trial."""
    return [(pool, size) for size in SIZES for pool in POOLS]


def inputs_of(pool: str, size: int, real: FaceSet, generated: FaceSet) -> tuple[Inputs, FaceSet]:
    """Choose the images of one trial.

    Args:
        pool: one of POOLS.
        size: real images.
        real: all real images, with the splits train and val.
        generated: the ready-made images.

    Returns:
        The inputs; and further real images that are copies of none of theirs.
    """
    # A person's own images: some of the training images by class share, without a test split.
    train, rng = real.split("train"), np.random.default_rng([SEED, size])
    mine = stratified(train.labels, size, rng)
    others = np.setdiff1d(np.arange(len(train)), mine)
    own = train.select(mine)
    own = own.with_columns(cluster=near_groups(own.images, NEAR))

    # The pool.
    if pool == "real":
        rows = rng.permutation(others)[:POOL_IMAGES]
        faces = train.select(rows)
    elif pool == "dcgan":
        faces = _of_dcgan(own)
    else:
        keep = stratified(generated.labels, POOL_IMAGES, rng)
        faces = generated.select(keep)
    if pool == "shuffled":
        faces = faces.with_columns(**{"class": rng.permutation(faces.table["class"].to_numpy())})

    # Faces that nobody has seen.
    beyond = real.split("val")
    learnt = concat([own, faces]) if pool == "real" else own
    groups = near_groups(np.concatenate([learnt.images, beyond.images]), NEAR)
    beyond = beyond.select(~np.isin(groups[len(learnt) :], groups[: len(learnt)]))
    return Inputs(own, (beside_real(pool, faces, own, NEAR),), ()), beyond


def _of_dcgan(own: FaceSet) -> FaceSet:
    """Sample the published DCGAN in the class shares of the real images."""
    from lib.generators.pools import labels_by_share
    from lib.generators.weights import read_generator

    # A person who generates a pool wants it to look like the real images.
    counts = own.counts().to_numpy()
    labels = labels_by_share(counts / counts.sum(), POOL_IMAGES)
    faces = read_generator(WEIGHTS).sample(labels, SEED + np.arange(POOL_IMAGES))
    return faces.resized(PX).with_columns(split="train", source="synthetic")


def run_one(sources: Sources, pool: str, size: int) -> dict:
    """Reach one verdict: pool, size, and what `measured_verdict` returns."""
    # Every trial reads anew: a process of its own may do it.
    real = read_faces(sources.data, px=PX)
    generated = read_pool(sources.synthetic, real.classes).resized(PX)
    inputs, beyond = inputs_of(pool, size, real, generated)
    folder = sources.folder / f"runs-{pool}-{size}"
    found = measured_verdict(inputs, beyond, Protocol(), folder=folder, seconds=SECONDS)
    return {"pool": pool, "size": size, **found}


def beside_study(results: pd.DataFrame, gains: pd.DataFrame) -> pd.DataFrame:
    """Put what a published study found beside each verdict.

    Args:
        results: one row a verdict, of `run_one`.
        gains: of the study, as notebook 55 writes them.

    Returns:
        With the columns study_arm, study_difference, study_low, study_high, study_verdict, and
        contradicts: whether the word contradicts the study's interval.
    """
    # Against real images alone, each arm at its best length, on test images without copies.
    told = gains[
        (gains["metric"] == "accuracy")
        & (gains["reading"] == "best length")
        & (gains["against"] == "real images alone")
        & (gains["scoring"] == "test-leakfree")
    ].set_index("arm")

    # One row a verdict, with what the study says where it asked the same.
    rows = []
    for row in results.to_dict("records"):
        arm = STUDY_ARMS.get(row["pool"], "").format(STUDY_SIZES[row["size"]])
        if arm in told.index:
            found = told.loc[arm]
            row |= {
                "study_arm": arm,
                "study_difference": found["difference"],
                "study_low": found["low_decided"],
                "study_high": found["high_decided"],
                "study_verdict": found["verdict"],
                "contradicts": contradicts(
                    row["word"], found["low_decided"], found["high_decided"]
                ),
            }
        rows.append(row)
    return pd.DataFrame(rows)


def contradicts(word: str, low: float, high: float) -> bool:
    """Tell whether a word cannot be true with an effect within an interval."""
    # Undecided says nothing that could be wrong; a refusal is no word at all.
    margin = Protocol().margin
    impossible = {
        HELPS: high <= 0,
        HURTS: low >= 0,
        EQUIVALENT: low >= margin or high <= -margin,
        UNDECIDED: False,
    }
    return bool(impossible.get(word, False))


def main() -> None:
    """Reach the verdicts that are missing, and record them."""
    parser = command("verdicts on real faces beside a whole study's", "real-trials")
    parser.add_argument("--data", required=True, help="real faces with the splits train and val")
    parser.add_argument("--synthetic", required=True, help="ready-made generated images")
    options = parser.parse_args()

    # Reach what is missing, and put what a study found beside all.
    sources = Sources(options.data, options.synthetic, options.folder)
    reached = reach_missing(
        partial(run_one, sources),
        trials(),
        ["pool", "size"],
        record=RECORD,
        folder=options.folder,
        protocol=Protocol(),
        workers=options.workers,
    )
    print(beside_study(reached, pd.read_csv(STUDY)).to_string())
    if options.record:
        keep(RECORD, reached, Protocol(), ["size", "pool"])


if __name__ == "__main__":
    main()
