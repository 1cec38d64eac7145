"""The walk: each real file once, nothing hidden, nothing that never ends, and all of it named."""

import contextlib
import io
import os
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from lib.application.sources import open_source
from lib.faces.classes import EMOTIONS
from lib.faces.content import describe_content
from lib.faces.files import open_files
from lib.faces.sources import read_faces, read_images
from lib.faces.walk import HIDDEN_TOO, MOST_VISITS
from lib.generators.source import read_pictures
from lib.study.errors import StudyError

PX = 8
PICTURE = io.BytesIO()
Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save(PICTURE, "PNG")
PNG = PICTURE.getvalue()


def put(root: Path, *names: str, data: bytes = PNG) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    return root


def numbered(root: Path, *names: str) -> Path:
    """Write different pictures, so that none is a copy of another."""
    for name in names:
        rng = np.random.default_rng(sum(map(ord, name)))
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (PX, PX), dtype=np.uint8)).save(root / name)
    return root


@pytest.fixture
def data(tmp_path):
    """Nine pictures of each of seven classes, seven to train on."""
    names = [f"{part}/{kind}/{part}{i}.png" for part in ("train", "test") for kind in EMOTIONS
             for i in range(7 if part == "train" else 2)]  # fmt: skip
    return numbered(tmp_path / "data", *names)


def test_a_link_to_the_folder_itself_adds_nothing(data, capsys):
    before = read_faces(data, px=PX)
    (data / "again").symlink_to(data)
    (data / "train" / "above").symlink_to("..")
    (data / "train" / "happy" / "loop").symlink_to(data / "train")
    after = read_faces(data, px=PX)
    assert after.digest() == before.digest() and len(after) == 63
    assert "3 links back to a folder above" in capsys.readouterr().out


def test_links_that_lead_to_each_other_end(tmp_path):
    folders = [tmp_path / f"f{i}" for i in range(7)]
    for folder in folders:
        put(folder, "a.png")
    for folder in folders:
        for other in folders:
            if other != folder:
                (folder / other.name).symlink_to(other)
    with open_files(tmp_path) as files:
        assert len(files.names) <= 7 * MOST_VISITS
        assert len(files.once(files.pictures)) == 7


def test_every_reader_takes_a_real_file_once(tmp_path):
    numbered(tmp_path / "real", "happy/1.png", "sad/2.png")
    (tmp_path / "all").mkdir()
    for name in ("a", "b", "c"):
        (tmp_path / "all" / name).symlink_to(tmp_path / "real")
    os.link(tmp_path / "real/happy/1.png", tmp_path / "real/happy/hard.png")
    assert len(read_images(tmp_path / "all", classes=EMOTIONS)) == 2
    assert len(read_pictures(tmp_path / "all", PX)[0]) == 2
    assert len(list(open_source(str(tmp_path / "all")).frames())) == 2


def test_pictures_that_are_linked_into_folders_are_read_where_the_links_lie(tmp_path):
    names = [f"{i}.png" for i in range(4)]
    numbered(tmp_path / "data" / "pile", *names)
    for place, name in zip(("train/happy", "train/sad", "test/happy", "test/sad"), names):
        (tmp_path / "data" / place).mkdir(parents=True)
        (tmp_path / "data" / place / name).symlink_to(f"../../pile/{name}")
    faces = read_faces(tmp_path / "data", px=PX)
    assert faces.table["file"].tolist() == [
        "test/happy/2.png",
        "test/sad/3.png",
        "train/happy/0.png",
        "train/sad/1.png",
    ]


def test_a_folder_that_is_linked_into_two_splits_is_test(data, capsys):
    (data / "val").symlink_to("test")
    faces = read_faces(data, px=PX)
    assert faces.table["split"].value_counts().to_dict() == {"train": 49, "test": 14}
    assert "14 further links to files that are read already" in capsys.readouterr().out


def test_a_picture_that_is_linked_into_two_classes_belongs_to_none(data, capsys):
    (data / "train" / "sad" / "x.png").symlink_to(data / "train" / "happy" / "train0.png")
    assert len(read_faces(data, px=PX)) == 62
    said = "2 names of pictures that links put into several classes (train0.png, x.png)"
    assert said in capsys.readouterr().out


def test_two_names_of_one_class_are_one_class_to_links_too(data):
    (data / "train" / "joy").symlink_to("happy")
    assert len(read_faces(data, px=PX)) == 63


@pytest.mark.parametrize(
    "name", [".Trash-1000", ".git", ".dvc", ".ipynb_checkpoints", ".cache", *sorted(HIDDEN_TOO)]
)
def test_hidden_and_system_folders_are_never_read(data, name, capsys):
    before = read_faces(data, px=PX).digest()
    capsys.readouterr()
    for place in (name, f"train/{name}", f"train/happy/{name}"):
        put(data, f"{place}/files/train/happy/1.png", f"{place}/1.png")
    assert read_faces(data, px=PX).digest() == before
    said = capsys.readouterr().out
    assert "3 hidden or system files and folders" in said and name.strip() in said
    zipped = Path(shutil.make_archive(str(data), "zip", data))
    assert read_faces(zipped, px=PX).digest() == before


