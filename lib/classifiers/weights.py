"""Trained networks on disk: safetensors beside a JSON of what they are. Nothing that could run code is ever loaded."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from lib.classifiers.models import build_classifier
from lib.study.errors import StudyError
from lib.study.records import read_json, write_json

PICKLES = (".pt", ".pth", ".ckpt", ".pkl", ".bin")


def save_model(model: nn.Module, path: Path, *, classifier: str, image_px: int = 48, half: bool = True, **facts) -> None:
    """Write <path>.safetensors and <path>.json.

    Args:
        path: without suffix.
        half: store 16-bit floats (half the size; accuracy changes by less than seeds do).
        facts: plain data that is kept beside it (study, arm, seed, ...).
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    state = {k: (v.half() if half and v.is_floating_point() else v).contiguous() for k, v in model.state_dict().items()}
    temporary = path.with_suffix(".safetensors.tmp")
    save_file(state, temporary)
    temporary.replace(path.with_suffix(".safetensors"))
    write_json(path.with_suffix(".json"), {"classifier": classifier, "image_px": image_px} | facts)


def load_model(path: Path) -> nn.Module:
    """Read a network written by save_model, in evaluation mode, float32.

    Raises:
        StudyError: a pickle, a file that is missing or cut off, weights of another shape.
    """
    path = Path(path)
    if path.suffix in PICKLES:
        raise StudyError(f"{path}: a pickled checkpoint can run code and is not loaded; convert it to safetensors")
    facts = read_json(path.with_suffix(".json"))
    try:
        state = load_file(path.with_suffix(".safetensors"))
    except (OSError, SafetensorError) as error:
        raise StudyError(f"{path.with_suffix('.safetensors')}: does not read ({error}); train it again") from None
    model = build_classifier(facts["classifier"], image_px=facts["image_px"])
    try:
        model.load_state_dict({k: v.float() if v.dtype == torch.float16 else v for k, v in state.items()})
    except RuntimeError as error:
        first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
        raise StudyError(f"{path}: the weights do not fit the network {facts['classifier']!r}: {first}") from None
    return model.eval()
