"""Votes of FER+ and names of FER2013's copies: believed where what can be checked agrees."""

import numpy as np
import pandas as pd
import pytest

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS, FER2013_CODES
from lib.faces.faceset import FaceSet
from lib.faces.fer2013 import FERPLUS_CLASSES, FERPLUS_OTHERS, read_ferplus
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
