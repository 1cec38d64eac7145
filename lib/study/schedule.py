"""Run the tasks of a plan: in order, side by side where they are independent, only what is not done."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.machine import thread_environment
from lib.study.paths import ROOT
from lib.study.plan import Task, key_parts, why_to_run
from lib.study.records import read_json, write_json
from lib.study.stages import PER_POOL, default_threads

HEARTBEAT_S = 60
ALONE = (*PER_POOL, 50, 60)  # pools and metrics: each notebook is one job, for whichever machine of a cluster is free


@dataclass
class Outcome:
    """How a task ended: done, kept (nothing changed), failed or skipped."""

    status: str
    seconds: float = 0.0
    cells: str = ""
    detail: str = ""


@dataclass
class Running:
    """A task under way: its process, what its key was at the start, and when it last showed life."""

    process: subprocess.Popen
    parts: dict
    scratch: str
    away: bool  # on another machine
    began: float = field(default_factory=time.monotonic)
    shown: float = field(default_factory=time.monotonic)


def run_tasks(tasks: list[Task], *, side_by_side: int, lock: int, say=print) -> dict[str, Outcome]:
    """Run tasks whose upstream is finished until none is left; failures stop only what depends on them.

    Args:
        tasks: in order; upstream tasks that are not among them must have finished earlier.
        side_by_side: how many notebooks run at once here; those that go to a cluster are its own affair.
        lock: file descriptor that each child keeps open.
        say: prints one line.
    """
    outcomes, running, pending = {}, {}, list(tasks)
    width = max(len(task.name) for task in tasks)
    try:
        while pending or running:
            for task in [t for t in pending if _ready(t, tasks, outcomes)]:
                here = sum(not held.away for held in running.values())
                if here < side_by_side or cluster_of(task) or _settled_at_once(task, outcomes):
                    pending.remove(task)
                    _start(task, running, outcomes, lock)
                    _tell(task, outcomes, width, say)
            for task in [t for t in tasks if t.name in running]:
                if running[task.name].process.poll() is not None:
                    outcomes[task.name] = _finish(task, running.pop(task.name))
                    _tell(task, outcomes, width, say)
                else:
                    _heartbeat(task, running[task.name], width, say)
            time.sleep(0.05 if running else 0)
    finally:
        for left in running.values():
            _stop(left)
    return outcomes


def cluster_of(task: Task) -> str:
    """Name the Dask scheduler that a task's notebook goes to, "" where it runs here: the training hands out its own runs."""
    cluster = task.params["cluster"]
    return cluster if ":" in cluster and task.stage in ALONE else ""


def cell_counts(executed: Path) -> tuple[int, int]:
    """Count the code cells of a notebook under way that are complete, and all of them; papermill's own is none."""
    try:
        cells = [c for c in json.loads(executed.read_text(encoding="utf-8"))["cells"] if c["cell_type"] == "code"]
    except (OSError, ValueError):
        return 0, 0
    cells = [c for c in cells if "injected-parameters" not in c["metadata"].get("tags", [])]
    return sum(c["metadata"].get("papermill", {}).get("status") == "completed" for c in cells), len(cells)


def _ready(task: Task, tasks: list[Task], outcomes: dict) -> bool:
    return all(name in outcomes for name in task.upstream if any(t.name == name for t in tasks))


def _settled_at_once(task: Task, outcomes: dict) -> bool:
    """Tell whether a task needs no kernel: something before it failed."""
    return any(outcomes[name].status in ("failed", "skipped") for name in task.upstream if name in outcomes)


def _start(task: Task, running: dict, outcomes: dict, lock: int) -> None:
    """Start a task's process, or settle it where there is nothing to start."""
    missing = [name for name in task.upstream if name in outcomes and outcomes[name].status in ("failed", "skipped")]
    if missing:
        outcomes[task.name] = Outcome("skipped", detail=f"needs {missing[0]}")
        return
    try:
        parts = key_parts(task)
        if not why_to_run(task, parts):
            outcomes[task.name] = Outcome("kept")
            return
    except StudyError as error:
        outcomes[task.name] = Outcome("failed", detail=f"{task.name}: {error}")
        return
    for stale in (task.done, task.paths.state / f"{task.name}.json"):
        stale.unlink(missing_ok=True)
    task.paths.notebooks.mkdir(parents=True, exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="faces-", dir="/tmp" if len(tempfile.gettempdir()) > 40 else None)
    order = {"notebook": str(task.notebook), "executed": str(task.executed), "values": task.values, "scratch": scratch}
    variables, cluster = _environment(task), cluster_of(task)
    module = ["lib.study.away", cluster] if cluster else ["lib.study.execution"]
    with open(task.executed.with_suffix(".log"), "wb") as log:
        process = subprocess.Popen([sys.executable, "-m", *module], cwd=ROOT, env=os.environ | variables, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=log, start_new_session=True, pass_fds=(lock,))  # fmt: skip
    order |= {"root": str(ROOT), "environment": variables} if cluster else {}
    process.stdin.write(json.dumps(order).encode() + b"\n")
    process.stdin.flush()
    running[task.name] = Running(process, parts, scratch, bool(cluster))


