"""The first and the last call of a notebook: what it is told, and what it leaves."""

import os

import pytest

from lib.study.errors import StudyError
from lib.study.paths import study_paths
from lib.study.records import atomic_write, read_json
from lib.study.step import begin


@pytest.fixture
def variables(tmp_path) -> dict:
    """What globals() of a notebook holds after its parameters cell."""
    return {"study": "quick", "output": str(tmp_path), "pool": "dcgan", "seed": 7, "pd": object}


def test_a_step_records_what_it_wrote(variables, capsys):
    step = begin("10_data", variables)
    banner = capsys.readouterr().out
    assert "study quick · 10_data · commit" in banner and "drawings" in banner
    with atomic_write(step.paths.tables / "t.txt", "w") as file:
        file.write("x")
    step.finish([step.paths.tables])
    record = read_json(step.paths.state / "10_data.json")
    assert list(record["outputs"]) == ["tables/t.txt"]
    facts = {"commit", "python", "versions", "cpu", "cores", "device", "date"}
    assert facts <= set(record["facts"])


def test_its_parameters_are_those_that_the_notebook_declares(variables):
    parameters = begin("10_data", variables).parameters
    assert parameters == {"study": "quick", "output": variables["output"], "seed": 7}


@pytest.mark.parametrize(
    ("data", "notice"), [("drawn", "drawings: "), ("digits", "digits: "), ("faces.zip", "")]
)
def test_the_banner_says_what_the_numbers_are_about(variables, capsys, data, notice):
    begin("10_data", variables | {"data": data})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == (2 if notice else 1) and lines[-1].startswith(notice)


def test_variables_without_a_study_are_refused():
    with pytest.raises(StudyError, match=r'begin\("10_data", globals\(\)\)'):
        begin("10_data", {})


def test_by_hand_a_notebook_takes_as_many_threads_as_run_all_would_give(variables, monkeypatch):
    monkeypatch.setattr("lib.study.step._limit_threads", lambda threads: given.append(threads))
    monkeypatch.setattr("lib.study.stages.cores", lambda: 4)
    given = []
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    begin("40_training", variables)
    monkeypatch.delenv("OMP_NUM_THREADS")
    begin("40_training", variables)
    assert given == [4]


def test_no_message_travels_through_the_environment(variables):
    before = dict(os.environ)
    begin("10_data", variables).append_results([])
    assert dict(os.environ) == before


def test_a_step_of_a_pool_carries_its_name(variables, tmp_path):
    begin("20_generation", variables).finish([])
    assert (tmp_path / "runs" / "quick" / "state" / "20_generation-dcgan.json").exists()
    assert begin("40_training", variables).name == "40_training"


def test_a_folder_that_two_notebooks_fill_is_recorded_by_each_for_its_own_files(
    variables, tmp_path
):
    folder = study_paths("quick", str(tmp_path)).pool("dcgan")
    written = [
        ("20_generation", "images"),
        ("30_curation", "verdicts"),
        ("20_generation", "images"),
    ]
    recorded = []
    for notebook, file in written:
        step = begin(notebook, variables)
        with atomic_write(folder / file, "w") as handle:
            handle.write("x")
        step.finish([folder])
        recorded.append(list(read_json(step.paths.state / f"{step.name}.json")["outputs"]))
    assert recorded == [["pools/dcgan/images"], ["pools/dcgan/verdicts"], ["pools/dcgan/images"]]
