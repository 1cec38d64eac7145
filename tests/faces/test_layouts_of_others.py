"""Data sets as other people lay them out and hand them on: read, or refused with the way out; what
is left out is counted and named.
"""

import base64
import io
import json
import shutil
import unicodedata
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from PIL import Image

from lib.faces.listing import MOST_DAMAGED
from lib.faces.pictures import decode_grey
from lib.faces.sources import read_everything, read_faces, read_images
from lib.study.errors import StudyError

PX = 8
PARTS, KINDS = ("train", "test"), ("happy", "sad")
ANNEXED = "../../.git/annex/objects/Xq/9j/SHA256E-s3--ab.png/SHA256E-s3--ab.png"


def png(number: int) -> bytes:
    buffer = io.BytesIO()
    values = np.random.default_rng(number).integers(0, 256, (PX, PX), dtype=np.uint8)
    Image.fromarray(values).save(buffer, "PNG")
    return buffer.getvalue()


def put(root: Path, *names: str, data: bytes | None = None) -> Path:
    """Write files, each another picture where no bytes are given."""
    for number, name in enumerate(names):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(png(number) if data is None else data)
    return root


def laid_out(root: Path, *, parts=PARTS, kinds=KINDS) -> Path:
    """Write two pictures of each class in each split."""
    return put(root, *[f"{part}/{kind}/{i}.png" for part in parts for kind in kinds for i in "12"])


