"""Tables about arms and runs for notebook 40."""

from pathlib import Path

import pandas as pd

from lib.classifiers.runs import load_history
from lib.classifiers.training_sets import Sources
from lib.faces.arms import ARM_FIELDS, REAL_KINDS, Arm, arm_of, controls, real_alone
from lib.faces.faceset import FaceSet
from lib.report.names import ALONE, group_text
from lib.study.errors import StudyError


def arm_composition(arms: list[Arm], sources: Sources, draws: bool = False) -> pd.DataFrame:
    """Count what each arm's training set holds, and name the arms that cannot be built.

    Args:
        arms: to be built.
        sources: where the images are.
        draws: whether each seed draws its own images; the counts are then those of the first draw.

    Returns:
        One row an arm: arm, kind, images, real, synthetic, different (images that are not
        duplicates), rarest class (and its count), left out (why the arm cannot be built from these
        pools; "" for the others).
    """
    real, pools = sources.read()

    # Of the first fold; the others differ by an image or two.
    real = next(iter(sources.splits(real).values()))
    draw = 0 if draws else None
    rows = []
    for arm in arms:
        row = {"arm": arm.name, "kind": arm.kind}
        # A pool may be too small, lack what the arm asks for, or know more than the arm holds.
        try:
            sources.require_knowledge(arm)
            faces = sources.arm_faces(arm, real, pools, draw)
            row |= _composition(arm, faces, real) | {"left out": ""}
        except StudyError as error:
            row |= {"images": 0, "left out": str(error)}
        rows.append(row)
    return pd.DataFrame(rows)


def _composition(arm: Arm, faces: FaceSet, real: FaceSet) -> dict:
    """Count the images of one arm's training set.

    Args:
        real: all real faces, whatever their split.
    """
    # Real images keep their ids; copies and images of a pool have others.
    known = int(faces.table["id"].isin(real.table["id"]).sum())
    synthetic = 0 if arm.kind in REAL_KINDS else len(faces) - known

    # The class that the arm has least of.
    counts = faces.counts()
    return {
        "images": len(faces),
        "real": len(faces) - synthetic,
        "synthetic": synthetic,
        "different": known + synthetic,
        "rarest class": f"{counts.idxmin()} ({counts.min()})",
    }


def buildable(arms: list[Arm], composition: pd.DataFrame) -> list[Arm]:
    """Keep the arms that their pools suffice for.

    Args:
        composition: of arm_composition.
    """
    # Those whose reason is empty.
    possible = set(composition.loc[composition["left out"] == "", "arm"])
    return [arm for arm in arms if arm.name in possible]


def learning_curves(folder: Path, runs: pd.DataFrame) -> pd.DataFrame:
    """Join the learning curves of runs.

    Args:
        folder: of all runs.
        runs: of load_runs, of one length an arm.

    Returns:
        One row a logged step: the columns of the run's history, arm (its name), design (the name
        without the pool), ARM_FIELDS, classifier, seed.
    """
    _require_one_length(runs)
    parts = []
    for run in runs.to_dict("records"):
        # What tells the runs apart goes beside each row of a curve.
        columns = {name: run[name] for name in ("arm", *ARM_FIELDS, "classifier", "seed")}
        history = load_history(Path(folder) / run["folder"])
        history = history.rename(columns={"accuracy_watched": "accuracy on val"})
        parts.append(history.assign(design=arm_of(run).design, **columns))
    return pd.concat(parts, ignore_index=True)


def beside_controls(history: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Group learning curves for one chart a design and classifier.

    A chart has the arms of that design, one a pool, the real images alone (base, or the number of
    them that these arms hold), and the controls of real images.

    Args:
        history: of learning_curves.

    Returns:
        Rows of `history` by title: what was added to which real images, and the network where
        there are several.
    """
    # Every arm by its name.
    arms = {row["arm"]: arm_of(row) for row in history.drop_duplicates("arm").to_dict("records")}

    # Arms with synthetic images that are no controls, one chart a design.
    charts, several = {}, history["classifier"].nunique() > 1
    pooled = history[(history["pool"] != "") & (history["control_of"] == "")]
    for (classifier, _), rows in pooled.groupby(["classifier", "design"], sort=False):
        # The real images alone and their controls are the same for all pools.
        shown = set(rows["arm"])
        for name in rows["arm"].unique():
            shown.add(real_alone(arms[name]).name)
            shown |= {each.name for each in controls(arms[name]) if each.kind in REAL_KINDS}
        chosen = history["arm"].isin(shown) & (history["classifier"] == classifier)
        network = f", {classifier}" if several else ""
        charts[f"{group_text(arms[rows['arm'].iloc[0]])}{network}"] = history[chosen]
    return charts or {ALONE: history}


def how_trained(runs: pd.DataFrame) -> str:
    """Name the devices that runs were trained on, and whether the runs repeat to the byte.

    Args:
        runs: columns device, precision, deterministic.
    """
    # One part for each kind of device and precision.
    parts = []
    columns = ["device", "precision", "deterministic"]
    for (device, precision, repeats), rows in runs.groupby(columns, sort=False):
        numbers = "the same seed gives slightly other numbers"
        if repeats:
            numbers = "the same seed gives the same bytes"
        parts.append(f"{len(rows)} runs on {device} in {precision}: {numbers}")
    return "; ".join(parts)


def fitted_best(history: pd.DataFrame) -> pd.DataFrame:
    """Give each arm's best training accuracy and lowest training loss, means over seeds.

    Args:
        history: of learning_curves.

    Returns:
        classifier, arm, accuracy, loss.
    """
    # The best of each run, then the mean over runs.
    by_run = history.groupby(["classifier", "arm", "seed"], sort=False)
    extremes = by_run.agg(accuracy=("accuracy", "max"), loss=("loss", "min"))
    return extremes.groupby(["classifier", "arm"], sort=False).mean().reset_index()


def range_table(runs: pd.DataFrame) -> pd.DataFrame:
    """Give mean and range over seeds of each arm's accuracy.

    Args:
        runs: of load_runs, of one length an arm, without failed ones.

    Returns:
        classifier, arm, and for val (where there is one) and test: mean, min, max.
    """
    _require_one_length(runs)

    # A source without a validation split has no accuracy on it.
    splits = [split for split in ("val", "test") if f"accuracy_{split}" in runs]
    columns = {
        f"{split} {statistic}": (f"accuracy_{split}", statistic)
        for split in splits
        for statistic in ("mean", "min", "max")
    }
    return runs.groupby(["classifier", "arm"], sort=False).agg(**columns).reset_index()


def _require_one_length(runs: pd.DataFrame) -> None:
    """Refuse runs of which an arm has several lengths: their mean describes none of them."""
    # Programs alone make this mistake, so it is no StudyError.
    lengths = runs.groupby(["classifier", "arm"])["length"].nunique()
    if lengths.gt(1).any():
        raise ValueError(f"{lengths.idxmax()[1]}: several lengths; see lib.metrics.lengths")


def steps_are_equal(runs: pd.DataFrame) -> bool:
    """Check that all arms of a classifier took the same number of optimiser steps at each length.

    The fewer-steps control takes fewer by design and is not compared.

    Args:
        runs: of `load_runs`, one row a run, without failed ones.
    """
    # One number of steps for each classifier and length.
    compared = runs[runs["kind"] != "fewer_steps"]
    return bool(compared.groupby(["classifier", "length"])["steps"].nunique().eq(1).all())
