"""Faces in Parquet: every kind of column and layout of the hub; damage is a sentence."""

import io
import json
import shutil

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


def table(path, **columns):
    path.parent.mkdir(parents=True, exist_ok=True)
    pa.parquet.write_table(pa.table(columns), path)
    return path


@pytest.mark.parametrize(
    "layout",
    [
        "default/{split}/0000.parquet",
        "default/partial-{split}/0000.parquet",
        "data/{split}-00000-of-00001.parquet",
        "{split}.parquet",
        "fer2013_{split}.parquet",
        "{split}_set/part.parquet",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_layouts_of_the_hub(tmp_path, layout, packed):
    for split in ("train", "validation", "test"):
        place = tmp_path / "data" / layout.format(split=split)
        place.parent.mkdir(parents=True, exist_ok=True)
        parquet(place, ["happy", "sad"])
    source = tmp_path / "data"
    if packed:
        source = shutil.make_archive(str(source), "zip", source)
    faces = read_faces(source, px=PX)
    assert faces.table["split"].value_counts().to_dict() == {"train": 2, "val": 2, "test": 2}
    assert faces.table["id"].is_unique


def test_several_configurations_of_one_data_set_are_not_mixed(tmp_path):
    for name in ("default", "cropped"):
        (tmp_path / name / "train").mkdir(parents=True)
        parquet(tmp_path / name / "train" / "0000.parquet", ["happy", "sad"])
    with pytest.raises(StudyError, match="several folders .cropped, default., as the config"):
        read_faces(tmp_path)
    assert len(read_faces(tmp_path / "cropped")) == 2


def test_other_parquet_beside_the_pictures_is_left_out(tmp_path, capsys):
    parquet(tmp_path / "train.parquet", ["happy", "sad"])
    table(tmp_path / "scores.parquet", name=["a"], score=[1.0])
    assert len(read_faces(tmp_path)) == 2
    assert "scores.parquet 1" in capsys.readouterr().out


def test_pictures_as_grey_values(tmp_path):
    images = [image(n) for n in range(4)]
    kinds = ["happy", "sad", "happy", "sad"]
    ways = {
        "lists": [one.tolist() for one in images],
        "flat": [one.ravel().tolist() for one in images],
        "text": [" ".join(map(str, one.ravel())) for one in images],
        "fractions": [one.astype(float).tolist() for one in images],
        "colour": [np.dstack([one] * 3).tolist() for one in images],
    }
    for way, cells in ways.items():
        path = table(tmp_path / way / "train.parquet", image=cells, label=kinds)
        assert (read_faces(path, px=PX).images == images).all(), way


@pytest.mark.parametrize(
    "cell, message",
    [
        ({"bytes": None, "path": "1.jpg"}, "holds only text .'1.jpg'.*such as a path, and no pict"),
        ("images/1.jpg", "holds only text .'images/1.jpg'"),
        ({"bytes": b"", "path": None}, "has no picture; remove the row"),
        (None, "has no picture"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"no picture", "not a picture"),
        ([1, 2, 3], "no square picture"),
        ([[1, 2], [3]], "of different lengths"),
        ([[1, 2], [3, 256]], "no grey levels of 0 to 255"),
        ([[0.5, 1.0], [0.0, 0.1]], "no grey levels of 0 to 255"),
        ([[[[1]]]], "no square picture"),
        ([[]], "has no picture; remove the row"),
        ([["a", "b"]], "or hold no numbers"),
        ({"data": b"x"}, "holds data in place of a picture's bytes and path"),
        ("1 2 3 x", "not a number: 'x'"),
        ("1 2 3 400", "a pixel of 400"),
        (7, "holds int in place of a picture"),
    ],
)
def test_cells_that_hold_no_picture_are_named_by_row_and_cause(tmp_path, cell, message):
    path = table(tmp_path / "train.parquet", image=[cell, cell], label=["happy", "sad"])
    with pytest.raises(StudyError, match=f"train.parquet, row [01].*{message}"):
        read_faces(path)


@pytest.mark.parametrize(
    "labels, message",
    [
        ([0, -1], "row 1: label -1 marks a row without a label, as test sets on the hub"),
        ([0.0, float("nan")], "row 1: has no label"),
        ([0.5, 1.0], "row 0: label 0.5 is none of 0 to 6"),
        ([[1, 0], [0, 1]], "row 0: its label is ..1, 0.., expected one name or one number"),
        (["happy", ""], "row 1: has no label"),
        ([True, False], "row 0: its label is 'True', expected one name or one number"),
        ([b"happy", b"sad"], "row 0: its label is .*expected one name or one number"),
    ],
)
def test_labels_that_are_none_are_named(tmp_path, labels, message):
    path = table(tmp_path / "train.parquet", image=[png(0), png(1)], label=labels)
    with pytest.raises(StudyError, match=message):
        read_faces(path)


def test_whole_numbers_as_fractions_are_codes(tmp_path):
    path = table(tmp_path / "train.parquet", image=[png(0), png(1)], label=[3.0, 4.0])
    faces = read_faces(path, px=PX, classes=["happy", "sad"])
    assert faces.table["class"].tolist() == ["happy", "sad"]


@pytest.mark.parametrize("names", ["angry", [1, 2], [None], {"a": "b"}, ["happy", "happy"]])
def test_names_in_the_metadata_that_are_none_are_not_believed(tmp_path, names, capsys):
    path = parquet(tmp_path / "train.parquet", [3, 4], names=names)
    read_faces(path, classes=["happy", "sad"])
    assert "taken as FER2013's codes" in capsys.readouterr().out


def test_names_by_number_are_believed_and_metadata_that_never_end_are_not(tmp_path, capsys):
    names = {"0": "happy", "1": "sad"}
    faces = read_faces(parquet(tmp_path / "train.parquet", [0, 1], names=names))
    assert faces.table["class"].tolist() == ["happy", "sad"]
    path = table(tmp_path / "test.parquet", image=[png(0), png(1)], label=[3, 4])
    deep = pa.parquet.read_table(path).replace_schema_metadata({"huggingface": "[" * 100_000})
    pa.parquet.write_table(deep, path)
    assert read_faces(path, classes=["happy", "sad"]).classes == ("happy", "sad")
    assert "taken as FER2013's codes" in capsys.readouterr().out


def test_numbers_of_one_file_are_not_read_by_the_names_of_another(tmp_path):
    parquet(tmp_path / "train.parquet", [0, 1], names=["happy", "sad"])
    parquet(tmp_path / "test.parquet", [3, 4])
    with pytest.raises(StudyError, match="test.parquet: its labels are numbers without names"):
        read_faces(tmp_path)


def test_a_column_of_splits_that_says_nothing_leaves_it_to_the_name_of_the_file(tmp_path):
    columns = {"image": [png(0), png(1)], "label": ["happy", "sad"]}
    path = table(tmp_path / "train.parquet", **columns, split=[None, None])
    assert read_faces(path, px=PX).table["split"].eq("train").all()
    path = table(tmp_path / "train.parquet", **columns, split=["train", "7"])
    with pytest.raises(StudyError, match="row 1: its split is '7', expected train"):
        read_faces(path)


def test_two_columns_of_one_name_are_ambiguous(tmp_path):
    columns = {"Image": [png(0), png(1)], "image": [png(2), png(3)], "label": ["happy", "sad"]}
    with pytest.raises(StudyError, match="column 'image' stands in it twice"):
        read_faces(table(tmp_path / "train.parquet", **columns))


def test_many_columns_are_not_all_printed(tmp_path):
    columns = {f"pixel{n}": [1] for n in range(2304)}
    with pytest.raises(StudyError, match="pixel7 and 2,296 more") as error:
        read_faces(table(tmp_path / "train.parquet", **columns))
    assert len(str(error.value)) < 400


def test_parquet_without_rows_is_named(tmp_path):
    empty = {"image": pa.array([], pa.binary()), "label": pa.array([], pa.string())}
    with pytest.raises(StudyError, match="train.parquet: holds no rows"):
        read_faces(table(tmp_path / "train.parquet", **empty))
