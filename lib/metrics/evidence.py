"""What the earlier notebooks left for the metrics: a study's runs with their predictions, its real
faces and its pools.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from lib.classifiers.runs import load_predictions, read_result
from lib.faces.arm_plan import asked_for
from lib.faces.arms import Arm, arm_of, real_alone
from lib.faces.faceset import FaceSet, load_faces
from lib.faces.folds import evaluation_faces, in_fold
from lib.faces.pool import generator_facts, load_pool
from lib.metrics.contrasts import BASE, Arms, gather_arms
from lib.metrics.lengths import chosen_runs
from lib.metrics.looks import load_looks, looks_beside
from lib.metrics.memorised import not_leaked
from lib.metrics.three_studies import why_not_of_study
from lib.study.cells import study_of
from lib.study.errors import StudyError
from lib.study.kept import read_sealed
from lib.study.paths import StudyPaths

MOST_POOLS = 8  # that detailed figures show


def recorded_runs(paths: StudyPaths) -> pd.DataFrame:
    """List the runs that 40_training recorded, of every arm those of its chosen length
    (`lengths.chosen_runs`).

    Returns:
        As `runs_of_every_length`.

    Raises:
        StudyError: as there, and where several lengths cannot be chosen among.
    """
    return chosen_runs(runs_of_every_length(paths))


def runs_of_every_length(paths: StudyPaths) -> pd.DataFrame:
    """List the runs that 40_training recorded in its latest execution: older ones may lie beside
    them and do not count.

    Returns:
        One row a run, classifiers in the study's order: folder (absolute), arm (its name),
        ARM_FIELDS, classifier, recipe, seed, fold (0 without folds), length, steps, seconds, failed
        ("" if not), analyses (2 for base and the arms in more_seeds_arms where more_seeds asks for
        further seeds after a first analysis, else 1; one more for each earlier look at the test
        images beside as many real ones), and the run's other facts.

    Raises:
        StudyError: where 40_training has not run, or no run of it succeeded.
    """
    # The record of notebook 40 names what its last execution wrote.
    state = paths.state / "40_training.json"
    if not state.exists():
        raise StudyError(f"{state}: not there, so nothing has been trained; run notebook 40 first")
    record = read_sealed(state)

    # One row a run.
    files = [paths.root / name for name in record["outputs"] if name.endswith("/result.json")]
    rows = [{"folder": file.parent} | read_result(file.parent) for file in files]
    table = pd.DataFrame(rows)
    if not len(table) or not (table["failed"] == "").any():
        raise StudyError(
            f"{state}: names no run that succeeded; look at notebook 40 and run it again"
        )

    # Without folds all runs are of fold 0.
    table["fold"] = table["fold"].fillna(0).astype(int) if "fold" in table else 0

    # The study's first classifier is the one that decides.
    parameters = record.get("parameters", {})
    table["analyses"] = _analyses(table, parameters) + _earlier_looks(table, paths)
    classifiers = parameters.get("classifiers", [])
    place = {name: place for place, name in enumerate(classifiers)}
    table["place"] = table["classifier"].map(place)
    order = ["place", "seed", "fold", "arm"]
    return table.sort_values(order, kind="stable", ignore_index=True).drop(columns="place")


def load_evaluation(
    paths: StudyPaths, folds: int, seed: int
) -> tuple[FaceSet, FaceSet, np.ndarray]:
    """Read the real faces, those on which arms are tested, and which fold holds out each of the
    latter (`lib.faces.folds.evaluation_faces`).
    """
    faces = load_faces(paths.data)
    return faces, *evaluation_faces(faces, folds, seed)


def faces_of_run(paths: StudyPaths, run: dict, folds: int, seed: int) -> FaceSet:
    """Read the real faces as they were split for a run, a row of `recorded_runs`."""
    return in_fold(load_faces(paths.data), folds, run["fold"], seed=seed)


def arms_of(runs: pd.DataFrame) -> list[Arm]:
    """List the arms of a table of runs, each once.

    Args:
        runs: with ARM_FIELDS.
    """
    return [arm_of(row) for row in runs.drop_duplicates("arm").to_dict("records")]


def arms_shown(runs: pd.DataFrame) -> list[Arm]:
    """Choose the arms of detailed figures: the most real images that pools were added to, alone,
    and each pool's largest supplement beside as many, so that they differ in the pool alone; in a
    study without supplements all real images, and every pool's images in one other amount. Of many
    pools some are chosen, evenly by their accuracy on the validation images, the best last.

    Args:
        runs: of `recorded_runs`.
    """
    # Plain supplements that were trained, or else the amount that most pools have.
    is_own = (runs["pool"] != "") & (runs["control_of"] == "") & (runs["generation"] == 1)
    of_pools = runs[is_own & (runs["failed"] == "")]
    trained = of_pools[of_pools["kind"] == "supplement"]
    if not len(of_pools):
        return [BASE]
    if not len(trained):
        amounts = of_pools.groupby(["kind", "share"])["pool"].nunique()
        kind, share = amounts.idxmax()
        trained = of_pools[(of_pools["kind"] == kind) & (of_pools["share"] == share)]

    # All real images last.
    trained = trained.assign(of_all=trained["real"] == 0)
    trained = trained.sort_values(["of_all", "real", "share"], kind="stable")
    most = arm_of(trained.iloc[-1].to_dict())

    # The last one of a pool is its largest.
    beside = trained[trained["real"] == most.real]
    largest = {row["pool"]: arm_of(row) for row in beside.to_dict("records")}
    if len(largest) <= MOST_POOLS:
        return [real_alone(most), *largest.values()]

    # Both ends of their order included.
    accuracy = trained.groupby("arm")["accuracy_val"].mean()
    ranked = sorted(largest.values(), key=lambda arm: accuracy[arm.name])
    return [real_alone(most), *(ranked[place] for place in evenly(len(ranked), MOST_POOLS))]


def evenly(count: int, chosen: int) -> np.ndarray:
    """Choose some of `count` places, evenly and both ends included: int64 (chosen,)."""
    return np.linspace(0, count - 1, chosen).round().astype(int)


def load_arms(
    runs: pd.DataFrame,
    split: str = "test",
    fold: np.ndarray | None = None,
    classes: tuple[str, ...] = (),
) -> Arms:
    """Read the predictions of every run that succeeded, stacked by (arm, classifier), base first.

    Args:
        runs: of `recorded_runs`.
        split: whose images were predicted.
        fold: of `evaluation_faces`: which fold holds out each image; the predictions of the runs of
            all folds are put together, where a seed has all of them.
        classes: class list of the faces, which the runs must predict; empty: not checked.

    Raises:
        StudyError: a run that predicts other classes, or another number of images.
    """
    if classes:
        _require_classes(runs[runs["failed"] == ""], classes)
    return stack_arms(runs, lambda run: load_predictions(Path(run["folder"]))[split], fold)


def without_leaks(arms: Arms, tested: FaceSet) -> tuple[Arms, FaceSet]:
    """Leave out the test images that have a copy in training: who remembers is right on them.

    Args:
        arms: of `load_arms`.
        tested: the test images, of `load_evaluation`.

    Returns:
        Both, on the images that are left; as they are where copies were not looked for.
    """
    kept = not_leaked(tested.table)
    seen = {key: predictions.images(kept) for key, predictions in arms.items()}
    return seen, tested.select(kept)


def stack_arms(
    runs: pd.DataFrame, read: Callable[[dict], np.ndarray], fold: np.ndarray | None = None
) -> Arms:
    """Stack the predictions of every run that succeeded by (arm, classifier), base first.

    Args:
        runs: as in `load_arms`.
        read: gives the predictions of a run, a row of the table: float32 (N, C).
        fold: as in `load_arms`.
    """
    # Base first, then by number of real images and name; classifiers in the study's order.
    places = {name: place for place, name in enumerate(runs["classifier"].unique())}
    good = runs[runs["failed"] == ""]
    size = good["real"].where(good["real"] > 0, np.inf)
    place = good["classifier"].map(places)
    good = good.assign(is_base=good["kind"] == "base", place=place, size=size)
    ascending = {"is_base": False, "place": True, "size": True, "arm": True, "seed": True}
    good = good.sort_values(list(ascending), ascending=list(ascending.values()))

    # One matrix a run, of all test images or of those of its fold.
    predictions = [read(run) for run in good.to_dict("records")]
    if fold is not None and fold.any():
        good, predictions = over_folds(good, predictions, fold)
    return gather_arms(good, predictions)


def over_folds(
    runs: pd.DataFrame, predictions: list[np.ndarray], fold: np.ndarray
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """Put the held-out predictions of all folds together: one row an arm, classifier and seed, as
    long as the data.

    A row holds the runs of one seed on every fold, and `statistics.compare` takes rows for runs. A
    run's own luck shows in them less than in single runs, as it should, for their mean is over as
    many runs. That any two training sets share most images makes the estimate that of this amount
    of data.

    Args:
        runs: columns ARM_FIELDS, arm, classifier, seed, fold; one row a run.
        predictions: float32 (N_fold, C) per row of runs, of the images of its fold, in the data's
            order.
        fold: int64 (N,), which fold holds out each image, from 1 on.

    Returns:
        The runs of the first fold, and float32 (N, C) per row of them.

    Raises:
        StudyError: where a run predicts another number of images than its fold has.
    """
    kept, whole, folds = [], [], set(np.unique(fold))
    runs = runs.reset_index(drop=True)
    for _, parts in runs.groupby(["arm", "classifier", "seed"], sort=False):
        # A seed counts where every fold has its run.
        if set(parts["fold"]) != folds:
            continue

        # Put each fold's predictions where its images stand in the data.
        joined = np.empty((len(fold), predictions[parts.index[0]].shape[1]), np.float32)
        for row, number in zip(parts.index, parts["fold"]):
            expected, predicted = (fold == number).sum(), len(predictions[row])
            if predicted != expected:
                raise StudyError(
                    f"a run of fold {number} predicts {predicted} images, the fold has {expected}: "
                    "execute 40_training again"
                )
            joined[fold == number] = predictions[row]
        kept.append(parts.iloc[0])
        whole.append(joined)
    return pd.DataFrame(kept, columns=runs.columns), whole


def usable_pools(
    paths: StudyPaths, names: list[str], *, curated: bool, at_most: int = 0, seed: int = 0
) -> dict[str, FaceSet]:
    """Read the pools that have been made, as arms take them.

    Args:
        paths: folders of the study.
        names: of the pools; those that have not been made are left out.
        curated: only what curation kept, as it cropped and relabelled it.
        at_most: images that are drawn from a larger pool, in the pool's order; 0: all.
        seed: governs the draw.
    """
    # A pool that has not been made yet is left out.
    made = [name for name in names if (paths.pool(name) / "faces.npz").exists()]
    pools = {}
    for name in made:
        pool = load_pool(paths.pool(name), curated=curated)
        # Draw from a large pool, and keep the pool's order.
        if at_most:
            drawn = np.random.default_rng(seed).permutation(len(pool))[:at_most]
            pool = pool.select(np.sort(drawn))
        pools[name] = pool
    return pools


def generator_images(paths: StudyPaths, pools: list[str]) -> dict[str, float]:
    """Count the images that each pool's generator was trained on, repetitions included: 0 where
    nothing was trained. Pools without a record of their generator are left out.
    """
    images = {}
    for pool in pools:
        # Written beside the pool's images when it was made.
        facts = generator_facts(paths.pool(pool))
        if facts:
            training = facts.get("training", {})
            images[pool] = float(training.get("steps", 0) * training.get("batch", 0))
    return images


def knowledge_of_pools(paths: StudyPaths, names: list[str]) -> dict[str, str]:
    """Read what the generator of each pool knew of the real images, by the pool's name; pools whose
    record does not say are left out.
    """
    records = {name: generator_facts(paths.pool(name)) for name in names}
    return {name: record["knowledge"] for name, record in records.items() if "knowledge" in record}


def all_real_images(runs: pd.DataFrame) -> int:
    """Count all real training images: those of arms that hold all of them; 0 where none does.

    Args:
        runs: columns kind, real, added and images.
    """
    all_real = runs[(runs["real"] == 0) & ((runs["kind"] == "base") | (runs["added"] > 0))]
    return int((all_real["images"] - all_real["added"]).max()) if len(all_real) else 0


def of_first_classifier(effects: pd.DataFrame) -> pd.DataFrame:
    """Keep the comparisons of the study's first classifier: a question is answered once, not once
    per network.
    """
    # Rows come in the order of the study's classifiers.
    if not len(effects):
        return effects
    return effects[effects["classifier"] == effects["classifier"].iloc[0]]


def one_classifier(arms: Arms) -> Arms:
    """Keep the arms of the study's first classifier: a claim is decided once, not once per
    network.
    """
    # Arms come in the order of the study's classifiers.
    first = next(classifier for _, classifier in arms)
    return {key: predictions for key, predictions in arms.items() if key[1] == first}


def _analyses(runs: pd.DataFrame, parameters: dict) -> np.ndarray:
    """How often the comparisons of each run's arm are analysed, by notebook 40's parameters."""
    # Without further seeds there is one analysis.
    arms = [arm_of(run) for run in runs.to_dict("records")]
    if not parameters.get("more_seeds", 0):
        return np.ones(len(arms), int)

    # The arms that the training would continue, whether it did or not.
    key = "more_seeds_arms"
    continued = set(asked_for(list(dict.fromkeys(arms)), parameters.get(key, []), key))
    return np.array([2 if arm in continued else 1 for arm in arms])


def _earlier_looks(runs: pd.DataFrame, paths: StudyPaths) -> np.ndarray:
    """Count the looks at the test images before this study was published, by each run's number of
    real images (`lib.metrics.looks`).
    """
    # Most studies were never looked at.
    classes = tuple(runs["classes"].iloc[0]) if "classes" in runs else ()
    looks = load_looks(study_of(paths.study), why_not=why_not_of_study(paths, classes))
    if not looks:
        return np.zeros(len(runs), int)

    # Arms without a number hold all real images.
    sizes = runs["real"].where(runs["real"] > 0, all_real_images(runs))
    return np.array([looks_beside(looks, size) for size in sizes])


def _require_classes(runs: pd.DataFrame, classes: tuple[str, ...]) -> None:
    """Refuse runs that predict other classes than the faces have."""
    # The columns of a matrix of probabilities mean what the run's class list says.
    for run in runs.to_dict("records"):
        predicted = tuple(run.get("classes", classes))
        if predicted != tuple(classes):
            raise StudyError(
                f"{run['folder']}: predicts {', '.join(predicted)}, the faces have "
                f"{', '.join(classes)}: execute 40_training again"
            )