def zipped(path: Path, names: list[str]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, name in enumerate(names):
            archive.writestr(name, png(number))
    return path


def refused(path: Path, message: str, read=read_faces) -> None:
    with pytest.raises(StudyError, match=message):
        read(path)


# Labels that stand elsewhere than in the names of folders.


@pytest.mark.parametrize("read", [read_faces, read_images])
@pytest.mark.parametrize("split", ["train_set/", "train/", "valid/"])
def test_folders_called_images_are_no_classes(tmp_path, read, split):
    """AffectNet has train_set/images and annotations as .npy, YOLO has train/images and labels."""
    put(tmp_path, f"{split}images/0.png", f"{split}images/1.png")
    put(tmp_path, f"{split}labels/0.txt", data=b"3 0.5 0.5 1 1\n")
    refused(tmp_path, "lie in folders that name no class .images.; a picture's class is", read)


def test_a_folder_called_images_is_a_class_to_whom_asks_for_it(tmp_path):
    laid_out(tmp_path, kinds=("faces", "images"))
    faces = read_faces(tmp_path, px=PX, classes=("faces", "images"))
    assert faces.classes == ("faces", "images")


@pytest.mark.parametrize("name", ["labels.csv", "legend.csv", "metadata.parquet"])
@pytest.mark.parametrize("folder", ["", "images/"])
def test_a_table_of_labels_of_another_name_is_named(tmp_path, folder, name):
    put(tmp_path, f"{folder}0.png", f"{folder}1.png")
    table = pa.table({"file_name": ["0.png", "1.png"], "label": ["happy", "sad"]})
    if name.endswith("csv"):
        (tmp_path / name).write_text("image,emotion\n0.png,happy\n1.png,sad\n")
    else:
        pa.parquet.write_table(table, tmp_path / name)
    way_out = rf"is {name} the table of their labels\? Save it as metadata.csv"
    refused(tmp_path, way_out)
    refused(tmp_path, way_out, read_images)


def test_classes_without_splits_are_told_so(tmp_path):
    """CK+48 has one folder a class, and no split."""
    put(tmp_path, *[f"CK+48/{kind}/S{i}.png" for kind in ("anger", "happy") for i in range(2)])
    refused(tmp_path, "class folders .anger, happy. that lie in no folder of a split; sort them")
    assert len(read_images(tmp_path)) == 4


# Classes that hold nothing.


def test_empty_class_folders_are_counted_and_named(tmp_path, capsys):
    laid_out(tmp_path / "data")
    for part in PARTS:
        (tmp_path / "data" / part / "contempt").mkdir()
    (tmp_path / "data/test/contempt/.gitkeep").touch()
    faces = read_faces(tmp_path / "data", px=PX)
    assert "2 empty folders (contempt)" in capsys.readouterr().out
    shutil.make_archive(str(tmp_path / "data"), "zip", tmp_path / "data")
    assert read_faces(tmp_path / "data.zip", px=PX).digest() == faces.digest()
    assert "2 empty folders (contempt)" in capsys.readouterr().out


def test_a_source_of_empty_folders_is_not_called_empty(tmp_path):
    (tmp_path / "data/train/happy").mkdir(parents=True)
    refused(tmp_path / "data", "all of it is left out: 1 empty folders .happy.")


def test_a_class_folder_that_is_a_file_is_named(tmp_path, capsys):
    laid_out(tmp_path)
    put(tmp_path, "train/joy", "test/Fear", data=b"../pile/fear")
    read_faces(tmp_path, px=PX)
    assert "2 files in place of class folders (Fear, joy)" in capsys.readouterr().out


# Files whose content is somewhere else.


def test_links_of_git_annex_without_content_say_how_to_get_it(tmp_path, capsys):
    laid_out(tmp_path / "some")
    (tmp_path / "some/train/happy/9.png").symlink_to(ANNEXED)
    assert len(read_faces(tmp_path / "some", px=PX)) == 8
    assert "1 links of git-annex without content (git annex get) (9.png)" in capsys.readouterr().out
    (tmp_path / "none/train/happy").mkdir(parents=True)
    (tmp_path / "none/train/happy/9.png").symlink_to(ANNEXED)
    refused(tmp_path / "none", "git annex get")


def test_placeholders_of_a_cloud_are_no_hidden_files(tmp_path, capsys):
    laid_out(tmp_path)
    put(tmp_path, "train/happy/.9.png.icloud", data=b"bplist00")
    read_faces(tmp_path, px=PX)
    said = capsys.readouterr().out
    assert "1 placeholders of iCloud, to be downloaded first (.9.png.icloud)" in said


@pytest.mark.parametrize(
    "text, way_out", [("../../pile/1.png", "core.symlinks"), (ANNEXED, "git annex get")]
)
def test_a_link_that_git_wrote_as_text_is_named(tmp_path, text, way_out):
    laid_out(tmp_path)
    put(tmp_path, "train/sad/9.png", data=text.encode())
    refused(tmp_path, f"9.png: not a picture: is .*{way_out}")


def test_the_cache_of_the_hub_is_read_once_though_it_holds_two_revisions(tmp_path):
    laid_out(tmp_path / "all")
    for revision in ("abc", "def"):
        for number, file in enumerate(sorted((tmp_path / "all").rglob("*.png"))):
            blob = tmp_path / "cache/blobs" / f"{number:064}"
            link = tmp_path / "cache/snapshots" / revision / file.relative_to(tmp_path / "all")
            for folder in (blob.parent, link.parent):
                folder.mkdir(parents=True, exist_ok=True)
            blob.write_bytes(file.read_bytes())
            link.symlink_to(blob)
    assert len(read_faces(tmp_path / "cache", px=PX)) == 8


# Zip files.


def test_several_zips_and_zips_in_a_zip_are_to_be_unpacked(tmp_path):
    (tmp_path / "data").mkdir()
    for part in PARTS:
        zipped(tmp_path / "data" / f"{part}.zip", [f"{kind}/1.png" for kind in KINDS])
    refused(tmp_path / "data", "found .zip 2; unpack them .unzip. and give the folder; expected")
    with zipfile.ZipFile(tmp_path / "outer.zip", "w") as outer:
        outer.write(tmp_path / "data/train.zip", "train.zip")
    refused(tmp_path / "outer.zip", "found .zip 1; unpack it .unzip. and give the folder; expected")


def test_a_way_of_compressing_that_python_cannot_undo_is_named(tmp_path):
    """Windows compresses files of more than 2 GB by deflate64."""
    path = zipped(tmp_path / "a.zip", [f"{part}/{kind}/1.png" for part in PARTS for kind in KINDS])
    data = bytearray(path.read_bytes())
    for sign, place in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        for at in [i for i in range(len(data)) if data[i : i + 4] == sign]:
            data[at + place] = 9
    path.write_bytes(data)
    refused(path, "a.zip: is compressed by deflate64, which is not read; unpack it .7z x. and give")


@pytest.mark.parametrize(
    "encoding, kinds",
    [
        ("gbk", ("开心", "悲伤")),
        ("cp1251", ("Радость", "Печаль")),
        ("cp1252", ("fröhlich", "zürnend")),
    ],
)
def test_names_in_an_encoding_that_a_zip_does_not_tell_are_no_classes(tmp_path, encoding, kinds):
    # Names of so many question marks, twice each, of which the encoded ones take the place.
    names = [f"{part}/{kind}/1.png".encode(encoding) for part in PARTS for kind in kinds]
    stand_ins = [b"%d" % number + b"?" * (len(name) - 1) for number, name in enumerate(names)]
    data = zipped(tmp_path / "a.zip", [name.decode() for name in stand_ins]).read_bytes()
    for stand_in, name in zip(stand_ins, names):
        data = data.replace(stand_in, name)
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    refused(path, "its name is in an encoding that the zip file does not tell; pack it anew")


def test_names_of_dos_are_read(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for part in PARTS:
            for kind in ("frohlich", "zurnend"):
                archive.writestr(f"{part}/{kind}/1.png", png(0))
    data = path.read_bytes()
    for plain, kind in (("frohlich", "fröhlich"), ("zurnend", "zürnend")):
        data = data.replace(plain.encode(), kind.encode("cp437"))
    path.write_bytes(data)
    assert read_faces(path, px=PX).classes == ("fröhlich", "zürnend")


def test_a_path_with_a_drive_is_a_folder_like_others(tmp_path):
    names = [f"C:\\Users\\me\\{part}\\{kind}\\1.png" for part in PARTS for kind in KINDS]
    assert len(read_faces(zipped(tmp_path / "a.zip", names), px=PX)) == 4


def test_one_picture_that_unpacks_to_hundreds_of_megabytes_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for part in PARTS:
            for kind in KINDS:
                archive.writestr(f"{part}/{kind}/1.png", png(0))
        with archive.open("train/happy/9.png", "w", force_zip64=True) as file:
            for _ in range(201):
                file.write(bytes(1_000_000))
    assert path.stat().st_size < 1_000_000
    refused(path, "9.png: has 201,000,000 bytes, too large")


# Spellings.


@pytest.mark.parametrize(
    "train, test",
    [
        (("Happy", "SAD"), ("happy", "sad")),
        (("happy ", " sad"), ("happy", "sad")),
        (("anger", "Surprised"), ("angry", "surprise")),
        (("fro\u0308hlich", "traurig"), ("fr\u00f6hlich", "traurig")),
    ],
)
def test_one_class_in_two_spellings_is_one(tmp_path, train, test):
    laid_out(tmp_path, parts=("train ",), kinds=train)
    laid_out(tmp_path, parts=("Test",), kinds=test)
    faces = read_faces(tmp_path, px=PX)
    assert len(faces) == 8
    assert faces.classes == tuple(sorted(unicodedata.normalize("NFC", kind) for kind in test))


@pytest.mark.parametrize(
    "kinds, message",
    [
        (("Cat", "cat", "dog"), "'Cat' and 'cat' have one name"),
        (("happy", "happy - Copy"), "unknown class 'happy - Copy'"),
        (("happy", "sad", "unlabeled"), "unknown class 'unlabeled'"),
        (("happy\u200b", "sad"), "unknown class 'happy"),
        (("ｈａｐｐｙ", "sad"), "unknown class 'ｈａｐｐｙ'"),
    ],
)
def test_names_that_are_nearly_classes_are_refused(tmp_path, kinds, message):
    refused(laid_out(tmp_path, kinds=kinds), message)


def test_downloads_that_are_not_complete_are_left_out_and_counted(tmp_path, capsys):
    laid_out(tmp_path)
    put(tmp_path, *[f"train/sad/9.{ending}" for ending in ("png.part", "crdownload", "jpg_large")])
    assert len(read_faces(tmp_path, px=PX)) == 8
    said = capsys.readouterr().out
    assert "3 files of other kinds (.crdownload 1, .jpg_large 1, .part 1)" in said


# Containers that are not read.


@pytest.mark.parametrize(
    "names, data, message",
    [
        (
            ["data-0.arrow", "data-1.arrow", "x.json"],
            b"ARROW1\0\0",
            "data-0.arrow is an Arrow file",
        ),
        (
            ["train-0.tar", "train-1.tar"],
            b"a".ljust(257, b"\0") + b"ustar\0" + bytes(300),
            "train-0.tar is a tar archive; unpack it",
        ),
        (["a.h5", "b.h5"], b"\x89HDF\r\n\x1a\n", "a.h5 is an HDF5 file"),
        (["a.npy", "b.npy"], b"\x93NUMPY\x01\0", "a.npy is a numpy array"),
    ],
)
def test_containers_are_called_what_they_are(tmp_path, names, data, message):
    put(tmp_path, *names, data=data)
    refused(tmp_path, message)


@pytest.mark.parametrize(
    "cell, message",
    [
        ([{"bytes": png(0), "path": None}], "holds a list of pictures; write one picture a row"),
        (base64.b64encode(png(0)).decode(), "holds a picture as text .base64.; write its bytes"),
        (
            "data:image/png;base64," + base64.b64encode(png(0)).decode(),
            "holds a picture as text .base64.; write its bytes",
        ),
        ({"bytes": None, "path": None}, "has no picture; remove the row"),
        ("https://example.org/1.png", "holds only text"),
    ],
)
def test_pictures_that_parquet_holds_in_other_forms_are_named(tmp_path, cell, message):
    table = pa.table({"image": [cell, cell], "label": list(KINDS)})
    if isinstance(cell, dict):
        form = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
        table = pa.table({"image": pa.array([cell, cell], form), "label": list(KINDS)})
    pa.parquet.write_table(table, tmp_path / "train.parquet")
    refused(tmp_path / "train.parquet", message)


def test_pictures_in_any_column_of_bytes_are_read(tmp_path):
    values = np.random.default_rng(0).integers(0, 256, (2, PX * PX), dtype=np.uint8)
    stored = pa.array(values.tolist(), pa.list_(pa.uint8(), PX * PX))
    tensors = pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.uint8(), [PX, PX]), stored)
    forms = {
        "large": pa.array([png(0), png(1)], pa.large_binary()),
        "views": pa.array([png(0), png(1)], pa.binary_view()),
        "tensors": tensors,
    }
    for name, cells in forms.items():
        table = pa.table({"image": cells, "label": pa.array(KINDS).dictionary_encode()})
        pa.parquet.write_table(table, tmp_path / "train.parquet")
        assert len(read_faces(tmp_path / "train.parquet", px=PX)) == 2, name


