"""The rules of a verdict, as data: how networks are trained, how often one looks, when a word is
spoken. Verdicts are comparable where these and the real images are the same.
"""

import math
from dataclasses import asdict, dataclass, replace

import numpy as np

from lib.classifiers.recipes import TrainingOptions, TrainingPlan, improved, recipe_of
from lib.metrics.sequential import COMMON_SHARE, ERROR, SPENDING_POWER
from lib.study.records import content_hash

VERSION = 1  # raise it when the procedure changes: rows of before are then no longer compared


@dataclass(frozen=True)
class Protocol:
    """How a verdict is reached.

    Lengths are passes over an arm's own images. A small arm takes more of them, so that its usual
    training is about as good as the best that the study of amounts found (see its test): without
    that the larger of two arms would win by being trained longer.
    """

    classifier: str = "small"
    recipe: str = "fast"
    folds: int = 5  # of the cross-validation, where there is no test split
    passes: tuple[float, ...] = (12.0, 24.0, 48.0)  # lengths, each twice the one before
    usual: float = 24.0  # the length that others have to beat on validation folds
    least_seen: int = 128_000  # images that a training of the usual length sees at least
    choosing_folds: int = 2  # trainings of each arm and length by which lengths are chosen
    most_repetitions: int = 40
    most_looks: int = 6
    first_look: int = 3  # repetitions of a test split of its own that a look needs
    margin: float = 0.02  # smallest difference of interest, accuracy
    image_px: int = 48
    seed: int = 0

    @property
    def batch_size(self) -> int:
        """Images of an optimiser step."""
        return recipe_of(self.recipe).batch_size

    def steps(self, images: int, passes: float) -> int:
        """Count the optimiser steps of a training.

        Args:
            images: in the training set.
            passes: its length.
        """
        seen = max(passes * images, self.least_seen * passes / self.usual)
        return max(1, math.ceil(seen / self.batch_size))

    def plan(self, steps: int, repetition: int, fold: int, way: str = "") -> TrainingPlan:
        """Plan one training; arms of one repetition and fold share its seed.

        Args:
            steps: of the optimiser.
            repetition, fold: which training it is.
            way: of `lib.classifiers.recipes.IMPROVEMENTS` to train better, or "".

        Source: common random numbers, Glasserman and Yao 1992.
        """
        seed = repetition * max(self.folds, 1) + fold
        recipe, options = improved(recipe_of(self.recipe), TrainingOptions(), way)
        return TrainingPlan(self.classifier, recipe, seed, steps, options=options)

    def digest(self) -> str:
        """Hash everything that makes two verdicts comparable."""
        rules = {
            "version": VERSION,
            "training": self.plan(1, 0, 0).definition(),
            "error": ERROR,
            "spending": SPENDING_POWER,
            "common": COMMON_SHARE,
            **asdict(self),
        }
        return content_hash(rules)[:12]


def of_parameters(params: dict) -> Protocol:
    """Take the protocol from a study's flat parameters: margin, image_px, seed."""
    return replace(
        Protocol(), margin=params["margin"], image_px=params["image_px"], seed=params["seed"]
    )


def stratified_folds(
    labels: np.ndarray, clusters: np.ndarray, folds: int, seed: tuple[int, ...]
) -> np.ndarray:
    """Divide images into folds of nearly one size and the same class shares, copies together.

    Args:
        labels: int64 (N,).
        clusters: int64 (N,), copies share a number; a group counts as of its first image's class.
        folds: their number; 1 puts everything into one.
        seed: of the division.

    Returns:
        int64 (N,), from 0.
    """
    _, first, index = np.unique(clusters, return_index=True, return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(first))

    # Groups in random order, class after class, are dealt out in turn.
    order = order[np.argsort(labels[first[order]], kind="stable")]
    fold_of_group = np.empty(len(first), np.int64)
    fold_of_group[order] = np.arange(len(first)) % folds
    return fold_of_group[index]
