"""Real faces as people have them: every layout gives the same face set, every mistake is named."""

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
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
    faces = read_images(tmp_path / "data", px=PX, classes=EMOTIONS, strict=False)
    assert faces.classes == EMOTIONS and set(faces.table["class"]) == {"happy"}
    with pytest.raises(StudyError, match="holds no pictures of cat, horse"):
        read_images(tmp_path / "data", px=PX, classes=["cat", "horse"], strict=False)


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
    with pytest.raises(
        StudyError, match="class folders .angry, .* that lie in no folder of a split"
    ):
        read_faces(tmp_path / "flat")


def test_pictures_without_class_folders_are_refused(tmp_path):
    for part, name in (("train", "Training_1.png"), ("test", "PrivateTest_2.png")):
        (tmp_path / part).mkdir()
        Image.fromarray(picture(1)).save(tmp_path / part / name)
    with pytest.raises(StudyError, match="pictures lie in a folder named after a split"):
        read_faces(tmp_path)


@pytest.mark.parametrize(
    "keep, message", [(0.5, "cut off.*: copy or download it again"), (0.0, "is empty .0 bytes.")]
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
        assert numbers["test images with an exact copy in training"] == 542
    else:
        assert sorted(faces.table["row"]) == list(range(35887))


# Layouts of other people.


@pytest.mark.parametrize(
    "parts",
    [
        ("train_set", "test_set"),
        ("training_set", "validation_set"),
        ("Train Set", "Test-Images"),
        ("images_train", "images_test"),
        ("TrainingData", "TestingData"),
        ("train2017", "val2017"),
        ("Training", "PrivateTest"),
        ("dev", "train"),
    ],
)
def test_split_folders_in_all_common_spellings(tmp_path, parts):
    faces = read_faces(build(tmp_path / "data", parts), px=PX)
    assert sizes_of(faces) == {"train": 14, "test": 14}


def test_splits_inside_of_classes(tmp_path):
    plain = read_faces(build(tmp_path / "plain"), px=PX)
    for file in sorted((tmp_path / "plain").rglob("*.png")):
        part, kind, name = file.relative_to(tmp_path / "plain").parts
        (tmp_path / "data" / kind / part).mkdir(parents=True, exist_ok=True)
        shutil.copy(file, tmp_path / "data" / kind / part / name)
    inside = read_faces(tmp_path / "data", px=PX)
    assert sizes_of(inside) == sizes_of(plain) and (inside.counts() == plain.counts()).all()


def test_folders_of_persons_inside_of_classes_are_no_classes(tmp_path):
    for n, (part, kind) in enumerate((p, k) for p in ("train", "test") for k in ("happy", "sad")):
        for person in ("S001", "S002"):
            folder = tmp_path / part / kind / person
            folder.mkdir(parents=True)
            Image.fromarray(picture(n)).save(folder / "1.png")
    faces = read_faces(tmp_path, px=PX)
    assert faces.classes == ("happy", "sad") and len(faces) == 8
    assert faces.table["id"].is_unique
    assert len(read_images(tmp_path)) == 8


def test_a_picture_beside_the_classes_is_left_out_and_named(tmp_path, capsys):
    build(tmp_path / "data")
    for place in ("grid.png", "train/overview.png"):
        Image.fromarray(picture(1)).save(tmp_path / "data" / place)
    assert len(read_faces(tmp_path / "data", px=PX)) == 28
    said = "left out: 2 pictures in no class folder (grid.png, overview.png)"
    assert said in capsys.readouterr().out


def test_one_name_with_two_endings_is_two_pictures(tmp_path):
    build(tmp_path / "data")
    Image.fromarray(picture(99)).save(tmp_path / "data" / "train" / "angry" / "0.bmp")
    (tmp_path / "data" / "train" / "angry-0").mkdir()
    faces = read_faces(tmp_path / "data", px=PX)
    assert len(faces) == 29 and faces.table["id"].is_unique


@pytest.mark.parametrize(
    "beside", ["photo.png", "docs/train/figures/1.jpg", "train.csv", "a/README.md"]
)
@pytest.mark.parametrize("packed", [False, True])
def test_the_table_is_found_beside_other_files(tmp_path, beside, packed, capsys):
    plain = read_faces(csv(tmp_path / "plain" / "fer2013.csv", csv_rows()), px=PX)
    csv(tmp_path / "data" / "archive" / "icml_face_data.csv", csv_rows())
    other = tmp_path / "data" / beside
    other.parent.mkdir(exist_ok=True, parents=True)
    if other.suffix in (".png", ".jpg"):
        Image.fromarray(picture(1)).save(other)
    else:
        other.write_text("id,text\n1,hello\n")
    source = zipped(tmp_path / "data") if packed else tmp_path / "data"
    assert read_faces(source, px=PX).digest() == plain.digest()
    assert "left out: 1 files of other kinds (" in capsys.readouterr().out


def test_a_table_of_any_name_is_found_by_its_columns_and_two_are_ambiguous(tmp_path):
    plain = read_faces(csv(tmp_path / "plain" / "fer2013.csv", csv_rows()), px=PX)
    csv(tmp_path / "data" / "mine.csv", csv_rows())
    assert read_faces(tmp_path / "data", px=PX).digest() == plain.digest()
    csv(tmp_path / "data" / "other.csv", csv_rows())
    with pytest.raises(StudyError, match="several tables of faces .mine.csv, other.csv.; give one"):
        read_faces(tmp_path / "data", px=PX)


def test_pictures_in_class_folders_come_before_a_table(tmp_path, capsys):
    build(tmp_path / "data")
    csv(tmp_path / "data" / "fer2013.csv", csv_rows())
    assert "file" in read_faces(tmp_path / "data", px=PX).table
    assert "left out: 1 files of other kinds (fer2013.csv 1)" in capsys.readouterr().out


def test_of_pictures_that_are_not_square_the_middle_is_taken_and_that_is_said(tmp_path, capsys):
    build(tmp_path / "data")
    wide = np.zeros((PX, 3 * PX), np.uint8)
    wide[:, PX : 2 * PX] = picture(7)
    Image.fromarray(wide).save(tmp_path / "data" / "train" / "happy" / "wide.png")
    faces = read_faces(tmp_path / "data", px=PX)
    row = faces.table["file"].tolist().index("train/happy/wide.png")
    assert (faces.images[row] == picture(7)).all()
    assert "1 of 29 pictures are not square; the middle square" in capsys.readouterr().out


def test_pictures_of_other_classes_beside_a_packed_face_set_are_read(tmp_path, capsys):
    build(tmp_path / "data", classes=("cat", "dog"))
    pd.DataFrame({"id": ["a"], "class": ["cat"]}).to_parquet(tmp_path / "data" / "faces.parquet")
    assert read_faces(tmp_path / "data", px=PX).classes == ("cat", "dog")
    assert "faces.parquet 1" in capsys.readouterr().out


def test_folders_decide_where_names_of_fer2013_contradict_them(tmp_path, capsys):
    # Sorted anew: a third of the training images became test images, the names stayed.
    build(tmp_path / "data", ("train", "test"), name="Training_{n}.jpg")
    faces = read_faces(tmp_path / "data", px=PX)
    assert sizes_of(faces) == {"train": 14, "test": 14}
    said = capsys.readouterr().out
    assert "14 of 28 file names state another split than the folder" in said
    assert "the folders decide" in said


@pytest.mark.parametrize(
    "numbers",
    [
        ("10118481", "10130477", "88305806"),  # the commonest copy: numbers of another kind
        ("0", "1", "40000"),  # beyond the last row
        ("7", "7", "7"),  # counted in each class
    ],
)
def test_numbers_that_are_no_rows_are_not_taken_for_rows(tmp_path, numbers):
    for i, number in enumerate(numbers):
        for part, prefix in (("train", "Training"), ("test", "PrivateTest")):
            folder = tmp_path / part / ("happy", "sad", "fear")[i]
            folder.mkdir(parents=True)
            Image.fromarray(picture(i)).save(folder / f"{prefix}_{number}.jpg")
    faces = read_faces(tmp_path, px=PX, classes=["happy", "sad", "fear"])
    assert len(faces) == 6 and "row" not in faces.table


def test_the_commonest_copy_starts_with_the_votes_of_ferplus_beside_it(tmp_path, capsys):
    from lib.faces.fer2013 import FERPLUS_CLASSES, FERPLUS_OTHERS, read_ferplus

    names = ",".join(["Usage", "Image name", *FERPLUS_CLASSES, *FERPLUS_OTHERS])
    (tmp_path / "fer2013new.csv").write_text(f"{names}\nTraining,fer0.png{',1' * 10}\n")
    build(tmp_path / "data", ("train",), name="Training_101184{n}.jpg", first=10)
    build(tmp_path / "data", ("test",), name="PublicTest_883058{n}.jpg", first=24)
    faces = read_faces(tmp_path / "data", px=PX)
    assert read_ferplus(faces, "", beside=str(tmp_path / "data")) is faces
    assert "FER+ votes are left out: " in (said := capsys.readouterr().out)
    assert "the numbers in these file names are none (PublicTest_88305824.jpg" in said


@pytest.mark.parametrize("read", [read_faces, read_images])
def test_a_flat_folder_is_told_what_is_missing(tmp_path, read):
    for n in range(3):
        Image.fromarray(picture(n)).save(tmp_path / f"{n}.png")
    message = "pictures lie in the folder itself; .*happy/1.jpg.* or a metadata.csv"
    with pytest.raises(StudyError, match=message):
        read(tmp_path)


def test_a_folder_of_other_files_is_told_what_was_found(tmp_path):
    for name in ("a.heic", "b.heic", "c.txt"):
        (tmp_path / name).write_bytes(b"x")
    message = "no pictures and no table of faces: found .heic 2, .txt 1; expected .*jfif"
    with pytest.raises(StudyError, match=message):
        read_faces(tmp_path)
    build(tmp_path / "data")
    inside = zipped(tmp_path / "data").rename(tmp_path / "inside.zip")
    shutil.rmtree(tmp_path / "data")
    with pytest.raises(StudyError, match="give the path of inside.zip itself"):
        read_faces(tmp_path)
    assert len(read_faces(inside, px=PX)) == 28


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "fer2013.csv: is empty"),
        (bytes(5000), "fer2013.csv: begins with zero bytes alone"),
        (b"version https://git-lfs.github.com/spec/v1\n", "fer2013.csv: is a Git LFS pointer"),
        (b"id,text\n1,hello\n", "fer2013.csv: column 'pixels' is missing; found id, text"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_a_table_that_holds_no_faces_says_why(tmp_path, content, message, packed):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "fer2013.csv").write_bytes(content)
    with pytest.raises(StudyError, match=message):
        read_faces(zipped(tmp_path / "data") if packed else tmp_path / "data")
