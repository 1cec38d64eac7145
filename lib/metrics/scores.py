"""How well predictions match labels: probabilities and labels in, floats out, pooled over the whole set.

probabilities: float (N, 7), rows sum to 1, columns in the order of CLASSES; labels: int64 (N,), indices into CLASSES.
Macro means run over the classes that occur in the labels, as scikit-learn does when told those classes.
"""

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from lib.faces.faceset import CLASSES
from lib.study.errors import StudyError

SCORES = ("accuracy", "balanced_accuracy", "f1_macro", "precision_macro", "recall_macro", "auroc_macro", "kappa", "ece_15")
CALIBRATION_BINS = 15


def confusion(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Count images by label (rows) and predicted class (columns), int64 (7, 7)."""
    _check(probabilities, labels)
    k = probabilities.shape[1]
    return np.bincount(labels * k + probabilities.argmax(1), minlength=k * k).reshape(k, k)


def scores(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Score one set of predictions.

    Args:
        probabilities: float (N, 7), 0 to 1.
        labels: int64 (N,), 0 to 6.
    Returns:
        One float per name in SCORES; `ece_15` is the expected calibration error over 15 bins of equal width.
    Raises:
        StudyError: where shapes do not match or a label is no class.
    Source: kappa: Cohen 1960; ece: Guo et al. 2017, arXiv 1706.04599, eq. 3.
    """
    counts = confusion(probabilities, labels)
    parts = _from_counts(counts)
    present = counts.sum(1) > 0
    auroc = _auroc(probabilities, labels)
    total, expected = counts.sum(), counts.sum(1) @ counts.sum(0)
    accuracy = np.trace(counts) / total
    chance = expected / total**2
    return {
        "accuracy": float(accuracy),
        "balanced_accuracy": float(parts["recall"][present].mean()),
        "f1_macro": float(parts["f1"][present].mean()),
        "precision_macro": float(parts["precision"][present].mean()),
        "recall_macro": float(parts["recall"][present].mean()),
        "auroc_macro": float(auroc[~np.isnan(auroc)].mean()) if present.sum() > 1 else float("nan"),
        "kappa": float((accuracy - chance) / (1 - chance)) if chance < 1 else 0.0,
        "ece_15": float(_calibration_error(probabilities, labels)),
    }


def class_scores(probabilities: np.ndarray, labels: np.ndarray) -> pd.DataFrame:
    """Score every class on its own.

    Returns:
        Columns class, metric (f1, precision, recall, auroc, support), value; a class without an image scores NaN, its support is 0.
    """
    counts = confusion(probabilities, labels)
    parts = _from_counts(counts) | {"auroc": _auroc(probabilities, labels)}
    absent = counts.sum(1) == 0
    values = {name: np.where(absent, np.nan, value) for name, value in parts.items()} | {"support": counts.sum(1)}
    return pd.DataFrame(
        [(name, metric, float(value[k])) for metric, value in values.items() for k, name in enumerate(CLASSES)],
        columns=["class", "metric", "value"],
    )


def reliability(probabilities: np.ndarray, labels: np.ndarray, *, bins: int = CALIBRATION_BINS) -> pd.DataFrame:
    """Tabulate confidence against accuracy in bins of equal width of the confidence.

    Returns:
        Columns low, high (bounds of confidence, 0 to 1), n, confidence, accuracy; means are NaN in empty bins.
    """
    _check(probabilities, labels)
    confidence = probabilities.max(1)
    correct = probabilities.argmax(1) == labels
    edges = np.linspace(0, 1, bins + 1)
    # bins are open on the left, closed on the right, as in Guo et al.
    where = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    n = np.bincount(where, minlength=bins)
    with np.errstate(invalid="ignore"):
        means = [np.bincount(where, weights=values, minlength=bins) / n for values in (confidence, correct)]
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "n": n, "confidence": means[0], "accuracy": means[1]})


def _from_counts(counts: np.ndarray) -> dict[str, np.ndarray]:
    hit, true, predicted = np.diag(counts), counts.sum(1), counts.sum(0)
    return {
        "f1": 2 * hit / np.maximum(true + predicted, 1),
        "precision": hit / np.maximum(predicted, 1),
        "recall": hit / np.maximum(true, 1),
    }


def _auroc(probabilities: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """One against rest by the rank-sum formula, ties at half; NaN for a class with no image or with all of them."""
    positive = labels[:, None] == np.arange(probabilities.shape[1])
    n_positive = positive.sum(0)
    ranks = rankdata(probabilities, axis=0)
    pairs = n_positive * (len(labels) - n_positive)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(pairs > 0, ((ranks * positive).sum(0) - n_positive * (n_positive + 1) / 2) / pairs, np.nan)


def _calibration_error(probabilities: np.ndarray, labels: np.ndarray) -> float:
    table = reliability(probabilities, labels)
    gap = (table["confidence"] - table["accuracy"]).abs().fillna(0)
    return float((gap * table["n"]).sum() / len(labels))


def _check(probabilities: np.ndarray, labels: np.ndarray) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != len(CLASSES) or labels.shape != probabilities.shape[:1] or len(labels) == 0:
        raise StudyError(
            f"scores need probabilities (N, {len(CLASSES)}) and labels (N,) with N > 0, found {probabilities.shape} and {labels.shape}: "
            "pass the predictions and the labels of the same images"
        )
    if not np.isfinite(probabilities).all():
        raise StudyError("predictions hold NaN or infinity: the run diverged; look at its history and repeat it with a lower learning rate")
    if labels.min() < 0 or labels.max() >= len(CLASSES):
        raise StudyError(f"labels must lie in 0 to {len(CLASSES) - 1}, found {labels.min()} to {labels.max()}: labels travel by name")
