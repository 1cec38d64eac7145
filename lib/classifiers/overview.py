"""Tables about arms and runs for notebook 40."""

from pathlib import Path

import pandas as pd

from lib.classifiers.runs import Sources, arm_faces, load_history
from lib.faces.arms import Arm
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError


def arm_composition(arms: list[Arm], sources: Sources) -> pd.DataFrame:
    """Count what each arm holds, and say which cannot be built.

    Returns:
        One row an arm: arm, kind, images, real, synthetic, different (images that are not duplicates), rarest class (and its count),
        left out (why the arm cannot be built from these pools; "" for the others).
    """
    real, pools = sources.read()
    real = next(iter(sources.parts(real).values()))  # of the first fold; the others differ by an image or two
    rows = []
    for arm in arms:
        try:
            rows.append(_composition(arm, arm_faces(arm, real, pools, sources.seed)))
        except StudyError as error:
            rows.append({"arm": arm.name, "kind": arm.kind, "images": 0, "left out": str(error)})
    return pd.DataFrame(rows)


def buildable(arms: list[Arm], composition: pd.DataFrame) -> list[Arm]:
    """Keep the arms that their pools suffice for."""
    possible = set(composition.loc[composition["left out"] == "", "arm"])
    return [arm for arm in arms if arm.name in possible]


def _composition(arm: Arm, faces: FaceSet) -> dict:
    """Describe one arm's training set."""
    ids, counts = faces.table["id"].astype(str), faces.counts()
    synthetic = int(ids.str.startswith(f"{arm.pool}/").sum()) if arm.pool else 0
    different = ids.str.replace(r"-copy\d+$", "", regex=True).nunique()
    row = {"arm": arm.name, "kind": arm.kind, "images": len(faces), "real": len(faces) - synthetic, "synthetic": synthetic}
    return row | {"different": different, "rarest class": f"{counts.idxmin()} ({counts.min()})", "left out": ""}


def learning_curves(folder: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """Join the learning curves of runs.

    Returns:
        One row a logged step: arm, kind, pool, share, control_of, classifier, seed, the run's history, and design: the arm's name without
        its pool.
    """
    told = ["arm", "kind", "pool", "share", "control_of", "classifier", "seed"]
    parts = [load_history(Path(folder) / run["folder"]).assign(**{name: run[name] for name in told}) for run in runs.to_dict("records")]
    history = pd.concat(parts, ignore_index=True)
    designs = [arm.replace(f"-{pool}", "", 1) if pool else arm for arm, pool in zip(history["arm"], history["pool"])]
    return history.assign(design=designs)


def beside_controls(history: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Group learning curves for one chart a design and classifier: its arms, one a pool, with base and the controls of real images."""
    groups, pooled = {}, history[(history["pool"] != "") & (history["control_of"] == "")]
    for (classifier, design), arms in pooled.groupby(["classifier", "design"], sort=False):
        kind, share = arms[["kind", "share"]].iloc[0]
        control = (history["pool"] == "") & (history["control_of"] == kind) & (history["share"] == share)
        shown = (history["design"] == design) | (history["kind"] == "base") | control
        groups[f"{design}, {classifier}"] = history[shown & (history["classifier"] == classifier)]
    return groups or {"base": history}


def how_trained(runs: pd.DataFrame) -> str:
    """Say on what runs (columns device, precision, deterministic) were trained, and whether they can be repeated to the byte."""
    parts = []
    for (device, precision, repeats), own in runs.groupby(["device", "precision", "deterministic"], sort=False):
        bytes_ = "the same seed gives the same bytes" if repeats else "the same seed gives slightly other numbers"
        parts.append(f"{len(own)} runs on {device} in {precision}: {bytes_}")
    return "; ".join(parts)
