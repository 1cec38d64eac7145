"""Devices: which one, whether 16-bit floats pay there, and what makes a GPU repeat itself."""

import contextlib
import os

import torch

from lib.study.errors import StudyError
from lib.study.machine import cores

# What a study's parameter `device` may say.
DEVICES = ("auto", "cpu", "cuda")

# Processes that train at once on each GPU: networks for faces of 48 pixels leave much of one idle.
GPU_PROCESSES = 2

# The variable that tells a process which GPUs it sees.
VISIBLE = "CUDA_VISIBLE_DEVICES"


def resolve_device(name: str) -> str:
    """Turn auto into cuda where there is one, else cpu.

    Raises:
        StudyError: cuda where there is none.
    """
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise StudyError(
            "device: cuda was asked for, but torch sees no GPU here; say device: auto or cpu"
        )
    return "cuda" if available and name != "cpu" else "cpu"


def processes_on(device: str) -> int:
    """Count the training processes to start side by side on this machine.

    Args:
        device: "cpu" or "cuda".

    Returns:
        One for each core, or GPU_PROCESSES for each GPU and at most one for each core.
    """
    if device == "cpu":
        return cores()
    return max(1, min(cores(), GPU_PROCESSES * torch.cuda.device_count()))


def environments_on(device: str) -> tuple[dict[str, str], ...]:
    """List the variables that give a process a GPU of its own.

    Returns:
        One dict for each GPU that this process sees; one empty dict on a CPU.
    """
    if device == "cpu":
        return ({},)

    # A GPU is named by its number, or as the variable of this process names it.
    listed = [name.strip() for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    names = listed or [str(number) for number in range(torch.cuda.device_count())]
    return tuple({VISIBLE: name} for name in names) or ({},)


def has_bf16(device: str) -> bool:
    """Tell whether a device multiplies bfloat16 natively.

    A CPU without the instructions emulates them at a loss.
    """
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)

    # Instructions of Intel's and AMD's processors.
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))


def precision_on(device: str, wanted: str) -> str:
    """Return the precision that a recipe's setting means on a device: bf16 or fp32.

    Args:
        device: cpu or cuda.
        wanted: fp32; bf16: where the device has the instructions; mixed: bf16 on such a GPU, and
            fp32 on a CPU, where bf16 was measured to be slower or hardly faster (0.7 to 1.06 times
            on an Intel Xeon with avx512_bf16).
    """
    # Both settings need the instructions as well.
    sixteen_bits = wanted == "bf16" or (wanted == "mixed" and device == "cuda")
    return "bf16" if sixteen_bits and has_bf16(device) else "fp32"


def autocast(device: str, precision: str) -> torch.autocast:
    """Return the context in which a network runs in a precision: bf16 or fp32."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")


@contextlib.contextmanager
def deterministic(wanted: bool):
    """Let torch use only deterministic algorithms for a while, or any.

    With them a GPU gives the same bytes for the same seed, as a CPU does anyway. An operation that
    has no such algorithm raises RuntimeError, which names it.

    Source: PyTorch's notes on reproducibility, which also ask for a cuBLAS workspace of fixed size.
    """
    # What is restored afterwards.
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()

    # cuBLAS reads the variable when it is first used; a user's own setting stays.
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(enabled, warn_only=warn_only)


def repeatable() -> contextlib.AbstractContextManager:
    """Let cuDNN compute convolutions in full float32 and by the same algorithm each time.

    By default it takes TF32, whose mantissa has 10 bits: predictions would differ between machines
    in the third digit.
    """
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
