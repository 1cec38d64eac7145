"""A list that a person has gone through changes the labels that it names, and nothing else."""

import cv2
import numpy as np
import pandas as pd
import pytest

from lib.faces.drawn import draw_faces
from lib.faces.relabel import main, read_list, relabelled
from lib.faces.sources import read_everything
from lib.study.errors import StudyError

CLASSES = ("happy", "sad")
HAPPY = "train/happy/0.png"


@pytest.fixture
def data(tmp_path):
    """Write four training and two test images of each class, of the same names in all folders."""
    for number, (part, count) in enumerate((("train", 4), ("test", 2))):
        for label, name in enumerate(CLASSES):
            seeds = 100 * number + 10 * label + np.arange(count)
            folder = tmp_path / "data" / part / name
            folder.mkdir(parents=True)
            faces = draw_faces(np.full(count, label), seeds, classes=CLASSES)
            for place, image in enumerate(faces.images):
                cv2.imwrite(str(folder / f"{place}.png"), image)
    return tmp_path / "data"


def written(tmp_path, rows, columns=("file", "seen as")):
    path = tmp_path / "list.csv"
    pd.DataFrame(rows, columns=list(columns)).to_csv(path, index=False)
    return path


def run(tmp_path, data, rows):
    words = [str(data), str(written(tmp_path, rows)), "--out", str(tmp_path / "new")]
    return main(words)


def test_listed_pictures_change_their_class_or_go_and_the_others_stay(tmp_path, data, capsys):
    assert run(tmp_path, data, [(HAPPY, "sad"), ("train/sad/1.png", "")]) == 0
    assert "11 pictures, 1 of them with another label; 1 left out" in capsys.readouterr().out

    # The same bytes, one of them under another class beside a file of its name.
    old, new = data / "train", tmp_path / "new" / "train"
    before = {path.read_bytes() for path in data.rglob("*.png")}
    after = [path.read_bytes() for path in (tmp_path / "new").rglob("*.png")]
    assert set(after) == before - {(old / "sad/1.png").read_bytes()} and len(after) == 11
    moved = (old / "happy/0.png").read_bytes()
    assert moved in [path.read_bytes() for path in (new / "sad").iterdir()]
    counts = read_everything(str(tmp_path / "new"), px=48).table.groupby(["split", "class"]).size()
    assert counts.to_dict() == {
        ("test", "happy"): 2,
        ("test", "sad"): 2,
        ("train", "happy"): 3,
        ("train", "sad"): 4,
    }


def test_classes_may_be_written_in_other_words(tmp_path, data):
    table = relabelled(str(data), {HAPPY: "Sadness"}, tmp_path / "new")
    assert table.set_index("file")["new class"][HAPPY] == "sad"


@pytest.mark.parametrize(
    "rows, said",
    [
        ([("train/happy/9.png", "sad")], "1 of 1 listed files are not there"),
        ([(HAPPY, "cheerful")], "'seen as' is 'cheerful'; classes: happy, sad"),
        ([(HAPPY, "sad"), (HAPPY, "")], "twice"),
    ],
)
def test_a_list_about_something_else_changes_nothing(tmp_path, data, capsys, rows, said):
    assert run(tmp_path, data, rows) == 2
    assert said in capsys.readouterr().err and not (tmp_path / "new").exists()


def test_a_table_without_the_columns_and_a_folder_in_use_are_named(tmp_path, data):
    with pytest.raises(StudyError, match="no column 'seen as'"):
        read_list(written(tmp_path, [(HAPPY,)], ("file",)))
    with pytest.raises(StudyError, match="holds something already"):
        relabelled(str(data), {}, data)
