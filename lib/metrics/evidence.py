"""What the earlier notebooks left, read for judging: the runs of this study and their predictions, pools and their features."""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.classifiers.runs import load_predictions
from lib.faces.faceset import FaceSet, load_faces
from lib.faces.folds import in_fold, judged_faces
from lib.faces.pool import load_pool
from lib.metrics.contrasts import gather_arms
from lib.metrics.levels import over_folds
from lib.study.errors import StudyError
from lib.study.generations import generation_number
from lib.study.paths import StudyPaths
from lib.study.records import read_json


def recorded_runs(paths: StudyPaths) -> pd.DataFrame:
    """List the runs that 40_training recorded in its latest execution: older ones may lie beside them and do not count.

    Returns:
        One row a run, classifiers in the study's order: folder (absolute), arm, classifier, recipe, seed, fold (0 without
        folds), seconds, failed, and the run's other facts.
    Raises:
        StudyError: where 40_training has not run, or no run of it succeeded.
    """
    state = paths.state / "40_training.json"
    if not state.exists():
        raise StudyError(f"{state}: not there, so nothing has been trained; run notebook 40 first")
    record = read_json(state)
    files = [paths.root / name for name in record["outputs"] if name.endswith("/result.json")]
    wanted = record.get("parameters", {}).get("classifiers", [])
    rows = []
    for file in files:
        record = read_json(file)
        arm = record.pop("arm")
        rows.append({"folder": file.parent, "arm": arm["name"], "pool": arm["pool"], "kind": arm["kind"], "share": arm["share"]} | record)
    table = pd.DataFrame(rows)
    if not len(table) or not (table["failed"] == "").any():
        raise StudyError(f"{state}: names no run that succeeded; look at notebook 40 and run it again")
    table["fold"] = table["fold"].fillna(0).astype(int) if "fold" in table else 0
    place = table["classifier"].map({name: i for i, name in enumerate(wanted)})  # the study's first classifier is the one that decides
    return table.assign(place=place).sort_values(["place", "seed", "fold", "arm"], kind="stable", ignore_index=True).drop(columns="place")


def load_judged(paths: StudyPaths, folds: int, seed: int) -> tuple[FaceSet, FaceSet, np.ndarray]:
    """Read the real faces, those on which arms are judged, and which fold holds out each of these (`lib.faces.folds.judged_faces`)."""
    faces = load_faces(paths.data)
    return faces, *judged_faces(faces, folds, seed)


def faces_of_run(paths: StudyPaths, run: dict, folds: int, seed: int) -> FaceSet:
    """Read the real faces as they were split for a run, a row of `recorded_runs`."""
    return in_fold(load_faces(paths.data), folds, run["fold"], seed=seed)


def arms_shown(runs: pd.DataFrame) -> list[str]:
    """Choose the arms of detailed figures: base and each pool's largest supplement, of its first generation."""
    first = runs["pool"].map(generation_number) == 1
    supplements = (
        runs[(runs["kind"] == "supplement") & (runs["failed"] == "") & first].sort_values("share").groupby("pool", sort=False)["arm"].last()
    )
    return ["base", *supplements]


def load_arms(runs: pd.DataFrame, split: str = "test", fold: np.ndarray | None = None) -> dict:
    """Read the predictions of every run that succeeded, stacked by (arm, classifier), base first.

    Args:
        fold: of `judged_faces`: which fold holds out each image; the predictions of the runs of all folds are put together, where a seed
            has all of them.
    """
    good = runs[runs["failed"] == ""].sort_values(["arm", "seed"])
    networks = {name: i for i, name in enumerate(runs["classifier"].unique())}
    good = good.sort_values("classifier", key=lambda own: own.map(networks), kind="stable")
    good = good.sort_values("arm", key=lambda arm: arm != "base", kind="stable")
    predictions = [load_predictions(Path(folder))[split] for folder in good["folder"]]
    return gather_arms(*(over_folds(good, predictions, fold) if fold is not None and fold.any() else (good, predictions)))


def clusters_of(faces: FaceSet) -> np.ndarray:
    """Number the groups of copies, int64 (N,); every image is its own where copies were not looked for."""
    return faces.table["cluster"].to_numpy(np.int64) if "cluster" in faces.table else np.arange(len(faces))


def usable_pools(paths: StudyPaths, names: list[str], *, curated: bool, at_most: int = 0, seed: int = 0) -> dict[str, FaceSet]:
    """Read the pools that have been made, as arms take them: with `curated`, only what curation kept, as it cropped and relabelled it.

    Args:
        at_most: images that are drawn from a larger pool, in the pool's order; 0: all.
        seed: governs the draw.
    """
    made = {name: load_pool(paths.pool(name), curated=curated) for name in names if (paths.pool(name) / "faces.npz").exists()}
    if not at_most:
        return made
    drawn = {name: np.sort(np.random.default_rng(seed).permutation(len(pool))[:at_most]) for name, pool in made.items()}
    return {name: pool.select(drawn[name]) for name, pool in made.items()}


def of_first_classifier(effects: pd.DataFrame) -> pd.DataFrame:
    """Keep the comparisons of the study's first classifier: an answer is given once, not once per network."""
    return effects[effects["classifier"] == effects["classifier"].iloc[0]] if len(effects) else effects


def one_classifier(arms: dict) -> dict:
    """Keep the arms of the study's first classifier: a claim is decided once, not once per network."""
    first = next(classifier for _, classifier in arms)
    return {key: found for key, found in arms.items() if key[1] == first}
