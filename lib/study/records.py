"""What a run leaves behind: files that are whole or not there, their digests, and which files each
notebook wrote.
"""

import contextlib
import errno
import hashlib
import json
import os
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.paths import StudyPaths

# Written anew by every notebook that adds rows to it, and so recorded by none.
SHARED_OUTPUTS = {"tables/results.parquet"}


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "wb"):
    """Open a file that appears under its name only when complete.

    Raises:
        StudyError: no space left on the disk; nothing half-written stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)

    # Beside its target, since a file system renames within itself alone.
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
        os.replace(temporary, path)  # at once: whoever reads sees the old file or the new one
    except OSError as error:
        if error.errno != errno.ENOSPC:  # no space left on the device
            raise
        raise StudyError(
            f"{path}: no space left on the disk; free some and run again, finished work is kept"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, obj) -> None:
    """Write a JSON file atomically."""
    with atomic_write(path, "w") as file:
        json.dump(obj, file, indent=1, default=_plain)
        file.write("\n")


def read_json(path: Path):
    """Read a JSON file.

    Raises:
        StudyError: file missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        found = f"{path}: cannot be read as JSON ({type(error).__name__})"
        raise StudyError(f"{found}; remove it and run again") from None


def append_jsonl(path: Path, rows: list[dict]) -> None:
    """Append one JSON line a row, in a single write."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(json.dumps(row, default=_plain) + "\n" for row in rows)
    with open(path, "ab+") as file:  # appends, and may be read
        # A kill may have torn the last line: it is closed, so that it spoils no other.
        if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
            text = "\n" + text
        file.write(text.encode())


def content_hash(obj) -> str:
    """Hash plain data through its canonical JSON (sha256, hex).

    Args:
        obj: dicts, lists, numbers, text, paths, numpy scalars and arrays.
    """
    # Keys in order and no spaces: equal content is equal text.
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def file_digest(path: Path) -> str:
    """Hash the content of a file (sha256, hex)."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def other_outputs(paths: StudyPaths, name: str) -> set[str]:
    """Name the files that other notebooks recorded, and those that all of them share.

    Args:
        name: of the step whose own record is left out.
    """
    # What a step left in an earlier execution is its own.
    own = (f"{name}.json", f"{name}.done.json")
    names = set(SHARED_OUTPUTS)
    for path in paths.state.glob("[0-9][0-9]_*.json"):
        if path.name not in own:
            names.update(read_json(path).get("outputs", {}))
    return names


def output_names(paths: StudyPaths, outputs: list[Path]) -> list[str]:
    """Spell outputs out as files, relative to the study's folder, sorted.

    Args:
        outputs: files, or folders that stand for all files in them.

    Raises:
        StudyError: an output that does not exist.
    """
    names = set()
    for output in map(Path, outputs):
        if not output.exists():
            raise StudyError(f"{output}: recorded as an output, but not there")

        # A folder stands for its files, but for those that another process is writing.
        files = [p for p in output.rglob("*") if p.is_file()] if output.is_dir() else [output]
        whole = [file for file in files if not file.name.endswith(".tmp")]
        names.update(os.path.relpath(file, paths.root) for file in whole)
    return sorted(names)


def output_record(path: Path) -> dict:
    """Describe a file so that a later change is noticed: size, time of change, digest."""
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": file_digest(path)}


def output_unchanged(path: Path, record: dict) -> bool:
    """Tell whether a file still is what was recorded; reads it only if its time differs."""
    try:
        stat = path.stat()
    except OSError:
        return False

    # Cheap signs first: a file of gigabytes is read only where its time has changed.
    if stat.st_size != record["size"]:
        return False
    return stat.st_mtime_ns == record["mtime_ns"] or file_digest(path) == record["sha256"]


def _plain(value):
    """Make JSON of what is nearly plain: numpy scalars and arrays, paths, sets."""
    if hasattr(value, "tolist"):  # numpy's, which need not be imported for it
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)  # a set has no order of its own
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
