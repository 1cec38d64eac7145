"""What a study takes over from its siblings: the cells of a grid of settings and the study itself.

An execution of a sibling whose key is what this study's would be is taken as it is, with its
outputs and its page. Of the others finished training runs are brought, which notebook 40 finds by
what they compute. Large files become one file under two names where the file system can do that.
"""

from dataclasses import replace
from pathlib import Path

from lib.study.cells import MARK, study_of
from lib.study.errors import StudyError
from lib.study.explore import OWN, bring, bring_execution, bring_folder
from lib.study.kept import read_sealed, write_sealed
from lib.study.keys import key_parts, reason_to_run
from lib.study.paths import StudyPaths
from lib.study.plan import Task

# Files that are only ever written anew and renamed, whoever writes them.
ONE_FILE = (".safetensors", ".npz")
RESULT = "result.json"  # in the folder of a finished training run, written last


def siblings(paths: StudyPaths) -> list[StudyPaths]:
    """List the other cells of a study's grid that have left something, and the study itself.

    Args:
        paths: of one of them.
    """
    own, runs = study_of(paths.root.name), paths.root.parent
    folders = [runs / own, *sorted(runs.glob(f"{own}{MARK}*"))]
    reports = paths.reports.parent
    return [
        StudyPaths(folder, reports / folder.name)
        for folder in folders
        if folder != paths.root and (folder / paths.state.name).is_dir()
    ]


def adoptable(tasks: list[Task]) -> dict[str, StudyPaths]:
    """Find the tasks of a study that a sibling has done.

    Args:
        tasks: all of the study, in order.

    Returns:
        The sibling by the task's name; tasks that the study has done itself have none.
    """
    others, places, settled = siblings(tasks[0].paths), {}, set()
    for task in tasks:
        # What follows an execution that has yet to run is not known.
        if not settled >= set(task.upstream):
            continue
        try:
            parts = key_parts(task, places)
            if reason_to_run(task, parts) is None:
                settled.add(task.name)
                continue
        except StudyError:
            continue
        for other in others:
            if _has_done(other, task, parts):
                places[task.name] = other
                settled.add(task.name)
                break
    return places


def adopt(tasks: list[Task]) -> dict[str, StudyPaths]:
    """Take over what siblings have done, and their training runs; see `adoptable`.

    Args:
        tasks: all of the study, in order.
    """
    places = adoptable(tasks)
    for task in tasks:
        if task.name in places:
            _take(task, places[task.name])

    # Runs of trainings that are to be done here in part; a whole execution has brought its own.
    for other in siblings(tasks[0].paths):
        bring_runs(other.runs, tasks[0].paths.runs)
    return places


def bring_runs(source: Path, target: Path) -> None:
    """Bring the finished training runs of a study that another does not have."""
    for result in sorted(source.glob(f"*/{RESULT}")):
        folder = target / result.parent.name
        if not (folder / RESULT).exists():
            for file in result.parent.iterdir():
                # The result comes last, so that half of a run is never taken for a whole one.
                if file.is_file() and file != result:
                    bring(file, folder / file.name, linked=ONE_FILE)
            bring(result, folder / RESULT)


def _has_done(other: StudyPaths, task: Task, parts: dict) -> bool:
    """Tell whether a sibling has done a task as this study would do it, and all is still there."""
    # The same parameters but for the name of the study.
    if "study" in parts["parameters"]:
        parts = parts | {"parameters": parts["parameters"] | {"study": other.root.name}}
    try:
        return reason_to_run(replace(task, paths=other), parts) is None
    except (StudyError, OSError):
        return False


def _take(task: Task, other: StudyPaths) -> None:
    """Bring what a sibling's execution left, its record and its page."""
    theirs = replace(task, paths=other)
    bring_execution(task.name, other, task.paths, linked=ONE_FILE)
    bring_folder(other.root / OWN / task.name, task.paths.root / OWN / task.name)
    bring(theirs.executed, task.executed)
    bring(theirs.record, task.record)

    # Written last, under this study's name.
    done = read_sealed(theirs.done)
    if "study" in done["parts"]["parameters"]:
        done["parts"]["parameters"]["study"] = task.paths.root.name
    write_sealed(task.done, done | {"from": other.root.name})
