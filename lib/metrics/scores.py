"""How well predictions match labels: probabilities and labels in, floats out, pooled over a set.

probabilities: float (N, C), rows sum to 1, a column for each name of the class list; labels: int64
(N,), positions in that list. Macro means run over the classes that occur in the labels, as
scikit-learn's do when given those classes.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from lib.study.errors import StudyError

# What `scores` gives, in the order of the columns.
SCORES = (
    "accuracy",
    "balanced_accuracy",
    "f1_macro",
    "precision_macro",
    "recall_macro",
    "auroc_macro",
    "kappa",
    "ece_15",
)
CALIBRATION_BINS = 15  # Guo et al. 2017


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count images by label (rows) and predicted class (columns), int64 (C, C)."""
    _require_predictions(probabilities, labels)
    # One number a pair of classes.
    k = probabilities.shape[1]
    return np.bincount(labels * k + probabilities.argmax(1), minlength=k * k).reshape(k, k)


def scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Score one set of predictions.

    Args:
        probabilities: float (N, C), 0 to 1.
        labels: int64 (N,), 0 to C - 1.

    Returns:
        One float per name in SCORES; `ece_15` is the expected calibration error over 15 bins of
        equal width.

    Raises:
        StudyError: where shapes do not match or a label is no class.

    Source: kappa: Cohen 1960; ece: Guo et al. 2017, arXiv 1706.04599, eq. 3.
    """
    # Scores of each class, and which classes occur.
    counts = confusion(probabilities, labels)
    of_class = _from_counts(counts)
    present = counts.sum(1) > 0
    auroc = _auroc(probabilities, labels)

    # Kappa: agreement beyond what the class counts alone would give.
    total, expected = counts.sum(), counts.sum(1) @ counts.sum(0)
    accuracy = np.trace(counts) / total
    chance = expected / total**2
    kappa = (accuracy - chance) / (1 - chance) if chance < 1 else 0.0

    # A single class has no area under a ROC curve.
    auroc_macro = auroc[~np.isnan(auroc)].mean() if present.sum() > 1 else np.nan
    return {
        "accuracy": float(accuracy),
        "balanced_accuracy": float(of_class["recall"][present].mean()),
        "f1_macro": float(of_class["f1"][present].mean()),
        "precision_macro": float(of_class["precision"][present].mean()),
        "recall_macro": float(of_class["recall"][present].mean()),
        "auroc_macro": float(auroc_macro),
        "kappa": float(kappa),
        "ece_15": float(_calibration_error(probabilities, labels)),
    }


def class_scores(
    probabilities: np.ndarray, labels: np.ndarray, classes: tuple[str, ...]
) -> pd.DataFrame:
    """Score every class on its own.

    Args:
        probabilities, labels: as in `scores`.
        classes: the class list, a name for each column of the probabilities.

    Returns:
        Columns class, metric (f1, precision, recall, auroc, support), value; a class without an
        image scores NaN, its support is 0.

    Raises:
        StudyError: more or fewer classes than columns, and as in `scores`.
    """
    if len(classes) != probabilities.shape[1]:
        raise StudyError(
            f"predictions of {probabilities.shape[1]} classes for a set of {len(classes)} "
            f"({', '.join(classes)}): execute 40_training again"
        )
    # Every score of every class.
    counts = confusion(probabilities, labels)
    of_class = _from_counts(counts) | {"auroc": _auroc(probabilities, labels)}
    support = counts.sum(1)

    # Scores of a class that does not occur say nothing.
    columns = {name: np.where(support == 0, np.nan, value) for name, value in of_class.items()}
    columns["support"] = support

    # One row a metric and class.
    rows = []
    for metric, values in columns.items():
        rows += [(name, metric, float(value)) for name, value in zip(classes, values)]
    return pd.DataFrame(rows, columns=["class", "metric", "value"])


def reliability(
    probabilities: np.ndarray, labels: np.ndarray, *, bins: int = CALIBRATION_BINS
) -> pd.DataFrame:
    """Tabulate confidence against accuracy in bins of equal width of the confidence.

    Returns:
        Columns low, high (bounds of confidence, 0 to 1), n, confidence, accuracy; means are NaN in
        empty bins.
    """
    _require_predictions(probabilities, labels)
    # Confidence is the probability of the predicted class.
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == labels

    # Bins are open on the left, closed on the right, as in Guo et al.
    edges = np.linspace(0, 1, bins + 1)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    n = np.bincount(place, minlength=bins)

    # Empty bins divide by nothing, and say so as NaN.
    with np.errstate(invalid="ignore"):
        mean_confidence = np.bincount(place, weights=confidence, minlength=bins) / n
        accuracy = np.bincount(place, weights=correct, minlength=bins) / n
    return pd.DataFrame(
        {
            "low": edges[:-1],
            "high": edges[1:],
            "n": n,
            "confidence": mean_confidence,
            "accuracy": accuracy,
        }
    )


def _from_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    """F1, precision and recall of each class from a confusion matrix, each float64 (C,)."""
    # The diagonal, the rows' sums and the columns' sums.
    correct, actual, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    return {
        "f1": 2 * correct / np.maximum(actual + predicted, 1),
        "precision": correct / np.maximum(predicted, 1),
        "recall": correct / np.maximum(actual, 1),
    }


def _auroc(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Area under the ROC curve of each class against the rest, float64 (C,), by the rank-sum
    formula, ties at half; NaN for a class with no image or with all of them.
    """
    # Pairs of an image of the class and one of another.
    positive = labels[:, None] == np.arange(probabilities.shape[1])
    n_positive = positive.sum(0)
    pairs = n_positive * (len(labels) - n_positive)

    # The rank sum of the positives, beyond the least that it can be.
    ranks = rankdata(probabilities, axis=0)
    beyond = (ranks * positive).sum(0) - n_positive * (n_positive + 1) / 2
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, beyond / pairs, np.nan)


def _calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Expected calibration error: the bins' gaps to the diagonal, weighted by their images."""
    # Empty bins have no gap.
    table = reliability(probabilities, labels)
    gap = (table["confidence"] - table["accuracy"]).abs().fillna(0)
    return float((gap * table["n"]).sum() / len(labels))


def _require_predictions(probabilities: np.ndarray, labels: np.ndarray) -> None:
    """Refuse what is no set of predictions with labels."""
    matching = probabilities.ndim == 2 and labels.shape == probabilities.shape[:1]
    if not matching or len(labels) == 0:
        raise StudyError(
            "scores need probabilities (N, C) and labels (N,) with N > 0, found "
            f"{probabilities.shape} and {labels.shape}: pass the predictions and the labels of the "
            "same images"
        )

    # Scores of what is no number would be numbers.
    if not np.isfinite(probabilities).all():
        raise StudyError(
            "predictions hold NaN or infinity: the run diverged; look at its history and repeat it "
            "with a lower learning rate"
        )

    # A label beyond the classes comes from another class list.
    most = probabilities.shape[1] - 1
    if labels.min() < 0 or labels.max() > most:
        raise StudyError(
            f"labels must lie in 0 to {most}, found {labels.min()} to {labels.max()}: labels "
            "travel by name"
        )
