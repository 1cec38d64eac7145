"""An arm's predictions as matrices (seeds, images), and any metric as a mean over images.

`lib.metrics.statistics.compare` knows means over seeds and images alone. A metric that is no such
mean (macro F1, AUROC) is linearised: image i gets the value of the metric plus N times the image's
influence on it. The mean over the images is the metric itself, and the spread of the images gives
its sampling variance.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.stats import rankdata

from lib.metrics.generations import compare_generations
from lib.metrics.statistics import Effect
from lib.study.errors import StudyError

MEAN_METRICS = ("accuracy", "balanced_accuracy", "f1_macro", "auroc_macro")  # over all classes
CLASS_METRICS = ("recall", "f1", "auroc")  # of one class
METRICS = (*MEAN_METRICS, *CLASS_METRICS)


@dataclass(frozen=True)
class ArmPredictions:
    """Class probabilities that the runs of one arm and classifier give the images of a split."""

    seeds: tuple[int, ...]  # one per run, ascending
    probabilities: np.ndarray  # float32 (S, N, C): seeds, images, classes
    other_generations: tuple[np.ndarray, ...] = ()  # the same of further generations of the pool
    steps: int = 0  # optimiser steps of a run, mean over the runs; 0: not known
    epochs: float = 0.0  # passes over the arm's own images, likewise
    analyses: int = 1  # of its comparisons: 2 where further seeds may follow the first one

    @property
    def generations(self) -> tuple[np.ndarray, ...]:
        """The probabilities of every generation, the first one's first."""
        return (self.probabilities, *self.other_generations)

    def images(self, mask: np.ndarray) -> "ArmPredictions":
        """Keep some images: bool (N,)."""
        # Runs, seeds and classes stay.
        first, *others = (probabilities[:, mask] for probabilities in self.generations)
        return replace(self, probabilities=first, other_generations=tuple(others))

    def of_seeds(self, seeds: list[int]) -> "ArmPredictions":
        """Keep some seeds, in this order."""
        # Where the runs of these seeds stand in the matrices.
        rows = [self.seeds.index(seed) for seed in seeds]
        first, *others = (probabilities[rows] for probabilities in self.generations)
        return replace(
            self, seeds=tuple(seeds), probabilities=first, other_generations=tuple(others)
        )


def image_scores(
    arm: ArmPredictions, labels: np.ndarray, metric: str = "accuracy", label: int | None = None
) -> np.ndarray:
    """Spread a metric over images, one row a seed, so that each row's mean is the run's metric.

    Args:
        arm: its first generation is scored.
        labels: int64 (N,), positions in the class list.
        metric: a name in METRICS.
        label: position of the class whose recall, f1 or auroc is asked for; None for the others.

    Returns:
        float64 (S, N).

    Raises:
        StudyError: an unknown metric, or a class where the metric has none (or the reverse).

    Source: influence functions, Hampel 1974; for AUROC these are the placements of DeLong, DeLong
        and Clarke-Pearson 1988.
    """
    # A metric of one class needs the class, the others must not name one.
    if metric not in METRICS or (metric in CLASS_METRICS) != (label is not None):
        raise StudyError(
            f"cannot spread metric {metric!r} of class {label} over images: take one of "
            f"{', '.join(MEAN_METRICS)}, or {', '.join(CLASS_METRICS)} of one class"
        )

    # Macro means run over the classes that occur.
    classes = np.unique(labels) if label is None else [label]
    return np.stack([_run_scores(run, labels, metric, classes) for run in arm.probabilities])


