"""What an execution is made from, and what is said when that changes."""

import dataclasses
import shutil

import pytest

from lib.study import keys, sources
from lib.study.keys import files_beside, key_parts, reason_to_run
from lib.study.plan import plan_tasks
from lib.study.records import read_json, write_json
from lib.study.sources import with_contents


@pytest.fixture
def task(toy):
    """A task without upstream, done and with its executed copy."""
    toy.stage("10_data")
    sets = (f"output={toy.root}",)
    task = plan_tasks("quick", sets, notebooks=toy.root / "notebooks")[0]
    write_json(task.done, {"parts": key_parts(task), "outputs": {}})
    write_json(task.record, {"outputs": {}})
    task.executed.parent.mkdir(parents=True)
    shutil.copy(task.notebook, task.executed)
    return task


def test_an_unchanged_task_has_no_reason_to_run(task):
    assert reason_to_run(task, key_parts(task)) is None


@pytest.mark.parametrize(
    ("kind", "before", "text"),
    [
        ("parameters", {"seed": 5}, "changed parameters: seed from 5 to 0"),
        ("packages", {"numpy": "1.0"}, "changed packages: numpy from 1.0 to "),
        (
            "arithmetic",
            {"TRAINING_VERSION": 1},
            "arithmetic version 1 -> None (TRAINING_VERSION): trainings are repeated",
        ),
        (
            "notebook",
            "another digest",
            "notebook changed: the page is written anew, finished trainings are kept",
        ),
        (
            "code",
            {"lib.study.step": "0" * 64},
            "code changed (lib.study.step): the page is written anew, finished trainings are kept",
        ),
    ],
)
def test_a_change_is_named_with_what_it_costs(task, kind, before, text):
    done = read_json(task.done)
    if isinstance(before, dict):
        done["parts"][kind] |= before
    else:
        done["parts"][kind] = before
    write_json(task.done, done)
    reason = reason_to_run(task, key_parts(task))
    assert reason.kind == kind and reason.text.startswith(text)


def test_of_several_changes_the_one_that_repeats_most_is_named(task):
    done = read_json(task.done)
    done["parts"]["code"] = {"lib.study.step": "0" * 64}
    done["parts"]["arithmetic"] = {"TRAINING_VERSION": 1}
    write_json(task.done, done)
    assert reason_to_run(task, key_parts(task)).kind == "arithmetic"


def test_a_missing_copy_is_a_reason_of_its_own(task):
    task.executed.unlink()
    assert reason_to_run(task, key_parts(task)).kind == "executed"
    task.done.unlink()
    assert reason_to_run(task, key_parts(task)).text == "not run yet"


def test_versions_are_no_part_of_the_code(task, monkeypatch):
    modules = {"lib.study.step", "lib.classifiers.versions"}
    monkeypatch.setattr(keys, "imported_modules", lambda *names: modules)
    parts = key_parts(task)
    assert set(parts["code"]) == {"lib.study.step"}
    assert parts["arithmetic"]["TRAINING_VERSION"] >= 1


def test_a_pool_depends_on_the_version_of_its_own_generator_alone(task, monkeypatch):
    versions = {"TRAINING_VERSION": 1, "GENERATOR_VERSION of a": 1, "GENERATOR_VERSION of b": 2}
    monkeypatch.setattr(keys, "arithmetic_versions", lambda modules: versions)
    assert key_parts(task)["arithmetic"] == versions
    pool = dataclasses.replace(task, values={"generator": "b"})
    own = {"TRAINING_VERSION": 1, "GENERATOR_VERSION of b": 2}
    assert key_parts(pool)["arithmetic"] == own


def test_data_that_changed_is_a_reason_and_data_that_were_touched_are_none(task, tmp_path):
    data = tmp_path / "data"
    (data / "train").mkdir(parents=True)
    (data / "train" / "a.png").write_bytes(b"1")
    task = dataclasses.replace(task, values=task.values | {"data": str(data)})
    done = {"parts": key_parts(task), "outputs": {}}
    done["parts"]["sources"] = with_contents(done["parts"]["sources"])
    write_json(task.done, done)
    assert reason_to_run(task, key_parts(task)) is None

    (data / "train" / "a.png").touch()
    sources.listing.cache_clear()
    assert reason_to_run(task, key_parts(task)) is None
    (data / "train" / "a.png").write_bytes(b"2")
    sources.listing.cache_clear()
    assert reason_to_run(task, key_parts(task)).text == "changed sources: data"


@pytest.mark.parametrize(("stage", "name"), [(30, "review"), (50, "spot_check")])
def test_what_a_person_answers_later_is_an_input(task, stage, name):
    task = dataclasses.replace(task, stage=stage, pool="dcgan" if stage == 30 else "")
    before = key_parts(task)["sources"]
    file = task.paths.review("dcgan") if name == "review" else task.paths.spot_check
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("an answer")
    assert key_parts(task)["sources"] != before


@pytest.mark.parametrize(
    ("stage", "names"),
    [
        (10, set()),
        (20, {"prompts.yaml"}),
        (80, {"claims.yaml", "reported.yaml", "simulation_study.csv"}),
    ],
)
def test_what_a_stage_reads_beside_its_parameters_is_an_input(
    task, monkeypatch, tmp_path, stage, names
):
    for name in ("claims.yaml", "reported.yaml", "simulation_study.csv", "prompts.yaml"):
        (tmp_path / name).write_text("first")
    monkeypatch.setattr(keys, "PARAMS", tmp_path)
    task = dataclasses.replace(task, stage=stage)
    before = files_beside(task)
    assert set(before) == names
    for name in names:
        (tmp_path / name).write_text("second")
        assert files_beside(task)[name] != before[name]
