"""What a run leaves behind: files that are whole or not there, their digests, and which files each
notebook wrote.
"""

import contextlib
import hashlib
import json
import os
from pathlib import Path

from lib.study.errors import DamagedFile, StudyError, UnwritableFile, sentence
from lib.study.paths import StudyPaths

# Written anew by every notebook that adds rows to it, and so recorded by none.
SHARED_OUTPUTS = {"tables/results.parquet"}
TEMPORARY = ".tmp"  # what the name of a file ends in that is not complete yet
DAMAGED = ".damaged"  # and of one that was set aside, see lib.study.kept
LONGEST_REASON = 120  # characters of what a parser says


@contextlib.contextmanager
def atomic_write(path: Path, mode: str = "wb"):
    """Open a file that appears under its name only when complete.

    Raises:
        UnwritableFile: no space left on the disk, or no permission; nothing half-written stays.
    """
    # Beside its target, since a file system renames within itself alone.
    path = Path(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}{TEMPORARY}")
    try:
        with writing(path, str(temporary)):
            path.parent.mkdir(parents=True, exist_ok=True)
            with open(temporary, mode, encoding=None if "b" in mode else "utf-8") as file:
                yield file
            os.replace(temporary, path)  # at once: whoever reads sees the old file or the new one
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def writing(path: Path, *names: str):
    """Turn what the system says while a file or folder is written into a sentence about it.

    Args:
        path: the file or folder that is written inside the context.
        names: of further files that stand for it.

    Raises:
        UnwritableFile: no space left on the disk, or no permission.
    """
    path = Path(path)
    try:
        yield
    except OSError as error:
        # What was read inside the context has a name of its own.
        if error.filename not in (None, str(path), *names, *map(str, path.parents)):
            raise
        raise UnwritableFile(sentence(OSError(error.errno, error.strerror, str(path)))) from None


def made_folder(path: Path) -> Path:
    """Make a folder, with those above it, where it is missing, and return it.

    Raises:
        UnwritableFile: no space left on the disk, or no permission.
    """
    path = Path(path)
    with writing(path):
        path.mkdir(parents=True, exist_ok=True)
    return path


def remove_half_written(folder: Path) -> None:
    """Remove what processes that were killed had begun to write in a folder that is this one's."""
    for temporary in Path(folder).glob(f".*{TEMPORARY}"):
        temporary.unlink(missing_ok=True)


def copy_whole(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    with atomic_write(target) as file:
        file.write(Path(source).read_bytes())


def write_csv(path: Path, table) -> Path:
    """Write a table (pandas.DataFrame) as CSV, atomically and with the same bytes on every system;
    return its path.
    """
    with atomic_write(path, "w") as file:
        table.to_csv(file, index=False, lineterminator="\n")
    return Path(path)


def write_tables(folder: Path, tables: dict) -> list[Path]:
    """Write tables (pandas.DataFrame) as <name>.csv into a folder.

    A table without rows is no file, and one that an earlier execution wrote goes.

    Returns:
        The files.
    """
    paths = {name: Path(folder) / f"{name}.csv" for name in tables}
    for name, table in tables.items():
        if not len(table):
            paths.pop(name).unlink(missing_ok=True)
        else:
            write_csv(paths[name], table)
    return list(paths.values())


def write_json(path: Path, obj) -> None:
    """Write a JSON file atomically."""
    with atomic_write(path, "w") as file:
        json.dump(obj, file, indent=1, default=_plain)
        file.write("\n")


@contextlib.contextmanager
def parsing(path: Path, remedy: str = "remove it and run again"):
    """Turn whatever a parser raises about a file into a sentence about that file.

    Bytes that were changed at random make parsers fail in ways that none of them documents.

    Args:
        path: the file that is read inside the context.
        remedy: what a person can do.

    Raises:
        DamagedFile: the file does not parse.
        StudyError: it cannot be opened or read at all.
    """
    try:
        yield
    except StudyError:
        raise
    except OSError as error:
        # Of the system: not there, no permission, a failing disk. Arrow's carry no number.
        if error.errno is not None:
            found = f"{path}: cannot be read ({error.strerror})"
            raise StudyError(f"{found}; {remedy}") from None
        raise DamagedFile(
            f"{path}: damaged, cut off or of another kind ({_one_line(error)}); {remedy}"
        ) from None
    except Exception as error:
        raise DamagedFile(
            f"{path}: damaged, cut off or of another kind ({_one_line(error)}); {remedy}"
        ) from None


def read_json(path: Path) -> dict:
    """Read a JSON file that holds an object.

    Raises:
        DamagedFile: not JSON, or no object.
        StudyError: file missing, or not to be read.
    """
    with parsing(path):
        # As bytes, so that JSON's own rules tell the encoding.
        found = json.loads(Path(path).read_bytes())
        if not isinstance(found, dict):
            raise ValueError(f"holds {type(found).__name__}, not dict")
        return found


def append_jsonl(path: Path, rows: list[dict]) -> None:
    """Append one JSON line a row, in a single write.

    Raises:
        UnwritableFile: no space left on the disk, or no permission; a torn line may stay, which
            readers know.
    """
    path = Path(path)
    text = "".join(json.dumps(row, default=_plain) + "\n" for row in rows)
    made_folder(path.parent)
    with writing(path), open(path, "ab+") as file:  # appends, and may be read
        # A kill may have torn the last line: it is closed, so that it spoils no other.
        if file.tell() and os.pread(file.fileno(), 1, file.tell() - 1) != b"\n":
            text = "\n" + text
        file.write(text.encode())


def plain_json(obj):
    """Give plain data as it reads back from JSON: keys are texts, tuples and arrays lists."""
    return json.loads(json.dumps(obj, default=_plain))


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
        whole = [file for file in files if not file.name.endswith((TEMPORARY, DAMAGED))]
        names.update(os.path.relpath(file, paths.root) for file in whole)
    return sorted(names)


def output_record(path: Path) -> dict:
    """Describe a file so that a later change is noticed: size, time of change, digest."""
    stat = path.stat()
    return {"size": stat.st_size, "mtime_ns": stat.st_mtime_ns, "sha256": file_digest(path)}


def output_unchanged(path: Path, record: dict) -> bool:
    """Tell whether a file still is what was recorded; reads it only if its time differs."""
    if looks_untouched(path, record):
        return True

    # A file of gigabytes is read only where its time has changed and its size has not.
    has_size = path.is_file() and path.stat().st_size == record["size"]
    return has_size and file_digest(path) == record["sha256"]


def looks_untouched(path: Path, record: dict) -> bool:
    """Tell whether a file is there with the size and the time that were recorded."""
    try:
        stat = path.stat()
    except OSError:
        return False
    return stat.st_size == record["size"] and stat.st_mtime_ns == record["mtime_ns"]


def _one_line(error: Exception) -> str:
    """Shorten what a parser says to one line with the kind of error."""
    # Some parsers print pages.
    text = " ".join(str(error).split())[:LONGEST_REASON]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _plain(value):
    """Make JSON of what is nearly plain: numpy scalars and arrays, paths, sets."""
    if hasattr(value, "tolist"):  # numpy's, which need not be imported for it
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, (set, frozenset)):
        return sorted(value)  # a set has no order of its own
    raise TypeError(f"cannot write {type(value).__name__} as JSON")
