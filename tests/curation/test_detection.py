"""Face detection on drawn faces: found, boxed, cropped, and never without its cascade."""

import cv2
import numpy as np
import pandas as pd
import pytest

from lib.curation.chain import curate
from lib.curation.detection import FaceSettings, choose_face, crop_faces, detect_faces, haar_cascade, reject_faceless
from lib.curation.steps import face_settings
from lib.faces.drawn import draw_faces
from lib.faces.faceset import FaceSet
from lib.study.errors import StudyError
from lib.study.params import load_params

TIGHT = FaceSettings(border_share=0.25, retry_px=96)


@pytest.fixture(scope="module")
def drawings():
    return draw_faces(np.arange(70) % 7, np.arange(70))


@pytest.fixture(scope="module")
def textures():
    rng = np.random.default_rng(0)
    return np.stack(
        [cv2.resize(rng.integers(0, 255, (k, k), dtype=np.uint8), (48, 48), interpolation=cv2.INTER_CUBIC) for k in range(3, 43)]
    )


def test_most_drawn_faces_are_found_and_textures_are_not(drawings, textures):
    assert (detect_faces(drawings.images, TIGHT)["faces"] > 0).mean() > 0.8
    assert (detect_faces(textures, TIGHT)["faces"] > 0).mean() < 0.1


def test_the_border_is_what_makes_tight_crops_detectable(drawings):
    with_border, without = (detect_faces(drawings.images, FaceSettings(border_share=b))["faces"] > 0 for b in (0.25, 0.0))
    assert with_border.mean() > without.mean() + 0.15


def test_boxes_are_in_the_image_s_own_pixels(drawings):
    # A face moved into a larger canvas: the box moves with it, whatever border and enlargement detection used.
    faces = drawings.select(np.flatnonzero(detect_faces(drawings.images, TIGHT)["faces"] > 0)[:20]).images
    canvas = np.stack([cv2.copyMakeBorder(image, 40, 12, 30, 22, cv2.BORDER_REPLICATE) for image in faces])
    near = detect_faces(faces, TIGHT)[["x", "y", "side"]].to_numpy()
    far = detect_faces(canvas, FaceSettings(retry_px=200))[["x", "y", "side"]].to_numpy()
    both = np.isfinite(far[:, 2])
    assert both.sum() >= 12
    assert np.abs(np.median((far - near)[both] - [30, 40, 0], axis=0)).max() < 4


def test_the_result_does_not_depend_on_the_number_of_threads(drawings):
    images = drawings.images.repeat(3, axis=0)
    before = cv2.getNumThreads()
    pd.testing.assert_frame_equal(detect_faces(images, TIGHT, workers=1), detect_faces(images, TIGHT, workers=4))
    assert cv2.getNumThreads() == before


def test_settings_of_s1_are_opencv_s_own_call(drawings):
    own = [haar_cascade().detectMultiScale(image, scaleFactor=1.1, minNeighbors=5, minSize=(30, 30)) for image in drawings.images]
    ours = detect_faces(drawings.images, FaceSettings())
    assert [len(found) > 0 for found in own] == (ours["faces"] > 0).tolist()
    first = next(i for i, found in enumerate(own) if len(found))
    assert own[first][0][:3].tolist() == ours.loc[first, ["x", "y", "side"]].tolist()


def test_first_is_detection_0_and_largest_the_largest():
    found = np.array([[0, 0, 5, 5, 9.0], [1, 1, 8, 8, 3.0], [2, 2, 6, 6, 4.0]])
    assert choose_face(found, "first")[0] == 0 and choose_face(found, "largest")[0] == 1


def test_crop_equals_slicing_and_stays_square_at_the_edge():
    image = np.arange(40 * 40, dtype=np.uint16).reshape(40, 40).astype(np.uint8)[None]
    boxes = pd.DataFrame({"x": [10.0], "y": [4.0], "side": [20.0]})
    assert (crop_faces(image, boxes, px=20)[0] == image[0, 4:24, 10:30]).all()
    over = crop_faces(image, boxes.assign(x=30.0, y=-5.0), px=20)[0]
    assert (over[5:, :10] == image[0, :15, 30:]).all() and (over[:5, 0] == image[0, 0, 30]).all()
    wide = crop_faces(image, boxes, px=28, margin_share=0.2)[0]
    assert (wide == image[0, 0:28, 6:34]).all()
    none = crop_faces(image, boxes.assign(side=np.nan), px=40)[0]
    assert (none == image[0]).all()


def test_verdict_names_the_reason(drawings):
    faces = FaceSet(np.zeros((2, 48, 48), np.uint8), drawings.table.iloc[:2])
    verdicts = reject_faceless(faces, detect_faces(faces.images, TIGHT))
    assert verdicts["reason"].tolist() == ["no face found"] * 2 and verdicts["score"].tolist() == [0, 0]
    assert detect_faces(faces.images[:0], TIGHT).empty


