"""The gate for permuted labels: a pool whose class names are mixed up stops the study.

A generator or a folder with another class order than the face set's gives every image a wrong
name, and no accuracy downstream would tell why. A classifier trained on real images does: it
agrees with a renaming of the pool's classes far better than with the names as they are. Labels
that are wrong at random, or a weak classifier, leave no renaming better than the others.
"""

import math
from collections.abc import Sequence

import numpy as np

from lib.study.errors import StudyError

# Total agreement that a renaming must gain, summed over the classes. Exchanging two of seven
# classes costs a classifier that is right half of the time 0.13 of mean agreement; the confusions
# of an honest pool reach 0.05. The limit, 0.07 for seven classes, lies between.
MIN_GAIN = 7 * 0.07
# Chance of a false alarm, shared out over all orders of the classes that were tried.
ALARM_RATE = 0.001


def label_permutation(
    labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]
) -> dict[str, str]:
    """Find the renaming of a pool's classes that agrees best with a classifier of real images.

    Args:
        labels: int64 (N,), the pool's labels, positions in classes.
        predicted: int64 (N,), the classifier's classes of the same images.
        classes: names of all classes.

    Returns:
        The pool's name of a class to the classifier's, only where they differ and the renaming is
        both large and significant; empty where the labels fit.
    """
    from scipy.optimize import linear_sum_assignment

    # Count how the images of each label are classified: rows are labels.
    k = len(classes)
    counts = np.bincount(labels * k + predicted, minlength=k * k).reshape(k, k)
    present = np.flatnonzero(counts.sum(axis=1))
    if not len(present):
        return {}

    # The one-to-one renaming with the highest mean agreement; every label weighs the same.
    agreement = counts[present] / counts[present].sum(axis=1, keepdims=True)
    rows, best = linear_sum_assignment(-agreement)

    # Report it only where it is far better than the names as they are, beyond chance.
    gain = (agreement[rows, best] - agreement[rows, present]).mean()
    moved = best != present
    if gain < MIN_GAIN / k or not _significant(counts, present[moved], best[moved]):
        return {}
    return {classes[i]: classes[j] for i, j in zip(present[moved], best[moved], strict=True)}


def require_labels_in_order(
    pool: str, labels: np.ndarray, predicted: np.ndarray, classes: Sequence[str]
) -> None:
    """Stop the study where a pool's class names look permuted.

    Args:
        pool: its name.
        labels, predicted, classes: see label_permutation.

    Raises:
        StudyError: the labels look permuted; names the pool and the classes.
    """
    renamed = label_permutation(labels, predicted, classes)
    if not renamed:
        return
    pairs = ", ".join(f"{name!r} looks like {other!r}" for name, other in renamed.items())
    raise StudyError(
        f"the labels of pool {pool} look permuted: {pairs}. Labels travel by name: correct the "
        "class order of its generator or its folder names (protocols: class orders), then make "
        "the pool again"
    )


def _significant(counts: np.ndarray, names: np.ndarray, others: np.ndarray) -> bool:
    """Test whether the moved classes' images carry the other name more often than their own.

    A binomial test, corrected for having looked for the best of all k! orders.
    """
    from scipy.stats import binomtest

    renamed = int(counts[names, others].sum())
    kept = int(counts[names, names].sum())
    if not renamed:
        return False
    limit = ALARM_RATE / math.factorial(len(counts))
    return binomtest(renamed, renamed + kept, alternative="greater").pvalue <= limit
