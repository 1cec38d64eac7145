"""Files that the project keeps: whole or not believed, and set aside where they are damaged.

Disks fail, copies are cut off, and people open files. A file that does not hold what was written
into it is renamed to <name>.damaged, so that whoever makes it finds it missing and makes it anew.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from lib.study.errors import DamagedFile
from lib.study.paths import StudyPaths
from lib.study.records import (
    DAMAGED,
    SHARED_OUTPUTS,
    content_hash,
    file_digest,
    looks_untouched,
    parsing,
    plain_json,
    read_json,
    write_json,
)

# Keys of a JSON file: that it has a digest, and the digest of all other keys. A fault in one of the
# two names is thus noticed too.
SEALED, SEAL = "sealed", "sha256"
DONE = ".done.json"  # how the names end of what run_all.py records of an execution


def write_sealed(path: Path, content: dict) -> None:
    """Write a JSON file together with its digest, atomically."""
    # The digest is that of what will be read.
    plain = plain_json(content)
    write_json(path, plain | {SEALED: True, SEAL: content_hash(plain)})


def read_sealed(path: Path) -> dict:
    """Read what write_sealed wrote; a file of before seals were written is taken as it is.

    Raises:
        DamagedFile: not JSON, or changed since.
        StudyError: no such file.
    """
    # A file with half of a seal has been changed, too.
    content = read_json(path)
    is_sealed, seal = content.pop(SEALED, False), content.pop(SEAL, None)
    with parsing(path):
        if (is_sealed or seal is not None) and seal != content_hash(content):
            raise ValueError("its digest is that of other content")
    return content


def set_aside(path: Path) -> Path:
    """Rename a file that is damaged, so that it is made anew; returns its new path."""
    # An earlier one of the same name is replaced.
    aside = path.with_name(path.name + DAMAGED)
    os.replace(path, aside)
    return aside


def digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Hash those of some files in a folder that are there, by name."""
    return {name: file_digest(folder / name) for name in names if (folder / name).is_file()}


def are_whole(folder: Path, known: dict[str, str]) -> bool:
    """Tell whether all files are there as they were hashed; set aside those that changed.

    Args:
        folder: that holds them.
        known: sha256 of each file by its name, as `digests` gives them.
    """
    # The first file that is gone or changed decides.
    for name, digest in known.items():
        if not (folder / name).is_file():
            return False
        if file_digest(folder / name) != digest:
            set_aside(folder / name)
            return False
    return True


def read_record(paths: StudyPaths, name: str) -> dict | None:
    """Read what an execution recorded of itself; None where there is nothing to be believed.

    Args:
        name: of the execution, such as 20_generation-dcgan.
    """
    path = paths.state / f"{name}.json"
    if not path.exists():
        return None

    # A damaged record is as good as none: the notebook runs again.
    try:
        record = read_sealed(path)
    except DamagedFile:
        return None
    return record if has_outputs(record) else None


def other_outputs(paths: StudyPaths, name: str) -> set[str]:
    """Name the files that other notebooks recorded, and those that all of them share.

    Args:
        name: of the step whose own record is left out.
    """
    # Files of other notebooks are no business of this one.
    names = set(SHARED_OUTPUTS)
    for other in recorded_executions(paths):
        if other != name:
            names.update((read_record(paths, other) or {}).get("outputs", {}))
    return names


def recorded_executions(paths: StudyPaths) -> list[str]:
    """List the executions that recorded something of themselves."""
    files = sorted(paths.state.glob("[0-9][0-9]_*.json"))
    return [file.stem for file in files if not file.name.endswith(DONE)]


def set_aside_rotten(paths: StudyPaths, names: Iterable[str]) -> list[str]:
    """Set aside the files whose bytes changed though nobody wrote them: a failing disk.

    A file that was written since has another time; whoever reads it finds out what it is.

    Args:
        names: of executions, whose records say what they wrote.

    Returns:
        The files that were set aside, from the study's folder on.
    """
    rotten = []
    for name in names:
        # Same size and time but other bytes: nobody wrote it, the disk failed.
        record = read_record(paths, name) or {}
        for file, known in (record.get("outputs", {}) | record.get("appended", {})).items():
            path = paths.root / file
            if looks_untouched(path, known) and file_digest(path) != known["sha256"]:
                set_aside(path)
                rotten.append(file)
    return rotten


def has_outputs(record: dict) -> bool:
    """Tell whether a record names outputs as records do."""
    # Whatever the file holds, it may not stop a reader.
    outputs = record.get("outputs")
    if not isinstance(outputs, dict):
        return False
    keys = {"size", "mtime_ns", "sha256"}
    return all(isinstance(known, dict) and keys <= known.keys() for known in outputs.values())
