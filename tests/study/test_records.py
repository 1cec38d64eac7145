"""Files that are whole or not there, hashes that mean the same everywhere, records of what was written."""

import errno
import json

import numpy as np
import pytest

from lib.study.errors import StudyError
from lib.study.paths import study_paths
from lib.study.records import (
    append_jsonl,
    atomic_write,
    begin,
    content_hash,
    output_names,
    output_record,
    output_unchanged,
    read_json,
    write_json,
)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(RuntimeError), atomic_write(tmp_path / "a.txt", "w") as file:
        file.write("half")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_full_disk_is_said_in_words(tmp_path):
    with pytest.raises(StudyError, match="a.txt: no space left.*finished work is kept"), atomic_write(tmp_path / "a.txt", "w"):
        raise OSError(errno.ENOSPC, "No space left on device")


def test_json_takes_numpy_and_paths_and_reads_back(tmp_path):
    write_json(tmp_path / "x" / "a.json", {"n": np.int64(3), "x": np.float32(0.5), "v": np.arange(2), "p": tmp_path})
    assert read_json(tmp_path / "x" / "a.json") == {"n": 3, "x": 0.5, "v": [0, 1], "p": str(tmp_path)}


def test_a_spoiled_json_file_is_named(tmp_path):
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(StudyError, match="a.json: cannot be read as JSON"):
        read_json(tmp_path / "a.json")


def test_equal_content_has_one_hash_whatever_its_order():
    assert content_hash({"a": 1, "b": [1.5, "x"]}) == content_hash({"b": (1.5, "x"), "a": np.int64(1)})
    assert content_hash({"a": 1}) != content_hash({"a": 2})
    assert content_hash([]) == "4f53cda18c2baa0c0354bb5f9a3ecbe5ed12ab4d8e11ba873c2f11161202b945"


def test_a_line_torn_by_a_kill_does_not_spoil_the_next(tmp_path):
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


def test_a_step_records_what_it_wrote(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("STUDY_THREADS", "1")
    monkeypatch.setenv("STUDY_STEP", "")
    step = begin("10_data", study="quick", output=str(tmp_path))
    assert "study quick · 10_data · commit" in (said := capsys.readouterr().out)
    assert "drawings" in said
    with atomic_write(step.paths.tables / "t.txt", "w") as file:
        file.write("x")
    step.finish([step.paths.tables])
    record = json.loads((step.paths.state / "10_data.json").read_text())
    assert list(record["outputs"]) == ["tables/t.txt"]
    assert {"commit", "python", "versions", "cpu", "cores", "device", "date"} <= set(record["facts"])


def test_a_folder_that_two_notebooks_fill_is_recorded_by_each_for_its_own_files(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_THREADS", "1")
    monkeypatch.setenv("STUDY_STEP", "")
    folder = study_paths("quick", str(tmp_path)).pool("dcgan")
    recorded = []
    for notebook, file in [("20_generation", "images"), ("30_curation", "verdicts"), ("20_generation", "images")]:
        step = begin(notebook, study="quick", output=str(tmp_path), pool="dcgan")
        with atomic_write(folder / file, "w") as handle:
            handle.write("x")
        step.finish([folder])
        recorded.append(list(read_json(step.paths.state / f"{step.name}.json")["outputs"]))
    assert recorded == [["pools/dcgan/images"], ["pools/dcgan/verdicts"], ["pools/dcgan/images"]]


def test_a_step_of_a_pool_carries_its_name(tmp_path, monkeypatch):
    monkeypatch.setenv("STUDY_THREADS", "1")
    monkeypatch.setenv("STUDY_STEP", "")
    begin("20_generation", study="quick", output=str(tmp_path), pool="dcgan").finish([])
    assert (tmp_path / "runs" / "quick" / "state" / "20_generation-dcgan.json").exists()
