"""What of each study survives: its sentences as its own way of scoring would tell them, and as this study's, from the same predictions.

The three studies' defects are switched on one at a time: one run an arm and the eye as judge, two single models held against each other,
scores averaged over batches, copies of training images kept in the test set, class names in another order. What a way of scoring says of
the runs at hand is counted over them: a sentence that one run in two tells is a coin's. Frozen features are no way of scoring but a
network: a study that trains its `-frozen` variant too has a row of each claim for either.
"""

from dataclasses import replace

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES
from lib.metrics.claims import ARM_TESTS, Evidence, claim_pairs, decide_claims
from lib.metrics.scores import scores
from lib.metrics.statistics import ALPHA, mcnemar

BATCH = 128  # images of which S2 averaged the scores
FER2013_ORDER = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SURVIVES = {"supported": "survives", "contradicted": "does not", "undecided": "not shown"}


def what_survives(claims: list[dict], evidence: Evidence, leaked: np.ndarray | None = None) -> pd.DataFrame:
    """Tell each claim about arms in the studies' ways and in ours.

    Args:
        evidence: its arms may be of several classifiers; each tells every claim of its own.
        leaked: bool (N,), test images with a copy in training; None where there are none.
    Returns:
        Columns id, sentence, classifier, runs, "one run", "two models", "batch means", "names permuted" (share of single runs that tell
        the sentence in that way; empty where the way does not apply), "copies kept" and "copies left out" (verdicts of
        all seeds), survives.
        Claims whose arms are not there are left out.
    """
    rows = []
    for classifier in dict.fromkeys(own for _, own in evidence.arms):
        arms = {key: found for key, found in evidence.arms.items() if key[1] == classifier}
        rows += _of_one_classifier(claims, replace(evidence, arms=arms), leaked)
    return pd.DataFrame(rows, columns=["id", "sentence", "classifier", "runs", *WAYS, "copies kept", "copies left out", "survives"])


def _of_one_classifier(claims: list[dict], evidence: Evidence, leaked: np.ndarray | None) -> list[dict]:
    wanted = [claim for claim in claims if claim["test"] in ARM_TESTS and claim_pairs(claim, evidence.arms)]
    if not wanted:
        return []
    kept = decide_claims(wanted, evidence)["verdict"].to_list()
    clean = decide_claims(wanted, _without(evidence, leaked))["verdict"].to_list() if leaked is not None and leaked.any() else kept
    rows = []
    for claim, first, second in zip(wanted, kept, clean):
        keys = [key for pair in claim_pairs(claim, evidence.arms) for key in pair]
        fixed = {"id": claim["id"], "sentence": claim["sentence"], "classifier": keys[0][1]}
        told = {way: _share_told(claim, evidence, read) for way, read in WAYS.items()}
        runs = len(set.intersection(*(set(evidence.arms[key].seeds) for key in keys)))
        last = {"runs": runs, "copies kept": first, "copies left out": second, "survives": SURVIVES.get(second, second)}
        rows.append(fixed | told | last)
    return rows


def _share_told(claim: dict, evidence: Evidence, read) -> float:
    """Share of single runs, seed by seed, in which all pairs of the claim say what it says; NaN where the way says nothing of it."""
    pairs = [tuple(evidence.arms[key] for key in pair) for pair in claim_pairs(claim, evidence.arms)]
    common = sorted(set.intersection(*(set(arm.seeds) for pair in pairs for arm in pair)))
    told = [
        [read(claim, *(arm.probabilities[arm.seeds.index(seed)] for arm in pair), evidence.labels) for pair in pairs] for seed in common
    ]
    return float("nan") if not told or any(one is None for run in told for one in run) else float(np.mean([all(run) for run in told]))


def _says(claim: dict, reference: float, arm: float) -> bool:
    """Read a claim off two numbers, as a study of single runs does."""
    test, margin = claim["test"], claim["margin"]
    if test == "above":
        return arm > claim["value"]
    if test == "equivalent":
        return abs(arm - reference) <= margin
    return arm - reference > margin if test == "greater" else arm - reference < -margin


def _one_run(claim: dict, reference: np.ndarray, arm: np.ndarray, labels: np.ndarray) -> bool:
    if claim["test"] == "class_below":
        right = arm.argmax(1) == labels
        recalls = [right[labels == k].mean() for k in np.unique(labels)]
        return _says(claim, float(np.mean(recalls)), float(right[labels == CLASSES.index(claim["class"])].mean()))
    return _says(claim, *(scores(said, labels)[claim["metric"]] for said in (reference, arm)))


def _two_models(claim: dict, reference: np.ndarray, arm: np.ndarray, labels: np.ndarray) -> bool | None:
    """McNemar's test of two models; "no significant difference" is taken for none, as S1 did."""
    if claim["metric"] != "accuracy" or claim["test"] not in ("equivalent", "greater", "smaller"):
        return None
    a, b = reference.argmax(1) == labels, arm.argmax(1) == labels
    different = mcnemar(a, b) < ALPHA
    if claim["test"] == "equivalent":
        return not different
    return different and bool(b.mean() > a.mean()) == (claim["test"] == "greater")


def _batch_means(claim: dict, reference: np.ndarray, arm: np.ndarray, labels: np.ndarray) -> bool | None:
    """Means of per-batch scores, as S2's: classes missing from a batch are left out of its mean."""
    if claim["test"] == "class_below" or len(labels) < BATCH:
        return None
    starts = range(0, len(labels) - BATCH + 1, BATCH)
    means = [
        np.mean([scores(said[at : at + BATCH], labels[at : at + BATCH])[claim["metric"]] for at in starts]) for said in (reference, arm)
    ]
    return _says(claim, *means)


def _names_permuted(claim: dict, reference: np.ndarray, arm: np.ndarray, labels: np.ndarray) -> bool | None:
    """The arm learned in FER2013's own class order and is scored in alphabetical order; base and the test set agree."""
    if claim["test"] == "class_below":
        return None
    return _one_run(claim, reference, arm[:, [CLASSES.index(name) for name in FER2013_ORDER]], labels)


def _without(evidence: Evidence, leaked: np.ndarray) -> Evidence:
    arms = {key: found.images(~leaked) for key, found in evidence.arms.items()}
    return Evidence(arms, evidence.labels[~leaked], evidence.clusters[~leaked], evidence.pools)


WAYS = {"one run": _one_run, "two models": _two_models, "batch means": _batch_means, "names permuted": _names_permuted}
