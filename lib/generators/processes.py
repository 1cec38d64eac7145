"""Several processes, one GPU each, by Hugging Face accelerate: `accelerate launch -m
lib.generators.several`. One process goes the same way.

Each process takes its share of every batch; gradients are averaged before each optimiser step,
so that the weights stay the same everywhere.
"""

import contextlib
import fcntl
import functools
from pathlib import Path

import torch

from lib.generators.hardware import has_bf16
from lib.study.errors import StudyError


@functools.cache
def processes(device: str):
    """Give accelerate's state: num_processes, process_index, is_main_process, device, wait_for_everyone()."""
    from accelerate import PartialState

    return PartialState(cpu=device == "cpu")


def together(tensor: torch.Tensor) -> torch.Tensor:
    """Average a tensor over all processes."""
    if processes(tensor.device.type).num_processes == 1:
        return tensor
    from accelerate.utils import reduce

    return reduce(tensor, "mean")


def descend(optimiser: torch.optim.Optimizer, loss: torch.Tensor, *, longest: float = 0.0) -> None:
    """Take one optimiser step down a loss, averaged over all processes.

    Args:
        optimiser: whose parameters the loss depends on.
        loss: scalar, of this process's share of the batch.
        longest: norm to which the gradient is clipped, 0: no clipping.
    """
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    parameters = [p for group in optimiser.param_groups for p in group["params"] if p.grad is not None]
    if processes(loss.device.type).num_processes > 1:
        every = together(torch.cat([p.grad.flatten() for p in parameters]))
        for p, gradient in zip(parameters, every.split([p.numel() for p in parameters])):
            p.grad.copy_(gradient.view_as(p))
    if longest:
        torch.nn.utils.clip_grad_norm_(parameters, longest)
    optimiser.step()


def half(like: torch.Tensor) -> torch.autocast:
    """Mixed precision on a GPU that has it, nothing on a CPU."""
    return torch.autocast(like.device.type, torch.bfloat16, enabled=mixes(like.device.type))


def mixes(device: str) -> bool:
    """Tell whether networks train in mixed precision there; without bfloat16 they do not, for float16 would need its losses scaled."""
    return device == "cuda" and has_bf16(device)


@contextlib.contextmanager
def turn(folder: Path, state):
    """Wait until no other run trains in a folder; the processes of one run go in together.

    Raises:
        StudyError: another run trains there, and this one has several processes: those that waited for the first would give up.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "lock", "w") as file:
        if state.num_processes == 1:
            fcntl.flock(file, fcntl.LOCK_EX)
        elif together(torch.tensor(float(lock_at_once(file, state)), device=state.device)) < 1:
            raise StudyError(f"another run trains in {folder}; give the command again when it has ended")
        yield
        state.wait_for_everyone()


def lock_at_once(file, state) -> bool:
    """Lock a file for the processes of a run, which its main process does; False where another run has it."""
    try:
        if state.is_main_process:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
