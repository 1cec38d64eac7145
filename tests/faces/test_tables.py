"""Faces in tables: codes and numbers become names, votes become a plurality or nothing."""

import io
import json

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS, FER2013_CODES
from lib.faces.faceset import FaceSet
from lib.faces.sources import read_faces
from lib.faces.tables import FERPLUS_CLASSES, FERPLUS_OTHERS, read_csv_faces, read_ferplus
from lib.study.errors import StudyError

PX = 8


def image(number):
    return np.random.default_rng(number).integers(0, 256, (PX, PX), dtype=np.uint8)


def frame(n=7, usage="Training"):
    """Rows of fer2013.csv, the codes in turn."""
    return pd.DataFrame(
        {
            "emotion": [i % 7 for i in range(n)],
            "pixels": [" ".join(map(str, image(i).ravel())) for i in range(n)],
            "Usage": usage,
        }
    )


def read(table, *options):
    return read_csv_faces(io.BytesIO(table.to_csv(index=False).encode()), "fer2013.csv", *options)


def test_codes_become_names_and_rows_are_numbered():
    faces = read(frame(14))
    assert faces.classes == EMOTIONS
    assert faces.table["class"].tolist() == list(FER2013_CODES) * 2
    assert faces.table["row"].tolist() == list(range(14))
    assert (faces.images[5] == image(5)).all() and faces.table["id"][5] == "Training_5"
    assert faces.labels[4] == EMOTIONS.index("sad") == 5


def test_wanted_classes_keep_their_rows_and_numbers(capsys):
    faces = read(frame(14), ["sad", "fear"])
    assert faces.classes == ("fear", "sad") and faces.table["row"].tolist() == [2, 4, 9, 11]
    assert (faces.images[1] == image(4)).all() and faces.labels.tolist() == [0, 1, 0, 1]
    assert capsys.readouterr().out.startswith(
        "images of other classes, 10 in all, are left out: angry (2)"
    )
    with pytest.raises(StudyError, match="no images of contempt"):
        read(frame(), ["sad", "contempt"])


def test_columns_of_the_second_edition():
    table = frame().rename(columns={"Usage": " Usage", "pixels": " pixels"})
    assert read(table[["emotion", " Usage", " pixels"]]).digest() == read(frame()).digest()


def test_usage_gives_the_split():
    table = pd.concat([frame(usage=name) for name in ("Training", "PublicTest", "PrivateTest")])
    assert read(table).table["split"].tolist() == ["train"] * 7 + ["val"] * 7 + ["test"] * 7


@pytest.mark.parametrize("column", ["emotion", "pixels", "Usage"])
def test_missing_column(column):
    message = f"fer2013.csv: column '{column.lower()}' is missing; found "
    with pytest.raises(StudyError, match=message):
        read(frame().drop(columns=column))


@pytest.mark.parametrize(
    "column, value, message",
    [
        ("pixels", "1 2 3", "line 5 holds 3 pixels instead of 64; the file is damaged or cut off"),
        ("pixels", " ".join(["256"] * 64), "line 5 holds a pixel of 256"),
        ("pixels", " ".join(["x"] * 64), "line 5 holds a pixel that is not a number"),
        ("pixels", " ".join(["-1"] * 64), "line 5 holds a pixel of -1"),
        ("emotion", 7, "line 5: emotion is '7', expected 0 to 6"),
        ("Usage", "Holdout", "line 5: Usage is 'Holdout', expected Training, PublicTest or Priv"),
    ],
)
def test_bad_rows_are_named_by_line(column, value, message):
    table = frame().astype(object)
    table.loc[3, column] = value
    with pytest.raises(StudyError, match=message):
        read(table)


def test_first_row_has_to_be_a_square():
    table = frame()
    table.loc[0, "pixels"] = "1 2 3"
    with pytest.raises(StudyError, match="line 2 holds 3 pixels, which is no square"):
        read(table)
    with pytest.raises(StudyError, match="not a readable CSV"):
        read_csv_faces(io.BytesIO(b""), "fer2013.csv")


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


def votes(*rows):
    """One line of FER+ for each dict of votes."""
    columns = [*FERPLUS_CLASSES, *FERPLUS_OTHERS]
    empty = {"Usage": "Training", "Image name": ""} | dict.fromkeys(columns, 0)
    return pd.DataFrame([empty | row for row in rows])


@pytest.fixture
def voted(tmp_path):
    """A folder with FER+'s votes on seven images."""
    lines = [
        {"happiness": 8, "neutral": 2},
        {"sadness": 5, "fear": 5},
        {"anger": 4, "NF": 4},
        {"NF": 10},
        {"anger": 4, "contempt": 3},
        {},
        {"unknown": 3, "fear": 2, "contempt": 5},
    ]
    votes(*lines).to_csv(tmp_path / "fer2013new.csv", index=False)
    return tmp_path


def test_plurality_is_missing_where_it_is_shared(voted):
    # Taken because it lies beside the data.
    faces = read_ferplus(read(frame()), "", beside=str(voted / "fer2013.csv"))
    plurality = faces.table["plus_class"]
    assert plurality[0] == "happy" and plurality[4] == "angry"
    assert plurality[[1, 2, 3, 5, 6]].isna().all()
    assert faces.table["votes_happy"].tolist() == [8, 0, 0, 0, 0, 0, 0]
    assert faces.table["votes_sad"][1] == 5 and faces.table["votes_contempt"][6] == 5
    assert faces.classes == EMOTIONS


def test_votes_go_by_row_not_by_order(voted):
    faces = read_ferplus(read(frame()).select([4, 0]), str(voted / "fer2013new.csv"), beside="")
    assert faces.table["plus_class"].tolist() == ["angry", "happy"]


def test_labels_of_ferplus_are_those_that_have_a_plurality_among_eight(voted, capsys):
    faces = read_ferplus(read(frame()), "", beside=str(voted), labels="ferplus")
    assert faces.classes == EIGHT_EMOTIONS and faces.table["row"].tolist() == [0, 4, 6]
    assert faces.table["class"].tolist() == ["happy", "angry", "contempt"]
    assert faces.table["fer2013_class"].tolist() == [FER2013_CODES[row] for row in (0, 4, 6)]
    assert (faces.images == read(frame()).images[[0, 4, 6]]).all()
    assert "FER+: 4 of 7 images are left out" in capsys.readouterr().out


def test_votes_that_do_not_fit(voted):
    faces = read(frame())
    rowless = FaceSet(faces.images, faces.table.drop(columns="row"))
    assert read_ferplus(rowless, "", beside=str(voted)) is rowless
    with pytest.raises(StudyError, match="row numbers, which these file names do not hold"):
        read_ferplus(rowless, str(voted / "fer2013new.csv"), beside="")
    with pytest.raises(StudyError, match="labels: ferplus needs .* FER2013's row numbers"):
        read_ferplus(rowless, "", beside=str(voted), labels="ferplus")
    with pytest.raises(StudyError, match="no such file"):
        read_ferplus(faces, str(voted / "else.csv"), beside="")
    with pytest.raises(StudyError, match="not FER.*7 rows"):
        read_ferplus(read(frame(8)), str(voted / "fer2013new.csv"), beside="")
    frame().to_csv(voted / "other.csv", index=False)
    with pytest.raises(StudyError, match="column neutral is missing"):
        read_ferplus(faces, str(voted / "other.csv"), beside="")
