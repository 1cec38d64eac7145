"""The audit finds what was hidden in a data set, and nothing else."""

import cv2
import numpy as np
import pytest

from lib.faces.audit_command import audit, leak_score, main
from lib.faces.drawn import draw_faces

CLASSES = ("happy", "sad")


def numbers(found):
    return found.findings.set_index("measure")["number"]


@pytest.fixture
def data(tmp_path):
    """Write 20 training and 10 test images of each class, every one different."""
    for number, (part, count) in enumerate((("train", 20), ("test", 10))):
        for label, name in enumerate(CLASSES):
            seeds = 1000 * number + 100 * label + np.arange(count)
            faces = draw_faces(np.full(count, label), seeds, classes=CLASSES)
            folder = tmp_path / "data" / part / name
            folder.mkdir(parents=True)
            for place, image in enumerate(faces.images):
                cv2.imwrite(str(folder / f"{place}.png"), image)
    return tmp_path / "data"


def copy(data, source, target):
    (data / target).write_bytes((data / source).read_bytes())


def test_a_clean_set_has_no_findings(data):
    found = audit(str(data))
    assert len(found.files) == 0
    assert numbers(found)[["images", "different images"]].tolist() == [60, 60]
    assert found.counts.set_index("class").loc["all"].tolist() == [40, 20]


def test_every_kind_of_fault_is_counted_and_listed(data):
    copy(data, "train/happy/0.png", "test/happy/leak.png")
    copy(data, "train/happy/1.png", "train/sad/other.png")
    copy(data, "train/sad/2.png", "train/sad/again.png")
    near = cv2.imread(str(data / "train/sad/3.png"), 0) // 2 * 2
    cv2.imwrite(str(data / "test/sad/near.png"), near)
    cv2.imwrite(str(data / "train/sad/blank.png"), np.full((48, 48), 90, np.uint8))
    (data / "train/sad/broken.png").write_bytes(b"\x89PNG\r\n cut off")
    found = audit(str(data))
    table = numbers(found)
    assert table["files that do not read"] == 1 and table["blank images"] == 1
    assert table["images identical to one of another class"] == 2
    assert table["duplicates: identical to another image of their split"] == 2
    assert table["held-out images that are copies of training images"] == 1
    assert table["held-out images that are copies or nearly copies"] == 2
    listed = found.files.groupby("what")["file"].apply(list)
    assert listed["copy of a training image"] == ["test/happy/leak.png"]
    assert listed["nearly a copy of a training image"] == ["test/sad/near.png"]
    assert "broken.png" in listed["does not read"][0]


def test_what_leaks_buy_is_the_accuracy_of_a_table_of_the_training_images():
    faces = draw_faces(np.array([0, 0, 0, 1, 0, 1, 1]), np.arange(7), classes=CLASSES)
    faces = faces.with_columns(split=["train"] * 4 + ["test"] * 3)

    # Of three test images one has a copy of its own label, one of another, one has none.
    groups = np.array([0, 1, 2, 3, 0, 1, 9])
    score, guess = leak_score(faces, groups)
    assert (score, guess) == (1 / 3, 1 / 3)
    assert leak_score(faces, np.array([0, 1, 2, 3, 0, 3, 9]))[0] == 2 / 3


def test_the_command_prints_writes_and_refuses(data, tmp_path, capsys):
    copy(data, "train/happy/0.png", "test/happy/leak.png")
    page, listed = tmp_path / "page.html", tmp_path / "list.csv"
    assert main([str(data), "--html", str(page), "--csv", str(listed)]) == 0
    shown = capsys.readouterr().out
    assert "held-out images that are copies of training images" in shown
    assert "test/happy/leak.png" in page.read_text() and "<img" not in page.read_text()
    assert listed.read_text().count("copy of a training image") == 1
    assert main([str(tmp_path / "nowhere")]) == 2
    assert "no such file" in capsys.readouterr().err


def test_a_set_without_splits_is_looked_through_all_the_same(data):
    found = audit(str(data / "train"))
    assert numbers(found)["images"] == 40
    assert not [measure for measure in numbers(found).index if "accuracy" in measure]


def said(path, capsys, *more) -> list[str]:
    """The lines of the conclusion, below the table."""
    assert main([str(path), *map(str, more)]) == 0
    return capsys.readouterr().out.split("\n\n")[-1].splitlines()


def test_the_conclusion_says_of_every_fault_which_files_what_it_means_and_what_to_do(data, capsys):
    copy(data, "train/happy/0.png", "test/happy/leak.png")
    copy(data, "train/happy/1.png", "train/sad/other.png")
    copy(data, "train/sad/2.png", "train/sad/again.png")
    near = cv2.imread(str(data / "train/sad/3.png"), 0) // 2 * 2
    cv2.imwrite(str(data / "test/sad/near.png"), near)
    cv2.imwrite(str(data / "train/sad/blank.png"), np.full((48, 48), 90, np.uint8))
    (data / "train/sad/broken.png").write_bytes(b"\x89PNG\r\n cut off")
    for line, begins, names in zip(
        said(data, capsys),
        (
            "1 file does not read: ",
            "1 blank image: ",
            "2 duplicates: ",
            "2 images are identical with one of another class: ",
            "1 test image is a copy of a training image: ",
            "1 test image is nearly a copy of a training image: ",
        ),
        (
            ("train/sad/broken.png: ",),
            ("train/sad/blank.png. ",),
            ("train/sad/again.png = train/sad/2.png", "train/sad/other.png = train/happy/1.png"),
            ("train/happy/1.png = train/sad/other.png. ",),
            ("test/happy/leak.png = train/happy/0.png. ",),
            ("test/sad/near.png ~ train/sad/3.png. ",),
        ),
        strict=False,
    ):
        assert line.startswith(begins) and all(name in line for name in names), line
        assert str(data) not in line and line.endswith(".")
    last = "Otherwise nothing was found. The list of the files is written by --csv LIST."
    assert said(data, capsys)[6:] == [last]


def test_a_few_files_are_named_and_the_others_counted(data, tmp_path, capsys):
    for number in range(5):
        copy(data, "train/happy/0.png", f"train/happy/x{number}.png")
    first, last = said(data / "train", capsys, "--csv", tmp_path / "list.csv")
    names = ", ".join(f"happy/x{number}.png = happy/0.png" for number in range(3))
    assert first.startswith(f"5 duplicates: {names}, and 2 more. A picture")
    assert last.startswith("There is one split only, so copies across training and test cannot")
    assert last.endswith(
        f"Otherwise nothing was found. The list of the files is in {tmp_path}/list.csv."
    )


def test_of_a_clean_set_it_says_that_nothing_was_found(data, capsys):
    clean = "Nothing was found: no file that does not read, no blank image, no duplicate."
    assert said(data, capsys) == [f"No test image is a copy of a training image. {clean}"]
    assert said(data / "test", capsys)[0].endswith(f"cannot be looked for. {clean}")
