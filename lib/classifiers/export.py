"""Export to ONNX: float32 (N, 1, px, px) in [0, 1] in, class probabilities (N, 7) out, any N."""

import logging
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib.classifiers.training import predict
from lib.faces.faceset import CLASSES
from lib.study.records import atomic_write


class _Probabilities(nn.Module):
    """A network with its softmax, so that users of the file need no torch."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).softmax(dim=1)


def export_onnx(model: nn.Module, path: Path, *, image_px: int, metadata: dict) -> Path:
    """Write one ONNX file with a dynamic batch.

    Args:
        image_px: side of the input, pixels.
        metadata: plain text facts (study, arm, seed, commit); classes and preprocessing are added.
    """
    import onnx

    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            _Probabilities(model).eval(),
            (torch.zeros(2, 1, image_px, image_px),),
            dynamo=True,
            verbose=False,
            external_data=False,
            input_names=["images"],
            output_names=["probabilities"],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )
    proto = without_traces(program.model_proto)
    facts = {"classes": ",".join(CLASSES), "preprocessing": f"grey, {image_px}x{image_px} pixels, divided by 255"} | metadata
    onnx.helper.set_model_props(proto, {key: str(value) for key, value in facts.items()})
    onnx.checker.check_model(proto)
    with atomic_write(path) as file:
        file.write(proto.SerializeToString())
    return path


def without_traces(proto):
    """Take out of an ONNX model where in which file each node was made: paths of the machine that wrote it."""
    nodes = [*proto.graph.node, *(node for function in proto.functions for node in function.node)]
    for part in [proto.graph, *proto.graph.value_info, *nodes]:
        part.ClearField("doc_string")
        del part.metadata_props[:]
    return proto


def check_onnx(path: Path, model: nn.Module, images: np.ndarray) -> dict:
    """Compare the file with the network on images.

    Args:
        images: uint8 (N, px, px).

    Returns:
        images, largest_difference (of probabilities), same_class (share).
    """
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    ours = session.run(None, {"images": images[:, None].astype(np.float32) / 255})[0]
    theirs = predict(model, images)
    same = float((ours.argmax(1) == theirs.argmax(1)).mean())
    return {"images": len(images), "largest_difference": float(np.abs(ours - theirs).max()), "same_class": same}