def test_a_folder_that_vanishes_under_the_walk_is_a_sentence(data, monkeypatch):
    original = os.scandir

    def vanishing(place):
        if str(place).endswith("train"):
            raise FileNotFoundError(2, "No such file or directory", place)
        return original(place)

    monkeypatch.setattr(os, "scandir", vanishing)
    with pytest.raises(StudyError, match="train: the folder cannot be read .No such file"):
        read_faces(data, px=PX)


def test_a_link_to_the_processes_of_the_machine_ends(data):
    (data / "proc").symlink_to("/proc/self/task")
    with contextlib.suppress(StudyError):  # what lies there comes and goes
        assert len(read_faces(data, px=PX)) >= 63


def test_the_rules_hold_below_the_source_not_above(data, tmp_path):
    hidden = tmp_path / ".cache" / "node_modules"
    hidden.parent.mkdir()
    shutil.move(data, hidden)
    assert len(read_faces(hidden, px=PX)) == 63


def test_hidden_files_are_never_read(data):
    put(data, "train/happy/._1.png", "train/happy/.hidden.png", "train/happy/Thumbs.db")
    assert len(read_faces(data, px=PX)) == 63


def test_what_is_left_out_is_counted_and_named(data, capsys):
    put(data, "README.md", "train/happy/1.heic", "train/happy/2.heic", "notes", "a/b.tar.gz")
    (data / "train" / "sad" / "gone.png").symlink_to("nowhere.png")
    (data / "train" / "sad" / "round.png").symlink_to("round.png")
    os.mkfifo(data / "train" / "sad" / "pipe.png")
    assert len(read_faces(data, px=PX)) == 63
    said = capsys.readouterr().out
    assert said.startswith("data: left out: ") and said.count("\n") == 1
    assert "2 links that lead nowhere (gone.png, round.png)" in said
    assert "1 devices, pipes and the like (pipe.png)" in said
    assert "5 files of other kinds (.heic 2, .md 1, .tar.gz 1, no ending 1)" in said


@pytest.mark.parametrize("ending", ["jfif", "jpe", "JPG", "jpeg", "bmp", "webp", "tif", "pgm"])
def test_every_reader_knows_the_same_endings(tmp_path, ending):
    for name in ("happy/1", "sad/2"):
        (tmp_path / name).parent.mkdir()
        kind = {"jfif": "JPEG", "jpe": "JPEG", "JPG": "JPEG", "tif": "TIFF", "pgm": "PPM"}
        picture = Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8))
        picture.save(tmp_path / f"{name}.{ending}", kind.get(ending, ending.upper()))
    assert len(read_images(tmp_path)) == 2
    assert len(read_pictures(tmp_path, PX)[0]) == 2
    assert len(list(open_source(str(tmp_path)).frames())) == 2
    one = next(tmp_path.rglob(f"*.{ending}"))
    assert len(list(open_source(str(one)).frames())) == 1


def test_a_name_that_is_not_utf8_is_named(tmp_path):
    folder = os.fsencode(tmp_path / "happy")
    os.mkdir(folder)
    with open(os.path.join(folder, b"d\xe9j\xe0.png"), "wb") as file:
        file.write(PNG)
    with pytest.raises(StudyError, match="its name is not UTF-8; rename it"):
        read_images(tmp_path)
    with pytest.raises(StudyError, match="its name is not UTF-8; rename it"):
        read_images(os.path.join(os.fsdecode(folder), "d\udce9j\udce0.png"))


