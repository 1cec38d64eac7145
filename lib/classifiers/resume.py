"""Where a run stands, and its checkpoints: one safetensors file with its facts in the header, taken up only by the very same run."""

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from lib.classifiers.trainer import Trainer
from lib.generators.checkpoints import load_tensors, optimiser_tensors, restore_optimisers, save_tensors
from lib.study.errors import StudyError
from lib.study.records import content_hash

NAME = "checkpoint.safetensors"
FACTS = ("step", "seconds", "best_accuracy", "best_step", "waited")


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        step: optimiser steps taken.
        seconds: spent on them.
        sums: float32 (3,) of the current stretch of the learning curve: loss and hits over its images, their number.
        history: rows of the learning curve so far.
        best: state of the network at the best look at the watched set, where early stopping keeps it.
        best_accuracy, best_step: of that look.
        waited: looks since then.
    """

    step: int = 0
    seconds: float = 0.0
    sums: torch.Tensor | None = None
    history: tuple = ()
    best: dict | None = None
    best_accuracy: float = -1.0
    best_step: int = 0
    waited: int = 0

    def after_look(self, accuracy: float, network: torch.nn.Module) -> "Progress":
        """Note a look at the watched set; a better one than all before is kept."""
        if accuracy <= self.best_accuracy:
            return replace(self, waited=self.waited + 1)
        best = {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
        return replace(self, best=best, best_accuracy=accuracy, best_step=self.step, waited=0)


def save_progress(trainer: Trainer, folder: Path, key: list, progress: Progress) -> None:
    """Write a checkpoint of a run, in place of the last one."""
    tensors = {f"network/{name}": t for name, t in trainer.model.state_dict().items()} | optimiser_tensors({"of": trainer.optimiser})
    if trainer.averaged:
        tensors |= {f"averaged/{name}": t for name, t in trainer.averaged.state_dict().items()}
    if progress.sums is not None:
        tensors["sums"] = progress.sums
    tensors |= {f"best/{name}": tensor for name, tensor in (progress.best or {}).items()}
    facts = {name: getattr(progress, name) for name in FACTS} | {"key": content_hash(key), "history": list(progress.history)}
    save_tensors(Path(folder) / NAME, tensors, facts)


def load_progress(trainer: Trainer, folder: Path | None, key: list) -> Progress:
    """Put a run back to its last checkpoint; a missing, damaged or foreign one means the beginning."""
    if folder is None or not (Path(folder) / NAME).exists():
        return Progress()
    try:
        tensors, facts = load_tensors(Path(folder) / NAME)
    except StudyError:  # cut off by a full disk: what it held is lost, the run is not
        return Progress()
    if facts.get("key") != content_hash(key):
        return Progress()
    trainer.model.load_state_dict(_part(tensors, "network/"))
    if trainer.averaged:
        trainer.averaged.load_state_dict(_part(tensors, "averaged/"))
    restore_optimisers({"of": trainer.optimiser}, tensors)
    _lay_out_like_parameters(trainer.optimiser)
    sums = tensors["sums"].to(trainer.device) if "sums" in tensors else None
    best = {name: tensor.to(trainer.device) for name, tensor in _part(tensors, "best/").items()} or None
    return Progress(sums=sums, history=tuple(facts["history"]), best=best, **{name: facts[name] for name in FACTS})


def drop_progress(folder: Path | None) -> None:
    """Remove the checkpoint of a finished run."""
    if folder is not None:
        (Path(folder) / NAME).unlink(missing_ok=True)


def _lay_out_like_parameters(optimiser: torch.optim.Optimizer) -> None:
    """Give each moment the memory layout of its parameter: fused kernels walk through both as they lie in memory."""
    for parameter, state in optimiser.state.items():
        for name, value in state.items():
            if value is not None and value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)


def _part(tensors: dict, prefix: str) -> dict:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
