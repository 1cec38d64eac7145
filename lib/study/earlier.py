"""The answer that stays on a study's pages while later runs fail or are stopped.

When the notebook of the answer is executed again, its answer, its executed copy and its records
move into the folder earlier/. They come back at the start of the next run, which finds out whether
they still hold, and go when there is a new answer.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from lib.study.answer import Sentence, answer_path, read_answer_file
from lib.study.errors import StudyError
from lib.study.kept import DONE, has_outputs, read_sealed
from lib.study.paths import StudyPaths
from lib.study.plan import Task
from lib.study.records import copy_whole, made_folder, read_json, write_json
from lib.study.stages import ANSWERING

FOLDER = "earlier"  # in a study's
ANSWERED = "answered.json"  # in the state: the command whose answer it is
BROKEN = "broken_off.json"  # in the state: the command that ended without an answer
HAS_FAILED, WAS_STOPPED = "failed", "was stopped"  # how a run ends without an answer


@dataclass(frozen=True)
class Earlier:
    """An answer of before the last run, and what it rests on."""

    name: str  # of the execution that found it: 90_verdict
    ipynb: Path  # its executed copy
    record: dict  # what it recorded of itself
    sentences: list[Sentence]
    command: str  # that asked for it, "" where that is not known
    later: str  # the command that ended without an answer,
    ended: str  # and how: HAS_FAILED or WAS_STOPPED


def keep_answer(task: Task) -> None:
    """Move an answer out of the way of an execution that may fail, with all that belongs to it.

    Args:
        task: any; one that has no whole answer leaves everything where it is.
    """
    parts = _parts(task)
    if task.stage not in ANSWERING or not all(path.exists() for path in parts[-3:]):
        return

    # What says that it is done goes first, so that half of a move is none that is believed.
    folder = made_folder(_folder(task.paths))
    for path in parts:
        if path.exists():
            os.replace(path, folder / path.name)


def return_answer(task: Task) -> None:
    """Move an answer back to where its execution left it; nothing where there is a newer one."""
    parts, folder = _parts(task), _folder(task.paths)
    if task.stage not in ANSWERING or not folder.exists():
        return
    if not all(path.exists() for path in parts[-3:]):
        # What says that it is done comes last.
        for path in reversed(parts):
            if (folder / path.name).exists():
                made_folder(path.parent)
                os.replace(folder / path.name, path)
    drop_earlier(task.paths)


def copy_answer(task: Task, before: Path) -> None:
    """Take an answer over from a study's folder that was moved, without what says that it is done.

    Args:
        before: where the folder lies now.
    """
    if task.stage not in ANSWERING:
        return

    # It lies where its execution left it, or where a run without an answer put it.
    parts = _parts(task)[1:]
    left = [before / path.relative_to(task.paths.root) for path in parts]
    kept = [before / FOLDER / path.name for path in parts]
    for places in (left, kept):
        if all(place.exists() for place in places[-3:]):
            for place, path in zip(places, parts):
                if place.exists():
                    copy_whole(place, path)
            return


def drop_earlier(paths: StudyPaths) -> None:
    """Forget the answer of before, for there is another."""
    shutil.rmtree(_folder(paths), ignore_errors=True)


def note_end(paths: StudyPaths, command: str, ended: str, *, has_answered: bool) -> None:
    """Note how a command ended, for the note beside the answer.

    Args:
        command: as it was typed.
        ended: "" where all is well, else HAS_FAILED or WAS_STOPPED.
        has_answered: whether the notebook of the answer was executed and is done.
    """
    # A command that repeated nothing is not the one whose answer it is.
    if has_answered:
        write_json(paths.state / ANSWERED, {"command": command})
        drop_earlier(paths)
    if ended:
        write_json(paths.state / BROKEN, {"command": command, "ended": ended})
    else:
        (paths.state / BROKEN).unlink(missing_ok=True)


def earlier_answer(paths: StudyPaths) -> Earlier | None:
    """Read the answer that stays though a later run has none; None where there is nothing whole."""
    folder = _folder(paths)
    records = [file for file in folder.glob("[0-9][0-9]_*.json") if not file.name.endswith(DONE)]
    if len(records) != 1 or answer_path(paths).exists():
        return None
    name, ipynb = records[0].stem, records[0].with_suffix(".ipynb")
    try:
        record, sentences = read_sealed(records[0]), read_answer_file(folder / "answer.json")
    except StudyError:  # damaged: the next run makes it anew
        return None
    if not has_outputs(record) or not sentences or not ipynb.exists():
        return None

    # Commands are known since they are noted.
    known, later = _noted(folder / ANSWERED), _noted(paths.state / BROKEN)
    texts = known.get("command", ""), later.get("command", ""), later.get("ended", WAS_STOPPED)
    return Earlier(name, ipynb, record, sentences, *map(str, texts))


def _parts(task: Task) -> list[Path]:
    """List the files of an answer, that which says that all is well first, what it needs last."""
    paths = task.paths
    return [task.done, paths.state / ANSWERED, task.record, task.executed, answer_path(paths)]


def _folder(paths: StudyPaths) -> Path:
    return paths.root / FOLDER


def _noted(file: Path) -> dict:
    """Read a note; {} where there is none or it is damaged."""
    try:
        return read_json(file) if file.exists() else {}
    except StudyError:
        return {}
