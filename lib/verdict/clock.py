"""The time that a verdict may take, counted in seconds of one core."""

import time
from dataclasses import dataclass, field

from lib.verdict.trainings import Trained


@dataclass
class Clock:
    """What is left of the time.

    Attributes:
        seconds: that all may take.
        cores: that work side by side.
        processor: count this process's processor time in place of the time that passes: on a
            machine that is busy with other things a simulation then has as much time as ever.
    """

    seconds: float
    cores: int
    processor: bool = False
    began: float = field(init=False)

    def __post_init__(self):
        # Reading images counts from here on, starting the process does not.
        self.began = self._now()

    @property
    def left(self) -> float:
        """Core-seconds that are left."""
        return self.seconds * self.cores - (self._now() - self.began)

    def cost(self, trained: Trained) -> float:
        """Core-seconds that a training took."""
        return trained.cpu_seconds if self.processor else trained.wall_seconds

    def deadline(self, share: float) -> float:
        """Give the moment, by time.monotonic, at which a share of what is left is spent."""
        return time.monotonic() + max(0.0, share * self.left / self.cores)

    def text(self) -> str:
        """Write the time that is left: 4 min 10 s."""
        seconds = max(0, round(self.left / self.cores))
        return f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"

    def _now(self) -> float:
        # Cores that stand still count as much as those that work.
        return time.process_time() if self.processor else time.monotonic() * self.cores
