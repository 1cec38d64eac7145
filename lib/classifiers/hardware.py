"""What the machine can do for training: which device, and whether 16-bit floats pay there."""

import torch

from lib.study.errors import StudyError

DEVICES = ("auto", "cpu", "cuda")


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


def has_bf16(device: str) -> bool:
    """Tell whether the device multiplies bfloat16 natively; a CPU without the instructions emulates them at a loss."""
    if device == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def precision_on(device: str, wanted: str) -> str:
    """Return the precision that a recipe's wish comes to on a device: bf16 or fp32."""
    return "bf16" if wanted == "bf16" and has_bf16(device) else "fp32"


def autocast(device: str, precision: str) -> torch.autocast:
    """Make the context in which a network runs in this precision."""
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")
