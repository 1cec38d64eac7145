"""The user's files that a study reads: which parameters name them, and whether they are the same.

Files are compared by their names, sizes and times; where these differ, by what they hold. A folder
that was copied or touched repeats nothing, and a picture that went into another folder does.
"""

import functools
import os
from collections.abc import Iterator
from pathlib import Path

from lib.study.errors import StudyError, shortened
from lib.study.names import EMBEDDED_DATA
from lib.study.paths import ROOT
from lib.study.records import content_hash, file_digest

# Parameters that name files of the user, or of the project: then from its folder on.
SOURCES = (
    "data",
    "ferplus",
    "synthetic",
    "review_csv",
    "face_model",
    "generator_weights",
    "gan_source",
    "diffusion_guide",
    "sd_model",
    "feature_weights",
    "evaluation_folder",
)
LISTS = ("more_synthetic",)  # parameters that name several
POOLS = ("synthetic", *LISTS)  # those that name ready-made images
MAY_BE_REMOTE = ("sd_model",)  # a name on a hub is no path
TABLES = (".csv", ".jsonl", ".parquet")
# Files that are taken where they lie beside a source, though no parameter names them.
BESIDE = {"data": "fer2013new.csv"}


def check_sources(values: dict) -> None:
    """Stop where a path of the user is not there.

    Args:
        values: parameters; those that are no paths do not matter.

    Raises:
        StudyError: names the parameter and the path.
    """
    # Data that come with the project and names on a hub are no paths.
    for key, value in named_sources(values):
        if value in EMBEDDED_DATA or key in MAY_BE_REMOTE:
            continue
        try:
            path = located(value)
        except StudyError as error:
            raise StudyError(f"{key}: {error}") from None
        if not path.exists():
            raise StudyError(f"{key}: {value}: no such file or folder")
        if not path.is_file() and not path.is_dir():
            raise StudyError(f"{key}: {value}: is a device or pipe; give a file or folder")
        if path.is_dir() and next(_files(path), None) is None:
            raise StudyError(f"{key}: {value}: there is no file in this folder; give another")
    check_pools_apart(values)


def check_pools_apart(values: dict) -> None:
    """Stop where ready-made images are the real ones, lie among them, or are given twice.

    Args:
        values: parameters, whose sources are all there.

    Raises:
        StudyError: names the path, and what to give.
    """
    # By where the paths lead to: through links, and however they are spelt.
    data, seen = values.get("data", ""), []
    real = None if data in ("", *EMBEDDED_DATA) else located(data).resolve()
    for key, value in named_sources({key: values.get(key, "") for key in POOLS}):
        path = located(value).resolve()
        if path in seen:
            raise StudyError(f"{key}: {value} is given twice; give each folder once")
        seen.append(path)
        found = _overlap(path, real) if real else ""
        if found:
            raise StudyError(f"{key}: {value} {found}; give the folder of the generated images")


def _overlap(pool: Path, real: Path) -> str:
    """Say how ready-made images and the real ones lie in each other; "" where they do not."""
    if pool == real:
        return f"is the {'folder' if pool.is_dir() else 'file'} of the real images"

    # Of a folder with a table the table is read, whatever lies beside it.
    if real in pool.parents and not _has_table(real):
        return "lies in the folder of the real images"
    if pool in real.parents and not _has_table(pool):
        return "holds the real images, too"
    return ""


def _has_table(folder: Path) -> bool:
    return any(file.suffix.lower() in TABLES for file in folder.iterdir())


def named_sources(values: dict) -> list[tuple[str, str]]:
    """List what parameters name as sources, each with its parameter; a list's are numbered."""
    named = [(key, values[key]) for key in SOURCES if values.get(key)]
    for key in LISTS:
        named += [(f"{key} {number}", path) for number, path in enumerate(values.get(key, []), 1)]
    return named


