"""Face detection on drawn faces: found, boxed, cropped, and never without its cascade."""

from functools import partial

import cv2
import numpy as np
import pandas as pd
import pytest

from lib.curation.chain import curate
from lib.curation.detection import (
    FaceSettings,
    choose_face,
    crop_faces,
    detect_faces,
    haar_cascade,
    reject_faceless,
)
from lib.curation.steps import face_settings
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.params import load_params

TIGHT = FaceSettings(border_share=0.25, retry_px=96)
S1_CALL = {"scaleFactor": 1.1, "minNeighbors": 5, "minSize": (30, 30)}  # arguments of OpenCV


@pytest.fixture(scope="module")
def drawings():
    return draw_faces(np.arange(70) % 7, np.arange(70))


@pytest.fixture(scope="module")
def textures():
    rng = np.random.default_rng(0)
    images = []
    for cells in range(3, 43):
        small = rng.integers(0, 255, (cells, cells), dtype=np.uint8)
        images.append(cv2.resize(small, (48, 48), interpolation=cv2.INTER_CUBIC))
    return np.stack(images)


def found(images, settings):
    """Whether a face was found, bool (N,)."""
    return (detect_faces(images, settings)["faces"] > 0).to_numpy()


def test_most_drawn_faces_are_found_and_textures_are_not(drawings, textures):
    assert found(drawings.images, TIGHT).mean() > 0.8
    assert found(textures, TIGHT).mean() < 0.1


def test_the_border_is_what_makes_tight_crops_detectable(drawings):
    with_border = found(drawings.images, FaceSettings(border_share=0.25)).mean()
    without = found(drawings.images, FaceSettings()).mean()
    assert with_border > without + 0.15


def test_boxes_are_in_the_image_s_own_pixels(drawings):
    # A face moved into a larger canvas: the box moves with it, whatever border and enlargement
    # detection used.
    faces = drawings.images[found(drawings.images, TIGHT)][:20]
    canvas = np.stack(
        [cv2.copyMakeBorder(image, 40, 12, 30, 22, cv2.BORDER_REPLICATE) for image in faces]
    )
    near = detect_faces(faces, TIGHT)[["x", "y", "side"]].to_numpy()
    far = detect_faces(canvas, FaceSettings(retry_px=200))[["x", "y", "side"]].to_numpy()
    both = np.isfinite(far[:, 2])
    assert both.sum() >= 12
    assert np.abs(np.median((far - near)[both] - [30, 40, 0], axis=0)).max() < 4


def test_the_result_does_not_depend_on_the_number_of_threads(drawings, monkeypatch):
    images = drawings.images.repeat(3, axis=0)
    before = cv2.getNumThreads()
    found = []
    for threads in (1, 4):
        monkeypatch.setattr("lib.curation.detection.own_threads", partial(int, threads))
        found.append(detect_faces(images, TIGHT))
    pd.testing.assert_frame_equal(*found)
    assert cv2.getNumThreads() == before


def test_settings_of_s1_are_opencv_s_own_call(drawings):
    expected = [haar_cascade().detectMultiScale(image, **S1_CALL) for image in drawings.images]
    table = detect_faces(drawings.images, FaceSettings())
    assert [len(boxes) > 0 for boxes in expected] == (table["faces"] > 0).tolist()
    first = next(i for i, boxes in enumerate(expected) if len(boxes))
    assert expected[first][0][:3].tolist() == table.loc[first, ["x", "y", "side"]].tolist()


def test_first_is_detection_0_and_largest_the_largest():
    detections = np.array([[0, 0, 5, 5, 9.0], [1, 1, 8, 8, 3.0], [2, 2, 6, 6, 4.0]])
    assert choose_face(detections, "first")[0] == 0
    assert choose_face(detections, "largest")[0] == 1


def test_a_crop_equals_slicing_and_stays_square_at_the_edge():
    image = np.arange(40 * 40, dtype=np.uint16).reshape(40, 40).astype(np.uint8)[None]
    boxes = pd.DataFrame({"x": [10.0], "y": [4.0], "side": [20.0]})
    assert (crop_faces(image, boxes, px=20)[0] == image[0, 4:24, 10:30]).all()
    beyond = crop_faces(image, boxes.assign(x=30.0, y=-5.0), px=20)[0]
    assert (beyond[5:, :10] == image[0, :15, 30:]).all()
    assert (beyond[:5, 0] == image[0, 0, 30]).all()


def test_a_crop_can_be_wider_than_the_box_and_without_a_face_is_the_whole_image():
    image = np.arange(40 * 40, dtype=np.uint16).reshape(40, 40).astype(np.uint8)[None]
    boxes = pd.DataFrame({"x": [10.0], "y": [4.0], "side": [20.0]})
    wide = crop_faces(image, boxes, px=28, margin_share=0.2)[0]
    assert (wide == image[0, 0:28, 6:34]).all()
    whole = crop_faces(image, boxes.assign(side=np.nan), px=40)[0]
    assert (whole == image[0]).all()


def test_the_verdict_names_the_reason(drawings):
    faces = FaceSet(np.zeros((2, 48, 48), np.uint8), drawings.table.iloc[:2])
    verdicts = reject_faceless(faces, detect_faces(faces.images, TIGHT))
    assert verdicts["reason"].tolist() == ["no face found"] * 2
    assert verdicts["score"].tolist() == [0, 0]
    assert detect_faces(faces.images[:0], TIGHT).empty


