"""What images added to a number of real ones bring, at every number of real images.

An arm of numbers holds `real` real images and `added` others: synthetic ones, the same with
shuffled labels, class-matched duplicates of its real images, or as many held-back real images (the
ceiling). Its gain is its score minus that of the same real images alone. The length of training can
be made equal in several ways, and none of them is the only right one: every gain has three
readings.

best length        each arm at its own best length (`lib.metrics.lengths`), the leading one: what a
                   person gets who trains each set as well as it can be trained
equal steps        both at the reference's best length, of those at which both were trained: the
                   same cost of training
equal real passes  the arm at its best length, against its real images alone for as many passes over
                   them (the control fewer_steps at that length); against a control of the same
                   size, both at the arm's best length

Draws are the seeds: seed s of every arm has the same subset of real images, and differences are
paired by seed and image.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from lib.faces.arms import REAL_KINDS, Arm, arm_of, controls, real_alone
from lib.metrics.evidence import all_real_images
from lib.metrics.lengths import best_lengths
from lib.metrics.predictions import NOT_PREDICTED, Predictions

READINGS = BEST, EQUAL_STEPS, EQUAL_PASSES = ("best length", "equal steps", "equal real passes")
# What an arm is compared with.
ALONE = "real images alone"
DUPLICATES = "class-matched duplicates"
SHUFFLED = "shuffled labels"
MIXED = "the same images, mixed"  # what other uses of added images are compared with
BEST_ALONE = "the best way without them"  # to train on the real images alone, by validation images
OF_CONTROL = {"duplicate": DUPLICATES, "shuffled": SHUFFLED, "supplement": MIXED}
UNKNOWN = "not recorded"  # what the generator of a pool knew

Key = tuple[Arm, str, float]  # arm, network, length


@dataclass(frozen=True)
class Trained:
    """The runs of one arm, network and length: the class that each predicts for each test image."""

    seeds: tuple[int, ...]  # one a run, ascending
    predicted: np.ndarray  # uint8 (S, N)
    steps: int  # of a run, mean over the runs
    accuracy_val: float  # mean over the runs; NaN without val
    analyses: int = 1  # of its comparisons: 2 where further seeds may follow a first analysis


@dataclass(frozen=True)
class Comparison:
    """One arm against another, in one reading."""

    arm: Key
    reference: Key
    against: str  # ALONE, DUPLICATES, SHUFFLED, MIXED or BEST_ALONE
    reading: str  # one of READINGS


@dataclass(frozen=True)
class Amounts:
    """All runs of a study, and the comparisons at numbers of images that they allow."""

    trained: dict[Key, Trained]
    best: dict[tuple[Arm, str], float]  # chosen length
    clusters: np.ndarray  # int64 (N,)
    n_real: int  # of all real training images
    knowledge: Mapping[str, str]  # what each pool's generator knew, by pool

    @property
    def arms(self) -> list[tuple[Arm, str]]:
        """Every arm of numbers with something beside its real images, or trained on them in another
        way, with its network: networks in the study's order, arms of few real images first.
        """
        place = {name: place for place, name in enumerate(dict.fromkeys(n for _, n in self.best))}
        # Fewer steps are no arm of a person's, but a way to read the others.
        at_numbers = [
            key
            for key in self.best
            if key[0].kind == "improved" or (key[0].added and key[0].kind != "fewer_steps")
        ]
        return sorted(at_numbers, key=lambda key: (place[key[1]], self.size(key[0])))

    def size(self, arm: Arm) -> int:
        """Count the real images of an arm, without held-back ones that were added."""
        return arm.real or self.n_real

    def known(self, arm: Arm) -> str:
        """Say what the generator of an arm's images knew; "" for real images."""
        if not arm.pool or arm.kind in REAL_KINDS:
            return ""
        return self.knowledge.get(arm.source, self.knowledge.get(arm.pool, UNKNOWN))

    def at_best(self, arm: Arm, classifier: str) -> Key | None:
        """The runs of an arm at its best length; None where it was not trained."""
        if (arm, classifier) not in self.best:
            return None
        return arm, classifier, self.best[arm, classifier]

    def ways_alone(self, real: int, classifier: str) -> dict[Arm, float]:
        """The ways in which a number of real images alone was trained (0: all), each with its
        accuracy on val at its best length; copies of them are one.
        """
        own = real_alone(Arm("subset", real=real))
        ways = {}
        for (arm, network), length in self.best.items():
            is_way = arm == own or arm.kind in ("improved", "duplicate")
            if network == classifier and arm.real == real and is_way:
                ways[arm] = self.trained[arm, network, length].accuracy_val
        return ways

    def best_alone(self, arm: Arm, classifier: str) -> Arm | None:
        """The best way, by val, to train on an arm's real images alone, of those that were tried;
        None where no other way was tried, or the arm's images are real.
        """
        ways = self.ways_alone(arm.real, classifier)
        if arm.kind in REAL_KINDS or not any(way.kind == "improved" for way in ways):
            return None
        return max(ways, key=ways.get)

    def share_a_seed(self, *keys: Key | None) -> bool:
        """Whether some arms were all trained, with a seed that they have in common."""
        if not all(key in self.trained for key in keys):
            return False
        return bool(set.intersection(*(set(self.trained[key].seeds) for key in keys)))

    def fewer_steps(self, arm: Arm, classifier: str, length: float) -> Key | None:
        """The runs of an arm's real images alone, for the steps that the arm takes on them."""
        # It is the same for all pools of an amount.
        for trained in self.trained:
            same_numbers = (trained[0].real, trained[0].added) == (arm.real, arm.added)
            if trained[0].kind == "fewer_steps" and same_numbers:
                if trained[1:] == (classifier, length):
                    return trained
        return None

    def lengths(self, arm: Arm, classifier: str) -> dict[float, float]:
        """The lengths at which an arm was trained, the shortest first, with the accuracy on val."""
        found = {
            key[2]: trained.accuracy_val
            for key, trained in self.trained.items()
            if key[:2] == (arm, classifier)
        }
        return dict(sorted(found.items()))

    def shared_length(self, arm: Arm, reference: Arm, classifier: str) -> float | None:
        """The length, of those that both arms have, at which the reference is best on val."""
        own = self.lengths(arm, classifier)
        both = {
            length: accuracy
            for length, accuracy in self.lengths(reference, classifier).items()
            if length in own
        }
        # Without a choice there need be no val.
        return max(both, key=both.get) if both else None

    @cached_property
    def comparisons(self) -> list[Comparison]:
        """Every comparison that was trained, in every reading: each arm of numbers with its real
        images alone and with those of its controls that have as many images.
        """
        found = []
        for arm, classifier in self.arms:
            # What it is compared with.
            references = [(ALONE, real_alone(arm), READINGS)]
            references += [
                (OF_CONTROL[control.kind], control, READINGS)
                for control in controls(arm)
                if control.kind in OF_CONTROL
            ]

            # What a person gets who tries as hard without these images.
            without = None if arm.is_control else self.best_alone(arm, classifier)
            if without is not None:
                references.insert(0, (BEST_ALONE, without, (BEST,)))

            # A reading that was not trained is left out.
            for against, reference, readings in references:
                for reading in readings:
                    pair = self.pair(arm, reference, classifier, reading)
                    if self.share_a_seed(*pair):
                        found.append(Comparison(*pair, against, reading))
        return found

    def pair(self, arm: Arm, reference: Arm, classifier: str, reading: str) -> tuple:
        """Choose the lengths at which an arm and its reference are read.

        Returns:
            Both as keys of `trained`, where None or an absent key was not trained.
        """
        # Each as it is best, or both for as many steps.
        own, other = self.at_best(arm, classifier), self.at_best(reference, classifier)
        if own is None or other is None or reading == BEST:
            return own, other
        if reading == EQUAL_STEPS:
            length = self.shared_length(arm, reference, classifier)
            return (arm, classifier, length), (reference, classifier, length)

        # As many passes over the arm's real images as at its best length.
        if reference == real_alone(arm):
            return own, self.fewer_steps(arm, classifier, own[2])
        return own, (reference, classifier, own[2])


