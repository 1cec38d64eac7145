"""The table of gains at numbers of real images: every comparison of `lib.metrics.amounts`, in every
scoring and by every metric, with interval and verdict.
"""

from dataclasses import asdict, dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lib.faces.arms import ARM_FIELDS
from lib.metrics.amounts import Amounts, Comparison, Key
from lib.metrics.arms import ArmPredictions, image_scores
from lib.metrics.decisions import times_analysed, with_decisions
from lib.metrics.predictions import Predictions
from lib.metrics.statistics import Effect, compare

METRICS = ("accuracy", "balanced_accuracy", "f1_macro")
# What the table of gains says of each comparison: which, ...
GAIN_COLUMNS = (
    "arm",
    *ARM_FIELDS,
    "n_real",
    "knowledge",
    "classifier",
    "against",
    "reference",
    "reading",
    "length",
    "reference_length",
    "steps",
    "reference_steps",
    "scoring",
    "metric",
    "reference_score",
)
# ... and the numbers of its Effect.
GAIN_NUMBERS = (
    "difference",
    "low",
    "high",
    "p",
    "n_images",
    "n_clusters",
    "n_seeds",
    "minimum_detectable_effect",
)
# A family of tests: one question asked of all sizes, pools, amounts and class shares.
FAMILY = ["classifier", "kind", "against", "reading", "scoring", "metric"]


@dataclass(frozen=True)
class Scores:
    """The scores of every run on every image: of one scoring, by one metric."""

    amounts: Amounts
    mask: np.ndarray  # bool (N,), the images that are scored
    labels: np.ndarray  # int64 (N,)
    n_classes: int
    metric: str

    @property
    def clusters(self) -> np.ndarray:
        """Groups of copies among the scored images."""
        return self.amounts.clusters[self.mask]

    @cached_property
    def _matrices(self) -> dict[Key, np.ndarray]:
        return {}

    def matrix(self, key: Key, seeds: list[int] | None = None) -> np.ndarray:
        """The scores of an arm's runs, float64 (S, N), of some seeds or of all."""
        trained = self.amounts.trained[key]
        if key not in self._matrices:
            # The metrics take the most probable class alone.
            one_hot = np.eye(self.n_classes, dtype=np.float32)[trained.predicted[:, self.mask]]
            predictions = ArmPredictions(trained.seeds, one_hot)
            scores = image_scores(predictions, self.labels[self.mask], self.metric)
            self._matrices[key] = scores

        # Runs are found by their seed.
        rows = slice(None) if seeds is None else [trained.seeds.index(seed) for seed in seeds]
        return self._matrices[key][rows]

    def common_seeds(self, *keys: Key) -> list[int]:
        """The seeds that all of some arms have, ascending."""
        return sorted(set.intersection(*(set(self.amounts.trained[key].seeds) for key in keys)))

    def gain(self, comparison: Comparison, seeds: list[int] | None = None) -> np.ndarray:
        """Arm minus reference, float64 (S, N), on the seeds that both have."""
        pair = comparison.arm, comparison.reference
        seeds = self.common_seeds(*pair) if seeds is None else seeds
        return self.matrix(pair[0], seeds) - self.matrix(pair[1], seeds)

    def effect(self, gain: np.ndarray) -> Effect:
        """Estimate the mean of a matrix of differences over seeds and images."""
        return compare(np.zeros_like(gain), gain, clusters=self.clusters)


def scores_of(
    amounts: Amounts, predictions: Predictions, scoring: str, metric: str = "accuracy"
) -> Scores:
    """Score all runs in one way.

    Args:
        scoring: a name of `Predictions.scorings`.
        metric: of METRICS.
    """
    mask, labels = predictions.scorings()[scoring]
    return Scores(amounts, mask, labels, len(predictions.classes), metric)


def gain_table(
    amounts: Amounts, predictions: Predictions, metrics: tuple[str, ...] = METRICS
) -> pd.DataFrame:
    """Estimate and decide every comparison, in every scoring by the labels of the data and by
    every metric; the scoring without copies in training comes first.

    Args:
        predictions: whose facts hold margin and seeds (the planned ones).
        metrics: of METRICS.

    Returns:
        Columns GAIN_COLUMNS, GAIN_NUMBERS, analyses and those of `decisions.DECISIONS`: low and
        high are the plain 95% interval, low_decided and high_decided the one that decides
        (`statistics.decide`). Without rows where the study has no arms of numbers.
    """
    # Scores are made once for all comparisons of a scoring and metric.
    rows, effects, facts = [], [], predictions.facts
    planned = facts.get("seeds", 0)
    for scoring in own_scorings(predictions):
        for metric in metrics:
            scores = scores_of(amounts, predictions, scoring, metric)
            for comparison in amounts.comparisons:
                about = about_comparison(comparison, amounts)
                about |= {"scoring": scoring, "metric": metric}
                about |= {"reference_score": scores.matrix(comparison.reference).mean()}
                effects.append(scores.effect(scores.gain(comparison)))
                pair = comparison.arm, comparison.reference
                counts = [amounts.trained[key].analyses for key in pair]
                analyses = times_analysed(counts, effects[-1].n_seeds, planned)
                rows.append(about | {"analyses": analyses})

    # The numbers, then what they decide.
    table = pd.DataFrame(rows, columns=[*GAIN_COLUMNS, "analyses"])
    analyses = table.pop("analyses")
    for name in GAIN_NUMBERS:
        table[name] = [getattr(effect, name) for effect in effects]
    return with_decisions(table.assign(analyses=analyses), effects, facts["margin"], FAMILY)


def own_scorings(predictions: Predictions) -> list[str]:
    """Name the scorings by the data's own labels: without copies in training first."""
    return [name for name in predictions.scorings() if not name.endswith("-plus")]


def about_comparison(comparison: Comparison, amounts: Amounts) -> dict:
    """Describe a comparison: its arm's fields, both lengths, and what the generator knew."""
    # The arm by its fields, then what it is compared with, and how long both were trained.
    arm, classifier, length = comparison.arm
    reference = comparison.reference
    steps = amounts.trained[comparison.arm].steps, amounts.trained[reference].steps
    return {
        "arm": arm.name,
        **asdict(arm),
        "n_real": amounts.size(arm),
        "knowledge": amounts.known(arm),
        "classifier": classifier,
        "against": comparison.against,
        "reference": reference[0].name,
        "reading": comparison.reading,
        "length": length,
        "reference_length": reference[2],
        "steps": steps[0],
        "reference_steps": steps[1],
    }
