"""The walk: which files of a folder or zip are read, by the same rules for every reader.

1. Every regular file below the folder, through links too. A link back to a folder that it lies in
   is not followed; a folder that many links lead to is entered MOST_VISITS times at most.
2. Never hidden files and folders (their name begins with a dot) and those that systems make
   (HIDDEN_TOO).
3. In order of the path. What was left out is noted with its reason.

A real file that several links lead to has several names; who reads labels takes it once.
"""

import bisect
import os
import stat
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from lib.faces.content import ANNEX
from lib.faces.pictures import PICTURES
from lib.study.errors import StudyError

TABLES = (".csv", ".tsv")
PARQUETS = (".parquet", ".pq")
READ = {*PICTURES, *TABLES, *PARQUETS, ".jsonl"}  # endings of all that may be read
# What systems and tools leave beside data, in lower case.
HIDDEN_TOO = frozenset(
    (
        *("__macosx", "desktop.ini", "thumbs.db", "ehthumbs.db", "icon\r", "network trash folder"),
        *("$recycle.bin", "recycler", "system volume information", "found.000", "lost+found"),
        *("@eadir", "@tmp", "@__thumb", "@recycle", "@recently-snapshot", "@sharebin"),
        *("#recycle", "#snapshot", "__pycache__", "node_modules", "cvs", "temporary items"),
    )
)
LAST_LETTER, SHARP_S = 0xA5, 0xE1  # of DOS's encoding
MOST_VISITS = 16  # of one real folder, by different links

# Why files are left out.
SYSTEM = "hidden or system files and folders"
BROKEN = "links that lead nowhere"
CIRCLES = "links back to a folder above, or to one that was read already"
UNNAMED = "files whose names are not UTF-8"
SPECIAL = "devices, pipes and the like"
OUTSIDE = "paths that lead out of the zip file, or are links"
HIDDEN_BY = "files of the same path as a later one in the zip file"
EMPTY = "empty folders"
ANNEXED = "links of git-annex without content (git annex get)"
CLOUDED = "placeholders of iCloud, to be downloaded first"

# Ways of compressing in a zip that Python can undo.
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


@dataclass
class Walk:
    """What a walk found."""

    names: list[str] = field(default_factory=list)  # of files, sorted
    # Equal for two names of one real file.
    identity: dict[str, tuple[int, int]] = field(default_factory=dict)
    infos: dict[str, zipfile.ZipInfo] = field(default_factory=dict)  # of files in a zip
    left_out: dict[str, list[str]] = field(default_factory=dict)  # names by reason

    def leave_out(self, reason: str, name: str) -> None:
        """Note a file or folder that is not read."""
        self.left_out.setdefault(reason, []).append(name)


def walk_folder(path: Path) -> Walk:
    """List a folder.

    Raises:
        StudyError: a folder in it cannot be read, or a name that matters is no text.
    """
    walk = Walk()
    visits: Counter = Counter()

    # Folders to be looked through: path, path inside the source, identities of those above.
    waiting = [(str(path), "", ())]
    while waiting:
        place, inside, above = waiting.pop()
        entries, key = _entries(place)
        visits[key] += 1
        if key in above or visits[key] > MOST_VISITS:
            walk.leave_out(CIRCLES, inside.rstrip("/"))
            continue
        if inside and all(is_hidden(entry.name) for entry in entries):
            walk.leave_out(EMPTY, inside.rstrip("/"))
        for entry in entries:
            name = inside + entry.name
            if is_hidden(entry.name):
                walk.leave_out(_hidden_reason(entry.name), name)
            elif _is_folder(entry):
                waiting.append((entry.path, f"{name}/", (*above, key)))
            else:
                _note(walk, entry, name)
    walk.names.sort()
    return walk


def walk_zip(archive: zipfile.ZipFile, path: Path) -> Walk:
    """List a zip file; Windows' backslashes stand between folders, too.

    Raises:
        StudyError: it is protected by a password, or compressed in a way that is not read; a name
            that matters is in an unknown encoding.
    """
    # Files by the rules of folders; a later file of one name hides the earlier one.
    walk = Walk()
    folders = []
    for info in archive.infolist():
        name = _name_in_zip(info)
        if name.endswith("/"):
            folders.append(name.strip("/"))
            continue
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts or ".." in parts or stat.S_ISLNK(info.external_attr >> 16):
            walk.leave_out(OUTSIDE, name)
        elif any(map(is_hidden, parts)):
            walk.leave_out(_hidden_reason(parts[-1]), "/".join(parts))
        elif _is_garbled(info, name) and not _may_be_read(name):
            walk.leave_out(UNNAMED, "/".join(parts))
        else:
            inside = "/".join(parts)
            if inside in walk.infos:
                walk.leave_out(HIDDEN_BY, inside)
            walk.infos[inside] = info

    # Folders without a file are told.
    _check_infos(walk, path)
    walk.names = sorted(walk.infos)
    for name in sorted(set(folders)):
        if name and not _holds_files(walk.names, f"{name}/") and not is_hidden(name):
            walk.leave_out(EMPTY, name)
    return walk


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is never read: hidden, or made by a system."""
    return name.startswith(".") or name.lower() in HIDDEN_TOO


def has_surrogates(name: str) -> bool:
    """Tell whether a name holds bytes that are no UTF-8."""
    return not name.isprintable() and any("\ud800" <= sign <= "\udfff" for sign in name)


def not_utf8(path: str) -> StudyError:
    """Say that a name is no text."""
    shown = os.fsencode(path).decode("utf-8", "replace")
    return StudyError(
        f"{shown}: its name is not UTF-8; rename it (convmv does it for a whole folder)"
    )


def _may_be_read(name: str) -> bool:
    """Tell whether a file's ending is one of those that are read."""
    return PurePosixPath(name).suffix.lower() in READ


