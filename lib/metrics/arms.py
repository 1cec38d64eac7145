"""An arm's predictions as matrices (seeds, images), so that any metric is a mean over seeds and images that `compare` can judge.

A metric that is no mean over images (macro F1, AUROC) is linearised: image i gets the value of the metric plus N times its influence on
it. The mean over images is the metric itself, and the spread gives its sampling variance; `compare` then needs to know no metric.
"""

from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from lib.faces.faceset import CLASSES
from lib.metrics.levels import compare_generations
from lib.metrics.statistics import Effect
from lib.study.errors import StudyError


@dataclass(frozen=True)
class ArmPredictions:
    """What the runs of one arm and classifier said of each image of a split.

    Args:
        seeds: one per run, ascending.
        probabilities: float32 (S, N, 7).
        again: the same of further generations of the arm's pool, each float32 (S, N, 7); empty where the pool was made once.
    """

    seeds: tuple[int, ...]
    probabilities: np.ndarray
    again: tuple[np.ndarray, ...] = ()

    def images(self, mask: np.ndarray) -> "ArmPredictions":
        """Keep some images: bool (N,)."""
        return ArmPredictions(self.seeds, self.probabilities[:, mask], tuple(own[:, mask] for own in self.again))

    def of_seeds(self, seeds: list[int]) -> "ArmPredictions":
        """Keep some seeds, in this order."""
        rows = [self.seeds.index(seed) for seed in seeds]
        return ArmPredictions(tuple(seeds), self.probabilities[rows], tuple(own[rows] for own in self.again))


METRICS = ("accuracy", "balanced_accuracy", "f1_macro", "auroc_macro", "recall", "f1", "auroc")  # the last three want a class


def image_scores(arm: ArmPredictions, labels: np.ndarray, metric: str = "accuracy", class_name: str = "") -> np.ndarray:
    """Spread a metric over images, one row a seed, so that each row's mean is the run's metric.

    Args:
        labels: int64 (N,).
        metric: a name in METRICS.
        class_name: for recall, f1 and auroc of one class.
    Returns:
        float64 (S, N).
    Source: influence functions, Hampel 1974; for AUROC these are the placements of DeLong, DeLong and Clarke-Pearson 1988.
    """
    if metric not in METRICS or (metric in METRICS[4:]) != bool(class_name):
        known = f"take one of {METRICS}, the last three of a class"
        raise StudyError(f"cannot spread metric {metric!r} of class {class_name!r} over images: {known}")
    wanted = [CLASSES.index(class_name)] if class_name else np.unique(labels)
    return np.stack([_one_run(p, labels, metric, wanted) for p in arm.probabilities])


def compare_arms(
    reference: ArmPredictions,
    arm: ArmPredictions,
    labels: np.ndarray,
    *,
    clusters: np.ndarray,
    metric: str = "accuracy",
    class_name: str = "",
) -> Effect:
    """Estimate arm minus reference on the seeds that both have; where a pool was made several times, over its generations too."""
    seeds = sorted(set(reference.seeds) & set(arm.seeds))
    if not seeds:
        raise StudyError(f"the two arms share no seed ({reference.seeds} and {arm.seeds}): train both with the same seeds")
    pair = [_by_generation(own.of_seeds(seeds), labels, metric, class_name) for own in (reference, arm)]
    return compare_generations(*pair, clusters=clusters)


def level(
    arm: ArmPredictions, labels: np.ndarray, *, clusters: np.ndarray, metric: str = "accuracy", class_name: str = "", above: float = 0.0
) -> Effect:
    """Estimate an arm's own metric minus a fixed value, as an Effect over seeds and images."""
    found = _by_generation(arm, labels, metric, class_name)
    return compare_generations(np.full_like(found, above), found, clusters=clusters)


def _by_generation(arm: ArmPredictions, labels: np.ndarray, metric: str, class_name: str) -> np.ndarray:
    """Scores of all generations, float64 (G, S, N)."""
    every = (ArmPredictions(arm.seeds, own) for own in (arm.probabilities, *arm.again))
    return np.stack([image_scores(own, labels, metric, class_name) for own in every])


def _one_run(probabilities: np.ndarray, labels: np.ndarray, metric: str, wanted) -> np.ndarray:
    predicted = probabilities.argmax(1)
    if metric == "accuracy":
        return (predicted == labels).astype(np.float64)
    if metric in ("auroc_macro", "auroc"):
        return np.mean([_auroc_parts(probabilities[:, k], labels == k) for k in wanted], axis=0)
    part = _f1_parts if metric in ("f1_macro", "f1") else _recall_parts
    return np.mean([part(predicted == k, labels == k) for k in wanted], axis=0)


def _recall_parts(said: np.ndarray, true: np.ndarray) -> np.ndarray:
    n, hit = max(true.sum(), 1), said & true
    recall = hit.sum() / n
    return recall + len(true) / n * (hit - recall * true)


def _f1_parts(said: np.ndarray, true: np.ndarray) -> np.ndarray:
    both = said.astype(np.float64) + true
    total, hit = max(both.sum(), 1), said & true
    f1 = 2 * hit.sum() / total
    return f1 + len(true) / total * (2 * hit - f1 * both)


def _auroc_parts(scores: np.ndarray, positive: np.ndarray) -> np.ndarray:
    n_positive, n_negative = positive.sum(), (~positive).sum()
    if not n_positive or not n_negative:
        return np.full(len(scores), np.nan)
    # placement: share of the other group that lies on the right side, ties at half
    ranks = rankdata(scores)
    place = np.empty(len(scores))
    place[positive] = (ranks[positive] - rankdata(scores[positive])) / n_negative
    place[~positive] = 1 - (ranks[~positive] - rankdata(scores[~positive])) / n_positive
    auroc = place[positive].mean()
    return auroc + (place - auroc) * len(scores) / np.where(positive, n_positive, n_negative)
