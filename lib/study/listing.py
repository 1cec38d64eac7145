"""What run_all.py shows without running anything: studies, parameters, the plan, one notebook's
call.
"""

import os
import shlex
import sys
import textwrap
from pathlib import Path

import yaml

from lib.study.errors import StudyError
from lib.study.keys import key_parts, reason_to_run
from lib.study.machine import cores
from lib.study.params import load_params, studies, summary
from lib.study.paths import StudyPaths
from lib.study.plan import Task
from lib.study.progress import at_most, expected_seconds, most_seconds, seconds_left, span
from lib.study.records import atomic_write

COLUMNS = 80  # of a terminal
BY_HAND = "by-hand"  # folder in a study's for notebooks that a person runs with papermill


def print_studies() -> None:
    """Print what each study is."""
    print("studies:")
    for study in studies():
        # The name stands on the first line alone.
        lines = textwrap.wrap(summary(study), COLUMNS - 18)
        for number, line in enumerate(lines):
            print(f"  {study if number == 0 else '':<15} {line}")


def print_parameters(task: Task, whole: bool) -> None:
    """Print a study's parameters, but for `write`, which is true in every run.

    Args:
        task: one of the study's, not of a pool.
        whole: all of them; else those that differ from the study quick.
    """
    # Quick is the study that others are described by.
    quick = load_params("quick")
    differing = {key for key, value in task.params.items() if quick.get(key) != value}
    if whole:
        print("parameters (* differs from quick):")
    else:
        print(f"parameters that differ from quick ({len(task.params)} in all: -v):")
    for key, value in task.params.items():
        if key != "write" and (whole or key in differing):
            print(f"  {'*' if key in differing else ' '} {key}: {value!r}")
    if not whole and not differing:
        print("  none")


def print_plan(
    chosen: list[Task], times: bool = False, taken: dict[str, StudyPaths] | None = None
) -> None:
    """Print one line a task: kept, taken from another study, or why it would run.

    Args:
        times: add how long each took when it last ran.
        taken: by name, the studies that tasks are taken from (lib.study.adoption).
    """
    # Only what would run has a time worth showing.
    taken = {name: f"taken from {paths.root.name}" for name, paths in (taken or {}).items()}
    to_do = [task for task in chosen if task.name not in taken]
    expected, reasons = expected_seconds(to_do) if times else {}, reasons_to_run(to_do)
    for task in chosen:
        took = (
            f" ({span(expected[task.name])})"
            if task.name in reasons.keys() & expected.keys()
            else ""
        )
        text = taken.get(task.name) or reasons.get(task.name, "kept")
        print(f"  {task.name:<32} {text}{took}")
    print(f"\n{outlook([task for task in chosen if task.name in reasons])}")


def reasons_to_run(chosen: list[Task]) -> dict[str, str]:
    """Say why tasks would run, by name; those that are kept have no entry."""
    reasons = {}
    for task in chosen:
        # Whether what follows runs too is known only when these have.
        waits = [name for name in task.upstream if name in reasons]
        try:
            text = _why(task, waits)
        except StudyError as error:
            text = f"cannot run: {error}"
        if text:
            reasons[task.name] = text
    return reasons


def outlook(tasks: list[Task]) -> str:
    """Say how many notebooks are to run, and how long they took when they last did."""
    count = f"{len(tasks)} notebook{'' if len(tasks) == 1 else 's'} to run"
    if not tasks:
        return count

    # What is told how long it may take takes no longer, whatever it took before.
    most = [most_seconds(task) for task in tasks]
    if all(most):
        return f"{count}, {at_most(sum(most))}"

    # Notebooks of one stage run beside each other, so times do not add up.
    expected = expected_seconds(tasks)
    at_once = tasks[0].params["workers"] or cores()
    seconds = seconds_left(tasks, expected, at_once)
    if not seconds:
        return f"{count}; how long they take is not known yet"
    known = "" if len(expected) == len(tasks) else f" ({len(expected)} of them are known)"
    return f"{count}, about {span(seconds)} by their last executions{known}"


def print_calls(chosen: list[Task]) -> None:
    """Write the exact parameters of each task into a file, and print papermill's line for it."""
    for task in chosen:
        # Parameters in a file are exact; on a command line they would lose their types.
        folder = task.paths.root / BY_HAND
        with atomic_write(folder / f"{task.name}.yaml", "w") as file:
            yaml.safe_dump(task.values, file, allow_unicode=True, sort_keys=False)
        papermill = Path(sys.executable).with_name("papermill")
        files = [task.notebook, folder / f"{task.name}.ipynb"]
        words = [papermill, *files, "-f", folder / f"{task.name}.yaml", "-k", "python3"]
        print(shlex.join(_short(word) for word in words))


def _short(word: str | Path) -> str:
    """Name a file from the caller's folder on, where it lies in it."""
    path = Path(word)
    if path.is_absolute() and path.is_relative_to(os.getcwd()):
        return str(path.relative_to(os.getcwd()))
    return str(word)


def _why(task: Task, waits: list[str]) -> str:
    """Say why a task would run; "" where it is kept.

    Args:
        waits: upstream tasks that would run, whose outputs may come out the same.
    """
    if not task.done.exists():
        return "not run yet"

    # Its own change, and what may come from the tasks before it.
    reason = reason_to_run(task, key_parts(task))
    if not waits:
        return reason.text if reason else ""
    change = f"; {reason.text}" if reason else ", unless that writes the same as before"
    return f"after {waits[-1]}{change}"
