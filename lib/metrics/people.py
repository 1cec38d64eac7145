"""What a person would score, and what a test of two single models would say: both are shown beside the arms, neither decides."""

import itertools

import numpy as np
import pandas as pd

from lib.faces.faceset import CLASSES
from lib.metrics.contrasts import levels
from lib.metrics.statistics import ALPHA, mcnemar

ANNOTATORS = 10  # of FER+, for each image
PERSON = "one annotator of FER+"


def human_line(table: pd.DataFrame, scoring: dict) -> pd.DataFrame:
    """Measure how often one annotator, drawn at random, gives the label that each scoring takes for right.

    Args:
        table: of the split's face set; columns votes_<class>, counts among ANNOTATORS. Without them nothing is known of people.
        scoring: of `contrasts.scorings`.
    Returns:
        Columns scoring, arm (PERSON), value, n_images. Where the label is the plurality of the same ten annotators, the one drawn is among
        them: an upper bound.
    Source: FER+: Barsoum et al. 2016, arXiv 1608.01041.
    """
    if f"votes_{CLASSES[0]}" not in table:
        return pd.DataFrame(columns=["scoring", "arm", "value", "n_images"])
    votes = table[[f"votes_{name}" for name in CLASSES]].to_numpy(float) / ANNOTATORS
    rows = []
    for name, (mask, labels) in scoring.items():
        chance = votes[mask, labels[mask]]
        rows.append((name, PERSON, float(chance.mean()), int(mask.sum())))
    return pd.DataFrame(rows, columns=["scoring", "arm", "value", "n_images"])


def levels_by_scoring(arms: dict, names: list[str], scoring: dict, clusters: np.ndarray, table: pd.DataFrame) -> pd.DataFrame:
    """Give the accuracy of some arms under every scoring, with the human line of each.

    Args:
        arms: of `gather_arms`.
        names: arms to show.
        clusters: int64 (N,), equal for copies.
        table: of the split's face set.
    Returns:
        Columns scoring, arm, value, low, high, n_images; a person's line has no interval (low and high equal value).
    """
    first = next(classifier for _, classifier in arms)
    people, parts = human_line(table, scoring), []
    for name, (mask, labels) in scoring.items():
        seen = {key: found.images(mask) for key, found in arms.items() if key[0] in names and key[1] == first}
        person = people[people["scoring"] == name]
        own = levels(seen, labels[mask], clusters[mask])
        parts += [own.assign(scoring=name), person.assign(low=person["value"], high=person["value"])]
    return pd.concat([part for part in parts if len(part)], ignore_index=True)[["scoring", "arm", "value", "low", "high", "n_images"]]


def single_models(arms: dict, names: list[str], labels: np.ndarray) -> pd.DataFrame:
    """Test single models against single models by McNemar, as studies of one run do, and base's runs among themselves.

    Args:
        arms: of `gather_arms`.
        names: arms to hold against base.
        labels: int64 (N,).
    Returns:
        Columns arm, pairs, lowest_p, median_p, called_different (share of the pairs with p < 0.05). The first row holds base against base:
        models that differ in their seed alone. A study of one run that finds what base finds against itself has found nothing.
    """
    first = next(classifier for _, classifier in arms)
    right = {arm: found.probabilities.argmax(2) == labels for (arm, own), found in arms.items() if own == first and arm in {"base", *names}}
    pairs = {"base, other seed": list(itertools.combinations(right["base"], 2))}
    pairs |= {arm: list(itertools.product(right["base"], right[arm])) for arm in names if arm in right and arm != "base"}
    rows = []
    for arm, both in pairs.items():
        p = np.array([mcnemar(a, b) for a, b in both])
        rows.append((arm, len(p), p.min(), np.median(p), (p < ALPHA).mean()) if len(p) else (arm, 0, np.nan, np.nan, np.nan))
    return pd.DataFrame(rows, columns=["arm", "pairs", "lowest_p", "median_p", "called_different"])