def test_another_file_whose_name_is_not_utf8_is_left_out(tmp_path, capsys):
    put(tmp_path, "happy/1.png", "sad/1.png")
    for name in (b"R\xe9sum\xe9.doc", b".\xe9"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb") as file:
            file.write(b"x")
    assert len(read_images(tmp_path)) == 2
    assert "1 files whose names are not UTF-8 (R?sum?.doc)" in capsys.readouterr().out


def test_tables_with_several_names_are_read_once(tmp_path):
    rows = ["emotion,pixels,Usage", *[f"{3 + n % 2},{n} 2 3 4,Training" for n in range(4)]]
    put(tmp_path / "csv", "fer2013.csv", data="\n".join(rows).encode())
    numbered(tmp_path / "flat", "1.png", "2.png")
    labels = b"file_name,label\n1.png,happy\n2.png,sad\nagain.png,happy\n"
    put(tmp_path / "flat", "metadata.csv", data=labels)
    (tmp_path / "flat" / "again.png").symlink_to("1.png")
    for folder in ("csv", "flat"):
        (tmp_path / folder / "more").symlink_to(tmp_path / folder)
        (tmp_path / "twice" / folder).mkdir(parents=True)
        (tmp_path / "twice" / folder / "a").symlink_to(tmp_path / folder)
        (tmp_path / "twice" / folder / "b").symlink_to(tmp_path / folder)
    assert len(read_images(tmp_path / "twice" / "csv")) == 4
    assert len(read_images(tmp_path / "twice" / "flat")) == 2


# Zip files.


def test_zips_of_windows_are_read(tmp_path, data):
    path = tmp_path / "windows.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(data.rglob("*.png")):
            name = str(file.relative_to(data)).replace("/", "\\")
            info = zipfile.ZipInfo("x")
            info.filename, info.create_system = name, 0
            archive.writestr(info, file.read_bytes())
        folder = zipfile.ZipInfo("x")
        folder.filename = "train\\empty\\"
        archive.writestr(folder, b"")
    assert read_faces(path, px=PX).digest() == read_faces(data, px=PX).digest()


def test_names_in_a_zip_are_utf8_also_where_it_does_not_say_so(tmp_path):
    path = tmp_path / "umlauts.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("fröhlich/1.png", "düster/1.png"):
            archive.writestr(name, PNG)
    raw = path.read_bytes()
    # Clear the flag that says UTF-8, in both headers of each file.
    for at in [i for i in range(len(raw)) if raw[i : i + 4] in (b"PK\x03\x04", b"PK\x01\x02")]:
        flags = at + (6 if raw[at + 2 : at + 4] == b"\x03\x04" else 8)
        raw = raw[:flags] + bytes([raw[flags], raw[flags + 1] & ~8]) + raw[flags + 2 :]
    path.write_bytes(raw)
    faces = read_images(path, classes=("fröhlich", "düster"))
    assert faces.table["class"].tolist() == ["düster", "fröhlich"]


def test_paths_out_of_a_zip_and_links_in_it_are_left_out(tmp_path, capsys):
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("happy/1.png", "sad/1.png", "../happy/2.png", "/sad/3.png"):
            archive.writestr(name, PNG)
        link = zipfile.ZipInfo("happy/link.png")
        link.create_system, link.external_attr = 3, 0o120777 << 16
        archive.writestr(link, "../../etc/passwd")
    faces = read_images(path)
    assert faces.table["file"].tolist() == ["happy/1.png", "sad/1.png", "sad/3.png"]
    assert "2 paths that lead out of the zip file, or are links" in capsys.readouterr().out


def test_a_zip_with_a_password_is_named(tmp_path):
    path = tmp_path / "secret.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("happy/1.png", PNG)
    raw = bytearray(path.read_bytes())
    for sign, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        raw[raw.index(sign) + at] |= 1
    path.write_bytes(raw)
    with pytest.raises(StudyError, match="protected by a password; unpack it"):
        read_images(path)


# What a file is that was taken for something else.

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
OTHERS = {
    "git lfs pull": POINTER,
    "tar -xzf": b"\x1f\x8b\x08\x00" + bytes(range(50)),
    "tar -xf": b"train/happy/1.jpg".ljust(257, b"\0") + b"ustar\x0000" + bytes(300),
    "unrar x": b"Rar!\x1a\x07\x01\x00" + bytes(range(30)),
    "7z x": b"7z\xbc\xaf\x27\x1c\x00\x04" + bytes(range(30)),
    "download the file itself": b"\n <!DOCTYPE html><html><head><title>Sign in</title>",
    "0 bytes": b"",
    "zero bytes alone": bytes(4096),
    "can run code": b"\x80\x04\x95\x10\x00",
    "numpy array": b"\x93NUMPY\x01\x00v\x00{'descr'",
    "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(20),
    "PDF": b"%PDF-1.7\n",
    "git annex get": b"/annex/objects/SHA256E-s1234--abc.zip\n",
    "dvc pull": b"outs:\n- md5: 1234\n  path: data\n",
    "pickle, which is not opened": b"\x80\x02}q\x00.",
    "Arrow file": b"ARROW1\0\0" + bytes(20),
    "SQLite": b"SQLite format 3\0" + bytes(20),
    "MATLAB": b"MATLAB 5.0 MAT-file, Platform: GLNXA64",
    "old Excel": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20),
    "DICOM": bytes(128) + b"DICM" + b"\x02\0\0\0",
}


@pytest.mark.parametrize("way_out", OTHERS)
@pytest.mark.parametrize("name", ["fer2013.tar.gz", "data.zip", "data", "fer2013.csv"])
def test_one_file_that_is_something_else_is_named_with_its_way_out(tmp_path, name, way_out):
    (tmp_path / name).write_bytes(OTHERS[way_out])
    with pytest.raises(StudyError, match=way_out) as error:
        read_faces(tmp_path / name)
    assert "cut off" not in str(error.value)


