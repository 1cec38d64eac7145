"""Tables about arms and runs for notebook 40."""

from pathlib import Path

import pandas as pd

from lib.classifiers.runs import Sources, arm_faces, load_history
from lib.faces.faceset import CLASSES
from lib.faces.mixing import Arm


def arm_composition(arms: list[Arm], sources: Sources) -> pd.DataFrame:
    """Count what each arm holds.

    Returns:
        One row an arm: arm, kind, images, real and synthetic images, different (images that are not duplicates by id), rarest (class and count).
    """
    real, pools = sources.read()
    rows = []
    for arm in arms:
        faces = arm_faces(arm, real, pools, sources.seed)
        synthetic = int(faces.table["id"].str.startswith(f"{arm.pool}/").sum()) if arm.pool else 0
        counts = faces.counts()
        rarest = min(CLASSES, key=lambda name: counts[name])
        rows.append({"arm": arm.name, "kind": arm.kind, "images": len(faces), "real": len(faces) - synthetic, "synthetic": synthetic,
                     "different": faces.table["id"].str.replace(r"-copy\d+$", "", regex=True).nunique(), "rarest class": f"{rarest} ({counts[rarest]})"})  # fmt: skip
    return pd.DataFrame(rows)


def learning_curves(folder: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """Join the learning curves of runs, one row a logged step, with arm, kind, pool, classifier and seed."""
    curves = []
    for run in runs.itertuples():
        curves.append(load_history(Path(folder) / run.folder).assign(arm=run.arm, kind=run.kind, pool=run.pool, classifier=run.classifier, seed=run.seed))
    return pd.concat(curves, ignore_index=True)
