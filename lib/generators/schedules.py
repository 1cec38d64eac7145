"""The learning rate over a training, and which checkpoints a training can go on from."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from lib.compute.checkpoints import load_facts
from lib.study.records import copy_whole

CHECKPOINT = "checkpoint.safetensors"
# As training was when its learning rate began to fall: a longer one goes on from here.
CONSTANT_CHECKPOINT = "checkpoint-constant.safetensors"


@dataclass(frozen=True)
class Schedule:
    """Learning rates as shares of the full one: a rise, constant, and a fall in straight lines.

    At the constant rate a training can be prolonged at any step; the fall, in which most of the
    noise of the weights is averaged out, ends it.
    """

    steps: int  # of the whole training
    warm_up: int = 0  # first steps, in which the rate rises
    decay_share: float = 0.0  # of the steps: the last ones, in which the rate falls towards 0

    @property
    def decay_from(self) -> int:
        """First step at a lower rate; `steps` where the rate never falls."""
        return self.steps - round(self.decay_share * self.steps)

    def rate(self, step: int) -> float:
        """Compute the rate of a step, counted from 0."""
        rate = 1.0
        if step < self.warm_up:
            rate = (step + 1) / self.warm_up
        if step > self.decay_from:
            rate *= (self.steps - step) / (self.steps - self.decay_from)
        return rate

    def set_rates(self, optimisers: Iterable[torch.optim.Optimizer], step: int) -> None:
        """Set the learning rates of a step; what an optimiser was made with is the full one."""
        for optimiser in optimisers:
            for group in optimiser.param_groups:
                full = group.setdefault("initial_lr", group["lr"])
                group["lr"] = full * self.rate(step)

    def continues(self, facts: dict) -> bool:
        """Tell whether a checkpoint is a state that this schedule passes through.

        Args:
            facts: of the checkpoint: step, and schedule where one was saved.
        """
        if facts["step"] > self.steps:
            return False
        other = facts.get("schedule", asdict(self))
        if other == asdict(self):
            return True

        # Two schedules agree until the first of them lowers its rate.
        agree_until = min(self.decay_from, Schedule(**other).decay_from)
        return other["warm_up"] == self.warm_up and facts["step"] <= agree_until


def folder_of_length(shared: Path, schedule: Schedule) -> Path:
    """Name a folder for trainings of one schedule alone, beside the one that all lengths share."""
    decay = f"-decay{schedule.decay_share:g}" if schedule.decay_share else ""
    return shared.with_name(f"{shared.name}-{schedule.steps}{decay}")


def keep_finished(shared: Path, schedule: Schedule) -> None:
    """Copy a finished training to a folder of its own before a longer one goes on in its place.

    Args:
        shared: folder of the trainings of all lengths, with or without a checkpoint.
        schedule: of the training that is about to go on there.
    """
    # Is there one, and is it shorter than what is to come?
    checkpoint = shared / CHECKPOINT
    facts = load_facts(checkpoint) if checkpoint.exists() else {}
    finished = Schedule(**facts["schedule"]) if "schedule" in facts else schedule
    if finished == schedule or facts["step"] < finished.steps:
        return

    # The checkpoint comes last: with it the copy counts as whole.
    own = folder_of_length(shared, finished)
    if not (own / CHECKPOINT).exists():
        files = [path for path in shared.rglob("*") if path.is_file() and path.name != "lock"]
        for path in sorted(files, key=lambda path: path == checkpoint):
            copy_whole(path, own / path.relative_to(shared))


def checkpoint_to_resume(folder: Path, shared: Path, key: str, schedule: Schedule) -> Path | None:
    """Find the checkpoint from which a training loses least.

    Args:
        folder: of the training.
        shared: beginning of the paths of all folders of trainings with this key, which may differ
            in their schedules.
        key: of the training.
        schedule: its own.

    Returns:
        The one with most steps that the schedule passes through; None where there is none.
    """
    # Its own folder, and those of the same training at other lengths.
    paths = sorted(Path(folder).glob("checkpoint*.safetensors"))
    if Path(folder).name.startswith(shared.name):
        paths += sorted(shared.parent.glob(f"{shared.name}*/checkpoint*.safetensors"))

    # The furthest one; among equals the first, its own.
    best, most = None, 0
    for path in paths:
        facts = load_facts(path)
        if facts.get("key") != key or not schedule.continues(facts):
            continue
        if facts["step"] > most:
            best, most = path, facts["step"]
    return best
