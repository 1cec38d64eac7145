"""Clusters: the same runs as the processes make, deaths cost little, what is not there is said."""

import contextlib
import importlib
import sys
from dataclasses import asdict
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from lib.classifiers.cluster import code, do_task, on_cluster
from lib.classifiers.options import Options
from lib.classifiers.runs import Sources, plan_jobs, run_jobs
from lib.faces.arms import Arm
from lib.faces.faceset import CLASSES, FaceSet, save_faces
from lib.study.errors import StudyError


@pytest.fixture
def duties(monkeypatch):
    """The module of duties, which a process started now can import too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return importlib.import_module("worker_duties")


def test_a_scheduler_that_is_not_there_is_named(monkeypatch, duties):
    monkeypatch.setattr("lib.classifiers.cluster.ANSWER_SECONDS", 0.3)
    for cluster in ("tcp://127.0.0.1:1", "nonsense://x:1"):
        with pytest.raises(StudyError, match=f"{cluster}.*scheduler"):
            list(on_cluster(["a"], duties.prepare, duties.work, ("",), 1, cluster))
    with pytest.raises(StudyError, match="'lokal'.*tcp://host:8786.*local, slurm"):
        list(on_cluster(["a"], duties.prepare, duties.work, ("",), 1, "lokal"))


def test_a_batch_system_without_its_settings_is_explained(duties):
    with pytest.raises(StudyError, match="slurm.*cores"):
        list(on_cluster(["a"], duties.prepare, duties.work, ("",), 1, "slurm"))


def test_without_dask_it_says_what_to_install(monkeypatch, duties):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(StudyError, match="'local' needs Dask.*pip install distributed"):
        list(on_cluster(["a"], duties.prepare, duties.work, ("",), 1, "local"))


def test_a_worker_prepares_once_a_batch_and_wants_the_code_of_the_caller(tmp_path, duties, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    calls = []

    def prepare(folder: str) -> Path:
        calls.append(folder)
        return Path(folder)

    def do(task: str, batch: str = "first", asked: str = code()) -> str:
        return do_task(prepare, duties.work, (str(tmp_path),), batch, asked, task)

    assert [do("a"), do("b")] == ["", ""] and len(calls) == 1
    assert "a fault in the code" in do("raises")
    assert do("c", batch="second") == "" and len(calls) == 2
    assert "another version" in do("d", asked="other")
    assert {path.stem for path in tmp_path.glob("*.done")} == {"a", "b", "c"}


def test_an_outcome_that_was_lost_with_its_worker_is_waited_for(monkeypatch, duties):
    class Ended(list):
        def add(self, future):
            future.status = "finished"  # by another worker
            self.append(future)

    client = Mock(submit=Mock(return_value=Mock(status="lost", result=lambda: "")))
    monkeypatch.setattr("lib.classifiers.cluster.connected", lambda *place: contextlib.nullcontext(client))
    monkeypatch.setattr("distributed.as_completed", lambda futures, loop: Ended(futures))
    assert list(on_cluster(["a"], duties.prepare, duties.work, ("",), 1, "local")) == [("a", "")]


@pytest.mark.slow
def test_a_death_costs_its_task_alone_and_a_fault_is_raised(tmp_path, duties):
    tasks = ["a", "dies-once", "b", "dies-always", "c"]
    outcome = dict(on_cluster(tasks, duties.prepare, duties.work, (str(tmp_path),), 2, "local"))
    assert outcome.keys() == set(tasks) and {task for task, trouble in outcome.items() if trouble} == {"dies-always"}
    assert {path.stem for path in tmp_path.glob("*.done")} == {"a", "b", "c", "dies-once"}
    lines = [line.split() for path in tmp_path.glob("*.tries") for line in path.read_text().splitlines()]
    assert {words[1] for words in lines} == {"1"}
    with pytest.raises(RuntimeError, match="ValueError: a fault in the code"):
        list(on_cluster(["raises"], duties.prepare, duties.work, (str(tmp_path),), 1, "local"))


@pytest.mark.slow
def test_no_more_processes_are_started_here_than_were_asked_for(tmp_path, duties):
    assert len(list(on_cluster(list("abcdef"), duties.prepare, duties.work, (str(tmp_path),), 1, "local"))) == 6
    assert len({path.read_text().split()[0] for path in tmp_path.glob("*.tries")}) == 1


@pytest.mark.slow
def test_each_process_here_has_a_gpu_of_its_own(tmp_path, duties):
    each = ({"CUDA_VISIBLE_DEVICES": "3"}, {"CUDA_VISIBLE_DEVICES": "5"})
    tasks = ["waits-a", "waits-b"]
    assert set(on_cluster(tasks, duties.prepare, duties.work, (str(tmp_path),), 2, "local", each)) == {(task, "") for task in tasks}
    assert {path.read_text().split()[2] for path in tmp_path.glob("*.tries")} == {"3", "5"}


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is counted as Linux does")
def test_a_process_here_keeps_the_memory_of_an_array_that_is_freed(tmp_path, duties):
    list(on_cluster(["keeps"], duties.prepare, duties.work, (str(tmp_path),), 1, "local"))
    assert float((tmp_path / "keeps.share").read_text()) > 0.9


@pytest.mark.slow
def test_a_running_scheduler_makes_the_runs_that_processes_make(tmp_path):
    from distributed import LocalCluster

    images = np.random.default_rng(0).integers(0, 256, (50, 16, 16)).astype(np.uint8)
    table = pd.DataFrame({"id": [f"i{i}" for i in range(50)], "class": [CLASSES[i % 7] for i in range(50)], "source": "made"})
    save_faces(FaceSet(images, table.assign(split=["train"] * 30 + ["test"] * 20)), tmp_path / "real")
    sources = Sources(tmp_path / "real", {}, True, 0)
    params = {
        "classifiers": ["small"],
        "recipes": ["quick"],
        "train_steps": 5,
        "train_epochs": 0,
        "seeds": 4,
        "more_seeds": 0,
        "more_seeds_arms": [],
        "keep_weights": 0,
        "device": "cpu",
    }
    jobs = plan_jobs([Arm("base", "base")], sources, params | asdict(Options()))
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster:
        there = run_jobs(jobs, sources, tmp_path / "there", cluster=cluster.scheduler_address, progress=lambda text: None)
    here = run_jobs(jobs, sources, tmp_path / "here", workers=2, progress=lambda text: None)
    measured = ["seconds", "images_per_second"]
    pd.testing.assert_frame_equal(there.drop(columns=measured), here.drop(columns=measured))
    for folder in here["folder"]:
        assert (tmp_path / "there" / folder / "predictions.npz").read_bytes() == (
            tmp_path / "here" / folder / "predictions.npz"
        ).read_bytes()


@pytest.mark.slow
def test_a_scheduler_that_goes_away_is_said(tmp_path, duties):
    from distributed import LocalCluster

    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster:
        found = on_cluster(["a", "sleeps"], duties.prepare, duties.work, (str(tmp_path),), 1, cluster.scheduler_address)
        assert next(found) == ("a", "")
        cluster.close()
        with pytest.raises(StudyError, match="was lost.*finished runs are kept"):
            next(found)
