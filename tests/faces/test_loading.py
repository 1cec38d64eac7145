"""From parameters to the images of a study."""

import shutil

import cv2
import numpy as np
import pandas as pd
import pytest

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS, FER2013_CODES
from lib.faces.drawn import drawn_study
from lib.faces.fer2013 import FERPLUS_CLASSES, FERPLUS_OTHERS
from lib.faces.kinds import is_faces
from lib.faces.loading import study_faces
from lib.study.errors import StudyError
from lib.study.params import load_params


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Drawn faces as train/<class>/<row>.png and validation/; row 0 of train is in both."""
    folder = tmp_path_factory.mktemp("photographs")
    faces = drawn_study(70, 0, 35, 0.0, 0)
    parts = faces.table["split"].map({"train": "train", "test": "validation"})
    for row, image in enumerate(faces.images):
        place = folder / parts[row] / faces.table["class"][row]
        place.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(place / f"{row}.png"), image)
    copy = folder / "validation" / faces.table["class"][0] / "copy.png"
    cv2.imwrite(str(copy), faces.images[0])
    return folder


@pytest.fixture(scope="module")
def fer2013(tmp_path_factory):
    """fer2013.csv of 48 rows, and FER+ beside it: contempt for every sixth row, else its code's
    emotion, but nothing for row 1 and no face for row 2.
    """
    folder = tmp_path_factory.mktemp("fer2013")
    pixels = np.random.default_rng(0).integers(0, 256, (48, 64))
    rows = []
    for row, values in enumerate(pixels):
        usage = ("Training", "PublicTest", "PrivateTest")[row // 16]
        rows.append((row % 7, " ".join(map(str, values)), usage))
    table = pd.DataFrame(rows, columns=["emotion", "pixels", "Usage"])
    table.to_csv(folder / "fer2013.csv", index=False)

    word_of = {name: word for word, name in FERPLUS_CLASSES.items()}
    votes = pd.DataFrame(0, index=range(48), columns=[*FERPLUS_CLASSES, *FERPLUS_OTHERS])
    for row in range(48):
        word = "contempt" if row % 6 == 0 else word_of[FER2013_CODES[row % 7]]
        votes.loc[row, word] = 9
    votes.loc[1] = 0
    votes.loc[2] = [0] * len(FERPLUS_CLASSES) + [0, 10]
    votes.to_csv(folder / "fer2013new.csv", index=False)
    return folder / "fer2013.csv"


def params(**changes):
    sizes = {"drawn_train": 60, "drawn_val": 20, "drawn_test": 40}
    return load_params("quick") | {"classes": [], "labels": "own"} | sizes | changes


def sizes_of(faces) -> dict:
    return faces.table["split"].value_counts().to_dict()


def test_drawn_study_follows_its_parameters():
    faces = study_faces(params(drawn_extra=10, image_px=32))
    assert faces.images.shape == (130, 32, 32) and faces.classes == EMOTIONS
    assert sizes_of(faces) == {"train": 60, "val": 20, "test": 40, "extra": 10}
    assert {"cluster", "leaked", "leaked_exact"} <= set(faces.table)
    assert not faces.table["leaked"].any()


def test_a_drawn_study_of_five_emotions():
    five = ["angry", "happy", "neutral", "sad", "surprise"]
    faces = study_faces(params(classes=five))
    assert faces.classes == tuple(five) and set(faces.table["class"]) == set(five)
    with pytest.raises(StudyError, match="drawn faces cannot show 'contempt'"):
        study_faces(params(classes=[*five, "contempt"]))


def test_a_study_of_digits():
    faces = study_faces(params(data="digits", image_px=24, train_limit=300))
    assert faces.classes == tuple("0123456789") and not is_faces(faces)
    assert sizes_of(faces) == {"train": 300, "val": 270, "test": 449}
    assert study_faces(params(data="digits", classes=["1", "7"])).classes == ("1", "7")


def test_folder_is_limited_carved_and_marked(photographs):
    faces = study_faces(params(data=str(photographs), image_px=24))
    assert faces.images.shape == (106, 24, 24) and faces.table["leaked_exact"].sum() == 1
    assert set(faces.table["split"]) == {"train", "test"}
    assert faces.classes == EMOTIONS and set(faces.table["class"]) == set(EMOTIONS)
    carved = sizes_of(study_faces(params(data=str(photographs), val_share=0.2)))
    assert 10 <= carved["val"] <= 18 and carved["train"] + carved["val"] == 70
    small = study_faces(params(data=str(photographs), train_limit=30, test_limit=10))
    assert sizes_of(small) == {"train": 30, "test": 10}


def test_a_folder_is_read_for_the_classes_that_are_asked_for(photographs, capsys):
    faces = study_faces(params(data=str(photographs), classes=["happy", "sad"]))
    assert faces.classes == ("happy", "sad") and set(faces.table["class"]) == {"happy", "sad"}
    assert "in all, are left out: angry (" in capsys.readouterr().out


def test_carving_leaves_a_validation_part_alone(tmp_path, photographs):
    (tmp_path / "data").mkdir()
    for part, source in (("train", "train"), ("test", "validation")):
        (tmp_path / "data" / part).symlink_to(photographs / source)
    shutil.copytree(photographs / "validation", tmp_path / "data" / "val")
    faces = study_faces(params(data=str(tmp_path / "data"), val_share=0.5))
    assert sizes_of(faces) == {"train": 70, "val": 36, "test": 36}


def test_what_is_missing_is_named(tmp_path, photographs):
    with pytest.raises(StudyError, match="give them with --data PATH"):
        study_faces(params(data=""))
    (tmp_path / "train").symlink_to(photographs / "train")
    with pytest.raises(StudyError, match="holds no test images; a study needs both"):
        study_faces(params(data=str(tmp_path)))


def test_own_labels_have_ferplus_beside_them(fer2013):
    faces = study_faces(params(data=str(fer2013)))
    assert faces.classes == EMOTIONS and len(faces) == 48
    assert faces.table["plus_class"].notna().sum() == 48 - 8 - 2


def test_ferplus_labels_are_the_plurality_among_eight_classes(fer2013, capsys):
    faces = study_faces(params(data=str(fer2013), labels="ferplus"))
    assert faces.classes == EIGHT_EMOTIONS and len(faces) == 46
    contempt = faces.table["row"] % 6 == 0
    assert (faces.table["class"] == "contempt").tolist() == contempt.tolist()
    codes = [FER2013_CODES[row % 7] for row in faces.table["row"]]
    assert faces.table["fer2013_class"].tolist() == codes
    assert (faces.table["class"] == faces.table["fer2013_class"])[~contempt].all()
    assert "plus_class" not in faces.table and faces.table["votes_contempt"].max() == 9
    assert "FER+: 2 of 48 images are left out" in capsys.readouterr().out


@pytest.mark.parametrize("classes", [[], ["angry", "sad"]])
def test_a_table_with_a_row_less_has_no_votes(fer2013, tmp_path, capsys, classes):
    lines = fer2013.read_text().splitlines()
    (tmp_path / "fer2013.csv").write_text("\n".join([*lines[:40], *lines[41:]]))
    shutil.copy(fer2013.with_name("fer2013new.csv"), tmp_path)
    faces = study_faces(params(data=str(tmp_path / "fer2013.csv"), classes=classes))
    assert "plus_class" not in faces.table
    assert "FER+ votes are left out: " in (said := capsys.readouterr().out)
    assert "48 rows for 47" in said


def test_classes_are_chosen_among_the_labels_of_ferplus(fer2013, capsys):
    asked = params(data=str(fer2013), labels="ferplus", classes=["contempt", "happy"])
    faces = study_faces(asked)
    assert faces.classes == ("contempt", "happy")
    assert faces.table["class"].value_counts()["contempt"] == 8
    assert "images of other classes, 32 in all, are left out: angry" in capsys.readouterr().out


def test_labels_of_ferplus_need_its_votes(photographs):
    with pytest.raises(StudyError, match="labels: ferplus needs FER.'s fer2013new.csv"):
        study_faces(params(data=str(photographs), labels="ferplus"))


def test_a_class_without_training_images_among_ferplus_labels_is_named(fer2013, tmp_path):
    votes = pd.read_csv(fer2013.with_name("fer2013new.csv"))
    votes.loc[:15, "contempt"] = 0
    votes.to_csv(tmp_path / "votes.csv", index=False)
    asked = params(data=str(fer2013), labels="ferplus", ferplus=str(tmp_path / "votes.csv"))
    with pytest.raises(StudyError, match="no training images of contempt"):
        study_faces(asked)
