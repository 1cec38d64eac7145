"""Faces in Parquet: every kind of column and layout of the hub, every damaged one with a sentence."""

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from lib.faces.classes import EMOTIONS, FER2013_CODES
from lib.faces.sources import read_faces
from lib.study.errors import StudyError

PX = 8


def image(number):
    return np.random.default_rng(number).integers(0, 256, (PX, PX), dtype=np.uint8)


def png(number):
    buffer = io.BytesIO()
    Image.fromarray(image(number)).save(buffer, "PNG")
    return buffer.getvalue()


def parquet(path, labels, *, names=None, struct=True, column="image"):
    """Write pictures and labels as Hugging Face does; `names` are those of the metadata."""
    pictures = [png(i) for i in range(len(labels))]
    cells = [{"bytes": data, "path": None} for data in pictures] if struct else pictures
    table = pa.table({column: cells, "label": labels})
    if names:
        features = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(features)})
    pa.parquet.write_table(table, path)
    return path


@pytest.mark.parametrize("struct", [True, False])
def test_parquet_with_names_in_its_metadata(tmp_path, struct, capsys):
    names = list(EMOTIONS[::-1])
    for part in ("train", "test"):
        file = tmp_path / f"{part}-00000-of-00001.parquet"
        parquet(file, list(range(7)), names=names, struct=struct)
    faces = read_faces(tmp_path, px=PX).split("train")
    assert faces.table["class"].tolist() == names and (faces.images[2] == image(2)).all()
    assert capsys.readouterr().out == ""


def test_parquet_with_text_and_with_bare_numbers(tmp_path, capsys):
    text = read_faces(parquet(tmp_path / "train-a.parquet", ["joy", *EMOTIONS]), px=PX)
    assert text.table["class"].tolist() == ["happy", *EMOTIONS]
    assert "joy -> happy" in capsys.readouterr().out
    bare = read_faces(parquet(tmp_path / "train-b.parquet", list(range(7)), struct=False), px=PX)
    assert bare.table["class"].tolist() == list(FER2013_CODES)
    assert "taken as FER2013's codes" in capsys.readouterr().out


def test_parquet_of_other_classes(tmp_path, capsys):
    pets = read_faces(parquet(tmp_path / "train-a.parquet", ["dog", "cat", "dog"]), px=PX)
    assert pets.classes == ("cat", "dog") and pets.labels.tolist() == [1, 0, 1]
    names = ["plane", "cat", "dog"]
    file = parquet(tmp_path / "train-b.parquet", [2, 1, 0, 1], names=names)
    some = read_faces(file, px=PX, classes=["dog", "cat"])
    assert some.table["class"].tolist() == ["dog", "cat", "cat"]
    assert (some.images[2] == image(3)).all()
    assert "other classes, 1 in all, are left out: plane (1)" in capsys.readouterr().out


def test_an_emotion_that_the_metadata_declares_needs_training_images(tmp_path):
    file = parquet(tmp_path / "train-a.parquet", [0, 1], names=["happy", "sad", "fear"])
    with pytest.raises(StudyError, match="no training images of fear"):
        read_faces(file)
    assert read_faces(file, px=PX, classes=["happy", "sad"]).classes == ("happy", "sad")


def test_the_classes_of_several_files_are_those_of_all(tmp_path):
    parquet(tmp_path / "train-a.parquet", ["cat", "dog"])
    parquet(tmp_path / "test-a.parquet", ["cat"])
    assert read_faces(tmp_path, px=PX).classes == ("cat", "dog")


@pytest.mark.parametrize(
    "name, labels, more, message",
    [
        ("train.parquet", [0, 7], {}, "label 7 is none of 0 to 6"),
        ("train.parquet", [0, None], {}, "row 1: has no label"),
        ("faces.parquet", [0, 1], {}, "cannot tell the split from 'faces'"),
        ("train.parquet", [0, 1], {"column": "face"}, "needs a column of pictures"),
    ],
)
def test_bad_parquet(tmp_path, name, labels, more, message):
    with pytest.raises(StudyError, match=message):
        read_faces(parquet(tmp_path / name, labels, **more))


def test_cut_off_parquet(tmp_path):
    path = parquet(tmp_path / "train.parquet", list(range(7)))
    path.write_bytes(path.read_bytes()[:-50])
    with pytest.raises(StudyError, match="not a whole Parquet file"):
        read_faces(path)
