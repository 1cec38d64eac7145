"""What the networks of a verdict predict, by arm and repetition, and differences of two arms."""

import numpy as np

from lib.faces.arms import Arm
from lib.metrics.arms import ArmPredictions, image_scores
from lib.metrics.sequential import Estimate, estimate
from lib.study.errors import StudyError
from lib.verdict.trainings import Laboratory, Trained, Training


class Scores:
    """Predictions by arm and repetition, filled in as trainings end."""

    def __init__(self, laboratory: Laboratory):
        # Places of the predicted images among the real ones.
        self.laboratory = laboratory
        rows = laboratory.inputs.scored_rows
        self.place = np.full(len(laboratory.inputs.real), -1)
        self.place[rows] = np.arange(len(rows))

        # What is predicted, and which images are copies of each other.
        faces = laboratory.inputs.real.select(rows)
        self.labels, self.clusters = faces.labels, faces.clusters
        self.classes = len(faces.classes)
        self.found: dict[tuple[Arm, int], dict[int, Trained]] = {}

    def add(self, training: Training) -> None:
        """Take in what a training left."""
        trained = self.laboratory.load(training)
        if trained is None:
            raise StudyError(f"{self.laboratory.result(training)}: gone or damaged; run it again")
        self.found.setdefault((training.arm, training.repetition), {})[training.fold] = trained

    def has(self, arm: Arm, repetition: int) -> bool:
        """Tell whether all networks of an arm's repetition are there."""
        trained = self.found.get((arm, repetition), {})
        return len(trained) == self.laboratory.folds(repetition)

    def complete(self, *arms: Arm) -> list[int]:
        """List the repetitions, from 1 without a gap, that all of some arms have."""
        # Repetitions end in any order; only an unbroken row counts.
        done = []
        while all(self.has(arm, len(done) + 1) for arm in arms):
            done.append(len(done) + 1)
        return done

    def probabilities(self, arm: Arm, repetitions: list[int]) -> np.ndarray:
        """Put the folds of repetitions together, float32 (R, N, C)."""
        # Every image is predicted by the network of its fold.
        whole = np.zeros((len(repetitions), len(self.labels), self.classes), np.float32)
        for row, repetition in enumerate(repetitions):
            for trained in self.found[arm, repetition].values():
                whole[row, self.place[trained.rows]] = trained.probabilities
        return whole

    def folds(self, repetitions: list[int]) -> np.ndarray:
        """Number the network that predicted each image, int64 (R, N)."""
        # With a test split of its own one network predicts every image.
        numbers = np.zeros((len(repetitions), len(self.labels)), np.int64)
        for row, repetition in enumerate(repetitions):
            if self.laboratory.folds(repetition) > 1:
                numbers[row] = self.laboratory.fold_numbers(repetition)
        return numbers

    def difference(
        self, arm: Arm, reference: Arm, repetitions: list[int], metric: str = "accuracy"
    ) -> Estimate:
        """Estimate an arm's score minus its reference's."""
        # Each metric as a mean over images, for either arm.
        spread = []
        for one in (arm, reference):
            stacked = ArmPredictions(tuple(repetitions), self.probabilities(one, repetitions))
            spread.append(image_scores(stacked, self.labels, metric))
        return estimate(spread[0] - spread[1], self.folds(repetitions), self.clusters)

    def accuracy(self, arm: Arm, repetitions: list[int]) -> float:
        """Average an arm's accuracy over repetitions."""
        # Over all images and repetitions alike.
        predicted = self.probabilities(arm, repetitions).argmax(2)
        return float((predicted == self.labels).mean())