@pytest.mark.parametrize("way_out", OTHERS)
def test_a_picture_that_is_something_else_is_named_with_its_way_out(tmp_path, way_out):
    put(tmp_path, "happy/1.png", "sad/1.png")
    put(tmp_path, "sad/2.jpg", data=OTHERS[way_out])
    with pytest.raises(StudyError, match=rf"sad/2.jpg: .*{way_out}"):
        read_images(tmp_path)
    with pytest.raises(StudyError, match=rf"sad/2.jpg: .*{way_out}"):
        read_pictures(tmp_path, PX)
    source = open_source(str(tmp_path))
    assert len(list(source.frames())) == 2 and way_out in source.problems[0]


@pytest.mark.parametrize("name", ["train-0.parquet", "default/train/0000.parquet"])
def test_parquet_that_is_a_pointer_says_how_to_get_it(tmp_path, name):
    put(tmp_path / "data", name, data=POINTER)
    with pytest.raises(StudyError, match="git lfs pull"):
        read_faces(tmp_path / "data")


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda path: path.write_bytes(PNG), "is one picture; give a folder"),
        (os.mkfifo, "is a device or pipe"),
        (lambda path: path.symlink_to("nowhere"), "is a link that leads nowhere"),
        (lambda path: path.write_text("hello"), "neither a folder nor a zip file, CSV or Parquet"),
    ],
)
def test_what_is_no_source_is_named(tmp_path, make, message):
    path = tmp_path / "face.png" if "picture" in message else tmp_path / "thing"
    make(path)
    with pytest.raises(StudyError, match=message):
        read_faces(path)


@pytest.mark.parametrize("text", ['{"code": 403, "message": "denied"}', "404: Not Found\n"])
def test_a_refused_download_is_no_zip_that_was_cut_off(tmp_path, text):
    (tmp_path / "fer2013.zip").write_text(text)
    with pytest.raises(StudyError, match="is text .*as a refused download leaves it") as error:
        read_faces(tmp_path / "fer2013.zip")
    assert "cut off" not in str(error.value)


def test_a_zip_that_begins_with_other_bytes_is_read_and_a_part_of_one_is_named(tmp_path, data):
    shutil.make_archive(str(tmp_path / "data"), "zip", data)
    whole = (tmp_path / "data.zip").read_bytes()
    (tmp_path / "data.zip").write_bytes(b"\0\1" + whole)
    assert read_faces(tmp_path / "data.zip", px=PX).digest() == read_faces(data, px=PX).digest()
    (tmp_path / "data.zip").write_bytes(whole[100:300])
    with pytest.raises(StudyError, match="not a whole zip file .*one part of several"):
        read_faces(tmp_path / "data.zip")


def test_a_source_of_which_everything_is_left_out_is_not_called_empty(tmp_path):
    put(tmp_path / "data", ".hidden/happy/1.png", "@eaDir/sad/1.png")
    with pytest.raises(StudyError, match="all of it is left out: 2 hidden or system files"):
        read_images(tmp_path / "data")
    with zipfile.ZipFile(tmp_path / "up.zip", "w") as archive:
        archive.writestr("../happy/1.png", PNG)
    with pytest.raises(StudyError, match="all of it is left out: 1 paths that lead out of the zip"):
        read_images(tmp_path / "up.zip")


def test_an_archive_alone_in_a_folder_is_called_what_it_is(tmp_path):
    put(tmp_path / "data", "fer2013.csv.gz", data=b"\x1f\x8b\x08" + bytes(20))
    with pytest.raises(StudyError, match="found .csv.gz 1, which is compressed with gzip; unpack"):
        read_faces(tmp_path / "data")


@pytest.mark.parametrize("path", ["", "/dev/null", "~nobody-of-this-name/x", "a\0b"])
def test_paths_that_cannot_be_are_named(path):
    with pytest.raises(StudyError):
        read_faces(path)


def test_ordinary_files_are_not_taken_for_something_else():
    assert describe_content(b"emotion,pixels,Usage\n0,1 2 3,Training\n") == ""
    assert describe_content(b"\xef\xbb\xbfemotion,pixels,Usage\n") == ""


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_of_two_files_with_one_path_in_a_zip_the_later_one_counts_and_that_is_said(
    tmp_path, capsys
):
    path = tmp_path / "twice.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in (("happy/1.png", b"old"), ("sad/1.png", PNG), ("happy/1.png", PNG)):
            archive.writestr(name, data)
    assert len(read_images(path)) == 2
    assert "1 files of the same path as a later one in the zip file (1.png)" in (
        capsys.readouterr().out
    )
