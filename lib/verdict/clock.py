"""The time that a verdict may take, counted in seconds of one core."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from lib.study.progress import at_most
from lib.verdict.trainings import Trained


@dataclass
class Clock:
    """What is left of the time.

    Attributes:
        seconds: that all may take.
        cores: that work side by side.
        end: seconds that follow on these.
        doing: called with a few words about what is being done, for whoever waits.
        processor: count this process's processor time in place of the time that passes: on a
            machine that is busy with other things a simulation then has as much time as ever.
    """

    seconds: float
    cores: int
    end: float = 0.0
    processor: bool = False
    doing: Callable[[str], None] = lambda _text: None
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
        """Write the time that is left until the end: at most 4 min."""
        return at_most(max(0.0, self.left / self.cores) + self.end)

    def _now(self) -> float:
        # Cores that stand still count as much as those that work.
        return time.process_time() if self.processor else time.monotonic() * self.cores
