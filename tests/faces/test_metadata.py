"""Labels in a table beside the pictures: read as Hugging Face writes them, checked row by row."""

import json
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.application.cross_dataset import read_labelled
from lib.faces.classes import EMOTIONS, FER2013_CODES
from lib.faces.drawn import draw_faces
from lib.faces.faceset import save_faces
from lib.faces.sources import read_faces, read_images
from lib.study.errors import StudyError

PX = 8
KINDS = ("happy", "sad", "happy", "sad")


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (PX, PX), dtype=np.uint8)


def pictures(folder: Path, count: int = 4) -> list[str]:
    folder.mkdir(parents=True, exist_ok=True)
    for n in range(count):
        Image.fromarray(picture(n)).save(folder / f"{n}.png")
    return [f"{n}.png" for n in range(count)]


def as_csv(folder: Path, rows: list[dict]) -> None:
    lines = [",".join(rows[0]), *(",".join(map(str, row.values())) for row in rows)]
    (folder / "metadata.csv").write_text("\n".join(lines) + "\n")


def as_jsonl(folder: Path, rows: list[dict]) -> None:
    (folder / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


both = pytest.mark.parametrize("write", [as_csv, as_jsonl])


@both
@pytest.mark.parametrize("column", ["label", "emotion", "class", "Expression"])
@pytest.mark.parametrize("packed", [False, True])
def test_a_flat_folder_with_labels_and_splits(tmp_path, write, column, packed):
    files = pictures(tmp_path / "data")
    splits = ("train", "train", "test", "validation")
    rows = [
        {"file_name": file, column: kind, "split": split}
        for file, kind, split in zip(files, KINDS, splits)
    ]
    write(tmp_path / "data", rows)
    source = tmp_path / "data"
    if packed:
        source = Path(shutil.make_archive(str(source), "zip", source))
    faces = read_faces(source, px=PX)
    assert faces.table["class"].tolist() == list(KINDS)
    assert faces.table["split"].tolist() == ["train", "train", "test", "val"]
    assert (faces.images == [picture(n) for n in range(4)]).all()


@both
def test_one_file_a_split(tmp_path, write):
    for part in ("train", "test"):
        files = pictures(tmp_path / part)
        write(tmp_path / part, [{"file_name": f, "label": k} for f, k in zip(files, KINDS)])
    faces = read_faces(tmp_path, px=PX)
    assert faces.table["file"].tolist()[0] == "test/0.png" and faces.table["id"].is_unique
    assert faces.table["split"].value_counts().to_dict() == {"train": 4, "test": 4}


@both
def test_splits_do_not_matter_to_a_pool_and_to_an_evaluation(tmp_path, write):
    files = pictures(tmp_path)
    write(tmp_path, [{"file_name": f, "label": k} for f, k in zip(files, KINDS)])
    assert read_images(tmp_path).table["class"].tolist() == list(KINDS)
    found = read_labelled(tmp_path, px=16, classes=EMOTIONS)
    assert found.table["class"].tolist() == list(KINDS)
    with pytest.raises(StudyError, match="line . ?: no split is told for 0.png; write train"):
        read_faces(tmp_path)


def test_codes_are_those_of_fer2013_and_other_numbers_are_names(tmp_path, capsys):
    files = pictures(tmp_path, 7)
    as_csv(tmp_path, [{"file_name": f, "label": n} for n, f in enumerate(files)])
    assert read_images(tmp_path).table["class"].tolist() == list(FER2013_CODES)
    assert "taken as FER2013's codes" in capsys.readouterr().out
    as_csv(tmp_path, [{"file_name": f, "label": n + 1} for n, f in enumerate(files)])
    ones = tuple("1234567")
    assert read_images(tmp_path, classes=ones).table["class"].tolist() == list(ones)


def test_captions_alone_say_nothing_of_classes(tmp_path, capsys):
    pictures(tmp_path / "happy")
    pictures(tmp_path / "sad")
    as_csv(tmp_path, [{"file_name": "happy/0.png", "text": "a smile"}])
    assert len(read_images(tmp_path)) == 8
    assert "metadata.csv 1" in capsys.readouterr().out


def test_pictures_without_a_row_are_left_out_and_counted(tmp_path, capsys):
    pictures(tmp_path)
    rows = [{"file_name": "0.png", "label": "happy"}, {"file_name": ".\\1.png", "label": "sad"}]
    as_jsonl(tmp_path, rows)
    assert read_images(tmp_path).table["file"].tolist() == ["0.png", "1.png"]
    assert "2 files of other kinds (.png 2)" in capsys.readouterr().out


def test_what_the_project_writes_it_reads(tmp_path):
    faces = draw_faces(np.arange(14) % 7, np.arange(14))
    save_faces(faces, tmp_path, pictures=True)
    back = read_images(tmp_path)
    order = np.argsort(faces.table["class"] + "/" + faces.table["id"])
    assert (back.images == faces.images[order]).all()
    assert back.table["class"].tolist() == faces.table["class"].iloc[order].tolist()


@both
@pytest.mark.parametrize(
    "row, message",
    [
        ({"file_name": "gone.png", "label": "sad"}, "'gone.png', which is not there"),
        ({"file_name": "../1.png", "label": "sad"}, "which is not there"),
        ({"file_name": "/etc/passwd", "label": "sad"}, "which is not there"),
        ({"file_name": "", "label": "sad"}, "names no file"),
        ({"file_name": "1.png", "label": ""}, "has no label; remove the row"),
        ({"file_name": "0.png", "label": "sad"}, "has the label 'sad' here and 'happy' before"),
    ],
)
def test_rows_that_do_not_fit_are_named_by_their_line(tmp_path, write, row, message):
    pictures(tmp_path)
    rows = [{"file_name": "0.png", "label": "happy"}, row]
    write(tmp_path, rows)
    line = 3 if write is as_csv else 2
    with pytest.raises(StudyError, match=f"metadata.*: line {line}.*{message}"):
        read_images(tmp_path)


@both
def test_names_that_macos_writes_in_its_own_way_are_found(tmp_path, write):
    names = [f"gr\u00fc\u00df{number}.png" for number in range(2)]
    for old, name in zip(pictures(tmp_path, 2), names):
        (tmp_path / old).rename(tmp_path / unicodedata.normalize("NFD", name))
    write(tmp_path, [{"file_name": name, "label": "happy"} for name in names])
    assert len(read_images(tmp_path)) == 2


def test_a_label_that_contradicts_the_class_folder_is_named(tmp_path):
    pictures(tmp_path / "happy")
    as_csv(tmp_path, [{"file_name": "happy/0.png", "label": "joy"}])
    assert read_images(tmp_path).table["class"].tolist() == ["happy"]
    as_csv(tmp_path, [{"file_name": "happy/0.png", "label": "sad", "split": "train"}])
    with pytest.raises(StudyError, match="labels happy/0.png 'sad', but it lies in the folder of"):
        read_faces(tmp_path)


def test_metadata_in_two_forms_is_ambiguous(tmp_path):
    rows = [{"file_name": file, "label": "happy"} for file in pictures(tmp_path)]
    as_csv(tmp_path, rows)
    as_jsonl(tmp_path, rows)
    with pytest.raises(StudyError, match="both metadata.csv and metadata.jsonl; keep one"):
        read_images(tmp_path)


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "holds no rows"),
        (b'{"file_name": "0.png", "label": "happy"}\n{"file_na', "line 2 is no JSON"),
        (b'["0.png", "happy"]\n', "line 1 is no JSON object"),
        (b'{"file_name": "0.png", "label": {"a": 1}}\n', "its label is .*expected one name"),
        (b'{"file_name": "0.png", "label": ["happy"]}\n', "its label is .*expected one name"),
        (b'{"file_name": "0.png", "label": true}\n', "its label is 'True', expected one name"),
        (b'{"file_name": "0.png", "label": NaN}\n', "line 1 has no label"),
        (b'{"file_name": ".0.png", "label": "sad"}\n', "'.0.png', which is left out .hidden or"),
        (b'{"label": "happy"}\n', "has no column file_name"),
        ('{"file_name": "0.png", "label": "fröhlich"}'.encode("latin-1"), "not text in UTF-8"),
        (b"[" * 100_000, "line 1 is no JSON"),
    ],
)
def test_damaged_lines_are_named(tmp_path, content, message):
    pictures(tmp_path)
    shutil.copy(tmp_path / "0.png", tmp_path / ".0.png")
    (tmp_path / "metadata.jsonl").write_bytes(content)
    with pytest.raises(StudyError, match=message):
        read_images(tmp_path)
