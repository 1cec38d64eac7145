"""What the machine can do for training: which device, whether 16-bit floats pay there, and what makes a GPU repeat itself."""

import contextlib
import os

import torch

from lib.study.errors import StudyError
from lib.study.machine import cores

DEVICES = ("auto", "cpu", "cuda")
GPU_PROCESSES = 2  # side by side on each GPU: networks for faces of 48 pixels leave much of one idle
VISIBLE = "CUDA_VISIBLE_DEVICES"


def resolve_device(name: str) -> str:
    """Turn auto into cuda where there is one, else cpu.

    Raises:
        StudyError: an unknown device, or cuda where there is none.
    """
    if name not in DEVICES:
        raise StudyError(f"device: {name!r} is none of {', '.join(DEVICES)}")
    found = torch.cuda.is_available()
    if name == "cuda" and not found:
        raise StudyError("device: cuda was asked for, but torch sees no GPU here; say device: auto or cpu")
    return "cuda" if found and name != "cpu" else "cpu"


def processes_on(device: str) -> int:
    """Count the processes that train side by side on all devices of a kind: one a core, or GPU_PROCESSES a GPU."""
    return cores() if device == "cpu" else max(1, min(cores(), GPU_PROCESSES * torch.cuda.device_count()))


def environments_on(device: str) -> tuple[dict, ...]:
    """Name the variables that give a process a GPU of its own, one dict a GPU among those that this process sees; CPUs need none."""
    if device == "cpu":
        return ({},)
    listed = [name for name in os.environ.get(VISIBLE, "").split(",") if name.strip()]
    return tuple({VISIBLE: name.strip()} for name in listed or map(str, range(torch.cuda.device_count()))) or ({},)


def has_bf16(device: str) -> bool:
    """Tell whether the device multiplies bfloat16 natively; a CPU without the instructions emulates them at a loss."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def precision_on(device: str, wanted: str) -> str:
    """Return the precision that a recipe's wish comes to on a device: bf16 or fp32.

    Args:
        wanted: fp32; bf16: where the device has the instructions; mixed: bf16 on such a GPU and fp32 on a CPU, where bf16 was measured to
            be slower or hardly faster (0.7 to 1.06 times on an Intel Xeon with avx512_bf16).
    """
    able = wanted == "bf16" or (wanted == "mixed" and device == "cuda")
    return "bf16" if able and has_bf16(device) else "fp32"


def autocast(device: str, precision: str) -> torch.autocast:
    """Make the context in which a network runs in this precision."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")


@contextlib.contextmanager
def deterministic(wanted: bool):
    """Let torch take none but deterministic algorithms for a while, so that a GPU gives the same bytes for the same seed, or as it likes.

    An operation that has no such algorithm raises RuntimeError, which names it. CPUs need no asking.

    Source: PyTorch's notes on reproducibility, which also ask for a workspace of cuBLAS of a fixed size.
    """
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    if wanted:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(wanted)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])


def repeatable() -> contextlib.AbstractContextManager:
    """Make cuDNN compute convolutions in float32 proper and by the same algorithm each time.

    Left to itself it takes TF32, whose mantissa has 10 bits: predictions would differ between machines in the third digit.
    """
    return torch.backends.cudnn.flags(enabled=True, deterministic=True, allow_tf32=False)
