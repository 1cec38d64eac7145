"""The length of each arm's training: chosen on val among whole trainings, judged on test.

Where a study trains every arm at several lengths (`train_lengths`, multiples of `train_steps`),
each run has a column `length`, and an arm is read at the length of the highest mean accuracy on
val. Real images alone and every control have the same choice. The best of several lengths is
optimistic on val, where it was chosen, and never on test, which had no part in the choice.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from lib.classifiers.runs import HISTORY, load_history
from lib.faces.arms import ARM_FIELDS
from lib.study.errors import StudyError

ARM_KEY = ["arm", "classifier"]  # an arm's name is unique in a study

# What `length_curve` says of each arm, network and length; accuracies are means over seeds.
CURVE_COLUMNS = (
    "arm",
    *ARM_FIELDS,
    "classifier",
    "length",
    "steps",
    "accuracy_train",
    "accuracy_val",
    "n_seeds",
    "chosen",
)
# What `length_choice` says of each arm and network.
CHOICE_COLUMNS = (
    "arm",
    *ARM_FIELDS,
    "classifier",
    "length",
    "steps",
    "lengths",
    "edge",
    "accuracy_train",
    "accuracy_val",
    "accuracy_test",
    "fitted",
    "n_seeds",
)


def best_lengths(runs: pd.DataFrame) -> dict[tuple[str, str], float]:
    """Choose the length of every arm and network: the highest mean accuracy on val over seeds.

    Lengths are compared on the seeds that all of an arm's lengths have, where there are any: seeds
    may differ in their images. Of two lengths that are equally good the shorter one is taken.

    Args:
        runs: one row a run, of every length: arm (its name), classifier, seed, failed ("" if not),
            accuracy_val and, if there are several, length and fold.

    Returns:
        By (arm, classifier); an arm without a run that succeeded has none.

    Raises:
        StudyError: several lengths, and no accuracy on val to choose by.
    """
    chosen = {}
    for key, rows in _good_runs(runs).groupby(ARM_KEY, sort=False):
        # A single length needs no choice.
        lengths = sorted(rows["length"].unique())
        chosen[key] = float(lengths[0])
        if len(lengths) > 1:
            chosen[key] = float(_best_length(rows))
    return chosen


def chosen_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Keep every arm's runs of its chosen length, failed ones among them, in their order.

    Args:
        runs: as in `best_lengths`.
    """
    # Most studies train every arm at one length.
    if "length" not in runs or runs["length"].nunique() < 2:
        return runs

    # An arm whose runs all failed has no chosen length, and all are kept.
    best = best_lengths(runs)
    keys = zip(runs["arm"], runs["classifier"], runs["length"])
    kept = [best.get((arm, classifier), length) == length for arm, classifier, length in keys]
    return runs[kept].reset_index(drop=True)


def with_training_accuracy(runs: pd.DataFrame) -> pd.DataFrame:
    """Add the column accuracy_train: the best accuracy on training batches, as they were augmented,
    that a run logged; missing where it failed.

    Args:
        runs: column folder, the folder of each run.
    """
    fitted = []
    for run in runs.to_dict("records"):
        # A failed run may have left no learning curve.
        has_curve = run["failed"] == "" and (Path(run["folder"]) / HISTORY).exists()
        best = load_history(run["folder"])["accuracy"].max() if has_curve else np.nan
        fitted.append(float(best))
    return runs.assign(accuracy_train=fitted)


def length_curve(runs: pd.DataFrame) -> pd.DataFrame:
    """Average accuracies over seeds at every length: on training batches and on val.

    Test images have no part in it: each arm is scored on them at its chosen length alone.

    Args:
        runs: of `with_training_accuracy`, of every length.

    Returns:
        Columns CURVE_COLUMNS, one row an arm, network and length, in order of appearance; chosen:
        whether it is the arm's length.
    """
    # An arm's lengths stand together, the shortest first.
    best, rows = best_lengths(runs), []
    for key, of_arm in _good_runs(runs).groupby(ARM_KEY, sort=False):
        for length, of_length in of_arm.groupby("length"):
            rows.append(_averages(of_length) | {"chosen": length == best[key]})
    return pd.DataFrame(rows, columns=CURVE_COLUMNS)


