"""Rehearsals: whole studies on drawn faces whose answer is known, with real training, to see how often the verdicts are right.

Each study draws its own faces and trains base and three supplements: a pool that helps (new faces of the same source), one that is harmless
(copies of the training images: nothing new at the same number of steps) and one that hurts (most labels wrong). A fourth pool, whose class
names are permuted, must be stopped before training. Sizes are small, so the margin of equivalence is wide.

    python -m lib.metrics.rehearsals --studies 40 --folder runs/rehearsals     # goes on where
    it was; writes params/rehearsals.csv at its end
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from lib.faces.arms import Arm
from lib.faces.drawn import draw_faces, drawn_study
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.mixing import build_arm, synthetic_count
from lib.metrics.gates import label_permutation
from lib.study.paths import ROOT
from lib.study.records import atomic_write, environment_facts, read_json, write_json

TRAIN, TEST, SEEDS, STEPS, JUDGE_STEPS, SHARE, NOISE, WRONG = 250, 1500, 5, 80, 300, 0.8, 0.1, 0.6
MARGIN = 0.03  # smallest effect of interest at these sizes
TRUTHS = {"helping": "helps", "harmless": "equivalent", "harmful": "hurts", "permuted": "stopped", "in order": "not stopped"}
RECORD = ROOT / "params" / "rehearsals.csv"


def rehearse(number: int) -> dict[str, str]:
    """Run one study: draw, train 4 arms x SEEDS, judge. Study i depends on its number alone.

    Returns:
        For each key of TRUTHS what the study found.
    """
    from lib.classifiers.training import train
    from lib.metrics.contrasts import effects, gather_arms

    faces = drawn_study(TRAIN, 0, TEST, NOISE, 1000 + number)
    real, test = faces.split("train"), faces.split("test")
    pools = pools_of(real, number)
    runs, predictions = [], []
    for arm in [Arm("base", "base"), *(Arm(f"supplement-{SHARE}-{name}", "supplement", name, SHARE) for name in pools)]:
        made = build_arm(arm, real, pools, seed=number)
        for seed in range(SEEDS):
            result = train(made, classifier="small", recipe="quick", seed=seed, steps=STEPS, evaluate={"test": test})
            runs.append({"arm": arm.name, "classifier": "small", "seed": seed})
            predictions.append(result.probabilities["test"])
    judged = effects(gather_arms(pd.DataFrame(runs), predictions), test.labels, np.arange(len(test)), margin=MARGIN)
    found = {name: judged.loc[judged["arm"] == f"supplement-{SHARE}-{name}", "verdict"].item() for name in pools}
    judge = train(real, classifier="small", recipe="quick", seed=99, steps=JUDGE_STEPS, evaluate={"pool": pools["helping"]})
    said, labels = judge.probabilities["pool"].argmax(1), pools["helping"].labels
    shifted = (labels + 1 + number % (len(CLASSES) - 1)) % len(CLASSES)  # names of another order
    words = {True: "stopped", False: "not stopped"}
    return found | {"permuted": words[bool(label_permutation(shifted, said))], "in order": words[bool(label_permutation(labels, said))]}


def pools_of(real: FaceSet, number: int) -> dict[str, FaceSet]:
    """Make the pools of one study, as large as the supplement takes."""
    n = synthetic_count(len(real), SHARE)
    labels, seeds = np.arange(n) % len(CLASSES), 5_000_000_000 + number * 1_000_000 + np.arange(n)  # of no other face of any rehearsal
    again = np.arange(n) % len(real)
    copied = FaceSet(real.images[again], real.table.iloc[again].assign(id=[f"copied-{place}" for place in range(n)]))
    return {
        "helping": draw_faces(labels, seeds),
        "harmless": copied,
        "harmful": draw_faces(labels, seeds + 500_000, mislabelled_share=WRONG),
    }


def rates(found: pd.DataFrame) -> pd.DataFrame:
    """Count what the studies found of each truth.

    Args:
        found: one row a study, one column a key of TRUTHS.
    Returns:
        Columns pool, truth, studies, right (share), low, high (Wilson's 95 % interval), opposite (helps told for hurts and the like), told.
    """
    from lib.curation.intervals import wilson

    rows = []
    for name, truth in TRUTHS.items():
        right = int((found[name] == truth).sum())
        share, low, high = wilson(right, len(found))
        wrong = int((~found[name].isin([truth, "undecided"])).sum())
        told = ", ".join(f"{word} {count}" for word, count in found[name].value_counts().items())
        rows.append((name, truth, len(found), share, low, high, wrong, told))
    return pd.DataFrame(rows, columns=["pool", "truth", "studies", "right", "low", "high", "wrong", "told"])


def recorded(path: Path = RECORD) -> pd.DataFrame:
    """Read the rates that were measured last, with the sizes, date and versions of that time in every row; no rows where none were."""
    return pd.read_csv(path) if path.exists() else pd.DataFrame(columns=["pool", "sizes", "date", "torch"])


def prepare(folder: Path) -> Path:
    """Prepare a process: one thread."""
    import torch

    torch.set_num_threads(1)
    return folder


def work(folder: Path, number: int) -> None:
    """Do one study and leave its answer as a file."""
    write_json(folder / f"{number:03d}.json", rehearse(number))


def main() -> None:
    """Run the studies that have no answer yet; when all have one, record the rates."""
    from lib.classifiers.workers import side_by_side

    parser = argparse.ArgumentParser(description="studies on drawn faces whose answer is known: how often are the verdicts right?")
    parser.add_argument("--studies", type=int, default=40)
    parser.add_argument("--folder", type=Path, default=ROOT / "runs" / "rehearsals")
    parser.add_argument("--workers", type=int, default=1, help="processes, one thread each")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    waiting = [number for number in range(given.studies) if not (given.folder / f"{number:03d}.json").exists()]
    for number, trouble in side_by_side(waiting, prepare, work, (given.folder,), given.workers):
        print(f"study {number}: {trouble or read_json(given.folder / f'{number:03d}.json')}", flush=True)
    table = rates(pd.DataFrame([read_json(given.folder / f"{number:03d}.json") for number in range(given.studies)]))
    facts = environment_facts()
    sizes = f"{TRAIN} training and {TEST} test drawings, {SEEDS} seeds, {STEPS} steps, margin {100 * MARGIN:g} points"
    with atomic_write(RECORD, "w") as file:
        table.assign(sizes=sizes, date=facts["date"], torch=facts["versions"]["torch"]).to_csv(file, index=False)
    print(table.to_string())


if __name__ == "__main__":
    main()
