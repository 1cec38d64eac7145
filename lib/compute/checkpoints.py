"""Weights on disk: one safetensors file with its facts as JSON in the header.

Nothing here can run code when it is read; files in formats that can are refused.
"""

import hashlib
import json
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save

from lib.study.errors import StudyError
from lib.study.kept import SEAL, SEALED
from lib.study.records import atomic_write, content_hash, parsing

REMEDY = "remove the file and train again"

# What a file begins with, or is called, in the formats that can run code when they are loaded.
PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")  # protocols 2 to 5
ZIP_START = b"PK\x03\x04"  # what torch.save writes
PICKLE_SUFFIXES = (".ckpt", ".pt", ".pth", ".pkl", ".bin")


def save_tensors(path: Path, tensors: dict[str, torch.Tensor], facts: dict) -> Path:
    """Write tensors and plain facts into one safetensors file, atomically, with digests of both.

    Args:
        path: file to write.
        tensors: any dtype and device.
        facts: what JSON can hold; kept in the file's header, so that both always belong together.
    """
    # safetensors takes dense tensors on the CPU, and has no checksum of its own.
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    facts = json.loads(json.dumps(facts))  # as they will be read
    seal = {SEALED: True, SEAL: [content_hash(facts), _digest(plain)]}

    # All facts are one text of the header: the order of several would vary from file to file.
    with atomic_write(Path(path)) as file:
        file.write(save(plain, {"facts": json.dumps(facts | seal)}))
    return Path(path)


def load_tensors(
    path: Path, expected: dict[str, torch.Tensor] | None = None
) -> tuple[dict[str, torch.Tensor], dict]:
    """Read what save_tensors wrote.

    Args:
        path: safetensors file.
        expected: tensors whose names and shapes the file must hold; None: whatever is in it.

    Returns:
        (tensors on the CPU, facts).

    Raises:
        DamagedFile: cut off or changed since it was written.
        StudyError: no such file, a pickle, a missing tensor or another shape.
    """
    # Refuse what must not be read.
    path = Path(path)
    if not path.is_file():
        raise StudyError(f"{path}: no such checkpoint; train first (notebook 20)")
    refuse_pickle(path)

    # Read the file, and compare it with what is expected.
    with parsing(path, REMEDY), safe_open(path, framework="pt") as file:
        facts, digest = _facts_of(file)
        tensors = {name: file.get_tensor(name) for name in file.keys()}

        # Files of earlier versions, and of others, have no digest.
        if digest not in ("", _digest(tensors)):
            raise ValueError("its digest is that of other weights")
    _check_shapes(path, tensors, expected or {})
    return tensors, facts


def load_facts(path: Path) -> dict:
    """Read only the facts of what save_tensors wrote; step 0 where the file does not read.

    The weights are not read: that they are whole is known once load_tensors has loaded them.
    """
    try:
        with parsing(path), safe_open(path, framework="pt") as file:
            return {"step": 0} | _facts_of(file)[0]
    except StudyError:
        return {"step": 0}


def load_into(module: torch.nn.Module, path: Path) -> dict:
    """Load a network's weights in place and return the facts saved with them.

    Raises:
        StudyError: see load_tensors.
    """
    tensors, facts = load_tensors(path, module.state_dict())
    load_weights(module, tensors)
    return facts


def load_weights(module: torch.nn.Module, tensors: dict[str, torch.Tensor]) -> None:
    """Load a network's weights in place from tensors that hold them among others."""
    module.load_state_dict({name: tensors[name] for name in module.state_dict()})


def refuse_pickle(path: Path) -> None:
    """Stop at a file in one of the formats that can run code when loaded.

    Raises:
        StudyError: the file is a pickle, a zip (as torch.save writes), or named like one.
    """
    path = Path(path)
    with open(path, "rb") as file:
        start = file.read(4)  # enough for all of them
    pickled = start[:2] in PICKLE_STARTS or start == ZIP_START or path.suffix in PICKLE_SUFFIXES
    if pickled:
        raise StudyError(
            f"{path}: a pickled checkpoint can run code when it is loaded and is refused; "
            "convert it to safetensors first"
        )


def optimiser_tensors(optimisers: dict[str, torch.optim.Optimizer]) -> dict[str, torch.Tensor]:
    """Flatten the state of optimisers into tensors named optimiser/NAME/PARAMETER/ENTRY."""
    tensors = {}
    for name, optimiser in optimisers.items():
        for parameter, state in optimiser.state_dict()["state"].items():
            for entry, value in state.items():
                tensors[f"optimiser/{name}/{parameter}/{entry}"] = torch.as_tensor(value)
    return tensors


def restore_optimisers(
    optimisers: dict[str, torch.optim.Optimizer], tensors: dict[str, torch.Tensor]
) -> None:
    """Load the state that `optimiser_tensors` saved into optimisers, in place.

    Args:
        optimisers: by the names under which they were saved, over the same parameters.
        tensors: of a checkpoint; other tensors, such as the network's weights, are ignored.
    """
    for name, optimiser in optimisers.items():
        # Keep the groups of the new optimiser: learning rates are settings, not state.
        whole = optimiser.state_dict()
        whole["state"] = {}

        # Pick out the tensors of this optimiser.
        prefix = f"optimiser/{name}/"
        for key, value in tensors.items():
            if key.startswith(prefix):
                parameter, entry = key.removeprefix(prefix).split("/")
                whole["state"].setdefault(int(parameter), {})[entry] = value
        optimiser.load_state_dict(whole)


def _facts_of(file) -> tuple[dict, str]:
    """Read the facts in the header of an open safetensors file, and the digest of its tensors; ""
    where it has none.
    """
    facts = json.loads((file.metadata() or {}).get("facts", "{}"))
    is_sealed, seal = facts.pop(SEALED, False), facts.pop(SEAL, None)
    if not is_sealed and seal is None:
        return facts, ""
    of_facts, of_tensors = seal
    if of_facts != content_hash(facts):
        raise ValueError("the digest of its facts is that of others")
    return facts, of_tensors


def _digest(tensors: dict[str, torch.Tensor]) -> str:
    """Hash tensors with names, types and shapes: sha256 hex."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name]
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())

        # As bytes, which numpy has for every type.
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def _check_shapes(
    path: Path, tensors: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]
) -> None:
    """Stop where a tensor is missing or has another shape than the network's."""
    for name, tensor in expected.items():
        if name not in tensors:
            raise StudyError(
                f"{path}: lacks the tensor {name!r}, it is of another network; {REMEDY}"
            )
        if tensors[name].shape != tensor.shape:
            raise StudyError(
                f"{path}: {name!r} has shape {tuple(tensors[name].shape)}, "
                f"the network needs {tuple(tensor.shape)}; {REMEDY}"
            )
