"""Do the three studies' claims replicate: read in the studies' own ways, and in this study's, from
the same predictions.

The ways of scoring are those of the three studies, one at a time: one run an arm and a comparison
of two numbers, two single models compared with each other, scores averaged over batches, copies of
training images kept in the test set, class names in another order. What a way of scoring makes of
single runs is counted over them: a sentence that holds for one run in two is a coin toss. Frozen
features are no way of scoring but a network: a study that trains its `-frozen` variant too has a
row of each claim for either.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib.faces.classes import FER2013_CODES
from lib.metrics.claim_verdicts import (
    ARM_TESTS,
    CONTRADICTED,
    PAIR_TESTS,
    SUPPORTED,
    UNDECIDED,
)
from lib.metrics.claims import Claim, Measurements, decide_claims
from lib.metrics.scores import scores
from lib.metrics.statistics import ALPHA, mcnemar

BATCH = 128  # images of which S2 averaged the scores
REPLICATES = {SUPPORTED: "replicates", CONTRADICTED: "does not", UNDECIDED: "not shown"}


def replication(
    claims: list[Claim], measurements: Measurements, leaked: np.ndarray | None = None
) -> pd.DataFrame:
    """Read each claim about arms in the studies' ways and in ours.

    Args:
        claims: of `load_claims`.
        measurements: its arms may be of several classifiers; each has rows of its own.
        leaked: bool (N,), test images with a copy in training; None where there are none.

    Returns:
        Columns id, sentence, classifier, runs, "one run", "two models", "batch means", "names
        permuted" (share of single runs for which the sentence holds when read in that way; empty
        where the way does not apply), "copies kept" and "copies left out" (what all seeds say,
        whatever the study spent), replicates (by the claim's budget, copies left out). Claims whose
        arms are not there are left out, and all where the data say nothing about the three studies.
    """
    rows = []
    # Each classifier by itself.
    arms = {} if measurements.why_not else measurements.arms
    for classifier in dict.fromkeys(classifier for _, classifier in arms):
        of_one = {key: predictions for key, predictions in arms.items() if key[1] == classifier}
        rows += _rows_of(claims, replace(measurements, arms=of_one), leaked)

    # A study without such arms has the columns too.
    columns = ["id", "sentence", "classifier", "runs", *READINGS]
    columns += ["copies kept", "copies left out", "replicates"]
    return pd.DataFrame(rows, columns=columns)


def _rows_of(
    claims: list[Claim], measurements: Measurements, leaked: np.ndarray | None
) -> list[dict]:
    """The rows of one classifier."""
    arms = measurements.arms
    # Claims about arms that this study has.
    wanted = [claim for claim in claims if claim.test in ARM_TESTS and claim.pairs(arms)]
    if not wanted:
        return []

    # Our own verdicts, with and without the test images that have a copy in training.
    with_copies = without_copies = decide_claims(wanted, measurements)
    if leaked is not None and leaked.any():
        without_copies = decide_claims(wanted, _without(measurements, leaked))
    kept, left_out = (table["at_this_size"].tolist() for table in (with_copies, without_copies))
    verdicts = without_copies["verdict"].tolist()

    # The studies' readings of single runs beside our verdicts.
    rows = []
    for place, claim in enumerate(wanted):
        keys = [key for pair in claim.pairs(arms) for key in pair]
        row = {"id": claim.id, "sentence": claim.sentence, "classifier": keys[0][1]}
        row["runs"] = len(_common_seeds(keys, measurements))
        for name, reading in READINGS.items():
            row[name] = _share_of_runs(claim, measurements, reading)
        row |= {"copies kept": kept[place], "copies left out": left_out[place]}
        row["replicates"] = REPLICATES.get(verdicts[place], verdicts[place])
        rows.append(row)
    return rows


def _common_seeds(keys: list[tuple], measurements: Measurements) -> list[int]:
    """Seeds that all of some arms have, ascending."""
    # Runs are compared seed by seed.
    seeds = [set(measurements.arms[key].seeds) for key in keys]
    return sorted(set.intersection(*seeds))


def _share_of_runs(claim: Claim, measurements: Measurements, reading) -> float:
    """Share of single runs, seed by seed, for which all comparisons of the claim read as it says;
    NaN where the reading does not apply to it.
    """
    # Read every comparison of the claim off one run of each arm.
    pairs = claim.pairs(measurements.arms)
    seeds = _common_seeds([key for pair in pairs for key in pair], measurements)
    holds = []
    for seed in seeds:
        read = []
        for pair in pairs:
            arms = [measurements.arms[key] for key in pair]
            reference, arm = (one.probabilities[one.seeds.index(seed)] for one in arms)
            read.append(reading(claim, reference, arm, measurements))
        # A reading that does not apply to one comparison applies to none.
        if None in read:
            return float("nan")
        holds.append(all(read))
    return float(np.mean(holds)) if holds else float("nan")


def _holds(claim: Claim, reference: float, arm: float) -> bool:
    """Read a claim off two numbers, as a study of single runs does."""
    # Without an interval, any difference beyond the margin is one.
    if claim.test == "above":
        return arm > claim.value
    if claim.test == "equivalent":
        return abs(arm - reference) <= claim.margin
    if claim.test == "greater":
        return arm - reference > claim.margin
    return arm - reference < -claim.margin


def _one_run(
    claim: Claim, reference: np.ndarray, arm: np.ndarray, measurements: Measurements
) -> bool:
    """Compare the scores of one run each."""
    labels = measurements.labels
    # Recall of one class beside the mean of all.
    if claim.test == "class_below":
        correct = arm.argmax(1) == labels
        recalls = [correct[labels == each].mean() for each in np.unique(labels)]
        label = measurements.classes.index(claim.class_name)
        recall = correct[labels == label].mean()
        return _holds(claim, float(np.mean(recalls)), float(recall))

    # Or the metric of either arm.
    before, after = (scores(run, labels)[claim.metric] for run in (reference, arm))
    return _holds(claim, before, after)


def _two_models(
    claim: Claim, reference: np.ndarray, arm: np.ndarray, measurements: Measurements
) -> bool | None:
    """McNemar's test of two models; "no significant difference" is taken for none, as S1 did."""
    if claim.metric != "accuracy" or claim.test not in PAIR_TESTS:
        return None
    # Which images either model is right on.
    a, b = reference.argmax(1) == measurements.labels, arm.argmax(1) == measurements.labels
    different = mcnemar(a, b) < ALPHA
    if claim.test == "equivalent":
        return not different
    return different and bool(b.mean() > a.mean()) == (claim.test == "greater")


def _batch_means(
    claim: Claim, reference: np.ndarray, arm: np.ndarray, measurements: Measurements
) -> bool | None:
    """Means of per-batch scores, as S2's: classes missing from a batch are left out of its mean."""
    labels = measurements.labels
    if claim.test == "class_below" or len(labels) < BATCH:
        return None
    # Whole batches, in the order of the test set.
    batches = [slice(at, at + BATCH) for at in range(0, len(labels) - BATCH + 1, BATCH)]
    means = []
    for run in (reference, arm):
        of_batches = [scores(run[batch], labels[batch])[claim.metric] for batch in batches]
        means.append(np.mean(of_batches))
    return _holds(claim, *means)


def _names_permuted(
    claim: Claim, reference: np.ndarray, arm: np.ndarray, measurements: Measurements
) -> bool | None:
    """The arm learned in FER2013's own class order and is scored in alphabetical order; base and
    the test set agree.
    """
    if claim.test == "class_below":
        return None
    # Column i holds what the arm means by FER2013's code i.
    permuted = arm[:, [measurements.classes.index(name) for name in FER2013_CODES]]
    return _one_run(claim, reference, permuted, measurements)


def _without(measurements: Measurements, leaked: np.ndarray) -> Measurements:
    """Leave out the test images that have a copy in training."""
    # From predictions, labels and clusters alike.
    arms = {key: predictions.images(~leaked) for key, predictions in measurements.arms.items()}
    labels, clusters = measurements.labels[~leaked], measurements.clusters[~leaked]
    return replace(measurements, arms=arms, labels=labels, clusters=clusters)


READINGS = {
    "one run": _one_run,
    "two models": _two_models,
    "batch means": _batch_means,
    "names permuted": _names_permuted,
}
