"""Clusters: the same runs as processes make, deaths cost little, what is not there is named."""

import contextlib
import importlib
import sys
from dataclasses import asdict
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from lib.classifiers.jobs import plan_jobs
from lib.classifiers.recipes import TrainingOptions
from lib.classifiers.runs import run_jobs
from lib.classifiers.training_sets import Sources
from lib.compute.cluster import do_task, loaded_code, run_on_cluster
from lib.faces.arms import Arm
from lib.faces.faceset import FaceSet, save_faces
from lib.study.errors import StudyError

CODE = ("lib.compute.cluster",)


@pytest.fixture
def duties(monkeypatch):
    """The module of duties, which a process started now can import too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("worker_duties")


@pytest.fixture
def run(duties, tmp_path):
    """Do tasks on a cluster and return their outcomes."""

    def run_tasks(tasks: list[str], cluster: str, workers: int = 1, **more) -> dict[str, str]:
        arguments = (duties.prepare, duties.work, (str(tmp_path),), workers, cluster)
        return dict(run_on_cluster(tasks, *arguments, **more))

    return run_tasks


def attempts(folder: Path) -> list[list[str]]:
    """Read the process, the threads and the GPU of every attempt at a task."""
    lines = []
    for path in folder.glob("*.tries"):
        lines += [line.split() for line in path.read_text().splitlines()]
    return lines


# What is not there.


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense://x:1"])
def test_a_scheduler_that_is_not_there_is_named(monkeypatch, run, address):
    monkeypatch.setattr("lib.compute.cluster.ANSWER_SECONDS", 0.3)
    with pytest.raises(StudyError, match=f"{address}.*scheduler"):
        run(["a"], address)


def test_an_unknown_word_is_named_with_the_known_ones(run):
    with pytest.raises(StudyError, match="'lokal'.*tcp://host:8786.*local, slurm"):
        run(["a"], "lokal")


def test_a_batch_system_without_its_settings_is_explained(run):
    with pytest.raises(StudyError, match="slurm.*cores"):
        run(["a"], "slurm")


def test_without_dask_the_message_tells_what_to_install(monkeypatch, run):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StudyError, match="'local' needs Dask.*pip install distributed"):
        run(["a"], "local")


# Tasks in a worker.


@pytest.fixture
def do(tmp_path, duties, monkeypatch):
    """Do a task as a worker does; do.prepared counts the preparations."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")

    def prepare(folder: str) -> Path:
        do_one.prepared += 1
        return Path(folder)

    def do_one(task: str, batch: str = "first", digest: str = "") -> str:
        digest = digest or loaded_code(CODE)
        return do_task(prepare, duties.work, (str(tmp_path),), batch, CODE, digest, task)

    do_one.prepared = 0
    return do_one


def test_a_worker_prepares_once_a_batch(tmp_path, do):
    assert [do("a"), do("b")] == ["", ""]
    assert do.prepared == 1
    assert do("c", batch="second") == ""
    assert do.prepared == 2
    assert {path.stem for path in tmp_path.glob("*.done")} == {"a", "b", "c"}


def test_a_worker_returns_the_traceback_of_a_fault(do):
    assert "a fault in the code" in do("raises")


def test_a_worker_with_other_code_than_the_caller_does_nothing(tmp_path, do):
    assert "another version" in do("a", digest="other")
    assert not list(tmp_path.glob("*.done"))


def test_the_caller_names_the_modules_whose_code_must_agree(monkeypatch):
    hashed = []
    monkeypatch.setattr("lib.compute.cluster.code_digest", lambda *names: hashed.append(names))
    loaded_code(("lib.a", "lib.b"))
    loaded_code(("lib.a", "lib.b"))
    assert hashed == [("lib.a", "lib.b")]  # once a process


