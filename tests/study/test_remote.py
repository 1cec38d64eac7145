"""Notebooks on a cluster's machines: what runs where, and what is reported when they are not
there.
"""

import os
import signal
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.study.remote import execute_on_worker, heartbeat, send
from tests.test_run_all import has_ended, wait_for

SLEEP = "import time\ntime.sleep(60)"


@pytest.fixture
def order(toy) -> dict:
    """What a machine of the cluster is asked to do."""
    notebook = toy.notebook("20_generation", "print('done')")
    executed = toy.root / "runs" / "20_generation.ipynb"
    executed.parent.mkdir()
    return {
        "notebook": str(notebook),
        "executed": str(executed),
        "values": {},
        "root": str(toy.root),
        "environment": {"PYTHONPATH": str(toy.root)},
    }


@pytest.fixture
def scheduler(toy):
    """A scheduler with two workers that see the toy project's folder."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def test_a_scheduler_that_is_not_there_is_reported_like_a_failed_notebook(order, monkeypatch):
    monkeypatch.setattr("lib.study.remote.CONNECT_S", 0.3)
    result = send(order, "tcp://127.0.0.1:1")
    assert not result["ok"]
    assert "tcp://127.0.0.1:1" in result["message"] and "scheduler" in result["message"]


def test_a_machine_that_does_not_see_the_folder_says_so(order):
    result = execute_on_worker(order | {"root": "/nowhere"}, "heartbeat")
    assert "does not see /nowhere" in result["message"]


def test_the_heartbeat_goes_on_and_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.study.remote.HEARTBEAT_S", 0.01)
    file = tmp_path / "heartbeat"
    with heartbeat(file):
        wait_for(lambda: int(file.read_text() or 0) > 2, 5)
    assert not file.exists()


@pytest.mark.parametrize("beats", ["gone", "stopped"])
def test_a_notebook_nobody_waits_for_is_stopped(toy, order, monkeypatch, beats):
    monkeypatch.setattr("lib.study.remote._worker_threads", lambda: 1)
    monkeypatch.setattr("lib.study.remote.TIMEOUT_S", 1.0)
    order["notebook"] = str(toy.notebook("20_generation", SLEEP))
    file = toy.root / "heartbeat"
    if beats == "stopped":
        file.write_text("7")
    began = time.monotonic()
    assert "has gone" in execute_on_worker(order, str(file))["message"]
    assert time.monotonic() - began < 30


@pytest.mark.slow
def test_pools_and_metrics_run_on_the_cluster_and_the_rest_here(toy, scheduler):
    parents = "[' '.join(parent.cmdline()) for parent in __import__('psutil').Process().parents()]"
    for name in ("10_data", "40_training", "50_metrics", "80_findings"):
        toy.stage(name, parents)
    for name in ("20_generation", "30_curation"):
        toy.stage(name, "__import__('os').environ['OMP_NUM_THREADS']", pool=True)
    pools = ("--set", "pools=dcgan,drawn-narrow")
    done = toy.run("--cluster", scheduler, *pools)
    assert done.returncode == 0, done.stdout + done.stderr

    # Workers are processes that Dask spawns.
    made = {name: text for name, (text, _) in toy.outputs().items()}
    spawned = [name for name, text in made.items() if "multiprocessing" in text]
    assert spawned == ["50_metrics.txt"], made
    assert made["20_generation.txt"] == "1", "the threads of a worker"
    assert not list((toy.root / "runs").rglob("*.heartbeat"))

    # Where it ran is no part of what it is.
    assert "Nothing changed" in toy.run(*pools).stdout


BEGIN = "from lib.study.step import begin\nbegin('10_data', globals()).finish([])"
POOL_PARAMETERS = 'study: str = "quick"\noutput: str = ""\nseed: int = 0\npool: str = "dcgan"'


@pytest.mark.slow
def test_who_asks_and_is_killed_takes_the_notebook_along(toy, scheduler):
    mark = toy.root / "mark"
    toy.notebook("10_data", BEGIN)
    note = f"import os, pathlib\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))"
    toy.notebook("20_generation", f"{note}\n{SLEEP}", POOL_PARAMETERS)
    process = subprocess.Popen(
        toy.command("--cluster", scheduler, "--set", "pools=dcgan"),
        env=toy.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(lambda: mark.exists() and mark.read_text())
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: has_ended(int(mark.read_text())), 20)
    process.wait(10)


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_notebook_alone_which_another_does(toy, order, scheduler):
    mark = toy.root / "mark"
    body = f"""
import pathlib, psutil
mark = pathlib.Path({str(mark)!r})
first = not mark.exists()
mark.write_text("seen")
if first:
    psutil.Process().parent().parent().kill()
"""
    order["notebook"] = str(toy.notebook("20_generation", body))
    assert send(order, scheduler) == {"ok": True} and os.path.exists(order["executed"])


@pytest.mark.slow
def test_a_scheduler_that_goes_away_meanwhile_is_reported(toy, order):
    from distributed import LocalCluster

    mark = toy.root / "mark"
    body = f"open({str(mark)!r}, 'w')\n{SLEEP}"
    order["notebook"] = str(toy.notebook("20_generation", body))
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        ThreadPoolExecutor(1) as threads,
    ):
        asked = threads.submit(send, order, cluster.scheduler_address)
        wait_for(mark.exists)
        cluster.close()
        result = asked.result(60)
    assert not result["ok"] and "is the scheduler running" in result["message"], result
