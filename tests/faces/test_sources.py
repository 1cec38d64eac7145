"""Real faces as people have them: every layout gives the same face set, every mistake is named."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.faces.duplicates import exact_groups, near_groups
from lib.faces.faceset import CLASSES, FaceSet
from lib.faces.naming import FER2013_CODES
from lib.faces.sources import carve_validation, read_faces, read_images
from lib.study.errors import StudyError

PX = 16


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (PX, PX), dtype=np.uint8)


def build(folder: Path, parts=("train", "test"), classes=CLASSES, each=2, name="{n}.png", first=0) -> Path:
    """Lay out pictures as <part>/<class>/<name>; picture n is the n-th of the tree."""
    n = first
    for part in parts:
        for kind in classes:
            (folder / part / kind).mkdir(parents=True)
            for _ in range(each):
                Image.fromarray(picture(n)).save(folder / part / kind / name.format(n=n))
                n += 1
    return folder


def zipped(folder: Path) -> Path:
    return Path(shutil.make_archive(str(folder), "zip", folder))


def same(a: FaceSet, b: FaceSet) -> bool:
    return a.digest() == b.digest() and a.table["file"].tolist() == b.table["file"].tolist()


def test_train_and_test_folders(tmp_path):
    faces = read_faces(build(tmp_path / "data"), px=PX)
    assert len(faces) == 28 and faces.table["split"].value_counts().to_dict() == {"train": 14, "test": 14}
    assert faces.table["file"].is_monotonic_increasing and faces.table["source"].unique().tolist() == ["data"]
    for row in (0, 9, 27):
        file = faces.table["file"][row]
        assert faces.table["class"][row] == file.split("/")[1] and (faces.images[row] == picture(int(Path(file).stem))).all()
    assert faces.table["id"][0] == f"angry-{Path(faces.table['file'][0]).stem}"


def test_train_and_validation_are_train_and_test(tmp_path):
    faces = read_faces(build(tmp_path / "data", ("train", "validation")), px=PX)
    assert set(faces.table["split"]) == {"train", "test"}
    three = read_faces(build(tmp_path / "three", ("train", "valid", "test")), px=PX)
    assert set(three.table["split"]) == {"train", "val", "test"}


@pytest.mark.parametrize("above", ["", "archive", "a/b"])
def test_zip_gives_what_the_folder_gives_at_any_depth(tmp_path, above):
    build(tmp_path / "data" / above)
    folder = read_faces(tmp_path / "data", px=PX)
    assert len(folder) == 28 and same(folder, read_faces(zipped(tmp_path / "data"), px=PX))


def test_one_file_name_in_two_parts(tmp_path):
    build(tmp_path / "data", ("train",))
    build(tmp_path / "data", ("test",))
    faces = read_faces(tmp_path / "data", px=PX)
    assert faces.table["id"].is_unique and faces.table["id"][0].startswith("test-angry-")


def test_file_names_of_fer2013_outweigh_folders(tmp_path):
    build(tmp_path / "data", ("train",), name="Training_{n}.jpg")
    build(tmp_path / "data", ("test",), each=1, name="PublicTest_{n}.jpg", first=14)
    for i, kind in enumerate(CLASSES):
        Image.fromarray(picture(i)).save(tmp_path / "data" / "test" / kind / f"PrivateTest_{21 + i}.jpg")
    faces = read_faces(tmp_path / "data", px=PX)
    assert faces.table["split"].value_counts().to_dict() == {"train": 14, "val": 7, "test": 7}
    assert sorted(faces.table["row"]) == list(range(28))


def test_other_prefixes_say_nothing(tmp_path):
    faces = read_faces(build(tmp_path / "data", name="test_{n}.png"), px=PX)
    assert (faces.table["split"] == faces.table["file"].str.split("/").str[0]).all() and "row" not in faces.table


def test_pictures_outside_split_folders_are_announced(tmp_path, capsys):
    build(tmp_path / "data")
    build(tmp_path / "data", ("more",), each=1)
    assert len(read_faces(tmp_path / "data", px=PX)) == 28
    assert "7 of 35 pictures lie in no split folder and are left out" in capsys.readouterr().out


def csv(path: Path, rows: list[str], head="emotion,pixels,Usage") -> Path:
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def csv_rows(usages=("Training", "PublicTest", "PrivateTest")) -> list[str]:
    return [f"{code},{' '.join(map(str, picture(code).ravel()))},{usage}" for usage in usages for code in range(7)]


def test_zip_of_the_csv_gives_what_the_csv_gives(tmp_path):
    (tmp_path / "inside").mkdir()
    plain = read_faces(csv(tmp_path / "inside" / "fer2013.csv", csv_rows()), px=PX)
    assert plain.digest() == read_faces(zipped(tmp_path / "inside"), px=PX).digest() == read_faces(tmp_path / "inside", px=PX).digest()
    assert plain.table["class"][:7].tolist() == list(FER2013_CODES) and plain.table["split"].unique().tolist() == ["train", "val", "test"]


def test_aliases_are_announced(tmp_path, capsys):
    classes = ["anger", *CLASSES[1:3], "happiness", *CLASSES[4:]]
    faces = read_faces(build(tmp_path / "data", classes=classes), px=PX)
    assert capsys.readouterr().out.strip() == "class names taken as: anger -> angry, happiness -> happy"
    assert faces.counts().tolist() == [4] * 7


def test_unknown_class_folder_names_the_nearest(tmp_path):
    build(tmp_path / "data", classes=[*CLASSES[:-1], "suprise"])
    with pytest.raises(StudyError, match="test/suprise: unknown class 'suprise'; did you mean 'surprise'"):
        read_faces(tmp_path / "data")


def test_a_class_without_training_images_is_refused(tmp_path):
    build(tmp_path / "data", ("train",), classes=CLASSES[:-1])
    build(tmp_path / "data", ("test",))
    with pytest.raises(StudyError, match="no training images of surprise"):
        read_faces(tmp_path / "data")


def test_nothing_to_read(tmp_path):
    with pytest.raises(StudyError, match="nowhere: no such file or folder"):
        read_faces(tmp_path / "nowhere")
    with pytest.raises(StudyError, match="expected e.g. train/happy/1.jpg"):
        read_faces(tmp_path)
    build(tmp_path / "flat", ("",))
    with pytest.raises(StudyError, match="no pictures in <split>/<class>/ folders"):
        read_faces(tmp_path / "flat")


@pytest.mark.parametrize("keep, message", [(0.5, "cut off: copy or download it again"), (0.0, "neither a folder nor a whole zip")])
def test_cut_off_zip(tmp_path, keep, message):
    path = zipped(build(tmp_path / "data"))
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    with pytest.raises(StudyError, match=message):
        read_faces(path)


def test_damaged_part_of_a_zip_is_named(tmp_path):
    path = zipped(build(tmp_path / "data"))
    data = bytearray(path.read_bytes())
    at = data.index(b"IDAT") if b"IDAT" in data else len(data) // 4
    data[at + 20 : at + 40] = bytes(20)
    path.write_bytes(data)
    with pytest.raises(StudyError, match=r"(test|train)/\w+/\d+.png does not read|damaged or cut off"):
        read_faces(path)


def test_damaged_picture_is_named(tmp_path):
    build(tmp_path / "data")
    file = tmp_path / "data" / "train" / "fear" / "4.png"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StudyError, match="train/fear/4.png: the picture is damaged or cut off"):
        read_faces(tmp_path / "data")


def test_ready_made_images_keep_their_size(tmp_path):
    build(tmp_path / "pool", ("train",), classes=CLASSES[:3])
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "pool" / "train" / "fear" / "odd.png")
    faces = read_images(tmp_path / "pool")
    assert faces.images.shape == (7, PX, PX) and set(faces.table["split"]) == {"train"}
    with pytest.raises(StudyError, match="holds no pictures"):
        (tmp_path / "empty").mkdir()
        read_images(tmp_path / "empty")


def test_carved_validation_keeps_copies_together(tmp_path):
    faces = read_faces(build(tmp_path / "data", each=4), px=PX)
    images = faces.images.copy()
    images[1::2] = images[::2]
    images[1::4] ^= 1  # every other copy is a near one
    faces = FaceSet(images, faces.table)
    carved = carve_validation(faces, 0.3, 5, near_copy_distance=2.0)
    assert carved.digest() == carve_validation(faces, 0.3, 5, near_copy_distance=2.0).digest()
    assert carved.digest() != carve_validation(faces, 0.3, 6, near_copy_distance=2.0).digest()
    split = carved.table["split"]
    assert (split[faces.table["split"] == "test"] == "test").all() and 4 <= (split == "val").sum() <= 14
    train_val = (split != "test").to_numpy()
    assert carved.table[train_val].groupby(near_groups(images[train_val], 2.0))["split"].nunique().max() == 1
    assert len(set(exact_groups(images[train_val]))) > len(set(near_groups(images[train_val], 2.0)))


@pytest.mark.skipif(not os.environ.get("FACES_DATA"), reason="FACES_DATA names no folder with the real faces")
@pytest.mark.parametrize("name, parts", [("dataset_base", (28821, 0, 7066)), ("fer2013", (28709, 3589, 3589))])
def test_real_photographs(name, parts):
    from lib.faces.audit import copies
    from lib.faces.duplicates import mark_copies

    faces = mark_copies(read_faces(Path(os.environ["FACES_DATA"]) / name), 2.0)
    assert tuple(len(faces.split(part)) for part in ("train", "val", "test")) == parts
    numbers = copies(faces).set_index("measure")["images"]
    wanted = {
        "different images": 34034,
        "groups of identical images": 1516,
        "groups of identical images with conflicting labels": 57,
        "blank images (standard deviation under 5)": 14,
    }
    assert numbers[list(wanted)].to_dict() == wanted
    if name == "dataset_base":
        assert numbers["test images with an exact copy in train"] == 542
    else:
        assert sorted(faces.table["row"]) == list(range(35887))
