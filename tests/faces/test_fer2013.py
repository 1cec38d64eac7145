"""Votes of FER+ and names of FER2013's copies: believed where what can be checked agrees."""

import os
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS, FER2013_CODES
from lib.faces.faceset import FaceSet
from lib.faces.fer2013 import (
    FERPLUS_CLASSES,
    FERPLUS_OTHERS,
    believed_splits,
    read_ferplus,
    row_numbers,
)
from lib.faces.sources import read_faces
from lib.study.errors import StudyError

PX = 8


def read(frame: pd.DataFrame) -> FaceSet:
    """A face set with the rows of a table: codes, Usage, and the numbers of its rows."""
    splits = {"Training": "train", "PublicTest": "val", "PrivateTest": "test"}
    table = pd.DataFrame(
        {
            "id": [f"{usage}_{row}" for row, usage in zip(frame.index, frame["Usage"])],
            "class": [FER2013_CODES[code] for code in frame["emotion"]],
            "split": frame["Usage"].map(splits).tolist(),
            "source": "fer2013",
            "row": pd.array(frame.index, "Int64"),
        }
    )
    images = np.random.default_rng(0).integers(0, 256, (len(frame), PX, PX), dtype=np.uint8)
    return FaceSet(images, table)


def frame(n=7, usage="Training"):
    """Rows of fer2013.csv, the codes in turn."""
    return pd.DataFrame({"emotion": np.arange(n) % 7, "Usage": usage})


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


# What can be checked.

WORDS = {name: word for word, name in FERPLUS_CLASSES.items()}
PARTS = ("Training", "PublicTest", "PrivateTest")


