"""Weights on disk: safetensors with a JSON of settings, and nothing that could run code when it is read."""

import json
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from lib.study.errors import StudyError
from lib.study.records import atomic_write

REMEDY = "remove the file and train again"


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], facts: dict) -> Path:
    """Write tensors and plain facts into one safetensors file, atomically.

    Args:
        path: file to write.
        tensors: any dtype and device.
        facts: what JSON can hold; kept in the file's header, so that both always belong together.
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(Path(path)) as file:
        file.write(save(plain, {"facts": json.dumps(facts)}))
    return Path(path)


def load_tensors(path: Path, expected: dict[str, torch.Tensor] | None = None) -> tuple[dict[str, torch.Tensor], dict]:
    """Read what save_tensors wrote.

    Args:
        path: safetensors file.
        expected: tensors whose names and shapes the file must hold; None: whatever is in it.

    Returns:
        (tensors on the CPU, facts).

    Raises:
        StudyError: no such file, a pickle, cut off or damaged, a missing tensor or another shape.
    """
    path = Path(path)
    if not path.is_file():
        raise StudyError(f"{path}: no such checkpoint; train first (notebook 20)")
    refuse_pickle(path)
    try:
        with safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get("facts", "{}"))
            tensors = {name: file.get_tensor(name) for name in file.keys()}
    except (SafetensorError, ValueError, OSError) as error:
        raise StudyError(f"{path}: cut off or no safetensors file ({error}); {REMEDY}") from None
    for name, tensor in (expected or {}).items():
        if name not in tensors:
            raise StudyError(f"{path}: lacks the tensor {name!r}, it is of another network; {REMEDY}")
        if tensors[name].shape != tensor.shape:
            raise StudyError(f"{path}: {name!r} has shape {tuple(tensors[name].shape)}, the network needs {tuple(tensor.shape)}; {REMEDY}")
    return tensors, facts


def load_facts(path: Path) -> dict:
    """Read the facts alone of what save_tensors wrote; step 0 where the file does not read."""
    try:
        with safe_open(path, framework="pt") as file:
            return {"step": 0} | json.loads((file.metadata() or {}).get("facts", "{}"))
    except (SafetensorError, ValueError, OSError):
        return {"step": 0}


def refuse_pickle(path: Path) -> None:
    """Stop at a file in one of the formats that can run code when loaded.

    Raises:
        StudyError: the file is a pickle, a zip (as torch.save writes), or named like one.
    """
    with open(path, "rb") as file:
        head = file.read(4)
    if (
        head[:2] in (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")
        or head == b"PK\x03\x04"
        or Path(path).suffix in (".ckpt", ".pt", ".pth", ".pkl", ".bin")
    ):
        raise StudyError(f"{path}: a pickled checkpoint can run code when it is loaded and is refused; convert it to safetensors first")


def load_into(module: torch.nn.Module, path: Path) -> dict:
    """Load a network's weights in place and return the facts saved with them."""
    tensors, facts = load_tensors(path, module.state_dict())
    module.load_state_dict({name: tensors[name] for name in module.state_dict()})
    return facts


def optimiser_tensors(optimisers: dict) -> dict[str, torch.Tensor]:
    """Flatten the state of optimisers into named tensors."""
    states = {name: optimiser.state_dict()["state"] for name, optimiser in optimisers.items()}
    return {f"optimiser/{name}/{row}/{key}": torch.as_tensor(value)
            for name, state in states.items() for row, values in state.items() for key, value in values.items()}  # fmt: skip


def restore_optimisers(optimisers: dict, tensors: dict[str, torch.Tensor]) -> None:
    """Put the state of optimisers back from what optimiser_tensors made of it."""
    for name, optimiser in optimisers.items():
        whole = optimiser.state_dict()
        whole["state"] = {}
        for key, value in tensors.items():
            kind, owner, row, entry = (key.split("/") + ["", "", ""])[:4]
            if kind == "optimiser" and owner == name:
                whole["state"].setdefault(int(row), {})[entry] = value
        optimiser.load_state_dict(whole)