def located(value: str) -> Path:
    """Find a source from the caller's folder, or else from the project's.

    Raises:
        StudyError: a path that the system does not look up.
    """
    try:
        path = Path(value).expanduser()
        found = path if path.exists() else ROOT / path
        found.exists()
    except (OSError, RuntimeError) as error:  # no permission, too long; no such user
        reason = getattr(error, "strerror", None) or error
        raise StudyError(f"{shortened(value)}: cannot be looked up ({reason})") from None
    return found


def source_identities(values: dict) -> dict[str, list]:
    """Identify all files that parameters name, and those that are taken without being named.

    Args:
        values: parameters; those that are no paths do not matter.

    Returns:
        By parameter: [name] of what is no path, or [path, listing], see `listing`; under the names
        of files beside a source, the same of these.
    """
    identities = {}
    for key, value in named_sources(values):
        path = located(value)
        if value in EMBEDDED_DATA or not path.exists():
            identities[key] = [value]
            continue
        identities[key] = [str(path), listing(path)]

        # In a folder it is part of the listing.
        beside = path.parent / BESIDE.get(key, "")
        if beside.is_file():
            identities[beside.name] = [str(beside), listing(beside)]
    return identities


def with_contents(identities: dict) -> dict:
    """Add to each path and listing what the files hold, so that they can be compared later."""
    return {
        key: [*entry, contents(*entry)] if isinstance(entry, list) and len(entry) == 2 else entry
        for key, entry in identities.items()
    }


def are_same(before, now) -> bool:
    """Tell whether a source still holds what it did.

    Args:
        before: of `with_contents`.
        now: of `source_identities`; its files are read where names, sizes or times differ.
    """
    # Reading all files is slow, so the listing is asked first.
    if before == now:
        return True
    is_known = isinstance(before, list) and len(before) == 3
    if not is_known or not isinstance(now, list) or len(now) != 2:
        return False
    return before[:2] == now or before[2] == contents(*now)


def check_unrotted(before: dict, now: dict) -> None:
    """Stop where a source holds other bytes than an earlier execution read, though nobody wrote it.

    Args:
        before: of `with_contents`, as the earlier execution recorded it; {} for none.
        now: the same, as it is to be read.

    Raises:
        StudyError: names the source.
    """
    for key, entry in now.items():
        known = before.get(key)
        is_listed = isinstance(known, list) and isinstance(entry, list) and len(entry) == 3
        if is_listed and known[:2] == entry[:2] and known[2:] != entry[2:]:
            raise StudyError(
                f"{key}: {entry[0]} holds other bytes than before, though nobody wrote to it: is "
                "the disk failing? Put a copy in its place; or touch a file of it, to take it as "
                "it is"
            )


@functools.cache
def listing(path: Path) -> str:
    """Hash the names, sizes and times of a file, or of all files in a folder; nothing is read.

    A file's time of change can be set by anyone; the time at which it was last written to, moved
    or set back cannot, and is part of it.
    """
    # Sorted, for folders list their files in any order.
    rows = []
    for name, file in _files(path):
        stat = file.stat()
        rows.append([name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns])
    return content_hash(sorted(rows))


@functools.cache
def contents(path: str, _listing: str) -> str:
    """Hash what a file, or every file of a folder, holds; once for each listing."""
    return content_hash(sorted([name, file_digest(file)] for name, file in _files(Path(path))))


def _files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files of a source with their paths in it; hidden ones are no data.

    Folders behind links count, each once, so that a link to a folder above it ends.

    Raises:
        StudyError: a folder or file that cannot be read.
    """
    if path.is_file():
        yield "", path
        return
    seen = set()
    for folder, folders, names in os.walk(path, followlinks=True, onerror=_refuse):
        # A folder that was walked through under another name.
        place = os.path.realpath(folder)
        if place in seen:
            folders.clear()
            continue
        seen.add(place)

        # Walk on in the order of names, and past hidden folders.
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in names:
            file = Path(folder, name)
            if not name.startswith(".") and file.is_file():
                yield str(file.relative_to(path)), file


def _refuse(error: OSError) -> None:
    raise StudyError(f"{error.filename}: cannot be read ({error.strerror})")
