"""The first and the last call of a notebook: what it is told, and what it leaves."""

import os

import pytest
from IPython.core.interactiveshell import InteractiveShell

from lib.study.errors import StudyError
from lib.study.parameter_cells import declared_parameters
from lib.study.paths import ROOT, study_paths
from lib.study.records import atomic_write, read_json
from lib.study.step import begin

NOTEBOOKS = sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))


@pytest.fixture
def variables(tmp_path) -> dict:
    """What globals() of a notebook holds after its parameters cell."""
    values = {"study": "quick", "output": str(tmp_path), "write": True}
    return values | {"pool": "dcgan", "seed": 7, "pd": object}


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
    wanted = {"study": "quick", "output": variables["output"], "write": True, "seed": 7}
    assert parameters == wanted


@pytest.mark.parametrize(
    ("data", "notice"), [("drawn", "drawings: "), ("digits", "digits: "), ("faces.zip", "")]
)
def test_the_banner_says_what_the_numbers_are_about(
    variables, capsys, monkeypatch, tmp_path, data, notice
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "faces.zip").touch()
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


# Values, however they arrived.


@pytest.fixture
def all_variables(tmp_path):
    """Every parameter of a notebook as its cell declares it, but for some."""

    def of(notebook: str, **changed) -> dict:
        declared = declared_parameters(ROOT / "notebooks" / f"{notebook}.ipynb")
        return declared | {"output": str(tmp_path)} | changed

    return of


@pytest.mark.parametrize("written", [False, "false", "False", "FALSE", " no ", "off", "0", 0])
def test_a_boolean_is_a_boolean_however_it_was_written(all_variables, written):
    variables = all_variables("10_data", show_photographs=written)
    step = begin("10_data", variables)
    assert step.parameters["show_photographs"] is False
    assert variables["show_photographs"] is False  # what the cells see


@pytest.mark.parametrize(
    ("notebook", "key", "value", "parts"),
    [
        ("10_data", "show_photographs", "flase", ["true or false"]),
        ("10_data", "show_photographs", 2, ["true or false"]),
        ("10_data", "image_px", 0, ["16 to 512"]),
        ("10_data", "image_px", "48", ["must be int"]),
        ("10_data", "image_px", None, ["must be int"]),
        ("10_data", "labels", "fer+", ["did you mean 'ferplus'"]),
        ("10_data", "study", "quik", ["did you mean 'quick'"]),
        ("10_data", "data", "nowhere.zip", ["no such file"]),
        ("20_generation", "generator", "dcgann", ["did you mean 'dcgan'"]),
        ("20_generation", "pool", "dcgann", ["did you mean 'dcgan'"]),
        ("20_generation", "gan_condition", "onehot", ["one-hot"]),
        ("20_generation", "gan_source", "nowhere", ["no such file"]),
        ("40_training", "pools", "[drawn-faithful]", ["write [drawn-faithful]"]),
        ("40_training", "pools", ["drawn-faithfull"], ["did you mean 'drawn-faithful'"]),
        ("40_training", "arm_pools", ["dcgan-round2"], ["arm_pools", "pools"]),
        ("40_training", "controls", "duplicate", ["write [duplicate]", "-y"]),
        ("40_training", "controls", ["duplicated"], ["did you mean 'duplicate'"]),
        ("40_training", "supplement_shares", 0.2, ["write [0.2]"]),
        ("40_training", "classifiers", ["smal"], ["did you mean 'small'"]),
        ("40_training", "recipes", ["quik"], ["did you mean 'quick'"]),
        ("40_training", "recipes", ["quick", "fast"], ["one for all, or one for each"]),
        ("40_training", "cluster", "banana", ["tcp://host:8786", "local"]),
        ("50_metrics", "margin", 5, ["0 to 0.5", "points"]),
        ("50_metrics", "margin", float("nan"), ["0 to 0.5"]),
    ],
)
def test_any_other_value_stops_the_notebook(all_variables, notebook, key, value, parts):
    with pytest.raises(StudyError) as caught:
        begin(notebook, all_variables(notebook, **{key: value}))
    shown = str(caught.value)
    assert [part for part in [key, *parts] if part not in shown] == [], shown


def test_an_unknown_name_that_papermill_injects_stops_the_notebook(all_variables):
    cells = ["", "# Parameters\nsedd = 3\n", "begin(...)"]
    with pytest.raises(StudyError, match="unknown key 'sedd'.*did you mean 'seed'"):
        begin("10_data", all_variables("10_data", In=cells, sedd=3))
    known = ["", "# Parameters\nseed = 3\nmargin = 0.1\nPAPERMILL_INPUT_PATH = 'x'\n"]
    begin("10_data", all_variables("10_data", In=known))


WRONG = {
    bool: ["maybe", 2, 1.5, None, [], [True]],
    int: ["5", 1.5, True, None, [5], -7],
    float: ["much", True, None, [0.1], float("nan"), float("inf"), -7.0],
    str: [5, 0.5, True, None, ["a"]],
    list: ["a", 5, True, None, {"a": 1}, [None], [["a"]], [{}]],
}


@pytest.mark.parametrize("notebook", [path.stem for path in NOTEBOOKS])
def test_no_wrong_type_passes_in_any_parameter_of_any_notebook(all_variables, notebook):
    passed = []
    for key, default in all_variables(notebook).items():
        for value in WRONG[type(default)]:
            try:
                begin(notebook, all_variables(notebook, **{key: value}))
            except StudyError as error:
                assert key in str(error)
            else:
                passed.append((key, value))
    assert passed == []


def test_a_study_error_is_shown_as_its_sentence(capsys):
    shell = InteractiveShell.instance()
    shell.run_cell("from lib.study.errors import StudyError\nraise StudyError('seeds: too few')")
    assert capsys.readouterr().out == "StudyError: seeds: too few\n"
