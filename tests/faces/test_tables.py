"""Faces in CSV: codes become names, rows are checked one by one and named by their line."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.classes import EMOTIONS, FER2013_CODES
from lib.faces.sources import read_faces
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


@pytest.fixture
def read(tmp_path):
    """Write a table as fer2013.csv, or its bytes, and read it as the loader does."""

    def reader(table, classes=(), **options):
        path = tmp_path / "fer2013.csv"
        data = table if isinstance(table, bytes) else table.to_csv(index=False).encode()
        path.write_bytes(data)
        return read_faces(path, px=PX, classes=classes, **{"complete": False} | options)

    return reader


def test_codes_become_names_and_rows_are_numbered(read):
    faces = read(frame(14))
    assert faces.classes == EMOTIONS
    assert faces.table["class"].tolist() == list(FER2013_CODES) * 2
    assert faces.table["row"].tolist() == list(range(14))
    assert (faces.images[5] == image(5)).all() and faces.table["id"][5] == "Training_5"
    assert faces.labels[4] == EMOTIONS.index("sad") == 5


def test_wanted_classes_keep_their_rows_and_numbers(read, capsys):
    faces = read(frame(14), ["sad", "fear"])
    assert faces.classes == ("fear", "sad") and faces.table["row"].tolist() == [2, 4, 9, 11]
    assert (faces.images[1] == image(4)).all() and faces.labels.tolist() == [0, 1, 0, 1]
    assert capsys.readouterr().out.startswith(
        "images of other classes, 10 in all, are left out: angry (2)"
    )
    with pytest.raises(StudyError, match="no images of contempt"):
        read(frame(), ["sad", "contempt"], complete=True)


def test_columns_of_the_second_edition(read):
    table = frame().rename(columns={"Usage": " Usage", "pixels": " pixels"})
    assert read(table[["emotion", " Usage", " pixels"]]).digest() == read(frame()).digest()


def test_usage_gives_the_split(read):
    table = pd.concat([frame(usage=name) for name in ("Training", "PublicTest", "PrivateTest")])
    assert read(table).table["split"].tolist() == ["train"] * 7 + ["val"] * 7 + ["test"] * 7


@pytest.mark.parametrize("column", ["emotion", "pixels", "Usage"])
def test_missing_column(read, column):
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
def test_bad_rows_are_named_by_line(read, column, value, message):
    table = frame().astype(object)
    table.loc[3, column] = value
    with pytest.raises(StudyError, match=message):
        read(table)


def test_first_row_has_to_be_a_square(read):
    table = frame()
    table.loc[0, "pixels"] = "1 2 3"
    with pytest.raises(StudyError, match="line 2 holds 3 pixels, which is no square"):
        read(table)
    with pytest.raises(StudyError, match="fer2013.csv: is empty"):
        read(b"")
