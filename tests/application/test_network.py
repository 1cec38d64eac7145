"""The exported network: what is accepted, what is refused and how, and what 8 bits cost."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from lib.application.evaluation import paired_difference
from lib.application.network import _classes_in, open_network, quantise
from lib.classifiers.export import classes_text, export_onnx
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


# Metadata and answers of networks of other origin.


def _renamed(exported, path, **facts):
    """Copy a network with other metadata."""
    proto = onnx.load(str(exported))
    del proto.metadata_props[:]
    onnx.helper.set_model_props(proto, facts)
    onnx.save(proto, str(path))
    return path


WORDS = ("Anger", "disgusted", "fear", "happiness", "neutral", "sadness", "surprised")


@pytest.mark.parametrize(
    "key, written",
    [
        ("classes", ",".join(WORDS)),
        ("classes", ", ".join(WORDS)),
        ("classes", " ; ".join(WORDS) + ";"),
        ("classes", "\n".join(WORDS)),
        ("classes", json.dumps(WORDS)),
        ("classes", str(list(WORDS))),
        ("classes", str(WORDS)),
        ("labels", json.dumps(WORDS)),
        ("names", str(dict(enumerate(WORDS)))),
        ("id2label", json.dumps({str(i): name for i, name in enumerate(WORDS)})),
        ("id2label", json.dumps({str(i): WORDS[i] for i in (6, 1, 0, 5, 2, 4, 3)})),
        ("id2label", json.dumps({str(i + 1): WORDS[i] for i in (6, 1, 0, 5, 2, 4, 3)})),
        ("labels", json.dumps({WORDS[i]: i for i in (6, 1, 0, 5, 2, 4, 3)})),
        ("labels", "".join(f"{i}: {WORDS[i]}\n" for i in (6, 1, 0, 5, 2, 4, 3))),
        ("labels", "\ufeff" + ",".join(f"{i} {name}" for i, name in enumerate(WORDS))),
        ("labels", "".join(f"- {name}\n" for name in WORDS)),
    ],
)
def test_class_lists_are_understood_however_they_are_written(exported, tmp_path, key, written):
    network = open_network(_renamed(exported, tmp_path / "a.onnx", **{key: written}))
    assert network.classes == EMOTIONS


def test_classes_that_are_no_emotions_stay_as_they_are_written(exported, tmp_path):
    names = tuple("gfedcba")
    path = _renamed(exported, tmp_path / "a.onnx", classes=", ".join(names))
    assert open_network(path).classes == names


@pytest.mark.parametrize(
    "written, said",
    [
        ("", "for 0 classes .its metadata names none"),
        ("angry,happy", "gives 7 numbers for 2 classes"),
        (",".join(["anger", "angry", *EMOTIONS[2:]]), "are not all different"),
        (",".join(["A", "a", *"bcdef"]), "are not all different"),
        (",".join([*EMOTIONS[:6], "background"]), "some are emotions and 'background' is none"),
        (json.dumps([[name] for name in EMOTIONS]), "are no names; write its metadata `classes`"),
        (json.dumps([None, *EMOTIONS[1:]]), "are no names; write its metadata `classes`"),
        ("[" * 5000, "."),
        ("{}", "for 0 classes"),
        (json.dumps({2 * i: name for i, name in enumerate(EMOTIONS)}), "not numbered through"),
        (json.dumps(dict.fromkeys(EMOTIONS, 1)), "not numbered through"),
    ],
)
def test_class_lists_that_cannot_be_are_refused(exported, tmp_path, written, said):
    with pytest.raises(StudyError, match=said) as error:
        open_network(_renamed(exported, tmp_path / "a.onnx", classes=written))
    assert len(str(error.value)) < 12_000


def _constant(path, values, rank=2):
    """Write a network whose answer is one row of values a face, whatever it sees."""
    h = onnx.helper
    row = h.make_tensor("row", onnx.TensorProto.FLOAT, [1, len(values)], values)
    nodes = [
        h.make_node("Flatten", ["images"], ["flat"]),
        h.make_node("ReduceMean", ["flat"], ["mean"], axes=[1], keepdims=1),
        h.make_node("Mul", ["mean", "zero"], ["none"]),
        h.make_node("Add", ["none", "row"], ["answer"]),
    ]
    zero = h.make_tensor("zero", onnx.TensorProto.FLOAT, [1], [0.0])
    shapes = {"images": [None, 1, 48, 48], "answer": [None] * rank}
    images, answer = (
        h.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in shapes.items()
    )
    graph = h.make_graph(nodes, "g", [images], [answer], [row, zero])
    model = h.make_model(graph, opset_imports=[h.make_opsetid("", 11)], ir_version=8)
    h.set_model_props(model, {"classes": ",".join(EMOTIONS)})
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_an_answer_that_is_no_number_is_an_error(tmp_path, bad):
    with pytest.raises(StudyError, match=r"gives numbers that are none \(NaN\) for 2 of 2 faces"):
        open_network(_constant(tmp_path / "nan.onnx", [0.1] * 6 + [bad]))


def test_an_answer_that_is_no_number_for_some_faces_is_an_error(exported, tmp_path):
    # A weight that overflows for bright faces alone.
    path = tmp_path / "log.onnx"
    h = onnx.helper
    model = onnx.load(str(_constant(path, [0.0] * 7)))
    limit = h.make_tensor("limit", onnx.TensorProto.FLOAT, [1], [0.9])
    model.graph.initializer.append(limit)
    model.graph.node[2].CopyFrom(h.make_node("Sub", ["limit", "mean"], ["below"]))
    model.graph.node.insert(3, h.make_node("Sqrt", ["below"], ["none"]))
    onnx.save(model, str(path))
    network = open_network(path)
    assert network.classify(np.zeros((2, 48, 48), np.uint8)).shape == (2, 7)
    faces = np.zeros((3, 48, 48), np.uint8)
    faces[1] = 255
    with pytest.raises(StudyError, match="for 1 of 3 faces; it is damaged"):
        network.classify(faces)


def test_logits_become_probabilities_and_that_is_said(tmp_path, capsys):
    network = open_network(_constant(tmp_path / "a.onnx", [1.0, 2, 3, 4, 5, -6, 7]))
    assert "a.onnx: its numbers are no probabilities; they are taken as logits" in (
        capsys.readouterr().out
    )
    given = network.classify(np.zeros((2, 48, 48), np.uint8))
    assert np.allclose(given.sum(1), 1) and (given.argmax(1) == 6).all()


def test_probabilities_stay_as_they_are(exported, images, tmp_path, capsys):
    small = quantise(exported, tmp_path / "int8.onnx", images[:64])
    for path in (exported, small):
        open_network(path)
    assert "logits" not in capsys.readouterr().out


def test_no_faces_have_no_answers(exported):
    assert open_network(exported).classify(np.zeros((0, 48, 48), np.uint8)).shape == (0, 7)


@pytest.mark.parametrize(
    "content, said",
    [
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"", "is empty"),
        (b"<!DOCTYPE html>", "web page"),
        (b"PK\x03\x04" + bytes(30), "zip file"),
    ],
)
def test_a_model_that_is_something_else_is_named_with_its_way_out(tmp_path, content, said):
    (tmp_path / "a.onnx").write_bytes(content)
    with pytest.raises(StudyError, match=f"is not an ONNX file that runs here .*{said}"):
        open_network(tmp_path / "a.onnx")


def test_a_network_of_huge_faces_is_refused_before_one_is_made(tmp_path):
    with pytest.raises(StudyError, match="have 200000 pixels a side, expected 8 to 1024"):
        open_network(_onnx(tmp_path / "x.onnx", [None, 1, 200_000, 200_000]))


@pytest.mark.parametrize(
    "classes",
    [
        ("0 a", "1 b"),
        ("- a", "b"),
        ("\ufeffa", "b"),
        ("a,b", "c"),
        ("a;b", "c"),
        ("[a", "b]"),
        ("{}", "()"),
        ('"a"', "'b'"),
        ("1", "2"),
        ("ä", "ß"),
    ],
)
def test_every_name_of_a_class_is_read_as_it_was_written(classes):
    assert _classes_in({"classes": classes_text(classes)}, Path("a.onnx")) == classes
