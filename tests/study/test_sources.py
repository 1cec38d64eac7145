"""The user's files: a change is seen however it was made, and what only looks changed repeats
nothing.
"""

import os
import random
import shutil
from pathlib import Path

import pytest

from lib.study import sources
from lib.study.errors import StudyError
from lib.study.sources import (
    are_same,
    check_sources,
    check_unrotted,
    source_identities,
    with_contents,
)


def identities(**values) -> dict:
    """Identify sources as a new process does."""
    for cached in (sources.listing, sources.contents):
        getattr(cached, "cache_clear", lambda: None)()
    return source_identities(values)


def changed(before: dict, **values) -> set[str]:
    """Name the sources that are no longer the same."""
    now = identities(**values)
    return {key for key in before | now if not are_same(before.get(key), now.get(key))}


@pytest.fixture
def data(tmp_path) -> Path:
    """A folder with two pictures a class, of equal sizes and times."""
    folder = tmp_path / "data"
    for number, name in enumerate(("happy/a", "happy/b", "sad/c", "sad/d")):
        file = folder / "train" / f"{name}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes([number]) * 9)
        os.utime(file, ns=(10**9, 10**9))
    return folder


def overwrite(file: Path, content: bytes) -> None:
    """Give a file other bytes and its old times, as a restored backup or an archive does."""
    times = file.stat()
    file.write_bytes(content)
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def move_to_another_class(data):
    (data / "train/happy/a.png").rename(data / "train/sad/a.png")


def exchange_two(data):
    one, other = data / "train/happy/a.png", data / "train/sad/c.png"
    first, second = one.read_bytes(), other.read_bytes()
    overwrite(one, second)
    overwrite(other, first)


def replace_by_an_older_one(data):
    file = data / "train/happy/a.png"
    file.write_bytes(b"older...")
    os.utime(file, ns=(1, 1))


def replace_by_one_of_the_same_size_and_time(data):
    overwrite(data / "train/happy/a.png", b"x" * 9)


def remove_one(data):
    (data / "train/happy/a.png").unlink()


def rename_a_class(data):
    (data / "train/happy").rename(data / "train/fear")


def put_ferplus_beside(data):
    (data.parent / "fer2013new.csv").write_text("votes")


def put_ferplus_into_it(data):
    (data / "fer2013new.csv").write_text("votes")


def link_another_folder(data):
    other = data.parent / "other"
    (data / "train/sad").rename(other)
    (other / "c.png").write_bytes(b"y" * 9)
    (data / "train/sad").symlink_to(other)


CHANGES = [
    move_to_another_class,
    exchange_two,
    replace_by_an_older_one,
    replace_by_one_of_the_same_size_and_time,
    remove_one,
    rename_a_class,
    put_ferplus_beside,
    put_ferplus_into_it,
    link_another_folder,
]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_change_of_the_data_is_seen(data, change):
    before = with_contents(identities(data=str(data)))
    change(data)
    assert changed(before, data=str(data))


@pytest.mark.parametrize("size", ["file", "folder"])
def test_what_changed_though_nobody_wrote_it_is_not_read_again(data, monkeypatch, size):
    # A failing disk sets no time, and no test can write without setting one.
    path = data if size == "folder" else data / "train/happy/a.png"
    monkeypatch.setattr(sources, "listing", lambda path: "the same")
    before = with_contents(identities(data=str(path)))
    check_unrotted(before, with_contents(identities(data=str(path))))
    overwrite(data / "train/happy/a.png", b"x" * 9)
    now = with_contents(identities(data=str(path)))
    with pytest.raises(StudyError, match="data: .* holds other bytes than before.*disk failing"):
        check_unrotted(before, now)
    check_unrotted({}, now)

    # A file that was written since is taken as it is.
    monkeypatch.setattr(sources, "listing", lambda path: "another")
    check_unrotted(before, with_contents(identities(data=str(path))))


def touch(data):
    for file in data.rglob("*.png"):
        file.touch()


def copy_back(data):
    """What a backup that is played back does."""
    shutil.copytree(data, data.parent / "copy")
    shutil.rmtree(data)
    shutil.copytree(data.parent / "copy", data)


def hidden_files(data):
    (data / ".DS_Store").write_text("x")
    (data / "train/.thumbnails").mkdir()
    (data / "train/.thumbnails/a.png").write_text("x")


def link_a_folder_to_itself(data):
    (data / "train/again").symlink_to(data)


