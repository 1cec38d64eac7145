"""What a report may show: executed notebooks of the present settings. Others lie in a folder beside
them, and come back when their settings do.
"""

import os

from lib.study.answer import answer_path
from lib.study.earlier import keep_answer, return_answer
from lib.study.errors import StudyError
from lib.study.keys import key_parts, reason_to_run
from lib.study.paths import HALF_DONE, RUNNING
from lib.study.plan import Task
from lib.study.stages import ANSWERING

ARCHIVE = "archive"  # name of the folder beside the executed notebooks
# A copy whose code alone changed still shows what these settings gave; these changes do not leave
# it that.
STALE = ("not run", "parameters", "upstream", "sources")


def restore(tasks: list[Task]) -> None:
    """Move archived copies of these tasks back, and an answer that a run without one had left;
    whether one still holds is decided by its key.
    """
    for task in tasks:
        return_answer(task)
        archived = task.executed.parent / ARCHIVE / task.executed.name
        if archived.exists() and not task.executed.exists():
            os.replace(archived, task.executed)


def archive_stale(tasks: list[Task], outcomes: dict) -> None:
    """Archive executed copies that the present settings would not have made, and an answer that
    rests on them.

    Args:
        tasks: all tasks of the study.
        outcomes: how those ended that ran, by name.
    """
    folder = tasks[0].paths.notebooks
    names = {task.name for task in tasks}
    current = {task.name for task in tasks if not _is_stale(task, outcomes)}

    # A run that was to give an answer and has none leaves the one before it.
    if any(outcome.is_missing for outcome in outcomes.values()):
        for task in tasks:
            if task.name not in current:
                keep_answer(task)

    # Complete copies are kept for later; half-done ones of other pools are worth nothing.
    for file in folder.glob("[0-9][0-9]_*.ipynb"):
        name = file.name.removesuffix(HALF_DONE).removesuffix(RUNNING).removesuffix(".ipynb")
        if file.name.endswith(HALF_DONE):
            if name not in names:
                file.unlink()
        elif name not in current:
            (folder / ARCHIVE).mkdir(exist_ok=True)
            os.replace(file, folder / ARCHIVE / file.name)

    # An answer without its findings would be that of other settings.
    answer = answer_path(tasks[0].paths)
    findings = {task.name for task in tasks if task.stage in ANSWERING}
    if answer.exists() and not findings & current:
        os.replace(answer, answer.with_suffix(".old.json"))


def _is_stale(task: Task, outcomes: dict) -> bool:
    """Tell whether a task was left undone, or done with other values or on other inputs."""
    if task.name in outcomes:
        return outcomes[task.name].status not in ("done", "kept")
    try:
        reason = reason_to_run(task, key_parts(task))
    except StudyError:
        return True
    return reason is not None and reason.kind in STALE
