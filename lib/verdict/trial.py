"""The trial behind a verdict: lengths are chosen on validation folds, then repetition after
repetition is trained, and one looks now and then whether the question is decided.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from lib.faces.arms import Arm
from lib.metrics.sequential import (
    ERROR,
    Estimate,
    look_points,
    nominal_level,
    word,
)
from lib.metrics.statistics import HELPS, UNDECIDED
from lib.verdict.clock import Clock
from lib.verdict.predictions import Scores
from lib.verdict.trainings import ALONE, CHOOSING, Laboratory, Training, run_trainings

LENGTHS_SHARE = 0.4  # of the time left that choosing the lengths may take, at most
MAIN_SHARE = 0.8  # of the time left after the lengths are chosen; controls have the rest
CHOOSING_SHARE = 0.1  # of the time left that trying a longer training may take
CURVE_REPETITIONS = 2  # that train on half of the images, too
METRICS = ("accuracy", "balanced_accuracy", "f1_macro")
SLOW = 0.002  # seconds an image, where not one training was done in time
TINY = 1e-9  # keeps a standard error of nothing from dividing by it


@dataclass(frozen=True)
class Look:
    """What is known of one comparison at one look."""

    found: Estimate
    level: float  # nominal, two-sided
    word: str
    low: float  # the interval that decides
    high: float


@dataclass
class Comparison:
    """One arm against another, and all looks at it so far."""

    arm: Arm
    reference: Arm
    looks: list[Look] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)  # of the plan, of each look

    @property
    def last(self) -> Look | None:
        """The latest look."""
        return self.looks[-1] if self.looks else None

    @property
    def decided(self) -> bool:
        """Whether a word was spoken."""
        return bool(self.looks) and self.looks[-1].word != UNDECIDED


@dataclass(frozen=True)
class Trial:
    """Everything that was trained, and what it shows."""

    laboratory: Laboratory
    steps: dict[Arm, int]  # optimiser steps of each arm, at its chosen length
    choices: tuple[dict, ...]  # arm, passes, accuracy on the validation folds, chosen
    comparisons: tuple[Comparison, ...]  # of each pool's images with the real ones alone
    controls: tuple[Comparison, ...]  # of each pool that helps with copies of the real images
    scores: Scores
    planned: int  # repetitions
    minutes: float  # that were used


def run_trial(
    laboratory: Laboratory,
    prepared: Path,
    clock: Clock,
    *,
    workers: int,
    say: Callable[[str], None] = print,
) -> Trial:
    """Choose the lengths, compare every pool with the real images alone, then with copies of them.

    Args:
        laboratory: images and rules.
        prepared: folder that `save_laboratory` wrote.
        clock: of the time that is left.
        workers: processes; 0: none.
        say: called with a line now and then.
    """
    # How long each arm has to be trained is chosen before anything is compared.
    train = Runner(laboratory, prepared, clock, workers, say)
    arms = [pool_arm(pool.name, len(pool.faces)) for pool in laboratory.inputs.pools]
    passes, choices = train.choose_lengths([ALONE, *arms])
    steps = {arm: train.steps(arm, length) for arm, length in passes.items()}

    # Half of the real images, as often as all of them.
    half = half_arm(laboratory)
    steps[half] = laboratory.protocol.steps(half.real, passes[ALONE])
    planned = train.repetitions_in([ALONE, *arms], steps, clock.left * MAIN_SHARE)
    comparisons = [Comparison(arm, ALONE) for arm in arms]
    train.compare(comparisons, steps, planned, half)

    # What a pool that helps does beyond copies of the same real images.
    controls = []
    for comparison in comparisons:
        if comparison.decided and comparison.last.word == HELPS:
            control = copies_arm(comparison.arm)
            steps[control] = steps[comparison.arm]
            controls.append(Comparison(comparison.arm, control))
    train.control(controls, steps)

    # The clock's whole is in seconds, what it has left in core-seconds.
    minutes = (clock.seconds - clock.left / clock.cores) / 60
    return Trial(
        laboratory,
        steps,
        choices,
        tuple(comparisons),
        tuple(controls),
        train.scores,
        planned,
        minutes,
    )


def pool_arm(pool: str, images: int) -> Arm:
    """Name the arm of all real images and so many of a pool."""
    return Arm("supplement", pool, added=images)


def copies_arm(arm: Arm) -> Arm:
    """Name the control of an arm: copies of the real images in the class counts of the added."""
    return replace(arm, kind="duplicate", control_of="supplement")


def half_arm(laboratory: Laboratory) -> Arm:
    """Name the arm of half of the real images that other arms hold."""
    folds = laboratory.folds(1)
    images = len(laboratory.inputs.train_rows) * (folds - 1 if folds > 1 else 1) // folds
    return Arm("subset", real=max(1, images // 2))


class Runner:
    """Trains what the trial asks for, for as long as the clock allows."""

    def __init__(self, laboratory: Laboratory, prepared: Path, clock: Clock, workers: int, say):
        self.laboratory, self.prepared = laboratory, prepared
        self.clock, self.workers, self.say = clock, workers, say
        self.protocol = laboratory.protocol
        self.scores = Scores(laboratory)
        self.seconds_an_image = 0.0  # of a training, measured

    def steps(self, arm: Arm, passes: float) -> int:
        """Count the optimiser steps of an arm at a length."""
        return self.protocol.steps(self._size(arm), passes)

    def choose_lengths(self, arms: list[Arm]) -> tuple[dict[Arm, float], tuple[dict, ...]]:
        """Choose each arm's length on validation folds.

        The usual length stays unless another one is better by more than a standard error; twice
        the usual is tried where the usual is better than half of it.
        """
        # Every arm at half of the usual length and at the usual one.
        below, usual, above = self.protocol.passes
        floor = self.clock.left * (1 - LENGTHS_SHARE)
        self._train(self._choosing({arm: [below, usual] for arm in arms}), floor)

        # Longer only where longer helps so far, and where there is time.
        rising = {}
        for arm in arms:
            if not self._has(arm, below) or not self._has(arm, usual):
                continue
            gain, error = self._gain(arm, usual, below)
            if gain > error and self._affordable(arm, above):
                rising[arm] = [above]
        self._train(self._choosing(rising), floor)

        # The choice, and what it was made from.
        chosen, rows = {}, []
        for arm in arms:
            lengths = [length for length in self.protocol.passes if self._has(arm, length)]
            chosen[arm] = self._best(arm, lengths)
            for passes in lengths:
                row = {"arm": arm.name, "passes": passes, "steps": self.steps(arm, passes)}
                row["accuracy"] = self._right(arm, passes).mean()
                rows.append(row | {"chosen": passes == chosen[arm]})
        return chosen, tuple(rows)

    def repetitions_in(self, arms: list[Arm], steps: dict[Arm, int], seconds: float) -> int:
        """Count the repetitions that fit into some core-seconds, at least 1."""
        seen = self.laboratory.folds(1) * sum(steps[arm] for arm in arms) * self._batch
        cost = seen * (self.seconds_an_image or SLOW)
        return max(1, min(self.protocol.most_repetitions, int(seconds / max(cost, 1e-9))))

    def compare(
        self, comparisons: list[Comparison], steps: dict[Arm, int], planned: int, half: Arm
    ) -> None:
        """Train repetition after repetition and look, until all is decided or the time is over."""
        # The looks are planned before the first one, and the pools share the allowed error.
        first = 1 if self.laboratory.folds(1) > 1 else self.protocol.first_look
        points = look_points(planned, self.protocol.most_looks, first)
        error = ERROR / len(comparisons)
        for training in self._stream(self._comparing(comparisons, steps, planned, half)):
            self.scores.add(training)

            # Look at each comparison that has reached a planned look and is still open.
            done = len(self.scores.complete(ALONE, *(c.arm for c in comparisons if not c.decided)))
            for comparison in comparisons:
                seen = comparison.looks[-1].found.repetitions if comparison.looks else 0
                due = [point for point in points if seen < point <= done]
                if due and not comparison.decided:
                    self._look(comparison, due[-1], planned, due[-1] == planned, error)
            if all(comparison.decided for comparison in comparisons) or self.clock.left <= 0:
                break

        # The clock may have ended the trial between two looks: what is complete counts.
        for comparison in comparisons:
            done = len(self.scores.complete(ALONE, comparison.arm))
            if not comparison.decided and done:
                self._last_look(comparison, done, planned, error)

    def control(self, controls: list[Comparison], steps: dict[Arm, int]) -> None:
        """Train the controls on repetitions that their arms have, as far as the time goes."""
        for number, comparison in enumerate(controls):
            # Each control gets an equal part of the time that is left.
            room = self.clock.left / (len(controls) - number)
            fits = self.repetitions_in([comparison.reference], steps, room)
            have = len(self.scores.complete(comparison.arm))
            count = min(fits, have)
            first = 1 if self.laboratory.folds(1) > 1 else self.protocol.first_look
            if self.clock.left <= 0 or count < first:
                continue

            # Train until the repetitions are there or the time is over.
            repetitions = range(1, count + 1)
            for training in self._stream(self._of(comparison.reference, steps, repetitions)):
                self.scores.add(training)
                if self.clock.left <= 0:
                    break

            # One look, at what is complete.
            done = len(self.scores.complete(comparison.arm, comparison.reference))
            if done >= first:
                self._look(comparison, done, done, True, ERROR / len(controls))

    def _look(
        self, comparison: Comparison, repetitions: int, planned: int, last: bool, error: float
    ) -> None:
        """Look at a comparison, and say what is seen."""
        found = self.scores.difference(
            comparison.arm, comparison.reference, list(range(1, repetitions + 1))
        )

        # Each look spends a part of the error; with none to spend the interval is everything.
        comparison.fractions.append(repetitions / planned)
        level = nominal_level(comparison.fractions, last=last, error=error)
        spoken = word(found, level, self.protocol.margin)
        low, high = found.interval(level) if level else (-1.0, 1.0)
        comparison.looks.append(Look(found, level, spoken, low, high))
        self.say(
            f"{comparison.arm.pool}: {100 * found.difference:+.1f} points "
            f"({100 * low:+.1f} to {100 * high:+.1f}) after {repetitions} of {planned} repetitions"
            f", {spoken}; {self.clock.text()} left"
        )

    def _last_look(self, comparison: Comparison, done: int, planned: int, error: float) -> None:
        """Spend what is left of the error where the clock ended the trial."""
        # A look at the same repetitions is done again, now with all of the error.
        if comparison.looks and comparison.looks[-1].found.repetitions == done:
            if comparison.fractions[-1] >= 1:
                return
            comparison.looks.pop()
            comparison.fractions.pop()
        first = 1 if self.laboratory.folds(1) > 1 else self.protocol.first_look
        if done >= first:
            self._look(comparison, done, planned, True, error)

    def _comparing(
        self, comparisons: list[Comparison], steps: dict[Arm, int], planned: int, half: Arm
    ) -> Iterator[Training]:
        """List what to train, repetition by repetition, decided late."""
        for repetition in range(1, planned + 1):
            arms = [ALONE, *(c.arm for c in comparisons if not c.decided)]
            if len(arms) == 1:
                return

            # The learning curve needs half of the images in the first repetitions alone.
            if repetition <= CURVE_REPETITIONS:
                yield from self._of(half, steps, [repetition])
            for fold in range(self.laboratory.folds(repetition)):
                for arm in arms:
                    yield self.laboratory.training(arm, steps[arm], repetition, fold)

    def _of(self, arm: Arm, steps: dict[Arm, int], repetitions) -> Iterator[Training]:
        """List the trainings of one arm in some repetitions."""
        for repetition in repetitions:
            for fold in range(self.laboratory.folds(repetition)):
                yield self.laboratory.training(arm, steps[arm], repetition, fold)

    def _choosing(self, lengths: dict[Arm, list[float]]) -> Iterator[Training]:
        """List the trainings that choose lengths, the longest first."""
        for fold in range(self.protocol.choosing_folds):
            for arm, passes in lengths.items():
                for length in sorted(passes, reverse=True):
                    yield self.laboratory.training(arm, self.steps(arm, length), CHOOSING, fold)

    def _stream(self, trainings: Iterator[Training], floor: float = 0.0) -> Iterator[Training]:
        """Do trainings until no more than `floor` core-seconds are left."""
        share = 1 - floor / max(self.clock.left, TINY)
        deadline = self.clock.deadline(share)
        yield from run_trainings(self.laboratory, self.prepared, trainings, self.workers, deadline)

    def _train(self, trainings: Iterator[Training], floor: float) -> None:
        """Do some trainings and measure how long an image takes."""
        # Measure on the way what an image costs, in core-seconds.
        costs = []
        for training in self._stream(trainings, floor):
            trained = self.laboratory.load(training)
            costs.append(self.clock.cost(trained) / (training.steps * self._batch))
            if self.clock.left <= floor:
                break

        # The median ignores one slow training; of several calls the slowest counts.
        if costs:
            self.seconds_an_image = max(self.seconds_an_image, float(np.median(costs)))

    @property
    def _batch(self) -> int:
        """Images of an optimiser step."""
        return self.protocol.plan(1, 0, 0).recipe.batch_size

    def _size(self, arm: Arm) -> int:
        """Count the images of an arm in the comparisons."""
        folds = self.laboratory.folds(1)
        learnt = len(self.laboratory.inputs.train_rows)
        if folds > 1:
            learnt = learnt * (folds - 1) // folds
        return learnt + arm.added

    def _affordable(self, arm: Arm, passes: float) -> bool:
        """Tell whether a length leaves time for the comparisons: it takes a tenth at most."""
        seen = self.steps(arm, passes) * self._batch * self.protocol.choosing_folds
        return seen * self.seconds_an_image < CHOOSING_SHARE * self.clock.left

    def _has(self, arm: Arm, passes: float) -> bool:
        """Tell whether all trainings of an arm at a length are done that choose."""
        steps = self.steps(arm, passes)
        return all(
            self.laboratory.load(self.laboratory.training(arm, steps, CHOOSING, fold)) is not None
            for fold in range(self.protocol.choosing_folds)
        )

    def _right(self, arm: Arm, passes: float) -> np.ndarray:
        """Tell which images of the validation folds an arm is right on at a length: bool (n,)."""
        right = []
        for fold in range(self.protocol.choosing_folds):
            training = self.laboratory.training(arm, self.steps(arm, passes), CHOOSING, fold)
            trained = self.laboratory.load(training)
            labels = self.laboratory.inputs.real.labels[trained.rows]
            right.append(trained.probabilities.argmax(1) == labels)
        return np.concatenate(right)

    def _gain(self, arm: Arm, one: float, other: float) -> tuple[float, float]:
        """Measure the gain of a length over another, and its standard error over images."""
        change = self._right(arm, one).astype(float) - self._right(arm, other)
        return float(change.mean()), float(change.std() / math.sqrt(len(change)))

    def _best(self, arm: Arm, lengths: list[float]) -> float:
        """Take the length that beats the usual one by most standard errors, if by more than one."""
        best, most = self.protocol.usual, 1.0
        if best not in lengths:
            return best
        for passes in lengths:
            gain, error = self._gain(arm, passes, self.protocol.usual)
            if passes != self.protocol.usual and gain > most * max(error, TINY):
                best, most = passes, gain / max(error, TINY)
        return best