def test_a_face_that_fills_too_little_goes_with_its_share_as_the_reason(drawings):
    boxes = pd.DataFrame({"x": 0.0, "y": 0.0, "side": [40.0, 16.0, np.nan], "score": [9.0, 9.0, 0.0], "faces": [1.0, 1.0, 0.0]})
    verdicts = reject_faceless(drawings.select([0, 1, 2]), boxes, least_share=0.5)
    assert verdicts["reason"].tolist() == ["", "the face fills 0.33 of the image", "no face found"]
    assert reject_faceless(drawings.select([0, 1, 2]), boxes)["keep"].tolist() == [True, True, False]


def test_opencv_5_is_named_with_the_way_out(monkeypatch, tmp_path):
    monkeypatch.setattr(cv2.data, "haarcascades", str(tmp_path))
    with pytest.raises(StudyError, match=r"haarcascade_frontalface_default.xml is missing in OpenCV .*opencv-python 4"):
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
    node = onnx.helper.make_node("Relu", ["input"], ["output"])
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 3, 64, 64]) for name in ("input", "output")]
    graph = onnx.helper.make_graph([node], "relu", ends[:1], ends[1:])
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 12)], ir_version=8), tmp_path / "relu.onnx")
    with pytest.raises(StudyError, match="relu.onnx is not a YuNet"):
        detect_faces(drawings.images, FaceSettings(model=str(tmp_path / "relu.onnx")))


def yunet_like(path, x, y, width, height):
    """Write a network with YuNet's outputs that sees one face at this place in any 64 x 64 image."""
    onnx = pytest.importorskip("onnx")
    helper, numpy_helper, real = onnx.helper, onnx.numpy_helper, onnx.TensorProto.FLOAT
    nodes = [helper.make_node("GlobalAveragePool", ["input"], ["mean"]), helper.make_node("ReduceMean", ["mean"], ["one"], axes=[1],
             keepdims=1),
             helper.make_node("Reshape", ["one", "shape"], ["flat"]), helper.make_node("Mul", ["flat", "zero"], ["nothing"])]  # fmt: skip
    constants = {"shape": np.array([1, 1, 1]), "zero": np.zeros((1, 1, 1), np.float32)}
    outputs = []
    for kind, channels in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
        for stride in (8, 16, 32):
            values = np.zeros((1, (64 // stride) ** 2, channels), np.float32)
            if stride == 8:  # cell 0 alone is sure; its box is decoded relative to the cell
                values[0, 0] = {
                    "cls": 1.0,
                    "obj": 1.0,
                    "bbox": [(x + width / 2) / 8, (y + height / 2) / 8, np.log(width / 8), np.log(height / 8)],
                    "kps": 0.0,
                }[kind]
            constants[f"c_{kind}_{stride}"] = values
            nodes.append(helper.make_node("Add", ["nothing", f"c_{kind}_{stride}"], [f"{kind}_{stride}"]))
            outputs.append(helper.make_tensor_value_info(f"{kind}_{stride}", real, list(values.shape)))
    given = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "yunet", [helper.make_tensor_value_info("input", real, [1, 3, 64, 64])], outputs, given)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=8), path)


def test_yunet_s_boxes_are_made_square_around_their_centre(tmp_path):
    yunet_like(tmp_path / "yunet.onnx", x=10, y=20, width=24, height=32)
    found = detect_faces(np.zeros((3, 64, 64), np.uint8), FaceSettings(model=str(tmp_path / "yunet.onnx")))
    assert (found["faces"] == 1).all() and np.allclose(found["score"], 1.0)
    assert np.allclose(found[["x", "y", "side"]], [6, 20, 32], atol=1e-3)


def test_the_pool_of_s1_is_curated_to_the_letter():
    params = load_params("quick", pool="stable")
    assert params["curation_steps"] == ["face"] and face_settings(params) == FaceSettings(1.1, 5, 30, 0.0, 0, "first", "")
    assert (params["face_crop"], params["face_crop_px"], params["face_margin_share"], params["face_least_share"]) == (True, 64, 0.0, 0.0)
    face = draw_faces([3, 6], [5, 8], px=256, zoom=0.5)
    x, y, side = (int(v) for v in haar_cascade().detectMultiScale(face.images[0], scaleFactor=1.1, minNeighbors=5, minSize=(30, 30))[0][:3])
    expected = cv2.resize(face.images[0][y : y + side, x : x + side], (64, 64))
    assert (curate(face, ["face"], params).faces.images[0] == expected).all()