def compare_arms(
    reference: ArmPredictions,
    arm: ArmPredictions,
    labels: np.ndarray,
    *,
    clusters: np.ndarray,
    metric: str = "accuracy",
    label: int | None = None,
) -> Effect:
    """Estimate arm minus reference on the seeds that both have, and over the generations of their
    pools where these were made several times.

    Args:
        labels: int64 (N,).
        clusters: int64 (N,), equal for copies.
        metric, label: as in `image_scores`.

    Raises:
        StudyError: no seed in common.
    """
    # Runs are paired by seed.
    seeds = sorted(set(reference.seeds) & set(arm.seeds))
    if not seeds:
        raise StudyError(
            f"the two arms share no seed ({reference.seeds} and {arm.seeds}): train both with the "
            "same seeds"
        )

    # Every generation, seed and image of both arms.
    before = _generation_scores(reference.of_seeds(seeds), labels, metric, label)
    after = _generation_scores(arm.of_seeds(seeds), labels, metric, label)
    return compare_generations(before, after, clusters=clusters)


def level(
    arm: ArmPredictions,
    labels: np.ndarray,
    *,
    clusters: np.ndarray,
    metric: str = "accuracy",
    label: int | None = None,
    above: float = 0.0,
) -> Effect:
    """Estimate an arm's own metric minus the fixed value `above`, as an Effect over seeds, images
    and generations.
    """
    # The fixed value takes the place of a reference.
    scores = _generation_scores(arm, labels, metric, label)
    return compare_generations(np.full_like(scores, above), scores, clusters=clusters)


def _generation_scores(
    arm: ArmPredictions, labels: np.ndarray, metric: str, label: int | None
) -> np.ndarray:
    """Scores of all generations, float64 (G, S, N)."""
    single = [ArmPredictions(arm.seeds, probabilities) for probabilities in arm.generations]
    return np.stack([image_scores(one, labels, metric, label) for one in single])


def _run_scores(probabilities: np.ndarray, labels: np.ndarray, metric: str, classes) -> np.ndarray:
    """Spread one run's metric over the images, float64 (N,)."""
    predicted = probabilities.argmax(1)
    if metric == "accuracy":
        return (predicted == labels).astype(np.float64)

    # The other metrics are means over classes of a linearised score.
    if metric in ("auroc_macro", "auroc"):
        parts = [_auroc_scores(probabilities[:, k], labels == k) for k in classes]
    elif metric in ("f1_macro", "f1"):
        parts = [_f1_scores(predicted == k, labels == k) for k in classes]
    else:
        parts = [_recall_scores(predicted == k, labels == k) for k in classes]
    return np.mean(parts, axis=0)


def _recall_scores(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Linearise recall, correct / actual, of one class; bool (N,) to float64 (N,)."""
    # The ratio itself.
    n_actual = max(actual.sum(), 1)
    correct = predicted & actual
    recall = correct.sum() / n_actual

    # Influence of an image: what its numerator and denominator move the ratio by.
    return recall + len(actual) / n_actual * (correct - recall * actual)


def _f1_scores(predicted: np.ndarray, actual: np.ndarray) -> np.ndarray:
    """Linearise F1, 2 correct / (predicted + actual), of one class; bool (N,) to float64 (N,)."""
    # The ratio itself.
    both = predicted.astype(np.float64) + actual
    total = max(both.sum(), 1)
    correct = predicted & actual
    f1 = 2 * correct.sum() / total

    # Influence of an image, as in recall.
    return f1 + len(actual) / total * (2 * correct - f1 * both)


def _auroc_scores(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    """Linearise the area under the ROC curve of one class; NaN where a group is empty."""
    # Positives are the images of the class, negatives all others.
    n_positive, n_negative = positive.sum(), (~positive).sum()
    if not n_positive or not n_negative:
        return np.full(len(scores), np.nan)

    # Placement: the share of the other group that lies on the right side, ties at half.
    ranks = rankdata(scores)
    placement = np.empty(len(scores))
    placement[positive] = (ranks[positive] - rankdata(scores[positive])) / n_negative
    placement[~positive] = 1 - (ranks[~positive] - rankdata(scores[~positive])) / n_positive

    # Each group's mean placement is the area; an image weighs as one of its group.
    auroc = placement[positive].mean()
    group_size = np.where(positive, n_positive, n_negative)
    return auroc + (placement - auroc) * len(scores) / group_size