def test_an_outcome_that_was_lost_with_its_worker_is_waited_for(monkeypatch, run):
    class Ended(list):
        def add(self, future):
            future.status = "finished"  # by another worker
            self.append(future)

    client = Mock(submit=Mock(return_value=Mock(status="lost", result=lambda: "")))
    monkeypatch.setattr(
        "lib.compute.cluster.connected", lambda *place: contextlib.nullcontext(client)
    )
    monkeypatch.setattr("distributed.as_completed", lambda futures, loop: Ended(futures))
    assert run(["a"], "local") == {"a": ""}


# Whole clusters.


@pytest.mark.slow
def test_a_death_costs_its_task_alone(tmp_path, run):
    tasks = ["a", "dies-once", "b", "dies-always", "c"]
    outcome = run(tasks, "local", 2)
    assert outcome.keys() == set(tasks)
    assert {task for task, reason in outcome.items() if reason} == {"dies-always"}
    assert {path.stem for path in tmp_path.glob("*.done")} == {"a", "b", "c", "dies-once"}
    assert {words[1] for words in attempts(tmp_path)} == {"1"}


@pytest.mark.slow
def test_a_fault_in_the_code_is_raised(run):
    with pytest.raises(RuntimeError, match="ValueError: a fault in the code"):
        run(["raises"], "local")


@pytest.mark.slow
def test_no_more_processes_are_started_here_than_were_asked_for(tmp_path, run):
    assert len(run(list("abcdef"), "local")) == 6
    assert len({words[0] for words in attempts(tmp_path)}) == 1


@pytest.mark.slow
def test_each_process_here_has_a_gpu_of_its_own(tmp_path, run):
    environments = ({"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "5"})
    outcome = run(["waits-a", "waits-b"], "local", 2, environments=environments)
    assert outcome == {"waits-a": "", "waits-b": ""}
    assert {words[2] for words in attempts(tmp_path)} == {"3", "5"}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is counted as Linux does")
def test_a_process_here_keeps_the_memory_of_an_array_that_is_freed(tmp_path, run):
    run(["keeps"], "local")
    assert float((tmp_path / "keeps.share").read_text()) > 0.9


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_named(tmp_path, duties):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        arguments = (duties.prepare, duties.work, (str(tmp_path),), 1)
        outcomes = run_on_cluster(["a", "sleeps"], *arguments, cluster.scheduler_address)
        assert next(outcomes) == ("a", "")
        cluster.close()
        with pytest.raises(StudyError, match="was lost.*finished runs are kept"):
            next(outcomes)


PARAMS = {
    "classifiers": ["small"],
    "recipes": ["quick"],
    "train_steps": 5,
    "train_epochs": 0,
    "train_lengths": [1.0],
    "train_passes": [],
    "draws": False,
    "seeds": 4,
    "more_seeds": 0,
    "more_seeds_arms": [],
    "keep_weights": 0,
    "device": "cpu",
    **asdict(TrainingOptions()),
}


@pytest.mark.slow
def test_a_running_scheduler_makes_the_runs_that_processes_make(tmp_path):
    from distributed import LocalCluster

    # Noise with two classes in turn.
    images = np.random.default_rng(0).integers(0, 256, (50, 16, 16)).astype(np.uint8)
    table = pd.DataFrame({"id": [f"i{i}" for i in range(50)], "class": ["a", "b"] * 25})
    table = table.assign(source="made", split=["train"] * 30 + ["test"] * 20)
    save_faces(FaceSet(images, table, ("a", "b")), tmp_path / "real")
    sources = Sources(tmp_path / "real", {}, True, 0)
    jobs = plan_jobs([Arm("base")], sources, PARAMS)

    # There and here.
    silent = {"progress": lambda line: None}
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        there = run_jobs(jobs, sources, tmp_path / "there", cluster=address, **silent)
    here = run_jobs(jobs, sources, tmp_path / "here", workers=2, **silent)

    # The same tables but for times, and the same bytes.
    times = ["seconds", "images_per_second"]
    pd.testing.assert_frame_equal(there.drop(columns=times), here.drop(columns=times))
    for folder in here["folder"]:
        of_both = [tmp_path / place / folder / "predictions.npz" for place in ("there", "here")]
        assert of_both[0].read_bytes() == of_both[1].read_bytes()
