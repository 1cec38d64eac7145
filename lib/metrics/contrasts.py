"""Which arm is compared with which, and the tables that follow: scores of every run, the level of
every arm, and the difference of every pair with interval and verdict.

Predictions are kept by (Arm, classifier). Every table carries the arm's fields (`ARM_FIELDS`) as
columns beside its name, so that a question about arms is a query over columns.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace

import numpy as np
import pandas as pd

from lib.faces.arms import ARM_FIELDS, Arm, arm_of, controls, real_alone
from lib.faces.faceset import label_indices
from lib.metrics.arms import ArmPredictions, compare_arms, level
from lib.metrics.decisions import decided, times_analysed
from lib.metrics.scores import class_scores, scores
from lib.metrics.statistics import Effect
from lib.study.errors import StudyError
from lib.study.generations import first_generation

BASE = Arm("base")  # all real images and nothing else: what every arm is compared with

Arms = Mapping[tuple[Arm, str], ArmPredictions]  # predictions by arm and classifier
Scorings = dict[str, tuple[np.ndarray, np.ndarray]]  # (mask, labels) by name, see `scorings`

# What the table of effects says of each comparison: which, ...
EFFECT_COLUMNS = (
    "reference",
    "arm",
    "role",
    *ARM_FIELDS,
    "steps",
    "reference_kind",
    "reference_control_of",
    "reference_steps",
    "classifier",
    "metric",
    "class",
    "family",
)
# ... and the numbers of its Effect.
EFFECT_NUMBERS = (
    "difference",
    "low",
    "high",
    "p",
    "n_images",
    "n_clusters",
    "n_seeds",
    "generations",
    "minimum_detectable_effect",
)


def contrasts(arms: list[Arm]) -> list[tuple[Arm, Arm, str]]:
    """List the comparisons that a study's arms allow: every arm with its real images alone, and
    every arm with those of its controls that were run.

    Returns:
        (reference, arm, role) with role "base" or "control".
    """
    # Everything against real images alone: the arm's own number of them, else all.
    pairs = []
    for arm in arms:
        alone = real_alone(arm)
        reference = BASE if arm == alone else alone
        if reference in arms and arm != BASE:
            pairs.append((reference, arm, "base"))

    # Every arm against its own controls, of those that were run.
    for arm in arms:
        pairs += [(control, arm, "control") for control in controls(arm) if control in arms]
    return pairs


def gather_arms(runs: pd.DataFrame, predictions: list[np.ndarray]) -> Arms:
    """Stack the runs of each arm and classifier.

    Args:
        runs: columns ARM_FIELDS, classifier, seed and, where known, steps, epochs and analyses
            (of `evidence.recorded_runs`); one row a run.
        predictions: float32 (N, C) per row of runs, of the same images.

    Returns:
        By (arm, classifier), in order of appearance.

    Raises:
        StudyError: no run; runs that predict different numbers of images; two runs of one seed.
    """
    # Runs that cannot be compared are refused.
    if not len(runs):
        raise StudyError("no finished run: execute 40_training first")
    sizes = sorted({len(probabilities) for probabilities in predictions})
    if len(sizes) > 1:
        raise StudyError(
            f"runs predict different numbers of images ({sizes}): execute 40_training again"
        )

    # Positions of the runs of each arm and classifier.
    places = {}
    for place, run in enumerate(runs.to_dict("records")):
        places.setdefault((arm_of(run), run["classifier"]), []).append(place)
    known = {"steps": 0.0, "epochs": 0.0, "analyses": 1}
    facts = runs.reindex(columns=list(known)).fillna(known).to_numpy(float)
    seeds = runs["seed"].to_numpy(int)

    # One matrix an arm and classifier, its runs by seed.
    arms = {}
    for (arm, classifier), runs_of_arm in places.items():
        ordered = sorted(runs_of_arm, key=lambda place: seeds[place])
        arm_seeds = tuple(int(seeds[place]) for place in ordered)
        if len(set(arm_seeds)) < len(arm_seeds):
            raise StudyError(
                f"arm {arm.name} with classifier {classifier} has two runs of one seed: execute "
                "40_training again"
            )

        # Early stopping ends the runs of an arm at different steps.
        stacked = np.stack([predictions[place] for place in ordered])
        steps, epochs, analyses = facts[ordered].mean(0)
        arms[arm, classifier] = ArmPredictions(
            arm_seeds, stacked, steps=round(steps), epochs=epochs, analyses=round(analyses)
        )
    return arms


def over_generations(arms: Arms) -> Arms:
    """Join the arms of all generations of a pool into one, on the seeds that all have.

    Args:
        arms: of `gather_arms`.

    Returns:
        By (arm of the pool's first generation, classifier), in the order of the arms.
    """
    # The generations of each arm, by their number.
    groups = {(arm.first_generation, classifier): {} for arm, classifier in arms}
    for (arm, classifier), predictions in arms.items():
        groups[arm.first_generation, classifier][arm.generation] = predictions

    # One generation after the other, on the seeds that all of them have.
    joined = {}
    for key, by_number in groups.items():
        seed_sets = [set(predictions.seeds) for predictions in by_number.values()]
        seeds = sorted(set.intersection(*seed_sets))
        first, *others = (by_number[number].of_seeds(seeds) for number in sorted(by_number))
        probabilities = tuple(other.probabilities for other in others)
        joined[key] = replace(first, other_generations=probabilities)
    return joined


def scorings(table: pd.DataFrame, classes: tuple[str, ...], split: str = "test") -> Scorings:
    """Name the ways to score one split: on all images or on those without a copy in training; by
    the set's own labels or by FER+'s.

    Args:
        table: of the split's face set; columns class, and where known leaked (bool) and plus_class
            (a class, or missing).
        classes: the face set's class list.
        split: name of the split.

    Returns:
        (mask bool (N,), labels int64 (N,), -1 where there is none) by name: test, test-plus,
        test-leakfree, test-leakfree-plus.
    """
    # Whose labels count.
    labels_by_source = {"": label_indices(table["class"], classes)}
    if "plus_class" in table and table["plus_class"].isin(classes).any():
        labels_by_source["-plus"] = label_indices(table["plus_class"], classes)

    # Which images count.
    images_kept = {"": np.ones(len(table), bool)}
    if "leaked" in table and table["leaked"].any():
        images_kept["-leakfree"] = ~table["leaked"].to_numpy(bool)

    # Every combination; an image without a label is not scored.
    named = {}
    for images, kept in images_kept.items():
        for source, labels in labels_by_source.items():
            named[f"{split}{images}{source}"] = (kept & (labels >= 0), labels)
    return named


def result_rows(
    arms: Arms, scoring: Scorings, classes: tuple[str, ...], *, study: str
) -> list[dict]:
    """Score every run in every scoring, as rows of the results table (`lib.study.results`).

    Args:
        arms: of `gather_arms`.
        scoring: of `scorings`.
        classes: the face set's class list.
        study: name of the study.
    """
    rows = []
    for (arm, classifier), predictions in arms.items():
        about_arm = _arm_columns(arm, predictions)
        for split, (mask, labels) in scoring.items():
            shown = labels[mask]
            # Every run has rows over all classes, and rows of each class.
            for seed, run in zip(predictions.seeds, predictions.probabilities[:, mask]):
                about_run = {"classifier": classifier, "seed": seed, "split": split}
                fixed = {"study": study} | about_arm | about_run
                for metric, value in scores(run, shown).items():
                    rows.append(fixed | {"metric": metric, "class": "", "value": value})
                for row in class_scores(run, shown, classes).to_dict("records"):
                    rows.append(fixed | row)
    return rows


def levels(
    arms: Arms, labels: np.ndarray, clusters: np.ndarray, *, metric: str = "accuracy"
) -> pd.DataFrame:
    """Estimate each arm's own mean with its interval.

    Returns:
        Columns arm, ARM_FIELDS, steps, classifier, value, low, high, n_seeds, n_images.
    """
    # An arm's level is its effect against nothing.
    rows = []
    for (arm, classifier), predictions in arms.items():
        effect = level(predictions, labels, clusters=clusters, metric=metric)
        about_arm = _arm_columns(arm, predictions) | {"classifier": classifier}
        numbers = {"value": effect.difference, "low": effect.low, "high": effect.high}
        counts = {"n_seeds": effect.n_seeds, "n_images": effect.n_images}
        rows.append(about_arm | numbers | counts)
    return pd.DataFrame(rows)


def effects(
    arms: Arms,
    labels: np.ndarray,
    clusters: np.ndarray,
    *,
    margin: float,
    metric: str = "accuracy",
    class_name: str = "",
    classes: tuple[str, ...] = (),
    planned_seeds: int = 0,
) -> pd.DataFrame:
    """Estimate and decide every contrast of a study on one metric.

    Args:
        arms: of `gather_arms`, restricted to the images of labels and clusters; of
            `over_generations`, where the interval is to hold for other generations of a pool too.
        labels: int64 (N,).
        clusters: int64 (N,), equal for copies.
        margin: smallest effect of interest.
        metric: a name in `lib.metrics.arms.METRICS`.
        class_name, classes: for the metric of one class its name, and the face set's class list.
        planned_seeds: of the pilot; a comparison with more seeds had an interim analysis, whatever
            its arms say. 0: not known.

    Returns:
        Columns EFFECT_COLUMNS but family, EFFECT_NUMBERS, `decisions.DECISION_COLUMNS`. Low and
        high are the plain 95% interval, low_decided and high_decided the one that decides
        (`statistics.decide`): adjusted for the family and the analyses, above 0 exactly where the
        arm helps, below 0 exactly where it hurts.

        A family is one question asked of all pools: contrasts of one classifier whose arms and
        references differ in the pool alone; against base a filtered supplement asks what a plain
        one asks. Where arms hold numbers of images, all numbers and class shares are one question,
        as in `lib.metrics.gains`. Shares, references and metrics are families of their own,
        uncorrected against each other. A comparison both of whose arms may have further seeds after
        the first analysis counts two analyses at either, whether it was continued or not.
    """
    table, estimates = estimated(
        arms,
        labels,
        clusters,
        metric=metric,
        class_name=class_name,
        classes=classes,
        planned_seeds=planned_seeds,
    )
    return decided(table, estimates, margin).drop(columns="family")


def estimated(
    arms: Arms,
    labels: np.ndarray,
    clusters: np.ndarray,
    *,
    metric: str = "accuracy",
    class_name: str = "",
    classes: tuple[str, ...] = (),
    planned_seeds: int = 0,
) -> tuple[pd.DataFrame, list[Effect]]:
    """Estimate every contrast of a study on one metric, and decide none.

    Args:
        arms, labels, clusters, metric, class_name, classes, planned_seeds: as in `effects`.

    Returns:
        Columns EFFECT_COLUMNS, EFFECT_NUMBERS and analyses; and the effect of each row.
    """
    # Every contrast of every classifier: which arms, and the estimate.
    label = classes.index(class_name) if class_name else None
    rows, estimates, analyses = [], [], []
    for classifier in dict.fromkeys(classifier for _, classifier in arms):
        trained = [arm for arm, name in arms if name == classifier]
        for reference, arm, role in contrasts(trained):
            pair = arms[reference, classifier], arms[arm, classifier]
            estimates.append(
                compare_arms(*pair, labels, clusters=clusters, metric=metric, label=label)
            )

            # Both arms by their fields, so that questions are queries.
            row = {"reference": reference.name, "arm": arm.name, "role": role}
            row |= _arm_columns(arm, pair[1])
            row |= {"reference_kind": reference.kind, "reference_control_of": reference.control_of}
            row["reference_steps"] = pair[0].steps
            row |= {"classifier": classifier, "metric": metric, "class": class_name}
            row["family"] = _family(reference, arm, role, classifier)
            counts = [one.analyses for one in pair]
            analyses.append(times_analysed(counts, estimates[-1].n_seeds, planned_seeds))
            rows.append(row)

    # The numbers of the estimates.
    table = pd.DataFrame(rows, columns=EFFECT_COLUMNS)
    for name in EFFECT_NUMBERS:
        table[name] = [getattr(effect, name) for effect in estimates]
    return table.assign(analyses=analyses), estimates


def generation_range(
    arms: Arms, joined: Arms, effects: pd.DataFrame, labels: np.ndarray
) -> pd.DataFrame:
    """Set beside each effect over generations how far single generations lie apart.

    Args:
        arms: of `gather_arms`.
        joined: the same by `over_generations`.
        effects: of `effects`, on the joined arms.
        labels: int64 (N,).

    Returns:
        Columns arm, classifier, generations, n_seeds, difference, low, high, verdict (against
        base), lowest, highest (difference of a single generation); without rows where every pool
        was made once.
    """
    # Differences of single generations, on the seeds of all.
    rows = effects[(effects["role"] == "base") & (effects["generations"] > 1)]
    lowest, highest = [], []
    for row in rows.to_dict("records"):
        predictions = joined[arm_of(row), row["classifier"]]
        base = arms[BASE, row["classifier"]].of_seeds(list(predictions.seeds))
        base_accuracy = (base.probabilities.argmax(2) == labels).mean()
        accuracies = [(runs.argmax(2) == labels).mean() for runs in predictions.generations]
        differences = np.array(accuracies) - base_accuracy
        lowest.append(differences.min())
        highest.append(differences.max())

    # Beside the effect over all of them.
    shown = ["arm", "classifier", "generations", "n_seeds", "difference", "low", "high", "verdict"]
    table = rows[shown].assign(lowest=lowest, highest=highest)
    return table.reset_index(drop=True)


def why_no_generations(pools: Iterable[str]) -> str:
    """Write why `generation_range` has no rows.

    Args:
        pools: of the study, every generation by its name.
    """
    # Where each draw has a generation of its own, no arm joins several.
    if any(pool != first_generation(pool) for pool in pools):
        return "every draw has its own generation of a pool: draws vary with them"
    return "no pool was generated more than once: the results hold for these images alone"


def _arm_columns(arm: Arm, predictions: ArmPredictions) -> dict:
    """Name and fields of an arm, and the optimiser steps of its runs."""
    return {"arm": arm.name, **asdict(arm), "steps": predictions.steps}


def _family(reference: Arm, arm: Arm, role: str, classifier: str) -> tuple[str, str, str]:
    """The question that a contrast asks, the same for all pools: the key of Holm's family."""
    # At numbers of images the number is no part of the question; all real images are one of them.
    if arm.added:
        against = "" if reference == real_alone(arm) else reference.kind
        return against, arm.kind, classifier

    # Unfiltered runs stand under two names, as a supplement and as its own control.
    if role == "base" and arm.kind == "filtered":
        arm = replace(arm, kind="supplement", only="")
    return reference.design, arm.design, classifier
