"""From parameters to the faces of a study."""

import cv2
import pytest

from lib.faces.drawn import drawn_study
from lib.faces.faceset import CLASSES
from lib.faces.loading import study_faces
from lib.study.errors import StudyError
from lib.study.params import load_params


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """A folder with train/<class>/Training_<row>.jpg and validation/, from drawn faces; row 0 of train stands in validation too."""
    folder = tmp_path_factory.mktemp("photographs")
    faces = drawn_study(70, 0, 35, 0.0, 0)
    for row, (image, name, split) in enumerate(zip(faces.images, faces.table["class"], faces.table["split"])):
        part = folder / {"train": "train", "test": "validation"}[split] / name
        part.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(part / f"{row}.png"), image)
    cv2.imwrite(str(folder / "validation" / faces.table["class"][0] / "again.png"), faces.images[0])
    return folder


def params(**changes):
    return load_params("quick") | {"drawn_train": 60, "drawn_val": 20, "drawn_test": 40} | changes


def test_drawn_study_follows_its_parameters():
    faces = study_faces(params(drawn_extra=10, image_px=32))
    assert faces.images.shape == (130, 32, 32)
    assert faces.table["split"].value_counts().to_dict() == {"train": 60, "val": 20, "test": 40, "extra": 10}
    assert {"cluster", "leaked", "leaked_exact"} <= set(faces.table) and not faces.table["leaked"].any()


def test_folder_is_limited_carved_and_marked(photographs):
    faces = study_faces(params(data=str(photographs), image_px=24))
    assert faces.images.shape == (106, 24, 24) and faces.table["leaked_exact"].sum() == 1
    assert set(faces.table["split"]) == {"train", "test"} and set(faces.table["class"]) == set(CLASSES)
    carved = study_faces(params(data=str(photographs), val_share=0.2))
    assert 10 <= len(carved.split("val")) <= 18 and len(carved.split("train")) + len(carved.split("val")) == 70
    small = study_faces(params(data=str(photographs), train_limit=30, test_limit=10))
    assert len(small.split("train")) == 30 and len(small.split("test")) == 10


def test_carving_leaves_a_validation_part_alone(tmp_path, photographs):
    (tmp_path / "data").mkdir()
    for part, source in (("train", "train"), ("val", "validation"), ("test", "validation")):
        (tmp_path / "data" / part).symlink_to(photographs / source)
    faces = study_faces(params(data=str(tmp_path / "data"), val_share=0.5))
    assert faces.table["split"].value_counts().to_dict() == {"train": 70, "val": 36, "test": 36}


def test_what_is_missing_is_named(tmp_path, photographs):
    with pytest.raises(StudyError, match="give them with --data PATH"):
        study_faces(params(data=""))
    (tmp_path / "train").symlink_to(photographs / "train")
    with pytest.raises(StudyError, match="holds no test images; a study needs both"):
        study_faces(params(data=str(tmp_path)))