def test_a_face_that_fills_too_little_is_rejected_with_its_share_as_the_reason(drawings):
    columns = {
        "x": 0.0,
        "y": 0.0,
        "side": [40.0, 16.0, np.nan],
        "score": [9.0, 9.0, 0.0],
        "faces": [1.0, 1.0, 0.0],
    }
    boxes = pd.DataFrame(columns)
    faces = drawings.select([0, 1, 2])
    verdicts = reject_faceless(faces, boxes, least_share=0.5)
    assert verdicts["reason"].tolist() == ["", "the face fills 0.33 of the image", "no face found"]
    assert reject_faceless(faces, boxes)["keep"].tolist() == [True, True, False]


def test_opencv_5_is_named_with_the_version_to_install(monkeypatch, tmp_path):
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    missing_file = r"haarcascade_frontalface_default.xml is missing in OpenCV .*opencv-python 4"
    with pytest.raises(StudyError, match=missing_file):
        haar_cascade()
    monkeypatch.delattr(cv2, "CascadeClassifier")
    with pytest.raises(StudyError, match=r"cv2.CascadeClassifier is missing.*opencv-python 4"):
        haar_cascade()


@pytest.mark.parametrize("content", [None, b"", b"not a network", b"\x08\x07" * 50])
def test_a_file_that_is_not_yunet_is_explained(drawings, tmp_path, content):
    path = tmp_path / "yunet.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StudyError, match="face_model: .*yunet.onnx.*(no file|not a YuNet)"):
        detect_faces(drawings.images, FaceSettings(model=str(path)))


def test_a_network_that_is_not_yunet_is_explained(drawings, tmp_path):
    onnx = pytest.importorskip("onnx")
    path = tmp_path / "relu.onnx"
    shape = [1, 3, 64, 64]
    node = onnx.helper.make_node("Relu", ["input"], ["output"])
    given = onnx.helper.make_tensor_value_info("input", onnx.TensorProto.FLOAT, shape)
    result = onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, shape)
    save_network(path, [node], [given], [result])
    with pytest.raises(StudyError, match="relu.onnx is not a YuNet"):
        detect_faces(drawings.images, FaceSettings(model=str(path)))


def test_yunet_s_boxes_are_made_square_around_their_centre(tmp_path):
    path = tmp_path / "yunet.onnx"
    yunet_like(path, x=10, y=20, width=24, height=32)
    table = detect_faces(np.zeros((3, 64, 64), np.uint8), FaceSettings(model=str(path)))
    assert (table["faces"] == 1).all() and np.allclose(table["score"], 1.0)
    assert np.allclose(table[["x", "y", "side"]], [6, 20, 32], atol=1e-3)


def test_the_pool_of_s1_is_curated_to_the_letter():
    params = load_params("quick", pool="stable")
    assert params["curation_steps"] == ["face"]
    assert face_settings(params) == FaceSettings(1.1, 5, 30, 0.0, 0, "first", "")
    crop = {"face_crop": True, "face_crop_px": 64, "face_margin_share": 0.0}
    assert {key: params[key] for key in crop} == crop
    assert params["face_least_share"] == 0.0

    face = draw_faces([3, 6], [5, 8], px=256, zoom=0.5)
    box = haar_cascade().detectMultiScale(face.images[0], **S1_CALL)[0]
    x, y, side = (int(value) for value in box[:3])
    expected = cv2.resize(face.images[0][y : y + side, x : x + side], (64, 64))
    assert (curate(face, ["face"], params).faces.images[0] == expected).all()


def yunet_like(path, x, y, width, height):
    """Write a network with YuNet's outputs that sees one face here in any 64 x 64 image."""
    onnx = pytest.importorskip("onnx")
    node, real = onnx.helper.make_node, onnx.TensorProto.FLOAT
    # A zero that depends on the input, to which constant outputs are added.
    nodes = [
        node("GlobalAveragePool", ["input"], ["mean"]),
        node("ReduceMean", ["mean"], ["one"], axes=[1], keepdims=1),
        node("Reshape", ["one", "shape"], ["flat"]),
        node("Mul", ["flat", "zero"], ["nothing"]),
    ]
    constants = {"shape": np.array([1, 1, 1]), "zero": np.zeros((1, 1, 1), np.float32)}

    # Cell 0 of the finest grid alone is sure; its box is decoded relative to the cell.
    centre = [(x + width / 2) / 8, (y + height / 2) / 8]
    box = [*centre, np.log(width / 8), np.log(height / 8)]
    first_cell = {"cls": [1.0], "obj": [1.0], "bbox": box, "kps": [0.0] * 10}
    outputs = []
    for kind, cell in first_cell.items():
        for stride in (8, 16, 32):
            values = np.zeros((1, (64 // stride) ** 2, len(cell)), np.float32)
            if stride == 8:
                values[0, 0] = cell
            name = f"{kind}_{stride}"
            constants[f"c_{name}"] = values
            nodes.append(node("Add", ["nothing", f"c_{name}"], [name]))
            outputs.append(onnx.helper.make_tensor_value_info(name, real, list(values.shape)))
    given = onnx.helper.make_tensor_value_info("input", real, [1, 3, 64, 64])
    save_network(path, nodes, [given], outputs, constants)


def save_network(path, nodes, inputs, outputs, constants=None):
    """Write an ONNX file that OpenCV reads."""
    import onnx

    arrays = (constants or {}).items()
    tensors = [onnx.numpy_helper.from_array(array, name) for name, array in arrays]
    graph = onnx.helper.make_graph(nodes, "network", inputs, outputs, tensors)
    opset = [onnx.helper.make_opsetid("", 12)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8), path)
