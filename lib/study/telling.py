"""What a notebook tells while it runs, line by line, to whoever started it."""

from pathlib import Path

from lib.study.paths import StudyPaths
from lib.study.records import atomic_write, made_folder, writing


def tell(paths: StudyPaths, name: str, line: str) -> None:
    """Add a line to what an execution has told.

    Args:
        name: of the execution, such as 90_verdict.

    Raises:
        UnwritableFile: no space left on the disk, or no permission.
    """
    file = _file(paths, name)
    made_folder(file.parent)
    with writing(file), open(file, "a", encoding="utf-8") as lines:
        lines.write(f"{line}\n")


def begin_telling(paths: StudyPaths, name: str) -> None:
    """Forget what an earlier execution told."""
    for file in (_file(paths, name), _activity(paths, name)):
        file.unlink(missing_ok=True)


def show_activity(paths: StudyPaths, name: str, text: str) -> None:
    """Note what an execution is doing now, in place of what it did before.

    Args:
        name: of the execution.
        text: a few words: 12 networks trained.

    Raises:
        UnwritableFile: no space left on the disk, or no permission.
    """
    with atomic_write(_activity(paths, name), "w") as file:
        file.write(text)


def activity(paths: StudyPaths, name: str, since: float) -> str:
    """Read what an execution is doing; "" where it does not say.

    Args:
        since: when the execution began, seconds since 1970.
    """
    # What an earlier execution did last is nothing that this one does.
    file = _activity(paths, name)
    try:
        return file.read_text(encoding="utf-8") if file.stat().st_mtime >= since else ""
    except OSError:  # there is none, or it has just gone
        return ""


def news(paths: StudyPaths, name: str, told: int, since: float) -> list[str]:
    """Read the lines that are new; a line that is still being written is none yet.

    Args:
        told: lines that were read before.
        since: when the execution began, seconds since 1970: what an earlier one told is none.
    """
    # The file of an execution that ended earlier is older than this one.
    file = _file(paths, name)
    if not file.exists() or file.stat().st_mtime < since:
        return []
    return file.read_text(encoding="utf-8").split("\n")[told:-1]


def _file(paths: StudyPaths, name: str) -> Path:
    return paths.state / f"{name}.told"


def _activity(paths: StudyPaths, name: str) -> Path:
    return paths.state / f"{name}.doing"
