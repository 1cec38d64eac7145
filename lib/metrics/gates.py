"""What flags a study before anyone draws a conclusion.

Pools whose labels the reference classifier disagrees with, and accuracies under chance or above
the ceiling. The gate for permuted labels stands in lib.curation.label_order.
"""

import numpy as np
import pandas as pd

from lib.curation.label_order import label_permutation
from lib.faces.faceset import FaceSet
from lib.report.names import in_words


def accuracy_warnings(accuracy: float, labels: np.ndarray, *, ceiling: float = 1.0) -> list[str]:
    """List the reasons to distrust an accuracy: below chance, or above a ceiling.

    Args:
        accuracy: of one arm, 0 to 1.
        labels: int64 (N,) of the test images.
        ceiling: highest accuracy that is possible without leakage, 0 to 1: the share of copies of
            one image that agree on its label (`copies_agreement`).

    Returns:
        Reasons in words; empty if there is nothing to distrust.
    """
    # The accuracy of a classifier that always predicts the largest class.
    chance = np.bincount(labels).max() / len(labels)

    # Either is a sign of a mistake, not of a poor or a good classifier.
    reasons = []
    if accuracy < chance:
        reasons.append(f"under chance ({100 * chance:.1f}%, the largest class)")
    if accuracy > ceiling:
        reasons.append(f"above what copies agree on ({100 * ceiling:.1f}%)")
    return reasons


def copies_agreement(labels: np.ndarray, clusters: np.ndarray) -> tuple[float, int]:
    """Measure how often two copies of the same image carry the same label.

    Args:
        labels: int64 (N,).
        clusters: int64 (N,), equal for copies.

    Returns:
        The share of pairs of copies with one label, NaN where there are no copies, and the number
        of pairs.
    """
    # Number the groups of copies from 0.
    cluster = np.unique(clusters, return_inverse=True)[1]
    k = int(labels.max()) + 1

    # All pairs of copies, and those with one label.
    pairs = _pairs(np.bincount(cluster))
    same = _pairs(np.bincount(cluster * k + labels))
    return (float(same / pairs) if pairs else float("nan")), int(pairs)


def label_agreement_of_pools(
    pools: dict[str, FaceSet], probabilities: dict[str, np.ndarray], facts: dict
) -> pd.DataFrame:
    """Measure how far each pool's labels agree with a classifier trained on real faces.

    Args:
        pools: by name.
        probabilities: the classifier's class probabilities of each pool's images, float (N, C).
        facts: of the classifier; accuracy_test is what it reaches on real faces.

    Returns:
        One row a pool: pool, n, agreement, lowest_class, lowest_agreement, agreement_on_real,
        renamed (the renaming that a permutation of the labels asks for; empty where they fit).
    """
    rows = []
    for name, pool in pools.items():
        # The label of an image agrees where the classifier predicts it.
        predicted = probabilities[name].argmax(1)
        agrees = predicted == pool.labels

        # The class that agrees least says more than the mean.
        by_class = pd.Series(agrees).groupby(pool.table["class"].to_numpy()).mean()

        # Would another order of the class names fit better?
        renamed = label_permutation(pool.labels, predicted, pool.classes)
        row = {
            "pool": name,
            "n": len(pool),
            "agreement": float(agrees.mean()),
            "lowest_class": by_class.idxmin(),
            "lowest_agreement": float(by_class.min()),
            "agreement_on_real": facts["accuracy_test"],
            "renamed": str(renamed) if renamed else "",
        }
        rows.append(row)
    return pd.DataFrame(rows)


def check_arms(levels: pd.DataFrame, faces: FaceSet) -> list[str]:
    """Flag every arm whose accuracy is under chance or above what copies of an image agree on.

    Arms of shuffled labels are left out: nothing else than chance is to be expected of them.

    Args:
        levels: columns arm (its name), kind, classifier, value.
        faces: all real faces; their column cluster names copies.

    Returns:
        One sentence a flag.
    """
    # Copies of one image that disagree show how good labels can be.
    ceiling = 1.0
    if "cluster" in faces.table:
        agreement, pairs = copies_agreement(faces.labels, faces.table["cluster"].to_numpy())
        ceiling = agreement if pairs else 1.0

    # Chance is that of the test images, which the accuracies are of.
    test_labels = faces.split("test").labels
    sentences = []
    for row in levels[levels["kind"] != "shuffled"].to_dict("records"):
        # A flag names the arm and the network.
        for flag in accuracy_warnings(row["value"], test_labels, ceiling=ceiling):
            sentences.append(f"{in_words(row['arm'])} ({row['classifier']}): {flag}")
    return sentences


def _pairs(sizes: np.ndarray) -> float:
    """Count the pairs within groups of these sizes."""
    # A group of n copies has n (n - 1) / 2 pairs.
    return (sizes * (sizes - 1) / 2).sum()
