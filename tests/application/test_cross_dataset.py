"""Cross-dataset evaluation: names are mapped with a message, unknown ones are left out with one."""

import cv2
import numpy as np
import pandas as pd
import pytest
import torch

from lib.application.command import main
from lib.application.cross_dataset import class_accuracy, read_labelled
from lib.application.network import Network
from lib.classifiers.export import export_onnx
from lib.classifiers.models import build_classifier
from lib.faces.classes import EMOTIONS
from lib.faces.drawn import draw_faces
from lib.study.errors import StudyError

HAPPY = Network(
    lambda images: np.tile(np.eye(7, dtype=np.float32)[3], (len(images), 1)), 48, EMOTIONS, {}
)


@pytest.fixture
def folder(tmp_path):
    """Another data set: other names and sizes, a class that is none here, a damaged file."""
    faces = draw_faces(np.arange(8) % 4, np.arange(8), px=100)
    for name, rows in {
        "test/Happiness": (3, 7),
        "test/anger": (0, 4),
        "test/contempt": (1,),
        "test/surprised": (2, 6),
    }.items():
        (tmp_path / "set" / name).mkdir(parents=True)
        for row in rows:
            cv2.imwrite(str(tmp_path / "set" / name / f"{row}.png"), faces.images[row])
    broken = tmp_path / "set" / "test" / "anger" / "4.png"
    broken.write_bytes(broken.read_bytes()[:200])
    return tmp_path / "set"


def test_names_are_mapped_and_the_rest_is_left_out_with_a_message(folder, capsys):
    faces = read_labelled(folder, px=48, classes=EMOTIONS)
    assert faces.counts()[["angry", "happy", "surprise"]].tolist() == [
        1,
        2,
        2,
    ] and faces.images.shape == (5, 48, 48)
    said = capsys.readouterr().out
    assert "Happiness -> happy" in said and "anger -> angry" in said
    assert "contempt (1)" in said and "4.png: the picture is damaged" in said


def test_accuracy_by_class_has_an_interval_and_says_what_a_class_is_taken_for(folder):
    table = class_accuracy(HAPPY, read_labelled(folder, px=48, classes=EMOTIONS)).set_index("class")
    assert list(table.index) == ["angry", "happy", "surprise", "all"]
    assert table["accuracy"].tolist() == [0, 1, 0, 0.4] and table["n"].tolist() == [1, 2, 2, 5]
    assert (
        table.loc["angry", "most often taken for"] == "happy"
        and table.loc["happy", "most often taken for"] == ""
    )
    assert ((table["low"] <= table["accuracy"]) & (table["accuracy"] <= table["high"])).all()


def test_the_face_is_cut_out_of_a_larger_picture(tmp_path):
    face = draw_faces(np.array([3]), np.array([3]), px=150).images[0]
    scene = np.full((400, 500), 120, np.uint8)
    scene[200:350, 300:450] = face
    (tmp_path / "happy").mkdir()
    cv2.imwrite(str(tmp_path / "happy" / "0.png"), scene)
    whole, cut = (
        read_labelled(tmp_path, px=48, classes=EMOTIONS, find_faces=find).images[0]
        for find in (False, True)
    )
    near = cv2.resize(face[20:, 13:137], (48, 48), interpolation=cv2.INTER_AREA).astype(int)
    assert (
        np.corrcoef(cut.ravel(), near.ravel())[0, 1]
        > 0.4
        > np.corrcoef(whole.ravel(), near.ravel())[0, 1] + 0.2
    )


def test_a_folder_without_classes_is_refused(tmp_path):
    (tmp_path / "holiday").mkdir()
    cv2.imwrite(str(tmp_path / "holiday" / "0.png"), np.zeros((20, 20), np.uint8))
    with pytest.raises(StudyError, match="holds no pictures of angry.*; its classes are holiday"):
        read_labelled(tmp_path, px=48, classes=EMOTIONS)


def test_the_command_evaluates_and_leaves_a_table(folder, tmp_path, capsys):
    torch.manual_seed(0)
    model = export_onnx(
        build_classifier("small", classes=7).eval(),
        tmp_path / "m.onnx",
        image_px=48,
        classes=EMOTIONS,
        metadata={},
    )
    assert (
        main(["--evaluate", str(folder), "--model", str(model), "--output", str(tmp_path / "out")])
        == 0
    )
    assert pd.read_csv(tmp_path / "out" / "evaluation.csv")["n"].tolist() == [1, 2, 2, 5]
    assert "95% intervals" in capsys.readouterr().out
    assert main(["--evaluate", str(tmp_path / "none"), "--model", str(model)]) == 1
    assert "no such file or folder" in capsys.readouterr().err
