"""Export to ONNX.

Float32 images (N, 1, px, px) in [0, 1] in, class probabilities (N, classes) out, any N.
"""

import json
import logging
import re
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from lib.classifiers.models import predict
from lib.classifiers.networks.base import Classifier
from lib.compute.onnx_files import write_onnx

IMAGES, PROBABILITIES = "images", "probabilities"  # names of input and output


class _Probabilities(nn.Module):
    """A network with its softmax, so that users of the file need no torch."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.model(images).softmax(dim=1)


def export_onnx(
    model: nn.Module,
    path: Path,
    *,
    image_px: int,
    classes: tuple[str, ...],
    metadata: dict | None = None,
) -> Path:
    """Write one ONNX file with a dynamic batch.

    Args:
        model: logits (N, classes) out.
        path: file to write.
        image_px: side of the input, pixels.
        classes: names of the outputs, in order.
        metadata: plain text facts (study, arm, seed, commit); preprocessing and classes are added,
            these separated by commas, or as JSON where a name holds one.
    """
    import onnx

    proto = without_traces(_program(model, image_px).model_proto)

    # What a user of the file needs to know.
    facts = {
        "classes": classes_text(classes),
        "preprocessing": f"grey, {image_px}x{image_px} pixels, divided by 255",
    }
    facts |= {key: str(value) for key, value in (metadata or {}).items()}
    onnx.helper.set_model_props(proto, facts)

    # Written whole, or not at all.
    onnx.checker.check_model(proto)
    return write_onnx(path, proto)


def classes_text(classes: tuple[str, ...]) -> str:
    """List names of classes with commas between them; as JSON where a name would be taken
    apart.
    """
    is_plain = all(re.fullmatch(r"[^\W\d][\w .-]*", name) for name in classes)
    return ",".join(classes) if is_plain else json.dumps(classes)


def _program(model: nn.Module, image_px: int) -> torch.onnx.ONNXProgram:
    """Translate a network with its softmax to ONNX, without torch's warnings on the way."""
    # torch.onnx reports every operation that it translates.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    example = torch.zeros(2, 1, image_px, image_px)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.onnx.export(
            _Probabilities(model).eval(),
            (example,),
            dynamo=True,
            verbose=False,
            external_data=False,  # one file, weights and all
            input_names=[IMAGES],
            output_names=[PROBABILITIES],
            dynamic_shapes=({0: torch.export.Dim("batch")},),
        )


def without_traces(proto):
    """Remove from an ONNX model in which file of this machine each node was made."""
    # Nodes of the graph, and of the functions that it calls.
    nodes = list(proto.graph.node)
    for function in proto.functions:
        nodes += function.node
    for part in (proto.graph, *proto.graph.value_info, *nodes):
        part.ClearField("doc_string")
        del part.metadata_props[:]
    return proto


def check_onnx(path: Path, model: Classifier, images: np.ndarray) -> dict:
    """Compare an exported file with its network on images.

    Args:
        path: of export_onnx.
        model: the network that was exported.
        images: uint8 (N, px, px).

    Returns:
        images, largest_difference (of probabilities), same_class (share of the images).
    """
    import onnxruntime

    # The exported file.
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    inputs = images[:, None].astype(np.float32) / 255
    exported = session.run([PROBABILITIES], {IMAGES: inputs})[0]

    # The network.
    expected = predict(model, images)
    return {
        "images": len(images),
        "largest_difference": float(np.abs(exported - expected).max()),
        "same_class": float((exported.argmax(1) == expected.argmax(1)).mean()),
    }
