"""What a person would score, and what a test of two single models would say.

Both are shown beside the arms; neither decides.
"""

import itertools

import numpy as np
import pandas as pd

from lib.faces.arms import ARM_FIELDS, Arm
from lib.faces.faceset import FaceSet
from lib.metrics.contrasts import BASE, Arms, Scorings, levels
from lib.metrics.statistics import ALPHA, mcnemar

ANNOTATORS = 10  # of FER+, for each image
PERSON = "one annotator of FER+"
LINE_COLUMNS = ["scoring", "arm", "value", "n_images"]
SINGLE_COLUMNS = ["arm", "pairs", "lowest_p", "median_p", "called_different"]


def human_line(faces: FaceSet, scorings: Scorings) -> pd.DataFrame:
    """Measure how often one annotator, drawn at random, gives the label that counts as right.

    Args:
        faces: of one split, with the columns votes_<class>, counts among ANNOTATORS. Where one of
            its classes has none, nothing is known of people.
        scorings: of `contrasts.scorings`.

    Returns:
        Columns scoring, arm (PERSON), value, n_images; no rows where nothing is known. Where the
        label is the plurality of the same ten annotators, the one drawn is among them: an upper
        bound.

    Source: FER+: Barsoum et al. 2016, arXiv 1608.01041.
    """
    # Votes on some of the classes alone would not sum to the annotators.
    columns = [f"votes_{name}" for name in faces.classes]
    if any(column not in faces.table for column in columns):
        return pd.DataFrame(columns=LINE_COLUMNS)

    # The chance that a random annotator names each class.
    shares = faces.table[columns].to_numpy(float) / ANNOTATORS
    rows = []
    for name, (mask, labels) in scorings.items():
        agreement = shares[mask, labels[mask]]
        rows.append((name, PERSON, float(agreement.mean()), int(mask.sum())))
    return pd.DataFrame(rows, columns=LINE_COLUMNS)


def levels_by_scoring(
    arms: Arms, shown: list[Arm], scorings: Scorings, clusters: np.ndarray, faces: FaceSet
) -> pd.DataFrame:
    """Give the accuracy of some arms under every scoring, with the human line of each.

    Args:
        arms: predictions of the split; those of the first classifier count.
        shown: arms to show.
        scorings: of `contrasts.scorings`.
        clusters: int64 (N,), equal for copies.
        faces: of the split.

    Returns:
        Columns scoring, arm, ARM_FIELDS (missing for a person), value, low, high, n_images; a
        person's line has no interval (low and high equal value).
    """
    # Arms and people, scoring by scoring.
    people = human_line(faces, scorings)
    parts = []
    for name, (mask, labels) in scorings.items():
        predictions = {}
        for key, of_arm in _of_first_classifier(arms).items():
            if key[0] in shown:
                predictions[key] = of_arm.images(mask)
        parts.append(levels(predictions, labels[mask], clusters[mask]).assign(scoring=name))

        # A person is one number: no seeds, no interval.
        person = people[people["scoring"] == name]
        parts.append(person.assign(low=person["value"], high=person["value"]))

    # Empty tables would make the columns' types undecided.
    columns = ["scoring", "arm", *ARM_FIELDS, "value", "low", "high", "n_images"]
    filled = [part for part in parts if len(part)]
    return pd.concat(filled, ignore_index=True).reindex(columns=columns)


def single_models(arms: Arms, shown: list[Arm], labels: np.ndarray) -> pd.DataFrame:
    """Test single models against single models by McNemar, as studies of one run do.

    Args:
        arms: predictions of the split; those of the first classifier count.
        shown: arms to hold against base.
        labels: int64 (N,).

    Returns:
        Columns arm, pairs, lowest_p, median_p, called_different (share of the pairs with p < 0.05).
        The first row holds base against base: models that differ in their seed alone. A study of
        one run that finds what base finds against itself has found nothing.
    """
    # Which images every run of an arm classifies correctly.
    right = {}
    for (arm, _), predictions in _of_first_classifier(arms).items():
        right[arm] = predictions.probabilities.argmax(2) == labels

    # Runs of base that differ in their seed alone.
    among_base = list(itertools.combinations(right[BASE], 2))
    rows = [_single_row("base, other seed", among_base)]
    for arm in shown:
        if arm in right and arm != BASE:
            # Every run of base against every run of the arm.
            pairs = list(itertools.product(right[BASE], right[arm]))
            rows.append(_single_row(arm.name, pairs))
    return pd.DataFrame(rows, columns=SINGLE_COLUMNS)


def _of_first_classifier(arms: Arms) -> Arms:
    """Keep the predictions of the study's first classifier."""
    # The first classifier is the one that decides a study.
    first = next(classifier for _, classifier in arms)
    return {key: predictions for key, predictions in arms.items() if key[1] == first}


def _single_row(name: str, pairs: list[tuple[np.ndarray, np.ndarray]]) -> tuple:
    """Summarise the tests of pairs of models, each a mask bool (N,) of correct images."""
    if not pairs:
        return name, 0, np.nan, np.nan, np.nan

    # Exact p-values, and how often a single pair would have been called different.
    p = np.array([mcnemar(one, other) for one, other in pairs])
    return name, len(p), p.min(), np.median(p), (p < ALPHA).mean()
