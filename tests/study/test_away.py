"""Notebooks on a cluster's machines: what runs where, and what is said when they are not there."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lib.study.away import beating, do_notebook, send
from tests.test_run_all import wait_for


@pytest.fixture
def order(toy) -> dict:
    notebook = toy.notebook("20_generation", "import os\nprint('by', os.environ['STUDY_THREADS'])")
    executed = toy.root / "runs" / "20_generation.ipynb"
    executed.parent.mkdir()
    environment = {"PYTHONPATH": str(toy.root)}
    return {"notebook": str(notebook), "executed": str(executed), "values": {}, "root": str(toy.root), "environment": environment}


@pytest.fixture
def scheduler(toy):
    """A scheduler with two workers that see the toy project's folder."""
    from distributed import LocalCluster

    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        yield cluster.scheduler_address


def test_a_scheduler_that_is_not_there_is_reported_like_a_failed_notebook(order, monkeypatch):
    monkeypatch.setattr("lib.study.away.ANSWER_SECONDS", 0.3)
    result = send(order, "tcp://127.0.0.1:1")
    assert not result["ok"] and "tcp://127.0.0.1:1" in result["message"] and "scheduler" in result["message"]


def test_a_machine_that_does_not_see_the_folder_says_so(order):
    assert "does not see /nowhere" in do_notebook(order | {"root": "/nowhere"}, "pulse")["message"]


def test_the_pulse_beats_and_ends(tmp_path, monkeypatch):
    monkeypatch.setattr("lib.study.away.PULSE_S", 0.01)
    with beating(tmp_path / "pulse"):
        wait_for(lambda: int((tmp_path / "pulse").read_text() or 0) > 2, 5)
    assert not (tmp_path / "pulse").exists()


@pytest.mark.parametrize("pulse", ["gone", "silent"])
def test_a_notebook_nobody_waits_for_is_stopped(toy, order, monkeypatch, pulse):
    monkeypatch.setattr("lib.study.away._threads", lambda: 1)
    monkeypatch.setattr("lib.study.away.PATIENCE_S", 1.0)
    order["notebook"] = str(toy.notebook("20_generation", "import time\ntime.sleep(60)"))
    file = toy.root / "pulse"
    if pulse == "silent":
        file.write_text("7")
    began = time.monotonic()
    assert "has gone" in do_notebook(order, str(file))["message"] and time.monotonic() - began < 30


@pytest.mark.slow
def test_pools_and_metrics_run_on_the_cluster_and_the_rest_here(toy, scheduler):
    parents = "[' '.join(parent.cmdline()) for parent in __import__('psutil').Process().parents()]"
    for name in ("10_data", "40_training", "50_metrics", "80_findings"):
        toy.stage(name, parents)
    for name in ("20_generation", "30_curation"):
        toy.stage(name, "__import__('os').environ['STUDY_THREADS']", pool=True)
    done = toy.run("--cluster", scheduler, "--set", "pools=dcgan,drawn-narrow")
    assert done.returncode == 0, done.stdout + done.stderr
    made = toy.outputs()
    assert [name for name in made if name[:2] in ("10", "40", "50", "80") and "multiprocessing" in made[name][0]] == ["50_metrics.txt"], (
        made
    )
    assert made["20_generation.txt"][0] == "1"  # the threads of a worker
    assert not list((toy.root / "runs").rglob("*.pulse"))
    assert "Nothing changed" in toy.run("--set", "pools=dcgan,drawn-narrow").stdout  # where it ran is no part of what it is


@pytest.mark.slow
def test_who_asks_and_is_killed_takes_the_notebook_along(toy, scheduler):
    toy.notebook("10_data", "from lib.study.records import begin\nbegin('10_data', study=study, output=output).finish([])")
    mark = toy.root / "mark"
    body = f"import os, pathlib, time\npathlib.Path({str(mark)!r}).write_text(str(os.getpid()))\ntime.sleep(60)"
    toy.notebook("20_generation", body, 'study: str = "quick"\noutput: str = ""\nseed: int = 0\npool: str = "dcgan"')
    words = toy.command("--cluster", scheduler, "--set", "pools=dcgan")
    process = subprocess.Popen(words, env=toy.environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    wait_for(lambda: mark.exists() and mark.read_text())
    os.kill(process.pid, signal.SIGKILL)
    wait_for(lambda: not _alive(int(mark.read_text())), 20)


@pytest.mark.slow
def test_a_worker_that_dies_costs_its_notebook_alone_which_another_does(toy, order, scheduler):
    mark = toy.root / "mark"
    body = f"import pathlib, psutil\nmark = pathlib.Path({str(mark)!r})\nfirst = not mark.exists()\nmark.write_text('seen')"
    order["notebook"] = str(toy.notebook("20_generation", f"{body}\nif first:\n    psutil.Process().parent().parent().kill()"))
    assert send(order, scheduler) == {"ok": True} and os.path.exists(order["executed"])


@pytest.mark.slow
def test_a_scheduler_that_goes_away_meanwhile_is_reported(toy, order):
    from distributed import LocalCluster

    order["notebook"] = str(toy.notebook("20_generation", f"open({str(toy.root / 'mark')!r}, 'w')\nimport time\ntime.sleep(60)"))
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster, ThreadPoolExecutor(1) as pool:
        told = pool.submit(send, order, cluster.scheduler_address)
        wait_for((toy.root / "mark").exists)
        cluster.close()
        result = told.result(60)
    assert not result["ok"] and "is the scheduler running" in result["message"], result


def _alive(pid: int) -> bool:
    words = [sys.executable, "-c", f"import psutil; print(psutil.pid_exists({pid}) and psutil.Process({pid}).status() != 'zombie')"]
    return subprocess.run(words, capture_output=True, text=True).stdout.strip() == "True"
