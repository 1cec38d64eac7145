"""Which executions a study has, in which order, and what identifies their inputs."""

import os

import pytest

from lib.study import stages
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.plan import earlier_rounds, plan_tasks, select, source_identity, stated
from lib.study.stages import default_threads


@pytest.fixture
def tasks(toy):
    for name in ("10_data", "40_training", "50_metrics", "60_embedding", "70_application", "80_findings"):
        toy.stage(name)
    for name in ("20_generation", "30_curation"):
        toy.stage(name, pool=True)
    return plan_tasks("quick", ("pools=dcgan,drawn-narrow", "seed=3"), notebooks=toy.root / "notebooks")


def upstream(tasks, name) -> set:
    return set(next(task for task in tasks if task.name == name).upstream)


def test_every_notebook_once_and_every_pool_twice(tasks):
    assert [task.name for task in tasks] == [
        "10_data", "20_generation-dcgan", "20_generation-drawn-narrow", "30_curation-dcgan", "30_curation-drawn-narrow",
        "40_training", "50_metrics", "60_embedding", "70_application", "80_findings",
    ]  # fmt: skip


def test_a_pool_waits_for_itself_and_the_training_for_all_pools(tasks):
    assert upstream(tasks, "30_curation-dcgan") == {"10_data", "20_generation-dcgan"}
    before = {task.name for task in tasks if task.stage < 40}
    assert upstream(tasks, "40_training") == before


def test_the_map_and_the_video_run_beside_the_metrics_and_the_findings_after_them(tasks):
    assert upstream(tasks, "50_metrics") == upstream(tasks, "60_embedding") == upstream(tasks, "70_application")
    assert upstream(tasks, "80_findings") == upstream(tasks, "50_metrics") | {"50_metrics"}


def test_a_notebook_gets_what_it_declares_and_its_pools_values(tasks):
    by_name = {task.name: task.values for task in tasks}
    assert by_name["10_data"] == {"study": "quick", "output": "", "seed": 3}
    assert by_name["20_generation-dcgan"]["pool"] == "dcgan"


@pytest.mark.parametrize(("only", "stages_of"), [("", 8), ("40,50", 2), ("40-60", 3), ("20", 1), ("10, 60-80", 4)])
def test_stages_are_picked_by_number_and_span(tasks, only, stages_of):
    assert len({task.stage for task in select(tasks, only)}) == stages_of


@pytest.mark.parametrize("only", ["x", "40-", "-40", "99", "60-50"])
def test_a_stage_that_is_none_is_named(tasks, only):
    with pytest.raises(StudyError, match=f"--only {only}: "):
        select(tasks, only)


def test_data_is_identified_by_path_size_and_time(tmp_path):
    (tmp_path / "a" / "deep").mkdir(parents=True)
    file = tmp_path / "a" / "deep" / "x.png"
    file.write_bytes(b"1")
    os.utime(file, ns=(1, 1))
    assert source_identity.__wrapped__(str(tmp_path / "a")) == [str(tmp_path / "a"), 1, 1]
    assert source_identity.__wrapped__(str(file)) == [str(file), 1, 1]
    assert source_identity("drawn") == ["drawn"]


@pytest.mark.parametrize(("notebook", "cores", "workers", "threads"), [("40_training", 4, 0, 4), ("20_generation", 4, 0, 1),
("20_generation", 16, 0, 4),
                                                                       ("20_generation", 4, 2, 2), ("50_metrics", 2, 0, 1), ("50_metrics",
                                                                       12, 0, 4)])  # fmt: skip
def test_cores_are_shared_among_the_notebooks_side_by_side(monkeypatch, notebook, cores, workers, threads):
    monkeypatch.setattr(stages, "cores", lambda: cores)
    assert default_threads(notebook, load_params("quick") | {"workers": workers}) == threads


@pytest.fixture
def two_rounds(toy):
    """The toy's pool of a second round stands first among the pools, so that its order is the plan's own work."""
    for name in ("10_data", "40_training"):
        toy.stage(name)
    for name in ("20_generation", "30_curation"):
        toy.stage(name, pool=True)
    return plan_tasks("quick", ("pools=drawn-narrow-round2,dcgan,drawn-narrow",), notebooks=toy.root / "notebooks")


def test_a_second_round_waits_for_the_curation_of_the_first(two_rounds):
    assert upstream(two_rounds, "20_generation-drawn-narrow-round2") == {
        "10_data",
        "20_generation-drawn-narrow",
        "30_curation-drawn-narrow",
    }
    assert upstream(two_rounds, "30_curation-drawn-narrow-round2") - {"20_generation-drawn-narrow-round2"} == upstream(
        two_rounds, "20_generation-drawn-narrow-round2"
    )
    assert upstream(two_rounds, "30_curation-drawn-narrow") == {"10_data", "20_generation-drawn-narrow"}
    assert len(upstream(two_rounds, "40_training")) == 7


def test_whatever_a_task_waits_for_stands_before_it(two_rounds):
    names = [task.name for task in two_rounds]
    assert all(names.index(before) < names.index(task.name) for task in two_rounds for before in task.upstream)


def test_rounds_are_chained_and_mistakes_explained():
    assert earlier_rounds({"c": "b", "b": "a", "a": "", "x": ""}) == {"c": ("b", "a"), "b": ("a",), "a": (), "x": ()}
    with pytest.raises(StudyError, match="pool b: round_of is 'a', which is not among the study's pools; add it: --set pools=a,b"):
        earlier_rounds({"b": "a"})
    with pytest.raises(StudyError, match="pool b: round_of is 'a', which itself waits for b"):
        earlier_rounds({"a": "b", "b": "a"})


def test_the_findings_alone_depend_on_the_claims_as_they_are_stated(tasks, monkeypatch, tmp_path):
    for name in ("claims.yaml", "reported.yaml", "rehearsals.csv"):
        (tmp_path / name).write_text("first")
    monkeypatch.setattr("lib.study.plan.PARAMS", tmp_path)
    before = {task.name: stated(task) for task in tasks}
    assert set(before["80_findings"]) == {"claims.yaml", "reported.yaml", "rehearsals.csv"}
    assert not any(files for name, files in before.items() if name != "80_findings")
    (tmp_path / "claims.yaml").write_text("second")
    assert stated(next(task for task in tasks if task.name == "80_findings")) != before["80_findings"]
