"""What a report may show: executed notebooks of the present plan; others wait aside and come back with their settings."""

import os

from lib.study.errors import StudyError
from lib.study.plan import Task, key_parts, why_to_run

ASIDE = "aside"


def bring_back(tasks: list[Task]) -> None:
    """Return executed copies that were put aside under other settings; whether they still hold is judged by their key."""
    for task in tasks:
        waiting = task.executed.parent / ASIDE / task.executed.name
        if waiting.exists() and not task.executed.exists():
            os.replace(waiting, task.executed)


def put_aside(tasks: list[Task], outcomes: dict) -> None:
    """Put away executed copies that the present settings would not have made, and an answer that rests on them."""
    folder = tasks[0].paths.notebooks
    current = {task.name for task in tasks if not _outdated(task, outcomes)}
    for file in folder.glob("[0-9][0-9]_*.ipynb"):
        if file.name.split(".")[0] not in current and not file.name.endswith(".failed.ipynb"):
            (folder / ASIDE).mkdir(exist_ok=True)
            os.replace(file, folder / ASIDE / file.name)
    for file in folder.glob("[0-9][0-9]_*.failed.ipynb"):
        if file.name.split(".")[0] not in {task.name for task in tasks}:
            file.unlink()
    answer = tasks[0].paths.tables / "answer.json"
    if answer.exists() and not any(name.startswith("80_") for name in current):
        os.replace(answer, answer.with_suffix(".old.json"))


def _outdated(task: Task, outcomes: dict) -> bool:
    """Tell whether a task was left undone, or done with other values or on other inputs."""
    if task.name in outcomes:
        return outcomes[task.name].status not in ("done", "kept")
    try:
        return why_to_run(task, key_parts(task)).startswith(("changed parameters", "changed upstream", "changed sources", "not run"))
    except StudyError:
        return True
