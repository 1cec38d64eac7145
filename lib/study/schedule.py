"""Run the tasks of a plan: in order, beside each other where they are independent, only what is not
done.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from lib.study.earlier import keep_answer
from lib.study.errors import FOR_USERS, StudyError, sentence
from lib.study.kept import read_sealed, set_aside_rotten, write_sealed
from lib.study.keys import key_parts, reason_to_run, sources_before
from lib.study.machine import INTERRUPTS, thread_environment
from lib.study.outcomes import Outcome, cell_counts, failure_text
from lib.study.paths import HALF_DONE, ROOT
from lib.study.plan import Task
from lib.study.progress import Progress, note_seconds
from lib.study.records import output_record
from lib.study.sources import check_unrotted, with_contents
from lib.study.stages import ONE_JOB, default_threads, stage_of

POLL_S = 0.05
STOP_S = 10  # seconds that a process has to take its kernel along
LONGEST_FOLDER = 40  # characters: the path of a kernel's socket has room for about a hundred
REPORTED = "reported"  # file in a process's scratch folder, whose last line is its result
OUT_OF_MEMORY = -9  # exit status of a process that the system killed

# What a kernel finds in its environment, beside its threads and its path.
KERNEL_VARIABLES = {
    "HF_HUB_OFFLINE": "1",  # no network
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",  # figures in the page
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # no warning about the debugger
}


@dataclass
class Running:
    """A task under way."""

    process: subprocess.Popen
    parts: dict  # its key at the start
    scratch: str  # folder of its kernel's sockets
    is_remote: bool  # on another machine
    began: float = field(default_factory=time.monotonic)


@dataclass
class State:
    """Where a run of several tasks stands; all but `pending` by name."""

    tasks: dict[str, Task]  # in order
    pending: list[Task]  # in order
    running: dict[str, Running] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    # Names of those that were done once more, for their outputs were damaged.
    repeated: set[str] = field(default_factory=set)

    @property
    def left(self) -> list[Task]:
        """The tasks that have not ended."""
        return [task for name, task in self.tasks.items() if name not in self.outcomes]


def run_tasks(tasks: list[Task], *, at_once: int, lock: int) -> dict[str, Outcome]:
    """Run tasks whose upstream is finished until none is left; a failure stops only what depends
    on it.

    Args:
        tasks: in order; upstream tasks that are not among them must have finished earlier.
        at_once: how many notebooks run at once here; those that go to a cluster do not count.
        lock: file descriptor that each child keeps open.

    Returns:
        How each task ended, by name.
    """
    state = State({task.name: task for task in tasks}, list(tasks))
    progress = Progress(tasks, at_once)
    try:
        while state.pending or state.running:
            # Start what may start.
            for task in [task for task in state.pending if _is_ready(task, state)]:
                here = sum(not under_way.is_remote for under_way in state.running.values())
                if here < at_once or cluster_of(task) or _missing_upstream(task, state.outcomes):
                    _start(task, state, lock)
                    if task.name in state.outcomes:
                        progress.ended(task, state.outcomes, state.left)

            # Take in what has ended, and show that the rest lives.
            for name, under_way in list(state.running.items()):
                if under_way.process.poll() is not None:
                    task = state.tasks[name]
                    state.outcomes[name] = _finish(task, state.running.pop(name))
                    progress.ended(task, state.outcomes, state.left)
            spent = [
                (state.tasks[name], time.monotonic() - under_way.began)
                for name, under_way in state.running.items()
            ]
            progress.tick(spent, len(state.outcomes), state.left)
            time.sleep(POLL_S if state.running else 0)
    finally:
        _stop(*state.running.values())
    progress.summary(state.outcomes)
    return state.outcomes


def cluster_of(task: Task) -> str:
    """Give the address of the Dask scheduler that a task's notebook goes to; "" where it runs here.

    The training runs here: it hands out its own runs.
    """
    cluster = task.params["cluster"]
    return cluster if ":" in cluster and task.stage in ONE_JOB else ""


def _is_ready(task: Task, state: State) -> bool:
    """Tell whether all upstream tasks of this run have ended, well or not, and nobody reads what
    the task writes.
    """
    # A task that is repeated may have readers under way.
    waits = [name for name in task.upstream if name in state.tasks]
    readers = [name for name in state.running if task.name in state.tasks[name].upstream]
    return not readers and all(name in state.outcomes for name in waits)


def _missing_upstream(task: Task, outcomes: dict) -> str:
    """Name an upstream task that failed or was skipped, "" where there is none."""
    ended = [name for name in task.upstream if name in outcomes]
    return next((name for name in ended if outcomes[name].is_missing), "")


def _start(task: Task, state: State, lock: int) -> None:
    """Start a task's process, or note its outcome where there is nothing to start."""
    state.pending.remove(task)

    # What it needs is not there.
    missing = _missing_upstream(task, state.outcomes)
    if missing:
        state.outcomes[task.name] = Outcome("skipped", detail=f"needs {missing}")
        return
    try:
        parts = key_parts(task)
        if reason_to_run(task, parts) is None:
            state.outcomes[task.name] = Outcome("kept")
        elif not _wait_for_repair(task, state):
            state.running[task.name] = _started(task, parts, lock)
    except (StudyError, OSError) as error:
        state.outcomes[task.name] = _mistake(task, error)


