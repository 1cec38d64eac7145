"""Faces in CSV: codes become names, rows are checked one by one and named by their line."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.classes import EMOTIONS, FER2013_CODES
from lib.faces.sources import read_faces, read_images
from lib.faces.tables import pixels_of
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

    def reader(table, classes=()):
        path = tmp_path / "fer2013.csv"
        data = table if isinstance(table, bytes) else table.to_csv(index=False).encode()
        path.write_bytes(data)
        return read_faces(path, px=PX, classes=classes)

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
        read(frame(), ["sad", "contempt"])


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
    table = frame(1)
    table.loc[0, "pixels"] = "1 2 3"
    with pytest.raises(StudyError, match="line 2 holds 3 pixels, which is no square"):
        read(table)
    with pytest.raises(StudyError, match="fer2013.csv: is empty"):
        read(b"")


def text(*lines, end="\n", encoding="utf-8"):
    return (end.join(lines) + end).encode(encoding)


def pixels(number):
    return " ".join(map(str, image(number).ravel()))


HEAD = "emotion,pixels,Usage"
ROWS = [f"{n % 7},{pixels(n)},Training" for n in range(7)]


@pytest.mark.parametrize(
    "data",
    [
        text(HEAD, *[f"{row}," for row in ROWS]),  # a trailing comma
        text(f"{HEAD},", *[f"{row}," for row in ROWS]),
        text(HEAD, *ROWS, "", "  ", ",,"),  # empty lines at the end
        text(HEAD, *ROWS, end="\r\n"),
        text(HEAD, *ROWS, encoding="utf-8-sig"),
        text(*[line.replace(",", ";") for line in (HEAD, *ROWS)]),
        text(*[line.replace(",", "\t") for line in (HEAD, *ROWS)]),
        text(HEAD.upper(), *ROWS),
        text('"emotion","pixels","Usage"', *ROWS),
        text(HEAD, *[row.replace(" ", "  ") for row in ROWS]),
        text(HEAD, *[f"{n}.0,{pixels(n)},Training" for n in range(7)]),
        text("Usage,emotion,pixels", *[f"Training,{n},{pixels(n)}" for n in range(7)]),
        text(HEAD, *[f"{FER2013_CODES[n]},{pixels(n)},Training" for n in range(7)]),
        text("", " ", HEAD, *ROWS),
        text("sep=;", *[line.replace(",", ";") for line in (HEAD, *ROWS)]),
        text("label,pixels,split", *[f"{n},{pixels(n)},train" for n in range(7)]),
    ],
)
def test_a_table_is_read_however_it_was_written(read, data):
    found = read(data)
    expected = read(text(HEAD, *ROWS))
    assert (found.images == expected.images).all() and (found.labels == expected.labels).all()


@pytest.mark.parametrize(
    "data, message",
    [
        (text(HEAD), "fer2013.csv: holds no rows"),
        (text(HEAD, f"0,{pixels(0)}"), "line 2 has 2 values for 3 columns; .* cut off"),
        (text(HEAD, f"{ROWS[0]},7"), "line 2 has 4 values for 3 columns"),
        (text(HEAD, f"0,{pixels(0)},Train\xe4ning", encoding="latin-1"), "not text in UTF-8 .byte"),
        (text(HEAD, *ROWS, encoding="utf-16"), "is text in UTF-16; save it as UTF-8"),
        (text(HEAD, *ROWS, encoding="utf-16-le"), "is text in UTF-16; save it as UTF-8"),
        (text(HEAD, *ROWS, encoding="utf-16-be"), "is text in UTF-16; save it as UTF-8"),
        (text("# by hand", HEAD, *ROWS), "its first line .'# by hand'. names no columns"),
        (text(*ROWS), "Its first line has to name the columns: emotion,pixels,Usage"),
        (text("emotion,pixels,emotion", *ROWS), "'emotion' stands in it twice"),
        (text(HEAD, f'0,"{pixels(0)},Training'), "not a readable CSV .unexpected end of data"),
        (
            text(HEAD, ROWS[0], f"0,{pixels(0)[:-3]}x 7,Training", ROWS[2]),
            "a pixel that is not a number: '",
        ),
        (
            text(HEAD, ROWS[0], f"0,{pixels(0)} x,Training", ROWS[2]),
            "a pixel that is not a number: 'x'",
        ),
        (text(HEAD, *ROWS[:2], f"0,1_1 {pixels(0)},Training"), "not a number: '1_1'"),
        (text(HEAD, f"0,{pixels(0)} 3,Training"), "line 2 holds 65 pixels, which is no square"),
        (text(HEAD, f"0,{pixels(0)} 3,Training", *ROWS), "line 2 holds 65 pixels instead of 64"),
        (text(HEAD, ROWS[0], f",{pixels(1)},Training"), "line 3: emotion is '', expected 0 to 6"),
        (text(HEAD, f"happy,{pixels(0)},Training", f",{pixels(1)},Training"), "has no emotion"),
    ],
)
def test_a_damaged_table_is_named_by_line_and_cause(read, data, message):
    with pytest.raises(StudyError, match=message):
        read(data)


def test_values_beyond_all_numbers_are_named(read):
    with pytest.raises(StudyError, match="line 3 holds a pixel of 9"):
        read(text(HEAD, ROWS[0], f"1,{pixels(0).rsplit(' ', 1)[0]} {10**30},Training"))


def test_two_thousand_columns_are_not_all_printed(read):
    columns = ",".join(f"pixel{n}" for n in range(2304))
    with pytest.raises(
        StudyError, match="'pixels' is missing; found emotion, .* and 2,29"
    ) as error:
        read(text(f"emotion,{columns}", ",".join("0" * 2305)))
    assert len(str(error.value)) < 400


def test_the_votes_of_ferplus_given_as_data_are_recognised(read):
    with pytest.raises(StudyError, match="These are FER.'s votes: give them as `ferplus`"):
        read(text("Usage,Image name,neutral,happiness,contempt,NF", "Training,a,1,2,3,4"))


def test_an_evaluation_needs_no_usage(tmp_path):
    (tmp_path / "more.csv").write_bytes(text("emotion,pixels", *[row[:-9] for row in ROWS]))
    assert (read_images(tmp_path / "more.csv").table["class"] == list(FER2013_CODES)).all()
    with pytest.raises(StudyError, match="column 'usage' is missing"):
        read_faces(tmp_path / "more.csv")


def test_pixels_are_read_alike_the_fast_way_and_the_slow_one():
    fast = pixels_of("0 1 255 16", 4, "x")
    slow = pixels_of("0 1.0 255 16", 4, "x")
    assert fast.tolist() == slow.tolist() == [0, 1, 255, 16]


def test_one_table_a_split(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for name in ("train", "test"):
        (data / f"fer_{name}.csv").write_bytes(text("emotion,pixels", *[r[:-9] for r in ROWS]))
    faces = read_faces(data, px=PX)
    assert faces.table["split"].value_counts().to_dict() == {"train": 7, "test": 7}
    assert "row" not in faces.table and faces.table["id"].is_unique
    assert (faces.split("train").images == read_images(data / "fer_train.csv").images).all()
    (data / "train.csv").write_bytes(text("emotion,pixels", *[r[:-9] for r in ROWS]))
    with pytest.raises(StudyError, match="several tables of faces"):
        read_faces(data)
