"""Damaged files: none is believed, none ends a run otherwise than in a sentence, and all are made
anew.
"""

import json
import random
import shutil

import pytest
from damage import DAMAGES, cut, keep_times, turn_a_bit

from lib.study.errors import StudyError
from lib.study.kept import (
    are_whole,
    digests,
    read_record,
    read_sealed,
    set_aside_rotten,
    write_sealed,
)
from lib.study.paths import study_paths
from lib.study.records import output_record
from lib.study.step import begin

BY_HAND = {"study": "quick", "write": True, "seed": 0}


# One file.


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_a_sealed_file_reads_as_it_was_written_or_not_at_all(tmp_path, damage):
    content = {"parts": {"a": [1, 2.5, None, "ä"], 7: (1, 2)}, "outputs": {}}
    path = tmp_path / "a.json"
    write_sealed(path, content)
    whole = read_sealed(path)
    assert whole == json.loads(json.dumps(content))
    rng = random.Random(0)
    for _ in range(150):
        write_sealed(path, content)
        damage(path, rng)
        try:
            assert read_sealed(path) in (whole, {})  # {} has no seal and claims nothing
        except StudyError as error:
            assert "a.json" in str(error)


def test_a_file_without_a_seal_is_that_of_an_earlier_version(tmp_path):
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert read_sealed(tmp_path / "a.json") == {"a": 1}


def test_files_are_whole_where_all_are_there_unchanged_and_others_are_set_aside(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    known = digests(tmp_path, ["a", "b", "not there"])
    assert set(known) == {"a", "b"} and are_whole(tmp_path, known)
    (tmp_path / "b").write_text("c")
    assert not are_whole(tmp_path, known)
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b.damaged"}
    assert not are_whole(tmp_path, known)


# A study's records and outputs.


@pytest.fixture
def paths(tmp_path):
    """A study in which 10_data wrote two tables."""
    paths = study_paths("quick", str(tmp_path))
    for name in ("a", "b"):
        file = paths.tables / f"{name}.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(name)
    outputs = {f"tables/{name}.csv": output_record(paths.tables / f"{name}.csv") for name in "ab"}
    write_sealed(paths.state / "10_data.json", {"step": "10_data", "outputs": outputs})
    return paths


def test_what_changed_without_being_written_is_set_aside(paths):
    assert set_aside_rotten(paths, ["10_data", "40_training"]) == []
    (paths.tables / "a.csv").write_text("by hand")  # who reads it may find out what it is
    keep_times(paths.tables / "b.csv", b"c")
    assert set_aside_rotten(paths, ["10_data"]) == ["tables/b.csv"]
    assert (paths.tables / "b.csv.damaged").exists() and (paths.tables / "a.csv").exists()


def test_a_notebook_does_not_begin_on_what_a_failing_disk_changed(paths, tmp_path):
    values = BY_HAND | {"output": str(tmp_path)}
    begin("40_training", dict(values))
    keep_times(paths.tables / "b.csv", b"c")
    with pytest.raises(StudyError, match="tables/b.csv is not what 10_data wrote.*run 10_data"):
        begin("40_training", dict(values))


def test_a_notebook_makes_its_own_damaged_outputs_anew(paths, tmp_path, capsys):
    keep_times(paths.tables / "b.csv", b"c")
    begin("10_data", BY_HAND | {"output": str(tmp_path)})
    assert "note: tables/b.csv was damaged" in capsys.readouterr().out
    assert not (paths.tables / "b.csv").exists()


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
def test_no_record_of_an_execution_is_believed_that_was_damaged(paths, damage):
    file, rng = paths.state / "10_data.json", random.Random(0)
    whole, content = read_record(paths, "10_data"), file.read_bytes()
    for _ in range(150):
        file.write_bytes(content)
        damage(file, rng)
        assert read_record(paths, "10_data") in (None, whole)


# Whole runs.


def kept_files(toy) -> list:
    """List all that a run of the toy left, but for its lock."""
    return sorted(path for path in (toy.root / "runs").rglob("*") if path.is_file())


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(damage, marks=() if damage in (cut, turn_a_bit) else pytest.mark.slow)
        for damage in DAMAGES
    ],
    ids=lambda damage: damage.__name__,
)
def test_a_study_of_damaged_files_is_made_anew_and_then_kept(toy, damage):
    """All files at once: states, executed notebooks, outputs, the lock."""
    toy.stage("10_data")
    toy.stage("40_training", "(step.paths.tables / '10_data.txt').read_text()")
    assert toy.run().returncode == 0
    before = {name: text for name, (text, _) in toy.outputs().items()}
    rng = random.Random(1)
    for path in kept_files(toy):
        damage(path, rng)

    plan = toy.run("--dry-run")
    assert plan.returncode == 0 and "Traceback" not in plan.stderr
    again = toy.run()
    assert again.returncode == 0, again.stdout + again.stderr
    assert {name: text for name, (text, _) in toy.outputs("quick/**/*.txt").items()} == before
    assert "Nothing changed" in toy.run().stdout


