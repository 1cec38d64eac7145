"""What as many more real images would bring, from the learning curve of a trial."""

from dataclasses import dataclass

import numpy as np

from lib.metrics.sequential import ERROR, nominal_level
from lib.metrics.wording import points
from lib.verdict.trainings import ALONE
from lib.verdict.trial import Trial, half_arm

FEW = 0.005  # gain under which more real images are not worth collecting


@dataclass(frozen=True)
class Ceiling:
    """The gain by so many more real images, with its interval."""

    doubling: float  # measured gain from half of the real images to all
    images: int  # as many more as the pool holds
    gain: float
    low: float
    high: float

    def text(self) -> str:
        """Say what more real images would bring."""
        # A gain that nobody would notice is said as that.
        if self.gain < FEW:
            return (
                f"{self.images:,} more real images like your own would hardly bring anything "
                f"({points(self.gain)} points, {points(self.low)} to {points(self.high)})."
            )
        return (
            f"{self.images:,} more real images would bring about {points(self.gain)} points "
            f"({points(self.low)} to {points(self.high)}), by the learning curve."
        )


def ceiling(trial: Trial, images: int) -> Ceiling | None:
    """Extrapolate what so many more real images would bring; None where no half was trained.

    Source: errors fall by a power of the number of images, Hestness et al. 2017, arXiv 1712.00409.
    Differs: the power is read off two numbers of images alone, half of them and all.
    """
    # Half of the images was trained in the first repetitions alone.
    half = half_arm(trial.laboratory)
    repetitions = trial.scores.complete(ALONE, half)
    networks = len(repetitions) * trial.laboratory.networks
    if networks < 2:
        return None
    found = trial.scores.difference(ALONE, half, repetitions)
    error = 1 - trial.scores.accuracy(ALONE, repetitions)
    learnt = trial.laboratory.size(ALONE)

    # error(n) / error(n / 2) is 2 to the power; the interval of the one gives that of the other.
    def gain(doubling: float) -> float:
        ratio = np.clip(error / max(error + doubling, 1e-9), 0.25, 4.0)
        return float(error * (1 - ratio ** np.log2((learnt + images) / learnt)))

    low, high = found.interval(nominal_level([1.0], last=True, error=ERROR))
    return Ceiling(found.difference, images, gain(found.difference), gain(low), gain(high))
