"""A network as an ONNX file holds it, for tests of whoever reads such files."""

import numpy as np
import onnx


def tiny_network(classes: tuple[str, ...]):
    """Make a network of one layer for faces of 8 x 8 pixels: onnx.ModelProto."""
    h, floats = onnx.helper, onnx.TensorProto.FLOAT
    nodes = [
        h.make_node("Flatten", ["images"], ["flat"]),
        h.make_node("Gemm", ["flat", "weight", "bias"], ["scores"]),
        h.make_node("Softmax", ["scores"], ["answer"], axis=1),
    ]
    rng = np.random.default_rng(0)
    weight = h.make_tensor("weight", floats, [64, len(classes)], rng.normal(size=64 * len(classes)))
    bias = h.make_tensor("bias", floats, [len(classes)], rng.normal(size=len(classes)))
    ends = [
        h.make_tensor_value_info(name, floats, shape)
        for name, shape in (("images", [None, 1, 8, 8]), ("answer", [None, len(classes)]))
    ]
    graph = h.make_graph(nodes, "g", ends[:1], ends[1:], [weight, bias])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 13)], ir_version=8)
    h.set_model_props(model, {"classes": ",".join(classes)})
    return model