def copy_of_fer2013(n=600, seed=0):
    """Labels in FER2013's order, and votes that agree with two thirds of them."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(0, 7, n)
    usage = np.repeat(PARTS, [n - 2 * (n // 10), n // 10, n // 10])
    seen = np.where(rng.random(n) < 0.67, codes, rng.integers(0, 7, n))
    lines = votes(*[{"Usage": part, WORDS[FER2013_CODES[k]]: 9} for part, k in zip(usage, seen)])
    return pd.DataFrame({"emotion": codes, "Usage": usage}), lines


def attached(table, lines, tmp_path, count=0):
    """Read the votes that lie beside a table; tell whether they were attached."""
    lines.to_csv(tmp_path / "fer2013new.csv", index=False)
    faces = read(table)
    faces.table.attrs["rows"] = count or len(table)
    return "votes_happy" in read_ferplus(faces, "", beside=str(tmp_path)).table


def test_votes_on_the_same_rows_are_attached(tmp_path, capsys):
    table, lines = copy_of_fer2013()
    assert attached(table, lines, tmp_path)
    assert attached(table, lines.drop(columns=["Usage", "Image name"]), tmp_path)
    assert attached(table, lines.rename(columns=str.lower), tmp_path)
    assert capsys.readouterr().out == ""


def test_a_split_that_was_renamed_is_no_contradiction(tmp_path):
    table, lines = copy_of_fer2013()
    lines.to_csv(tmp_path / "fer2013new.csv", index=False)
    faces = read(table).select((table["Usage"] != "PrivateTest").to_numpy())
    renamed = faces.with_columns(split=faces.table["split"].replace("val", "test"))
    assert "votes_sad" in read_ferplus(renamed, "", beside=str(tmp_path)).table


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    "change, cause",
    [
        (lambda t: t.sample(frac=1, random_state=1), "Usage contradicts the split of"),
        (lambda t: t.drop(index=range(5)), "its column Usage contradicts|595"),
        (
            lambda t: t.sort_values(["Usage", "emotion"], ascending=False),
            "Usage contradicts|chance",
        ),
        (lambda t: t.groupby("Usage").sample(frac=1, random_state=1), "Usage contradicts|chance"),
        (lambda t: t.iloc[:-9], "591"),
        (lambda t: pd.concat([t, t.iloc[-1:]]), "601"),
    ],
)
def test_votes_on_other_rows_are_left_out_with_the_cause(tmp_path, capsys, change, cause, seed):
    table, lines = copy_of_fer2013(seed=seed)
    changed = change(table).reset_index(drop=True)
    assert not attached(changed, lines, tmp_path)
    said = capsys.readouterr().out
    assert said.startswith("FER+ votes are left out: ") and re.search(cause, said)


@pytest.mark.parametrize("moved", [1, 5, 100])
def test_rows_that_are_moved_inside_one_split_are_noticed(tmp_path, capsys, moved):
    # Usage says nothing of it; the labels do, also where the first half is right.
    table, lines = copy_of_fer2013(1200)
    training = table.iloc[:960]
    rolled = np.roll(training["emotion"].to_numpy()[480:], moved)
    half = training.assign(emotion=np.r_[training["emotion"].to_numpy()[:480], rolled])
    changed = pd.concat([half, table.iloc[960:]])
    assert not attached(changed, lines, tmp_path)
    said = capsys.readouterr().out
    assert "hardly more often than by chance" in said and re.search("around row [4-6]", said)


def test_labels_of_some_classes_alone_agree_with_their_votes(tmp_path):
    table, lines = copy_of_fer2013(2000)
    lines.to_csv(tmp_path / "fer2013new.csv", index=False)
    faces = read(table)
    kept = faces.select(faces.table["class"].isin(["fear", "sad"]).to_numpy())
    kept = FaceSet(kept.images, kept.table, ("fear", "sad"))
    assert "votes_happy" in read_ferplus(kept, "", beside=str(tmp_path)).table


@pytest.mark.parametrize(
    "content",
    [
        b"",
        bytes(500),
        b"Usage,Image name\n",
        "Usage,Image name,neutral\nTraining,fröhlich,1\n".encode("latin-1"),
        "Usage,neutral,happiness\nTraining,1,2\n".encode("utf-16"),
        b"version https://git-lfs.github.com/spec/v1\noid sha256:1\n",
        b"<!DOCTYPE html><html>",
        b"\x1f\x8b\x08\x00rest",
        "negative",
        "words",
        "short",
        "directory",
    ],
)
def test_a_damaged_file_of_votes_is_left_out_or_refused_but_never_believed(
    tmp_path, capsys, content
):
    table, lines = copy_of_fer2013()
    path = tmp_path / "fer2013new.csv"
    if content == "directory":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        spoilt = lines.astype(object)
        spoilt.loc[3, "neutral"] = {"negative": -1, "words": "nine", "short": 0}[content]
        spoilt.to_csv(path, index=False)
        if content == "short":
            path.write_bytes(path.read_bytes()[:-30])
    faces = read(table)
    assert "votes_happy" not in read_ferplus(faces, "", beside=str(tmp_path)).table
    if content != "directory":
        assert capsys.readouterr().out.startswith("FER+ votes are left out: ")
    with pytest.raises(StudyError):
        read_ferplus(faces, str(path), beside="")
    with pytest.raises(StudyError, match="labels: ferplus needs"):
        read_ferplus(faces, "", beside=str(tmp_path), labels="ferplus")


def test_row_numbers_are_those_of_fer2013_in_its_order():
    def rows(*names):
        found = row_numbers([f"x/{name}.jpg" for name in names])
        return None if found is None else found.tolist()

    assert rows("Training_5", "PublicTest_28709", "PrivateTest_35886") == [5, 28709, 35886]
    assert rows("Training_3", "Training_1") == [3, 1]
    assert rows("Training_10118481") is rows("Training_5", "Training_5") is None
    assert rows("Training_5", "PublicTest_3") is rows("PublicTest_9", "PrivateTest_7") is None
    assert rows("Training_5", "happy_6") is rows(f"Training_{10**30}") is row_numbers([]) is None


def test_the_name_of_a_file_decides_the_split_where_folders_agree_or_say_nothing():
    agree = {"train/Training_1.jpg": "train", "test/PublicTest_2.jpg": "test", "a.jpg": None}
    assert list(believed_splits(agree).values()) == ["train", "val", None]
    silent = {"x/PrivateTest_3.jpg": None}
    assert list(believed_splits(silent).values()) == ["test"]
    against = {"train/PublicTest_1.jpg": "train", "test/PrivateTest_2.jpg": "test"}
    assert list(believed_splits(against).values()) == ["train", "test"]


@pytest.mark.skipif(
    not os.environ.get("FACES_DATA"), reason="FACES_DATA names no folder with the real faces"
)
def test_votes_on_the_real_photographs():
    folder = Path(os.environ["FACES_DATA"])
    faces = read_faces(folder / "fer2013")
    voted = read_ferplus(faces, "", beside=str(folder / "fer2013"))
    assert voted.table["plus_class"].notna().sum() == 33_496
    # One row further they are those of other images.
    moved = faces.with_columns(row=(faces.table["row"] + 1) % len(faces))
    assert read_ferplus(moved, "", beside=str(folder / "fer2013")) is moved


@pytest.mark.parametrize("path", ["/dev/null", "/", "~nobody-of-this-name/x", "a\0b", "x" * 300])
def test_a_path_of_votes_that_cannot_be_is_named(path):
    faces = FaceSet(
        np.zeros((1, 8, 8), np.uint8),
        pd.DataFrame({"id": ["a"], "class": "happy", "split": "train", "source": "x", "row": 0}),
    )
    with pytest.raises(StudyError):
        read_ferplus(faces, path, beside="")
