"""Files that are whole or not there, hashes that mean the same everywhere, records of what was
written.
"""

import errno

import numpy as np
import pandas as pd
import pytest

from lib.study.errors import StudyError
from lib.study.paths import study_paths
from lib.study.records import (
    append_jsonl,
    atomic_write,
    content_hash,
    output_names,
    output_record,
    output_unchanged,
    read_json,
    write_json,
    write_tables,
)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "a.txt", "w") as file:
        file.write("half")
        raise RuntimeError
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_full_disk_is_named_in_words(tmp_path):
    with (
        pytest.raises(StudyError, match="a.txt: no space left.*finished work is kept"),
        atomic_write(tmp_path / "a.txt", "w"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_tables_are_written_and_empty_ones_are_no_files(tmp_path):
    some = pd.DataFrame({"a": [1]})
    (tmp_path / "none.csv").write_text("of an earlier execution")
    paths = write_tables(tmp_path, {"some": some, "none": some.iloc[:0], "never": pd.DataFrame()})
    assert paths == list(tmp_path.iterdir()) == [tmp_path / "some.csv"]
    assert pd.read_csv(paths[0]).equals(some)


def test_json_takes_numpy_and_paths_and_reads_back(tmp_path):
    file = tmp_path / "x" / "a.json"
    write_json(file, {"n": np.int64(3), "x": np.float32(0.5), "v": np.arange(2), "p": tmp_path})
    assert read_json(file) == {"n": 3, "x": 0.5, "v": [0, 1], "p": str(tmp_path)}


def test_a_broken_json_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(StudyError, match="a.json: damaged, cut off or of another kind"):
        read_json(tmp_path / "a.json")


def test_equal_content_has_one_hash_whatever_its_order():
    one, other = {"a": 1, "b": [1.5, "x"]}, {"b": (1.5, "x"), "a": np.int64(1)}
    assert content_hash(one) == content_hash(other)
    assert content_hash({"a": 1}) != content_hash({"a": 2})
    assert content_hash([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


def test_a_line_torn_by_a_kill_does_not_touch_the_next(tmp_path):
    path = tmp_path / "a.jsonl"
    append_jsonl(path, [{"a": 1}])
    with open(path, "a") as file:
        file.write('{"a": ')
    append_jsonl(path, [{"a": 2}])
    assert path.read_text().splitlines() == ['{"a": 1}', '{"a": ', '{"a": 2}']


def test_an_output_is_known_by_content_not_by_time(tmp_path):
    path = tmp_path / "a"
    path.write_text("one")
    record = output_record(path)
    path.write_text("one")
    assert output_unchanged(path, record)
    path.write_text("two")
    assert not output_unchanged(path, record)
    path.unlink()
    assert not output_unchanged(path, record)


def test_a_folder_stands_for_its_files_and_a_missing_output_is_named(tmp_path):
    paths = study_paths("quick", str(tmp_path))
    (paths.data / "deep").mkdir(parents=True)
    for name in ("b", "deep/a", ".b.12.tmp"):
        (paths.data / name).write_text(name)
    assert output_names(paths, [paths.data]) == ["data/b", "data/deep/a"]
    with pytest.raises(StudyError, match="nowhere: recorded as an output, but not there"):
        output_names(paths, [paths.data / "nowhere"])