def amounts_of(predictions: Predictions) -> Amounts:
    """Gather the runs of a study for comparisons at numbers of images.

    Args:
        predictions: of every length.
    """
    # A study without lengths has length 1.
    by_name = best_lengths(predictions.runs)
    trained, best = {}, {}
    good = predictions.good.assign(length=predictions.good.get("length", 1.0))
    for key, runs in good.groupby(["arm", "classifier", "length"], sort=False):
        arm = arm_of(runs.iloc[0])
        stacked = _stacked(runs, predictions.predicted["test"])
        # With folds a seed counts when it has all of them.
        if stacked.seeds:
            trained[arm, *key[1:]] = stacked
            best[arm, key[1]] = by_name[key[:2]]
    return Amounts(
        trained=trained,
        best={key: length for key, length in best.items() if (*key, length) in trained},
        clusters=predictions.clusters,
        n_real=all_real_images(good),
        knowledge=predictions.facts.get("knowledge", {}),
    )


def _stacked(runs: pd.DataFrame, predicted: np.ndarray) -> Trained:
    """Put the runs of one arm, network and length together, those of all folds in one row a seed.

    Args:
        predicted: uint8 (R, N), of all runs.
    """
    rows = {}
    for seed, of_seed in runs.sort_values("seed", kind="stable").groupby("seed"):
        # A fold's run predicts its own images, NOT_PREDICTED is above every class.
        joined = predicted[of_seed["row"]].min(0)
        if not (joined == NOT_PREDICTED).any():
            rows[int(seed)] = joined

    # An arm whose seeds lack a fold has no row.
    matrix = np.stack(list(rows.values())) if rows else predicted[:0]
    accuracy = runs["accuracy_val"].mean() if "accuracy_val" in runs else np.nan
    analyses = runs["analyses"].mean() if "analyses" in runs else 1
    steps = round(float(runs["steps"].mean()))
    return Trained(tuple(rows), matrix, steps, float(accuracy), round(float(analyses)))
