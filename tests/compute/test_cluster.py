"""Clusters: the same runs as processes make, deaths cost little, what is not there is named."""

import contextlib
import importlib
import subprocess
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pandas as pd
import psutil
import pytest

from lib.classifiers.jobs import plan_jobs
from lib.classifiers.runs import run_jobs
from lib.classifiers.training_sets import Sources
from lib.compute.certificates import make_certificate
from lib.compute.cluster import connected, do_task, loaded_code, run_on_cluster
from lib.faces.arms import Arm
from lib.faces.faceset import FaceSet, save_faces
from lib.study.errors import StudyError
from lib.study.params import load_params
from lib.study.remote import open_to_strangers

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


# Who may join.

STRANGER = """
import sys
from distributed import Client, Security
security = None
if len(sys.argv) > 2:
    own = {f"tls_{role}_{kind}": f"{sys.argv[2]}/{name}.pem"
           for role in ("client", "scheduler", "worker")
           for kind, name in (("cert", "certificate"), ("key", "key"))}
    security = Security(require_encryption=True, tls_ca_file=sys.argv[3], **own)
with Client(sys.argv[1], timeout=4, security=security) as client:
    print("ran as", client.submit(lambda: __import__("os").getpid()).result(timeout=20))
"""


def listening(process: psutil.Process) -> set[tuple]:
    """List the addresses at which a process and its children answer."""
    found = set()
    for one in [process, *process.children(recursive=True)]:
        connections = one.net_connections("inet")
        found |= {tuple(c.laddr) for c in connections if c.status == psutil.CONN_LISTEN}
    return found


@pytest.mark.slow
def test_a_stranger_cannot_use_a_cluster_that_is_started_here(tmp_path):
    """Neither without certificates nor with some of its own, whichever port it finds."""
    with connected("local", 1, ({},)) as client:
        assert client.submit(lambda: 7).result() == 7
        security = client.security
        certificate = Path(security.tls_ca_file)
        assert certificate.parent.stat().st_mode & 0o777 == 0o700
        address = client.scheduler.address
        assert address.startswith("tls://127.0.0.1:")
        places = listening(psutil.Process())
        assert places and {host for host, _ in places} == {"127.0.0.1"}

        # Certificates of a stranger's own, who trusts everybody, or claims to be one of us.
        make_certificate(tmp_path)
        own = [str(tmp_path), str(tmp_path / "certificate.pem")]
        plain = address.replace("tls:", "tcp:")
        tries = [[plain], [address, *own], [address, str(tmp_path), str(certificate)]]
        for words in tries:
            command = [sys.executable, "-c", STRANGER, *words]
            done = subprocess.run(command, capture_output=True, text=True, timeout=60)
            assert done.returncode and "ran as" not in done.stdout, words

        # Other ports answer in TLS alone, or show no page.
        for host, port in places:
            with contextlib.suppress(OSError, HTTPException):
                page = HTTPConnection(host, port, timeout=5)
                page.request("GET", "/status")
                assert page.getresponse().status == 404
    assert not certificate.parent.exists()


def test_a_batch_system_s_jobs_carry_the_certificate_and_no_dashboard(monkeypatch, tmp_path):
    import dask

    settings = {"cores": 1, "memory": "1GB", "worker-extra-args": ["--lifetime", "1h"]}
    dask.config.set({f"jobqueue.slurm.{key}": value for key, value in settings.items()})
    monkeypatch.setattr("dask_jobqueue.SLURMCluster.scale", lambda cluster, count: None)
    with connected("slurm", 1, ({},), tmp_path) as client:
        (folder,) = tmp_path.iterdir()
        script = client.cluster.job_script()
        assert f"--tls-key {folder}/key.pem" in script and "--protocol tls" in script
        assert "--no-dashboard" in script and "--lifetime 1h" in script
        assert client.scheduler.address.startswith("tls://")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("cluster", "warned"), [("tcp://host:1", True), ("tls://host:1", False), ("local", False)]
)
def test_a_scheduler_that_takes_anybody_is_warned_of(cluster, warned):
    assert bool(open_to_strangers(cluster)) == warned


def test_the_warning_comes_where_the_scheduler_is_used(monkeypatch, run):
    monkeypatch.setattr("lib.compute.cluster.ANSWER_SECONDS", 0.3)
    with pytest.warns(UserWarning, match="takes any client"), pytest.raises(StudyError):
        run(["a"], "tcp://127.0.0.1:1")


def test_without_openssl_the_message_tells_what_to_install(monkeypatch, run):
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(StudyError, match="apt install openssl"):
        run(["a"], "local")


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


@pytest.mark.slow
def test_a_running_scheduler_makes_the_runs_that_processes_make(tmp_path):
    from distributed import LocalCluster

    # Noise with two classes in turn.
    images = np.random.default_rng(0).integers(0, 256, (50, 16, 16)).astype(np.uint8)
    table = pd.DataFrame({"id": [f"i{i}" for i in range(50)], "class": ["a", "b"] * 25})
    table = table.assign(source="made", split=["train"] * 30 + ["test"] * 20)
    save_faces(FaceSet(images, table, ("a", "b")), tmp_path / "real")
    sources = Sources(tmp_path / "real", {}, True, 0)
    params = {"train_steps": 5, "seeds": 4, "keep_weights": 0, "device": "cpu"}
    jobs = plan_jobs([Arm("base")], sources, load_params("quick") | params)

    # There and here.
    with LocalCluster(n_workers=2, threads_per_worker=2, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        there = run_jobs(jobs, sources, tmp_path / "there", cluster=address)
    here = run_jobs(jobs, sources, tmp_path / "here", workers=2)

    # The same tables but for times, and the same bytes.
    times = ["seconds", "images_per_second"]
    pd.testing.assert_frame_equal(there.drop(columns=times), here.drop(columns=times))
    for folder in here["folder"]:
        of_both = [tmp_path / place / folder / "predictions.npz" for place in ("there", "here")]
        assert of_both[0].read_bytes() == of_both[1].read_bytes()
