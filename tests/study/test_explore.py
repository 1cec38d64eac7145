"""Exploring: whatever a notebook does that a person opened, the study stays as it is."""

import pytest

from lib.study.errors import StudyError
from lib.study.explore import EXPLORE, bring
from lib.study.paths import study_paths
from lib.study.records import atomic_write, read_json
from lib.study.results import collect_results
from lib.study.step import begin

BATCH = {"write": True}
ROW = {"study": "quick", "arm": "base", "classifier": "small", "seed": 0, "split": "test"}
ROW |= {"metric": "accuracy", "class": "", "value": 0.5}


@pytest.fixture
def start(tmp_path):
    """Begin an execution of a notebook, as run_all.py does or by hand."""
    values = {"study": "quick", "output": str(tmp_path)}
    return lambda notebook, **more: begin(notebook, values | more)


@pytest.fixture
def study(start, tmp_path):
    """A study in which 10 and 40 have run."""
    for notebook in ("10_data", "40_training"):
        execute(start(notebook, **BATCH), notebook)
    return study_paths("quick", str(tmp_path))


def execute(step, text: str) -> None:
    """Do what a notebook does: write a table, append results, finish."""
    table = step.paths.tables / f"{step.name}.txt"
    with atomic_write(table, "w") as file:
        file.write(text)
    step.append_results([ROW])
    collect_results(step.paths)
    step.finish([table])


def files_of(study) -> dict:
    """All that a study holds, but for what was written while exploring."""
    files = [path for path in study.root.rglob("*") if path.is_file()]
    kept = [path for path in files if EXPLORE not in path.relative_to(study.root).parts]
    return {path: (path.read_bytes(), path.stat().st_mtime_ns) for path in kept}


@pytest.mark.parametrize("notebook", ["10_data", "40_training", "50_metrics"])
def test_a_notebook_that_a_person_runs_leaves_its_study_byte_for_byte_as_it_was(
    start, study, notebook
):
    before = files_of(study)
    step = start(notebook)
    execute(step, "explored")
    assert (step.paths.tables / f"{notebook}.txt").read_text() == "explored"
    assert files_of(study) == before


def test_not_even_a_cell_that_writes_in_place_changes_the_study(start, study):
    before = files_of(study)
    step = start("50_metrics")
    for file in sorted(step.paths.root.rglob("*.*")):
        with open(file, "a") as text:
            text.write("by hand")
    assert files_of(study) == before


def test_it_reads_what_the_study_holds_now(start, study):
    step = start("50_metrics")
    assert (step.paths.tables / "40_training.txt").read_text() == "40_training"
    assert read_json(step.paths.state / "40_training.json")["step"] == "40_training"
    assert len(collect_results(step.paths)) == 1
    execute(start("40_training", **BATCH), "anew")
    assert (start("50_metrics").paths.tables / "40_training.txt").read_text() == "anew"


def test_it_finds_the_study_s_own_work_again_after_it_explored_other_values(start, study):
    execute(start("40_training"), "explored")
    assert (start("40_training").paths.tables / "40_training.txt").read_text() == "40_training"


def test_without_a_study_notebooks_build_on_what_was_explored_before(start):
    execute(start("10_data"), "explored")
    assert (start("40_training").paths.tables / "10_data.txt").read_text() == "explored"


def test_it_says_where_it_writes(start, study, capsys):
    start("50_metrics")
    assert f"writes into {study.root / EXPLORE}; write = True" in capsys.readouterr().out
    assert start("50_metrics", **BATCH).paths == study
    assert EXPLORE not in capsys.readouterr().out


def test_what_a_person_decides_belongs_to_the_study_also_while_exploring(start, study):
    paths = start("30_curation", pool="dcgan").paths
    assert paths.review("dcgan") == study.review("dcgan")
    assert paths.spot_check == study.spot_check


def test_a_finished_training_is_found_and_prolonged_beside_the_study_s(start, study):
    training = study.generators / "dcgan-0123"
    for name, text in (("checkpoint.safetensors", "600 steps"), ("log.csv", "600")):
        with atomic_write(training / name, "w") as file:
            file.write(text)
    chosen = {"pool": "dcgan", "generator": "dcgan"}
    own = start("20_generation", **chosen).paths.generators / training.name
    assert (own / "checkpoint.safetensors").read_text() == "600 steps"
    with atomic_write(own / "checkpoint.safetensors", "w") as file:
        file.write("6000 steps")
    (own / "log.csv").write_text("6000")
    assert (training / "checkpoint.safetensors").read_text() == "600 steps"
    assert (training / "log.csv").read_text() == "600"


def test_a_file_that_goes_away_while_it_is_brought_is_left_out(tmp_path):
    bring(tmp_path / "gone", tmp_path / "here" / "gone")
    assert not list((tmp_path / "here").iterdir())


def test_a_pool_s_name_alone_makes_no_pool_of_another_generator(start):
    """The cell of notebook 20 with pool = "dcgan" alone drew faces, and called them dcgan."""
    with pytest.raises(StudyError, match="'drawn' makes no pool 'dcgan'.*--open 20-dcgan"):
        start("20_generation", pool="dcgan", generator="drawn")
    start("20_generation", pool="dcgan-generation2", generator="dcgan")
