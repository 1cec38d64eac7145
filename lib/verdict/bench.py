"""The bench of a trial: trainings done side by side for as long as the clock allows, and how long
they take.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from lib.faces.arms import Arm
from lib.verdict.clock import Clock
from lib.verdict.trainings import Laboratory, Training, run_trainings

SLOW = 0.002  # core-seconds an image, until a training was timed
TINY = 1e-9  # core-seconds; keeps a share of no time at all finite


@dataclass
class Bench:
    """Where networks are trained, and what is known of the pace."""

    laboratory: Laboratory
    prepared: Path  # folder that `save_laboratory` wrote
    clock: Clock  # of the time that is left
    workers: int  # processes; 0: everything happens in this one
    say: Callable[[str], None]  # called with a line now and then
    pace: float = 0.0  # core-seconds an image of a training; 0: none was timed yet
    trained: int = 0  # networks so far

    def run(self, trainings: Iterable[Training], *, floor: float = 0.0) -> Iterator[Training]:
        """Do trainings in order, and yield each that is done.

        Args:
            trainings: may be a generator that decides late what is worth doing.
            floor: core-seconds that have to be left at the end; what is not done then is given up.
        """
        if not self.trained:
            self.clock.doing("training the first networks")

        # Processes are stopped at the deadline, whatever they are at.
        deadline = self.clock.deadline(1 - floor / max(self.clock.left, TINY))
        stream = run_trainings(self.laboratory, self.prepared, trainings, self.workers, deadline)
        for training in stream:
            self._time(training)
            self.trained += 1
            self.clock.doing(f"{self.trained} network{'' if self.trained == 1 else 's'} trained")
            yield training
            if self.clock.left <= floor:
                return

    def seconds(self, steps: int) -> float:
        """Expect the core-seconds that so many optimiser steps take."""
        return steps * self.laboratory.protocol.batch_size * (self.pace or SLOW)

    def repetitions_in(self, seconds: float, arms: list[Arm], steps: dict[Arm, int]) -> int:
        """Count the repetitions of some arms that fit into some core-seconds, at least 1."""
        cost = self.laboratory.networks * self.seconds(sum(steps[arm] for arm in arms))
        most = self.laboratory.protocol.most_repetitions
        return max(1, min(most, int(seconds / max(cost, TINY))))

    def _time(self, training: Training) -> None:
        """Take the slowest pace so far, so that no plan is too bold."""
        trained = self.laboratory.load(training)
        images = training.steps * self.laboratory.protocol.batch_size
        self.pace = max(self.pace, self.clock.cost(trained) / images)