@pytest.mark.parametrize(
    "change",
    [touch, copy_back, hidden_files, link_a_folder_to_itself],
    ids=lambda change: change.__name__,
)
def test_what_leaves_the_data_as_they_are_is_no_change(data, change):
    before = with_contents(identities(data=str(data)))
    change(data)
    assert changed(before, data=str(data)) == set()


def test_two_states_of_a_folder_are_the_same_where_names_and_bytes_are(data):
    """At random: files are made, removed, moved and overwritten with few names, bytes and times."""
    rng = random.Random(0)

    def state() -> dict:
        files = (path for path in data.rglob("*") if path.is_file())
        return {str(file.relative_to(data)): file.read_bytes() for file in files}

    for _ in range(200):
        before, bytes_before = with_contents(identities(data=str(data))), state()
        for _ in range(rng.randint(1, 3)):
            file = data / "train" / rng.choice("ab") / f"{rng.choice('xy')}.png"
            file.parent.mkdir(exist_ok=True)
            if rng.random() < 0.3:
                file.unlink(missing_ok=True)
            else:
                file.write_bytes(rng.choice([b"1", b"2"]))
                os.utime(file, ns=(rng.choice([1, 2]),) * 2)
        assert bool(changed(before, data=str(data))) == (state() != bytes_before)


@pytest.mark.parametrize("key", sources.SOURCES)
def test_a_file_that_any_parameter_names_counts(tmp_path, key):
    file = tmp_path / "file.bin"
    file.write_bytes(b"1")
    before = with_contents(identities(**{key: str(file)}))
    overwrite(file, b"2")
    assert changed(before, **{key: str(file)}) == {key}


@pytest.mark.parametrize(
    ("path", "cause"),
    [
        ("~nobody-of-this-name/x", "cannot be looked up"),
        ("x" * 300, "cannot be looked up .File name too long"),
        ("a\0b", "no such file or folder"),
        ("/dev/null", "is a device or pipe"),
        ("\udcff", "no such file or folder"),
    ],
)
def test_a_path_that_cannot_be_is_named_with_its_parameter(path, cause):
    with pytest.raises(StudyError, match=f"data: .*{cause}"):
        check_sources({"data": path})


@pytest.mark.parametrize("data", ["drawn", "digits"])
def test_data_that_the_project_has_is_identified_by_its_name(data):
    assert identities(data=data) == {"data": [data]}


def test_a_path_that_is_not_there_is_named_with_its_parameter():
    with pytest.raises(StudyError, match="evaluation_folder: nowhere: no such file"):
        check_sources({"evaluation_folder": "nowhere"})
    check_sources({"sd_model": "owner/name", "data": "drawn"})


@pytest.fixture
def folders(tmp_path, monkeypatch) -> Path:
    """Folders of real and of generated images, links to them, and one without files."""
    for name in ("real/happy", "real/sad", "made/happy", "empty/happy"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("real/happy/a.png", "real/sad/b.png", "made/happy/c.png"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "again").symlink_to("made")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"synthetic": "real"}, "synthetic: real is the folder of the real images; give the"),
        ({"synthetic": "made/../real/"}, "is the folder of the real images"),
        ({"synthetic": "link"}, "is the folder of the real images"),
        ({"synthetic": "made", "more_synthetic": ["link"]}, "more_synthetic 1: link is the folder"),
        ({"synthetic": "real/sad"}, "lies in the folder of the real images"),
        ({"synthetic": "."}, "holds the real images, too"),
        ({"synthetic": "made", "more_synthetic": ["made/"]}, "made/ is given twice"),
        ({"synthetic": "made", "more_synthetic": ["again"]}, "again is given twice"),
        ({"synthetic": "empty"}, "synthetic: empty: there is no file in this folder"),
        ({"synthetic": "nowhere"}, "synthetic: nowhere: no such file"),
    ],
)
def test_images_that_cannot_be_compared_stop_by_their_paths(folders, values, message):
    with pytest.raises(StudyError, match=message):
        check_sources({"data": "real"} | values)


def test_images_beside_each_other_or_beside_a_table_are_as_they_should_be(folders):
    check_sources({"data": "real", "synthetic": "made"})
    check_sources({"data": "drawn", "synthetic": "made", "more_synthetic": ["real"]})
    (folders / "real" / "fer2013.csv").touch()
    check_sources({"data": "real", "synthetic": "real/sad"})
    check_sources({"data": "real/fer2013.csv", "synthetic": "made"})