def _environment(task: Task) -> dict[str, str]:
    """Give a kernel its share of the cores, this project first on its path, inline figures, and no network."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    quiet = {"HF_HUB_OFFLINE": "1", "MPLBACKEND": "module://matplotlib_inline.backend_inline", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
    return {"PYTHONPATH": path, **quiet, **thread_environment(default_threads(task.notebook.stem, task.params))}


def _finish(task: Task, ended: Running) -> Outcome:
    """Read what a finished process reported and, if all is well, mark the task done: the last thing written."""
    seconds = time.monotonic() - ended.began
    lines = ended.process.stdout.read().decode(errors="replace").splitlines()
    _stop(ended)
    log = task.executed.with_suffix(".log")
    try:
        result = json.loads(lines[-1])
    except (IndexError, ValueError):
        code = ended.process.returncode
        message = f"exit status {code}{', out of memory?' if code == -9 else ''}; see {log}"
        result = {"ok": False, "error": "process ended", "message": message, "line": "", "copy": ""}
    record = task.paths.state / f"{task.name}.json"
    if result["ok"] and not record.exists():
        message = "the notebook ended without step.finish([...])"
        result = {"ok": False, "error": "StudyError", "message": message, "line": "", "copy": str(task.executed)}
    if not result["ok"]:
        done, total = cell_counts(Path(result["copy"])) if result["copy"] else (0, 0)
        return Outcome("failed", seconds, f"{done}/{total} cells", failure_text(task, result, done, total))
    log.unlink(missing_ok=True)
    done, total = cell_counts(task.executed)
    outputs = read_json(record)["outputs"]
    write_json(task.done, {"parts": ended.parts, "outputs": outputs, "seconds": round(seconds, 1), "cells": [done, total]})
    return Outcome("done", seconds, f"{done}/{total} cells")


def failure_text(task: Task, result: dict, done: int, total: int) -> str:
    """Put a failure into five lines: where, what, which line, the copy, and what to do."""
    message = " ".join(result["message"].split())
    return "\n".join([
        f"{task.name} failed in code cell {done + 1} of {total}:" if total else f"{task.name} failed:",
        f"  {result['error']}: {message[:600]}",
        f"  at: {result['line'][:120]}" if result["line"] else "  before its first cell" if not total else "  at: (see the copy)",
        f"  half-done copy: {result['copy'] or 'none'}",
        "  to do: mend the cause and give the same command again; finished notebooks are kept",
    ])  # fmt: skip


def _tell(task: Task, outcomes: dict, width: int, say) -> None:
    """Print a task's one line."""
    outcome = outcomes.get(task.name)
    if outcome and outcome.status in ("done", "failed"):
        say(f"{task.name:<{width}}  {outcome.status:<6}  {outcome.cells:>12}  {outcome.seconds:6.0f} s")
    if outcome and outcome.status == "failed":
        say(outcome.detail)
    if outcome and outcome.status == "skipped":
        say(f"{task.name:<{width}}  skipped  {outcome.detail}")


def _heartbeat(task: Task, under_way: Running, width: int, say) -> None:
    """Show once a minute how far a notebook is."""
    now = time.monotonic()
    if now - under_way.shown > HEARTBEAT_S:
        under_way.shown = now
        done, total = cell_counts(task.executed.with_suffix(".running.ipynb"))
        say(f"{task.name:<{width}}  ...     {f'{done}/{total} cells':>12}  {now - under_way.began:6.0f} s")


def _stop(under_way: Running) -> None:
    """End a process by closing its input, which makes it take its kernel along, and clear its sockets."""
    try:
        under_way.process.stdin.close()
    except BrokenPipeError:
        pass
    try:
        under_way.process.wait(10)
    except subprocess.TimeoutExpired:
        under_way.process.kill()
    shutil.rmtree(under_way.scratch, ignore_errors=True)