# Pictures of other kinds, and damage at first sight.


@pytest.mark.parametrize("kind", ["WEBP", "PNG", "GIF", "TIFF", "AVIF"])
def test_of_an_animation_the_first_picture_counts(kind):
    frames = [Image.new("RGB", (PX, PX), (level,) * 3) for level in (10, 90, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    assert np.abs(decode_grey(buffer.getvalue(), "a").astype(int) - 10).max() <= 2


def test_a_heic_picture_is_named_whatever_its_ending(tmp_path):
    laid_out(tmp_path)
    put(tmp_path, "train/sad/9.jpg", data=b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100))
    refused(tmp_path, "9.jpg: is a HEIC picture, which is not read; convert it to PNG or JPEG")


def damaged(kind: str, way: str) -> bytes:
    """Encode a picture, and damage it as disks, crashes and transfers do."""
    values = np.random.default_rng(3).integers(0, 256, (64, 64), dtype=np.uint8)
    buffer = io.BytesIO()
    colours = np.dstack([values] * 3) if kind.endswith("colour") else values
    Image.fromarray(colours).save(buffer, kind.split()[0])
    data = buffer.getvalue()
    half = len(data) // 2
    return {
        "cut off": data[:half],
        "end of zeros": data[:half] + bytes(len(data) - half),
        "turned byte": data[:half] + bytes([data[half] ^ 0x55]) + data[half + 1 :],
        "block of zeros": data[:half] + bytes(512) + data[half + 512 :],
        "lost block": data[:half] + data[half + 512 :],
        "end of another file": data[:half] + data[:half],
    }[way]


WAYS = ("cut off", "end of zeros", "turned byte", "block of zeros", "lost block")


@pytest.mark.parametrize("way", [*WAYS, "end of another file"])
def test_every_damage_of_a_png_is_noticed_at_first_sight(way):
    with pytest.raises(StudyError, match="a.png: the picture is damaged or cut off"):
        decode_grey(damaged("PNG", way), "a.png")


@pytest.mark.parametrize("kind", ["JPEG", "JPEG in colour", "GIF", "WEBP", "AVIF", "TIFF", "BMP"])
def test_what_is_cut_off_is_noticed_at_first_sight(kind):
    with pytest.raises(StudyError, match="a: the picture is damaged or cut off"):
        decode_grey(damaged(kind, "cut off"), "a")


@pytest.mark.parametrize("kind", ["JPEG", "JPEG in colour"])
def test_a_jpeg_without_its_end_is_noticed_at_first_sight(kind):
    """A crash leaves zeros where the end was to be written."""
    for way in ("end of zeros", "end of another file"):
        with pytest.raises(StudyError, match="a: the picture is damaged or cut off"):
            decode_grey(damaged(kind, way), "a")


def test_pictures_that_do_not_read_are_named_and_from_some_on_counted(tmp_path, capsys):
    laid_out(tmp_path)
    count = MOST_DAMAGED + 3
    put(tmp_path, *[f"train/sad/x{i:02}.png" for i in range(count)], data=png(0)[:-9])
    assert len(read_everything(tmp_path, px=PX)) == 8
    said = capsys.readouterr().out
    assert said.count("x0") == MOST_DAMAGED and "x00.png: the picture is damaged" in said
    assert f"left out: {count} pictures that do not read, 3 more than are named" in said


# Metadata.


@pytest.mark.parametrize(
    "given, message",
    [
        ("0", "names '0', which is not there"),
        ("./0.PNG", "names './0.PNG', which is not there"),
        ("https://example.org/0.png", "which is not there"),
        ("C:\\data\\0.png", "which is not there"),
    ],
)
def test_files_that_metadata_spell_otherwise_are_named(tmp_path, given, message):
    put(tmp_path, "0.png", "1.png")
    rows = [{"file_name": given, "label": "happy"}, {"file_name": "1.png", "label": "sad"}]
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    refused(tmp_path, f"metadata.jsonl: line 1 .*{message}", read_images)