def _hidden_reason(name: str) -> str:
    """Say why a hidden file is left out: a cloud keeps a hidden file in place of each real one."""
    return CLOUDED if name.startswith(".") and name.endswith(".icloud") else SYSTEM


def _check_infos(walk: Walk, path: Path) -> None:
    """Stop on a zip file whose files cannot be unpacked, or not be named."""
    # Without the password there is nothing to read.
    if any(info.flag_bits & 1 for info in walk.infos.values()):
        raise StudyError(f"{path}: is protected by a password; unpack it and give the folder")
    for name, info in walk.infos.items():
        if info.compress_type not in METHODS:
            method = zipfile.compressor_names.get(info.compress_type, "an unknown method")
            raise StudyError(
                f"{path}: is compressed by {method}, which is not read; unpack it (7z x) and give "
                "the folder"
            )
        if _is_garbled(info, name):
            raise StudyError(
                f"{path}/{name}: its name is in an encoding that the zip file does not tell; pack "
                "it anew with names in UTF-8 (7z a -mcu=on), or unpack it and give the folder"
            )


def _holds_files(names: list[str], folder: str) -> bool:
    """Tell whether any of some sorted names begins with a folder's."""
    at = bisect.bisect_left(names, folder)
    return at < len(names) and names[at].startswith(folder)


def _is_garbled(info: zipfile.ZipInfo, name: str) -> bool:
    """Tell whether a name that a zip does not call UTF-8 is none of DOS either.

    The letters of DOS (code pages 437 and 850) end at ñ, but for ß; what stands behind them is
    frames and formulas, which names in Chinese, Russian or Windows' own encoding come out as.
    """
    if info.flag_bits & 0x800 or name != info.filename.replace("\\", "/"):
        return False
    return any(byte > LAST_LETTER and byte != SHARP_S for byte in name.encode("cp437", "ignore"))


def _entries(place: str) -> tuple[list[os.DirEntry], tuple[int, int]]:
    """List a folder, in order, and identify it."""
    try:
        with os.scandir(place) as entries:
            listed = sorted(entries, key=lambda entry: entry.name)
        return listed, _identity(os.stat(place))
    except OSError as error:
        shown = os.fsencode(place).decode("utf-8", "replace")
        raise StudyError(
            f"{shown}: the folder cannot be read ({error.strerror}); allow it (chmod u+rx), or "
            "move it away"
        ) from None


def _is_folder(entry: os.DirEntry) -> bool:
    """Tell whether an entry is a folder or a link to one."""
    try:
        return entry.is_dir()
    except OSError:  # links that lead to each other
        return False


def _note(walk: Walk, entry: os.DirEntry, name: str) -> None:
    """Take a file into the list, or leave it out."""
    try:
        status = entry.stat()
    except OSError:
        walk.leave_out(_broken_reason(entry), name)
        return
    if not stat.S_ISREG(status.st_mode):
        walk.leave_out(SPECIAL, name)
        return

    # Names become text in tables and messages.
    if has_surrogates(name):
        if _may_be_read(name):
            raise not_utf8(entry.path)
        walk.leave_out(UNNAMED, name)
        return
    walk.names.append(name)
    if status.st_ino:  # some file systems give no numbers
        walk.identity[name] = _identity(status)


def _broken_reason(entry: os.DirEntry) -> str:
    """Say why a link leads nowhere."""
    try:
        return ANNEXED if ANNEX in os.readlink(entry.path) else BROKEN
    except OSError:  # no link: gone since it was listed
        return BROKEN


def _identity(status: os.stat_result) -> tuple[int, int]:
    """Identify a real file or folder: device and number on it."""
    return status.st_dev, status.st_ino


def _name_in_zip(info: zipfile.ZipInfo) -> str:
    """Spell the name of a file in a zip."""
    name = info.filename
    if not info.flag_bits & 0x800:
        # Many programs write UTF-8 without saying so.
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            pass
    return name.replace("\\", "/")
