"""The exported network: what is accepted, what is refused and how, and what 8 bits cost."""

import numpy as np
import onnx
import pytest
import torch

from lib.application.evaluation import paired_difference
from lib.application.network import open_network, quantise
from lib.classifiers.export import export_onnx
from lib.classifiers.models import build_classifier
from lib.faces.classes import EMOTIONS
from lib.study.errors import StudyError


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """A small network with random weights as ONNX."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("network")
    return export_onnx(
        build_classifier("small", classes=7).eval(),
        folder / "small.onnx",
        image_px=48,
        classes=EMOTIONS,
        metadata={"arm": "base"},
    )


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (200, 48, 48), dtype=np.uint8)


def test_it_knows_its_input_and_classes_and_answers_any_number_of_faces(exported, images):
    network = open_network(exported)
    assert (network.image_px, network.classes, network.facts["arm"]) == (48, EMOTIONS, "base")
    whole = network.classify(images)
    assert whole.shape == (200, 7) and np.allclose(whole.sum(1), 1, atol=1e-5)
    assert np.allclose(network.classify(images[:1]), whole[:1], atol=1e-5)


def test_eight_bits_are_smaller_keep_the_metadata_and_nearly_the_answer(exported, images, tmp_path):
    small = quantise(exported, tmp_path / "int8.onnx", images[:128])
    assert small.stat().st_size < 0.45 * exported.stat().st_size
    a, b = open_network(exported), open_network(small)
    assert b.facts["arm"] == "base" and "int8" in b.facts["quantised"]
    assert np.abs(a.classify(images) - b.classify(images)).max() < 0.05
    assert [p.name for p in tmp_path.iterdir()] == ["int8.onnx"]


def _onnx(path, shape, width=7):
    """Write a network that averages its input into `width` equal numbers."""
    h = onnx.helper
    nodes = [
        h.make_node("ReduceMean", ["x"], ["m"], axes=[1, 2, 3], keepdims=0),
        h.make_node("Unsqueeze", ["m"], ["u"], axes=[1]),
        h.make_node("Concat", ["u"] * width, ["y"], axis=1),
    ]
    ends = [
        h.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s)
        for n, s in (("x", shape), ("y", [None, width]))
    ]
    model = h.make_model(
        h.make_graph(nodes, "g", ends[:1], ends[1:]),
        opset_imports=[h.make_opsetid("", 11)],
        ir_version=8,
    )
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize(
    "shape, width, said",
    [
        ([None, 3, 48, 48], 7, "one grey face"),
        ([None, 1, 48, 64], 7, "one grey face"),
        ([1, 1, 48, 48], 7, "dynamic batch"),
        ([None, 1, 48, 48], 5, "5 numbers for 0 classes"),
    ],
)
def test_a_network_of_another_shape_is_refused_with_its_shape(tmp_path, shape, width, said):
    with pytest.raises(StudyError, match=said):
        open_network(_onnx(tmp_path / "x.onnx", shape, width))


def test_a_missing_file_a_pickle_and_a_file_cut_off_are_refused(tmp_path, exported):
    with pytest.raises(StudyError, match="no such file"):
        open_network(tmp_path / "none.onnx")
    (tmp_path / "model.pt").write_bytes(b"\x80\x04not a network")
    (tmp_path / "half.onnx").write_bytes(exported.read_bytes()[:5000])
    for name in ("model.pt", "half.onnx"):
        with pytest.raises(StudyError, match="is not an ONNX file"):
            open_network(tmp_path / name)


def test_the_loss_is_paired_by_image_and_never_certain():
    before = np.random.default_rng(0).random(4000) < 0.6
    after = before ^ (np.arange(4000) % 100 == 0)
    change, low, high = paired_difference(before, after)
    assert change == after.mean() - before.mean() and low < change < high
    assert (
        high - low < 0.25 * np.sqrt(0.6 * 0.4 * 2 / 4000) * 1.96 * 2
    )  # four times narrower than unpaired
    assert (
        paired_difference(before, before)[0] == 0
        and -0.01 < paired_difference(before, before)[1] < 0
    )
