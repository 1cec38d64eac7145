"""One training on several processes, a GPU each, by Hugging Face accelerate.

Each process takes its share of every batch; gradients are averaged before each optimiser step, so
that the weights stay the same everywhere. A single process goes the same way. Start several with
`accelerate launch -m lib.generators.distributed`.
"""

import contextlib
import fcntl
import functools
from collections.abc import Iterator
from pathlib import Path

import torch

from lib.study.errors import StudyError
from lib.study.records import made_folder, writing


@functools.cache
def process_state(device: str):
    """Give accelerate's view of the processes of this run.

    Args:
        device: "cpu" or "cuda".

    Returns:
        accelerate.PartialState: num_processes, process_index, is_main_process, device,
        wait_for_everyone().
    """
    from accelerate import PartialState

    return PartialState(cpu=device == "cpu")


def all_reduce_mean(tensor: torch.Tensor) -> torch.Tensor:
    """Average a tensor over all processes."""
    # One process alone has nobody to average with.
    if process_state(tensor.device.type).num_processes == 1:
        return tensor
    from accelerate.utils import reduce

    return reduce(tensor, "mean")


def backward_and_step(optimiser: torch.optim.Optimizer, loss: torch.Tensor) -> None:
    """Take one optimiser step down the gradient of a loss, averaged over all processes.

    Args:
        optimiser: of the parameters to train; others that the loss depends on stay as they are.
        loss: scalar, of this process's share of the batch.
    """
    # Compute the gradients of this process's share.
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    parameters = [
        parameter
        for group in optimiser.param_groups
        for parameter in group["params"]
        if parameter.grad is not None
    ]

    # Average and step, the same in all processes.
    if process_state(loss.device.type).num_processes > 1:
        _average_gradients(parameters)
    optimiser.step()


@contextlib.contextmanager
def exclusive_training(folder: Path, state) -> Iterator[None]:
    """Hold the lock of a training's folder, so that two runs never train in it at once.

    A single process waits until the other run has ended; the processes of one run enter together.

    Args:
        folder: of the training; made where it is missing.
        state: of `process_state`.

    Raises:
        StudyError: another run trains there, and this one has several processes: those that wait
            for the main process would run into their time limit; the lock cannot be written.
    """
    lock = made_folder(folder) / "lock"
    with writing(lock):
        file = open(lock, "w")
    with file:
        if state.num_processes == 1:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            # Every process must learn whether the main one has the lock, or some would wait on.
            locked = torch.tensor(float(_try_lock(file, state)), device=state.device)
            if all_reduce_mean(locked) < 1:
                raise StudyError(
                    f"another run trains in {folder}; give the command again when it has ended"
                )
        yield
        state.wait_for_everyone()


def _average_gradients(parameters: list[torch.nn.Parameter]) -> None:
    """Average gradients over all processes in place, in one message instead of one a parameter."""
    # Lay them end to end.
    flat = torch.cat([parameter.grad.flatten() for parameter in parameters])
    sizes = [parameter.numel() for parameter in parameters]

    # Average, and copy the parts back.
    averaged = all_reduce_mean(flat).split(sizes)
    for parameter, gradient in zip(parameters, averaged):
        parameter.grad.copy_(gradient.view_as(parameter))


def _try_lock(file, state) -> bool:
    """Lock a file without waiting, in the main process alone; False where another run holds it."""
    if not state.is_main_process:  # the main process locks for all
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