def _wait_for_repair(task: Task, state: State) -> bool:
    """Put a task off where files that it reads were changed though nobody wrote them; what made
    these is done once more before.

    Raises:
        StudyError: that is not part of this run, or has been done once more already.
    """
    # All files of all tasks before it are read once.
    damaged = {name: set_aside_rotten(task.paths, [name]) for name in task.upstream}
    damaged = {name: files for name, files in damaged.items() if files}
    for name, files in damaged.items():
        if name not in state.tasks or name in state.repeated:
            raise StudyError(
                f"{files[0]} is not what {name} wrote, though nobody wrote it since: is the disk "
                f"failing? It is set aside; run {name} again: --only {stage_of(name)}, or leave "
                "--only out"
            )
        print(f"note: {files[0]} was damaged; it is set aside, and {name} makes it anew")
        state.repeated.add(name)
        state.outcomes.pop(name)
        state.pending.append(state.tasks[name])
    if damaged:
        state.pending.append(task)
    return bool(damaged)


def _started(task: Task, parts: dict, lock: int) -> Running:
    """Start a task's process."""
    # What its sources hold, to be compared where their times change later.
    parts["sources"] = with_contents(parts["sources"])
    check_unrotted(sources_before(task), parts["sources"])

    # What a failing disk changed of its own is not to be found and kept.
    for file in set_aside_rotten(task.paths, [task.name]):
        print(f"note: {file} was damaged; it is set aside and made anew")

    # From here on it is not done, and an earlier failure is none of this execution.
    task.paths.notebooks.mkdir(parents=True, exist_ok=True)
    keep_answer(task)
    for earlier in (task.done, task.record, task.executed.with_suffix(HALF_DONE)):
        earlier.unlink(missing_ok=True)
    is_long = len(tempfile.gettempdir()) > LONGEST_FOLDER
    scratch = tempfile.mkdtemp(prefix="faces-", dir="/tmp" if is_long else None)
    process = _start_process(task, scratch, lock)
    return Running(process, parts, scratch, bool(cluster_of(task)))


def _start_process(task: Task, scratch: str, lock: int) -> subprocess.Popen:
    """Start the process that executes a notebook, or that has it executed on a cluster."""
    variables, cluster = _environment(task), cluster_of(task)
    # What lib.study.execution reads, here or on another machine.
    order = {
        "notebook": str(task.notebook),
        "executed": str(task.executed),
        "values": task.values,
        "scratch": scratch,
    }
    module = ["lib.study.execution"]
    if cluster:
        module = ["lib.study.remote", cluster]
        order |= {"root": str(ROOT), "environment": variables}

    # It reports into a file: a pipe that nobody empties would stop it.
    # In a session of its own: Ctrl-C reaches this process alone, which then closes its input.
    with (
        open(task.executed.with_suffix(".log"), "wb") as log,
        open(Path(scratch, REPORTED), "wb") as reported,
    ):
        process = subprocess.Popen(
            [sys.executable, "-m", *module],
            cwd=ROOT,
            env=os.environ | variables,
            stdin=subprocess.PIPE,
            stdout=reported,
            stderr=log,
            start_new_session=True,
            pass_fds=(lock,),
        )
    with contextlib.suppress(BrokenPipeError):  # it died at once, which is noticed later
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
    return process