def test_an_input_that_rots_while_nobody_looks_is_made_anew_in_the_same_run(toy):
    toy.stage("10_data")
    toy.stage("40_training", "(step.paths.tables / '10_data.txt').read_text()")
    toy.run()
    table = toy.root / "runs/quick/tables/10_data.txt"
    keep_times(table, b"2")
    toy.stage("40_training", "(step.paths.tables / '10_data.txt').read_text() + '!'")
    done = toy.run()
    assert done.returncode == 0, done.stdout + done.stderr
    assert "note: tables/10_data.txt was damaged" in done.stdout
    assert toy.outputs("quick/**/*.txt")["40_training.txt"][0] == "1!"

    # Where what wrote it is not to run, it is named.
    keep_times(table, b"2")
    toy.stage("40_training", "'other'")
    done = toy.run("--only", "40")
    assert done.returncode == 1 and "is not what 10_data wrote" in done.stdout
    assert toy.run().returncode == 0


def test_an_emptied_executed_notebook_is_executed_again_and_the_plan_says_so(toy):
    toy.stage("10_data")
    toy.run()
    executed = toy.root / "runs/quick/notebooks/10_data.ipynb"
    executed.write_text("")
    assert "executed notebook is not what was written" in toy.run("--dry-run").stdout
    assert toy.run().returncode == 0
    assert json.loads(executed.read_text())["cells"]


def test_a_half_written_copy_of_a_failure_stops_no_later_run(toy):
    toy.stage("10_data")
    folder = toy.root / "runs/quick/notebooks"
    toy.run()
    shutil.copy(folder / "10_data.ipynb", folder / "10_data.failed.ipynb")
    cut(folder / "10_data.failed.ipynb", random.Random(0))
    assert toy.run().returncode == 0


def test_an_error_longer_than_a_pipe_is_reported(toy):
    toy.notebook("10_data", "raise ValueError('x' * 300_000)")
    done = toy.run()
    assert done.returncode == 1 and "ValueError: xxx" in done.stdout


def test_data_of_the_user_that_rot_are_not_read_again(toy, tmp_path):
    """The record is changed in place of the data: no test can write without setting a time."""
    (tmp_path / "faces.csv").write_text("emotion,pixels,Usage\n")
    parameters = 'study: str = "quick"\noutput: str = ""\nwrite: bool = False'
    parameters += '\ndata: str = "drawn"'
    body = 'from lib.study.step import begin\nbegin("10_data", globals()).finish([])'
    toy.notebook("10_data", body, parameters)
    words = ("--data", str(tmp_path / "faces.csv"))
    assert toy.run(*words).returncode == 0
    record = toy.root / "runs/quick/state/10_data.done.json"
    done = read_sealed(record)
    done["parts"]["sources"]["data"][2] = "0" * 64
    write_sealed(record, done)
    assert "Nothing changed" in toy.run(*words).stdout

    toy.notebook("10_data", f"{body}\n1", parameters)
    again = toy.run(*words)
    assert again.returncode == 1
    assert f"data: {tmp_path}/faces.csv holds other bytes than before" in again.stdout
