"""A notebook with a study's own values: what is written, what is opened, what is refused."""

import json
import sys

import nbformat
import pytest

from lib.study import opening
from lib.study.errors import StudyError
from lib.study.parameter_cells import assignments, declared_parameters, has_tag
from lib.study.paths import ROOT
from lib.study.step import begin


@pytest.fixture
def study(tmp_path):
    """A study of other data and pools that ran notebooks 10 and 20 (twice)."""
    (tmp_path / "faces.zip").touch()
    values = {"study": "full", "output": str(tmp_path), "write": True}
    data = {"data": str(tmp_path / "faces.zip")}
    begin("10_data", values | data | {"image_px": 64}).finish([])
    for pool in ("dcgan", "diffusion"):
        chosen = {"pool": pool, "generator": pool, "gan_steps": 7}
        begin("20_generation", values | chosen).finish([])
    return f"output={tmp_path}"


def injected(capsys) -> dict:
    """The values in the cell that papermill would have injected into the copy that was named."""
    book = nbformat.read(capsys.readouterr().out.splitlines()[-1], as_version=4)
    (cell,) = [cell for cell in book.cells if has_tag(cell, "injected-parameters")]
    return assignments(cell.source)


def open_notebook(asked: str, *sets: str) -> None:
    assert opening.open_notebook("full", asked, sets, browser=False) == 0


def test_a_copy_holds_the_values_that_the_study_ran_with(study, tmp_path, capsys):
    open_notebook("10", study)
    values = injected(capsys)
    assert list(values) == list(declared_parameters(ROOT / "notebooks" / "10_data.ipynb"))
    assert values["image_px"] == 64 and values["data"] == str(tmp_path / "faces.zip")
    assert values["study"] == "full" and values["write"] is False


def test_what_has_not_run_yet_takes_the_data_of_what_has(study, tmp_path, capsys):
    open_notebook("80", study)
    assert injected(capsys)["data"] == str(tmp_path / "faces.zip")


def test_a_pool_s_notebook_takes_the_pool_s_values_and_what_is_set_wins(study, capsys):
    open_notebook("20-dcgan", study)
    values = injected(capsys)
    assert (values["generator"], values["gan_steps"]) == ("dcgan", 7)
    open_notebook("20_generation-dcgan", study, "gan_steps=9")
    assert injected(capsys)["gan_steps"] == 9


def test_a_copy_begins_as_its_study_s_notebook_beside_it(study, tmp_path, capsys):
    open_notebook("10", study)
    step = begin("10_data", injected(capsys))
    assert step.paths.root == tmp_path / "runs" / "full" / "explore"


def test_a_copy_that_somebody_worked_in_stays(study, capsys):
    open_notebook("10", study)
    copy = capsys.readouterr().out.strip()
    book = json.loads(open(copy).read())
    book["cells"][1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": ["x"]}]
    open(copy, "w").write(json.dumps(book))
    open_notebook("10", study)
    assert json.loads(open(copy).read()) == book

    book["cells"][-1]["source"] = ["my_own_cell()"]
    open(copy, "w").write(json.dumps(book))
    capsys.readouterr()
    open_notebook("10", study)
    earlier = capsys.readouterr().out.split("is now ")[1].split()[0]
    assert "my_own_cell" in open(copy.replace("10_data.ipynb", earlier)).read()
    assert "my_own_cell" not in open(copy).read()


def test_jupyterlab_is_the_environment_s_with_this_lib(study, monkeypatch, capsys):
    called = []
    monkeypatch.setattr(opening.os, "execve", lambda *words: called.append(words))
    opening.open_notebook("full", "10", (study,), browser=True)
    (program, words, variables) = called[0]
    assert program == sys.executable and words[1:3] == ["-m", "jupyterlab"]
    assert words[3] == capsys.readouterr().out.strip()
    assert variables["PYTHONPATH"].startswith(str(ROOT))


@pytest.mark.parametrize(
    ("asked", "parts"),
    [
        ("85", ["no notebook '85'", "there are 10, 20"]),
        ("findings", ["no notebook 'findings'"]),
        ("80-dcgan", ["runs once a study: --open 80"]),
        ("20", ["runs once a pool; choose: 20-dcgan, 20-diffusion"]),
        ("20-stable", ["choose: 20-dcgan, 20-diffusion"]),
        ("30", ["choose: none has run yet"]),
    ],
)
def test_what_cannot_be_opened_is_named_with_what_can(study, asked, parts):
    with pytest.raises(StudyError) as caught:
        open_notebook(asked, study)
    assert [part for part in parts if part not in str(caught.value)] == [], caught.value


def test_a_study_that_never_ran_is_not_opened(tmp_path):
    with pytest.raises(StudyError, match="study full has not run in .*run_all.py --study full"):
        open_notebook("80", f"output={tmp_path}")
    assert not list(tmp_path.iterdir())