def _environment(task: Task) -> dict[str, str]:
    """Give a kernel its share of the cores, and this project first on its path."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    threads = default_threads(task.notebook.stem, task.params)
    return {
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
        **KERNEL_VARIABLES,
        **thread_environment(threads),
    }


def _finish(task: Task, ended: Running) -> Outcome:
    """Read what a finished process reported and, if all is well, mark the task done."""
    # What it reported, in its last line.
    seconds = time.monotonic() - ended.began
    reported = Path(ended.scratch, REPORTED).read_text(errors="replace").splitlines()
    _stop(ended)
    try:
        result = _result(task, ended, reported)
        if result["ok"]:
            return _mark_done(task, ended.parts, seconds)
    except (StudyError, OSError) as error:
        return _mistake(task, error, seconds)
    done, total = cell_counts(Path(result["copy"])) if result["copy"] else (0, 0)
    detail = failure_text(task, result, done, total)
    is_mistake = result["error"] in FOR_USERS
    return Outcome("failed", seconds, f"{done}/{total} cells", detail, is_mistake)


def _mistake(task: Task, error: StudyError | OSError, seconds: float = 0.0) -> Outcome:
    """Give the outcome of a task that an error of ours, or of the system about a file, ended."""
    detail = f"{task.name}: {sentence(error)}"
    return Outcome("failed", seconds, detail=detail, is_mistake=True)


def _mark_done(task: Task, parts: dict, seconds: float) -> Outcome:
    """Record what a task was made from and what it left."""
    # The log is no longer needed; the next run compares the key and the outputs.
    task.executed.with_suffix(".log").unlink(missing_ok=True)
    done, total = cell_counts(task.executed)
    record = {
        "parts": parts,
        "outputs": read_sealed(task.record)["outputs"],
        "executed": output_record(task.executed),
        "seconds": round(seconds, 1),
        "cells": [done, total],
    }
    note_seconds(task, seconds)
    write_sealed(task.done, record)  # the last thing written
    return Outcome("done", seconds, f"{done}/{total} cells")


def _result(task: Task, ended: Running, reported: list[str]) -> dict:
    """Read the last line that a process printed, or explain why there is none."""
    try:
        result = json.loads(reported[-1])
    except (IndexError, ValueError):
        code = ended.process.returncode
        hint = ", out of memory?" if code == OUT_OF_MEMORY else ""
        message = f"exit status {code}{hint}; see {task.executed.with_suffix('.log')}"
        return _failure("process ended", message)
    if result["ok"] and not task.record.exists():
        message = "the notebook ended without step.finish([...])"
        return _failure("unfinished", message, copy=str(task.executed))
    return result


def _failure(error: str, message: str, copy: str = "") -> dict:
    return {"ok": False, "error": error, "message": message, "line": "", "copy": copy}


def _stop(*running: Running) -> None:
    """End processes by closing their inputs, which makes them take their kernels along, and clear
    their sockets.
    """
    # An impatient second Ctrl-C is not to leave half of them behind.
    with _without_interrupts():
        for under_way in running:
            with contextlib.suppress(BrokenPipeError):
                under_way.process.stdin.close()

        # All of them at once, and each for as long as is left.
        deadline = time.monotonic() + STOP_S
        for under_way in running:
            try:
                under_way.process.wait(max(0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                under_way.process.kill()
                under_way.process.wait()
            shutil.rmtree(under_way.scratch, ignore_errors=True)


@contextlib.contextmanager
def _without_interrupts():
    """Put Ctrl-C and the like off for a while; they come when it is over."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
