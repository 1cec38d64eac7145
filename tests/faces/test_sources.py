"""Real faces as people have them: every layout gives the same face set, every mistake is named."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.faces.classes import EIGHT_EMOTIONS, EMOTIONS, FER2013_CODES
from lib.faces.duplicates import exact_groups, near_groups
from lib.faces.faceset import FaceSet
from lib.faces.sources import carve_validation, read_faces, read_images, require_training_images
from lib.study.errors import StudyError

PX = 16


def picture(number: int) -> np.ndarray:
    return np.random.default_rng(number).integers(0, 256, (PX, PX), dtype=np.uint8)


def build(
    folder: Path, parts=("train", "test"), classes=EMOTIONS, each=2, name="{n}.png", first=0
) -> Path:
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


def sizes_of(faces: FaceSet) -> dict:
    return faces.table["split"].value_counts().to_dict()


def test_train_and_test_folders(tmp_path):
    faces = read_faces(build(tmp_path / "data"), px=PX)
    assert len(faces) == 28 and sizes_of(faces) == {"train": 14, "test": 14}
    assert faces.classes == EMOTIONS and set(faces.table["source"]) == {"data"}
    assert faces.table["file"].is_monotonic_increasing
    for row in (0, 9, 27):
        file = faces.table["file"][row]
        assert faces.table["class"][row] == file.split("/")[1]
        assert (faces.images[row] == picture(int(Path(file).stem))).all()
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
    for i, kind in enumerate(EMOTIONS):
        file = tmp_path / "data" / "test" / kind / f"PrivateTest_{21 + i}.jpg"
        Image.fromarray(picture(i)).save(file)
    faces = read_faces(tmp_path / "data", px=PX)
    assert sizes_of(faces) == {"train": 14, "val": 7, "test": 7}
    assert sorted(faces.table["row"]) == list(range(28))


def test_other_prefixes_mean_nothing(tmp_path):
    faces = read_faces(build(tmp_path / "data", name="test_{n}.png"), px=PX)
    folders = faces.table["file"].str.split("/").str[0]
    assert (faces.table["split"] == folders).all() and "row" not in faces.table


def test_pictures_outside_split_folders_are_announced(tmp_path, capsys):
    build(tmp_path / "data")
    build(tmp_path / "data", ("more",), each=1, first=28)
    assert len(read_faces(tmp_path / "data", px=PX)) == 28
    said = "data: left out: 7 pictures in no split folder (28.png, 29.png,"
    assert said in capsys.readouterr().out


def csv(path: Path, rows: list[str], head="emotion,pixels,Usage") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join([head, *rows]) + "\n")
    return path


def csv_rows(usages=("Training", "PublicTest", "PrivateTest"), codes=range(7)) -> list[str]:
    pixels = {code: " ".join(map(str, picture(code).ravel())) for code in codes}
    return [f"{code},{pixels[code]},{usage}" for usage in usages for code in codes]


def test_zip_of_the_csv_gives_what_the_csv_gives(tmp_path):
    plain = read_faces(csv(tmp_path / "inside" / "fer2013.csv", csv_rows()), px=PX)
    assert plain.digest() == read_faces(zipped(tmp_path / "inside"), px=PX).digest()
    assert plain.digest() == read_faces(tmp_path / "inside", px=PX).digest()
    assert plain.table["class"][:7].tolist() == list(FER2013_CODES)
    assert plain.table["split"].unique().tolist() == ["train", "val", "test"]


# Which classes a source has.


def test_aliases_are_announced(tmp_path, capsys):
    classes = ["anger", *EMOTIONS[1:3], "happiness", *EMOTIONS[4:]]
    faces = read_faces(build(tmp_path / "data", classes=classes), px=PX)
    announced = "class names taken as: anger -> angry, happiness -> happy"
    assert capsys.readouterr().out.strip() == announced
    assert faces.counts().tolist() == [4] * 7


@pytest.mark.parametrize(
    "folders, classes",
    [
        (EIGHT_EMOTIONS, EIGHT_EMOTIONS),
        (("anger", "contempt", "fear"), ("angry", "contempt", "fear")),
        (("dog", "cat"), ("cat", "dog")),
        (tuple("1234567"), tuple("1234567")),
    ],
)
def test_classes_are_those_that_the_folders_name(tmp_path, folders, classes):
    faces = read_faces(build(tmp_path / "data", classes=folders), px=PX)
    assert faces.classes == classes and faces.counts().tolist() == [4] * len(classes)


def test_unknown_class_folder_names_the_nearest(tmp_path):
    build(tmp_path / "data", classes=[*EMOTIONS[:-1], "suprise"])
    message = "test/suprise: unknown class 'suprise'; did you mean 'surprise'"
    with pytest.raises(StudyError, match=message):
        read_faces(tmp_path / "data")


def test_wanted_classes_are_read_and_others_left_out_and_counted(tmp_path, capsys):
    build(tmp_path / "data", classes=[*EMOTIONS, "dog"])
    faces = read_faces(tmp_path / "data", px=PX, classes=["happy", "dog"])
    assert faces.classes == ("dog", "happy") and faces.counts().tolist() == [4, 4]
    left_out = [f"{name} (4)" for name in EMOTIONS if name != "happy"]
    announced = "images of other classes, 24 in all, are left out: " + ", ".join(left_out)
    assert capsys.readouterr().out.strip() == announced
    with pytest.raises(StudyError, match="there are no images of cat, horse"):
        read_faces(tmp_path / "data", px=PX, classes=["happy", "cat", "horse"])


def test_another_data_set_may_lack_some_classes_of_the_study(tmp_path):
    build(tmp_path / "data", ("test",), classes=["happy", "dog"])
    faces = read_faces(tmp_path / "data", px=PX, classes=EMOTIONS, complete=False)
    assert faces.classes == EMOTIONS and set(faces.table["class"]) == {"happy"}
    train = build(tmp_path / "train", ("train",), classes=["happy", "sad"])
    assert len(read_faces(train, px=PX, classes=EMOTIONS, complete=False)) == 4
    with pytest.raises(StudyError, match="holds no pictures of cat, horse"):
        read_faces(tmp_path / "data", px=PX, classes=["cat", "horse"], complete=False)


def test_a_class_without_training_images_is_refused(tmp_path):
    build(tmp_path / "data", ("train",), classes=EMOTIONS[:-1])
    build(tmp_path / "data", ("test",))
    with pytest.raises(StudyError, match="no training images of surprise; .* `classes`"):
        read_faces(tmp_path / "data")
    six = read_faces(tmp_path / "data", px=PX, classes=EMOTIONS[:-1])
    assert six.classes == EMOTIONS[:-1]


def test_fer2013_has_seven_classes_even_where_one_has_no_image(tmp_path):
    rows = csv_rows(codes=range(6))
    table = csv(tmp_path / "fer2013.csv", rows)
    folder = build(tmp_path / "data", ("train",), EMOTIONS[:-1], name="Training_{n}.jpg")
    with pytest.raises(StudyError, match="no training images of neutral"):
        read_faces(table)
    with pytest.raises(StudyError, match="no training images of surprise"):
        read_faces(folder)
    assert read_faces(table, px=PX, classes=["fear", "happy"]).classes == ("fear", "happy")


def test_a_set_without_a_training_split_may_lack_classes(tmp_path):
    faces = read_faces(build(tmp_path / "data", ("test",), EMOTIONS[:3]), px=PX)
    require_training_images(faces, "x")
    assert faces.classes == EMOTIONS[:3]


# What does not read.


def test_nothing_to_read(tmp_path):
    with pytest.raises(StudyError, match="nowhere: no such file or folder"):
        read_faces(tmp_path / "nowhere")
    with pytest.raises(StudyError, match="expected e.g. train/happy/1.jpg"):
        read_faces(tmp_path)
    build(tmp_path / "flat", ("",))
    with pytest.raises(StudyError, match="no pictures in <split>/<class>/ folders"):
        read_faces(tmp_path / "flat")


def test_pictures_without_class_folders_are_refused(tmp_path):
    for part, name in (("train", "Training_1.png"), ("test", "PrivateTest_2.png")):
        (tmp_path / part).mkdir()
        Image.fromarray(picture(1)).save(tmp_path / part / name)
    with pytest.raises(StudyError, match="pictures lie in a folder named after a split"):
        read_faces(tmp_path)


@pytest.mark.parametrize(
    "keep, message",
    [(0.5, "cut off: copy or download it again"), (0.0, "is empty .0 bytes.")],
)
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
    message = r"(test|train)/\w+/\d+.png does not read|damaged or cut off"
    with pytest.raises(StudyError, match=message):
        read_faces(path)


def test_damaged_picture_is_named(tmp_path):
    build(tmp_path / "data")
    file = tmp_path / "data" / "train" / "fear" / "4.png"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(StudyError, match="train/fear/4.png: the picture is damaged or cut off"):
        read_faces(tmp_path / "data")


# Ready-made pools.


def test_ready_made_images_keep_their_size(tmp_path):
    build(tmp_path / "pool", ("train",), classes=EMOTIONS[:3])
    odd = tmp_path / "pool" / "train" / "fear" / "odd.png"
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(odd)
    faces = read_images(tmp_path / "pool")
    assert faces.images.shape == (7, PX, PX) and set(faces.table["split"]) == {"train"}
    assert faces.classes == EMOTIONS
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match="holds no pictures"):
        read_images(tmp_path / "empty")


def test_ready_made_images_have_the_classes_of_the_study(tmp_path, capsys):
    pool = build(tmp_path / "pool", ("",), classes=["joy", "fear", "sad"])
    faces = read_images(pool, classes=("happy", "sad"))
    assert faces.classes == ("happy", "sad") and set(faces.table["class"]) == {"happy", "sad"}
    assert "images of other classes, 2 in all, are left out: fear (2)" in capsys.readouterr().out
    build(pool, ("",), classes=["hapy"])
    with pytest.raises(StudyError, match="pool/hapy: unknown class 'hapy'; did you mean 'happy'"):
        read_images(pool, classes=("happy", "sad"))


# Validation.


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
    assert (split[faces.table["split"] == "test"] == "test").all()
    assert 4 <= (split == "val").sum() <= 14

    # No group of copies lies in two splits.
    learnt = (split != "test").to_numpy()
    groups = near_groups(images[learnt], 2.0)
    assert carved.table[learnt].groupby(groups)["split"].nunique().max() == 1
    assert len(set(exact_groups(images[learnt]))) > len(set(groups))


@pytest.mark.skipif(
    not os.environ.get("FACES_DATA"), reason="FACES_DATA names no folder with the real faces"
)
@pytest.mark.parametrize(
    "name, parts", [("dataset_base", (28821, 0, 7066)), ("fer2013", (28709, 3589, 3589))]
)
def test_real_photographs(name, parts):
    from lib.faces.audit import copies
    from lib.faces.duplicates import mark_copies

    faces = mark_copies(read_faces(Path(os.environ["FACES_DATA"]) / name), 2.0)
    assert tuple(len(faces.split(part)) for part in ("train", "val", "test")) == parts
    numbers = copies(faces).set_index("measure")["images"]
    expected = {
        "different images": 34034,
        "groups of identical images": 1516,
        "groups of identical images with conflicting labels": 57,
        "blank images (standard deviation under 5)": 14,
    }
    assert numbers[list(expected)].to_dict() == expected
    if name == "dataset_base":
        assert numbers["test images with an exact copy in train"] == 542
    else:
        assert sorted(faces.table["row"]) == list(range(35887))