def length_choice(runs: pd.DataFrame) -> pd.DataFrame:
    """Say which length every arm has, and whether a longer training might have been better.

    Args:
        runs: of `with_training_accuracy`, of every length.

    Returns:
        Columns CHOICE_COLUMNS, one row an arm and network: the chosen length and its steps; lengths
        (how many were tried); edge ("longest" or "shortest" of them, "" inside or without a
        choice); accuracies, means over seeds; fitted: whether the training batches were learnt
        better than val is, after which more steps fit these images alone.
    """
    # Test accuracy is shown of the chosen length alone.
    best, rows = best_lengths(runs), []
    for key, of_arm in _good_runs(runs).groupby(ARM_KEY, sort=False):
        of_length = of_arm[of_arm["length"] == best[key]]
        row = _averages(of_length) | {"accuracy_test": of_length["accuracy_test"].mean()}

        # Where the choice lies among the lengths that were tried.
        tried = sorted(of_arm["length"].unique())
        edges = {tried[0]: "shortest", tried[-1]: "longest"} if len(tried) > 1 else {}
        row |= {"lengths": len(tried), "edge": edges.get(best[key], "")}
        rows.append(row | {"fitted": row["accuracy_train"] > row["accuracy_val"]})
    return pd.DataFrame(rows, columns=CHOICE_COLUMNS)


def choice_sentences(choice: pd.DataFrame) -> list[str]:
    """Say in words how the lengths were chosen, and whether more steps would fit the arm's own
    images alone; `amount_words.edge_sentences` says for which arms the choice lies at an edge.

    Args:
        choice: of `length_choice`.
    """
    # A study of one length has nothing to choose.
    if not len(choice) or choice["lengths"].max() < 2:
        return ["Every arm was trained at one length: nothing was chosen."]
    most = choice["lengths"].max()
    sentences = [
        f"Each of {len(choice)} arms is read at the best of up to {most} lengths by mean accuracy "
        "on the validation images. The best of several is optimistic there, never on test images."
    ]

    # Training has gone far enough where the arm's own images are learnt better than others.
    fitted = int(choice["fitted"].sum())
    sentences.append(
        f"At its length {fitted} of {len(choice)} arms fit their training batches better than the "
        "validation images."
    )
    return sentences


def _best_length(rows: pd.DataFrame) -> float:
    """Choose among the lengths of one arm and network."""
    if rows["accuracy_val"].isna().all():
        raise StudyError(
            f"train_lengths: arm {rows['arm'].iloc[0]} was trained at several lengths, and there "
            "are no val images to choose by; set val_share, or give one length"
        )

    # One row a run, one column a length; a seed counts where every length has it.
    index = ["seed", "fold"] if "fold" in rows else ["seed"]
    accuracy = rows.groupby([*index, "length"])["accuracy_val"].mean().unstack("length")
    shared = accuracy.dropna()
    means = (shared if len(shared) else accuracy).mean()

    # The first of the highest; lengths are in ascending order.
    return means.index[int(np.argmax(means.to_numpy()))]


def _averages(rows: pd.DataFrame) -> dict:
    """Describe the runs of one arm, network and length: what they share, and means over seeds."""
    first = rows.iloc[0]
    fields = {name: first[name] for name in ("arm", *ARM_FIELDS, "classifier", "length")}
    return fields | {
        "steps": round(float(rows["steps"].mean())),
        "accuracy_train": rows["accuracy_train"].mean(),
        "accuracy_val": rows["accuracy_val"].mean(),
        "n_seeds": rows["seed"].nunique(),
    }


def _good_runs(runs: pd.DataFrame) -> pd.DataFrame:
    """Take the runs that succeeded, and give them the columns that they lack."""
    # A study without lengths has length 1, one without val no accuracy on it.
    names = ("accuracy_train", "accuracy_val", "accuracy_test")
    lacking = {name: np.nan for name in names if name not in runs}
    if "length" not in runs:
        lacking["length"] = 1.0
    return runs[runs["failed"] == ""].assign(**lacking)
