"""The files of a source: a folder, a zip, or one table, listed and read through the same names.

The rules of the walk, the same for every reader:

1. Every regular file below the folder, through links too. A link back to a folder that it lies in
   is not followed; a folder that many links lead to is entered MOST_VISITS times at most.
2. Never hidden files and folders (their name begins with a dot) and those that systems make
   (HIDDEN_TOO).
3. In order of the path. What was left out is counted and named (`announce`).

A real file that several links lead to has several names; who reads labels takes it once.
"""

import functools
import os
import stat
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

from lib.faces.content import HEAD, PARQUET, describe_content, is_zip, reason_of
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
MOST_VISITS = 16  # of one real folder, by different links
MOST_BYTES = 200_000_000  # a picture that unpacks to more is a mistake or an attack
MOST_TABLE_BYTES = 8_000_000_000  # the same of a table inside a zip
MOST_NAMES = 6  # of each kind that are named when files are left out

# Why files are left out.
SYSTEM = "hidden or system files and folders"
BROKEN = "links that lead nowhere"
CIRCLES = "links back to a folder above, or to one that was read already"
UNNAMED = "files whose names are not UTF-8"
SPECIAL = "devices, pipes and the like"
TWICE = "further links to files that are read already"
OUTSIDE = "paths that lead out of the zip file, or are links"
OTHER = "files of other kinds"


class Files:
    """All files of a source by their path inside it, "/" between folders; nothing is unpacked.

    Attributes:
        path: of the source.
        names: of its files, sorted.
        pictures: those of them whose ending is a picture's.
        identity: of each file of a folder, equal for two names of one real file.
    """

    def __init__(self, path: Path):
        self.path = path
        self.zip: zipfile.ZipFile | None = None
        self.infos: dict[str, zipfile.ZipInfo] = {}
        self.identity: dict[str, tuple[int, int]] = {}
        self.left_out: dict[str, list[str]] = {}
        self.names: list[str] = []

    @functools.cached_property
    def known(self) -> frozenset[str]:
        """The names, to look one up."""
        return frozenset(self.names)

    @property
    def is_table(self) -> bool:
        """Whether the source is one file that holds a table."""
        return self.zip is None and self.path.is_file()

    @property
    def pictures(self) -> list[str]:
        return self.ending_in(PICTURES)

    def ending_in(self, endings) -> list[str]:
        """List the files with one of some endings, whatever their case."""
        return [name for name in self.names if PurePosixPath(name).suffix.lower() in endings]

    def __enter__(self) -> "Files":
        return self

    def __exit__(self, *_) -> None:
        if self.zip:
            self.zip.close()

    def where(self, name: str) -> str:
        """Name a file in messages."""
        return str(self.path) if self.path.name == name else f"{self.path}/{name}"

    def stream(self, name: str):
        """Open one file for reading bytes.

        Raises:
            StudyError: it does not open.
        """
        try:
            if self.zip:
                return self.zip.open(self.infos[name])
            return open(self.place(name), "rb")
        except Exception as error:  # zipfile raises nearly everything on damaged archives
            raise self.unreadable(name, error) from None

    def read(self, name: str, *, most: int = MOST_BYTES) -> bytes:
        """Read one file.

        Args:
            most: bytes that it may unpack to.

        Raises:
            StudyError: it does not read, its part of the zip is damaged, or it is larger.
        """
        size = self._size(name)
        if size > most:
            raise StudyError(f"{self.where(name)}: has {size:,} bytes, too large; remove it")
        with self.stream(name) as file:
            try:
                return file.read()
            except Exception as error:  # as above
                raise self.unreadable(name, error) from None

    def begins(self, name: str) -> bytes:
        """Read the first bytes of a file, which tell what it is."""
        with self.stream(name) as file:
            try:
                return file.read(HEAD)
            except Exception as error:  # as above
                raise self.unreadable(name, error) from None

    def unreadable(self, name: str, error: Exception) -> StudyError:
        """Say that a file does not read."""
        return StudyError(
            f"{self.path}: {name} does not read ({reason_of(error)}); copy or download the file "
            "again"
        )

    def once(self, names: list[str]) -> list[str]:
        """Keep one name of each real file, the first; the others are left out."""
        seen, kept = set(), []
        for name in names:
            identity = self.identity.get(name, name)
            if identity in seen:
                self.leave_out(TWICE, name)
            else:
                kept.append(name)
            seen.add(identity)
        return kept

    def leave_out(self, reason: str, name: str) -> None:
        """Note a file or folder that is not read."""
        self.left_out.setdefault(reason, []).append(name)

    def announce(self, used=()) -> None:
        """Print what was left out, counted and named, if anything was.

        Args:
            used: names of the files that were read; the others are left out, too.
        """
        used = set(used)
        used.update(*self.left_out.values())
        others = [name for name in self.names if name not in used]
        parts = [
            f"{len(names):,} {reason} ({_listed(PurePosixPath(name).name for name in names)})"
            for reason, names in self.left_out.items()
        ]
        if others:
            endings = Counter(ending_of(name) for name in others)
            parts.append(f"{len(others):,} {OTHER} ({counted(endings)})")
        if parts:
            text = f"{self.path.name}: left out: {'; '.join(parts)}"
            print(text.encode("utf-8", "replace").decode())

    def place(self, name: str) -> Path:
        """Give a file's path outside of a zip."""
        return self.path / name if self.path.is_dir() else self.path

    def _size(self, name: str) -> int:
        """Give the bytes of a file, as its zip states them."""
        try:
            return self.infos[name].file_size if self.zip else self.place(name).stat().st_size
        except OSError as error:
            raise self.unreadable(name, error) from None


def open_files(path: str | Path) -> Files:
    """Open a source: a folder, a zip file, or one CSV or Parquet file.

    Raises:
        StudyError: nothing there, or something that is read in no way; says what it is.
    """
    path = existing(path)
    if path.is_dir():
        return _of_folder(path)
    if not path.is_file():
        raise StudyError(f"{path}: is a device or pipe; give a folder or a file")
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from None

    # By content, and by ending where content does not tell.
    ending = path.suffix.lower()
    if is_zip(head) and ending not in TABLES:
        return _of_zip(path)
    is_table = ending in TABLES and not describe_content(head)
    if is_table or head.startswith(PARQUET) or (ending in PARQUETS and head):
        files = Files(path)
        files.names = [path.name]
        return files
    raise StudyError(f"{path}: {_refusal(path, head)}")


def existing(path: str | Path) -> Path:
    """Resolve ~ in a path, and stop where nothing lies there."""
    if not str(path):
        raise StudyError("no path is given; give a file or folder")
    try:
        path = Path(path).expanduser()
        path.stat()
    except FileNotFoundError:
        is_link = path.is_symlink()
        said = "is a link that leads nowhere" if is_link else "no such file or folder"
        raise StudyError(f"{path}: {said}") from None
    except (OSError, ValueError, RuntimeError) as error:  # no permission, no such user, NUL
        raise StudyError(f"{path}: cannot be read ({reason_of(error)})") from None
    if has_surrogates(str(path)):
        raise _not_utf8(str(path))
    return path


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder is never read: hidden, or made by a system."""
    return name.startswith(".") or name.lower() in HIDDEN_TOO


def _refusal(path: Path, head: bytes) -> str:
    """Say why one file is no source."""
    said = describe_content(head)
    if path.suffix.lower() in PICTURES and (not said or said.endswith("picture")):
        return "is one picture; give a folder with one folder of pictures a class"
    if said:
        return f"{said}, or give it again as a folder" if said.endswith("picture") else said
    return (
        "neither a folder nor a zip file, CSV or Parquet; give one of these (a table's name ends "
        "in .csv or .parquet)"
    )


def _of_folder(path: Path) -> Files:
    """List a folder by the rules of the walk."""
    files = Files(path)
    visits: Counter = Counter()

    # Folders to be looked through: path, path inside the source, identities of those above.
    waiting = [(str(path), "", ())]
    while waiting:
        place, inside, above = waiting.pop()
        entries, key = _entries(place)
        visits[key] += 1
        if key in above or visits[key] > MOST_VISITS:
            files.leave_out(CIRCLES, inside.rstrip("/"))
            continue
        for entry in entries:
            name = inside + entry.name
            if is_hidden(entry.name):
                files.leave_out(SYSTEM, name)
            elif _is_folder(entry):
                waiting.append((entry.path, f"{name}/", (*above, key)))
            else:
                _note(files, entry, name)
    files.names.sort()
    return files


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


def _note(files: Files, entry: os.DirEntry, name: str) -> None:
    """Take a file into the list, or leave it out."""
    try:
        status = entry.stat()
    except OSError:
        files.leave_out(BROKEN, name)
        return
    if not stat.S_ISREG(status.st_mode):
        files.leave_out(SPECIAL, name)
        return

    # Names become text in tables and messages.
    if has_surrogates(name):
        if PurePosixPath(name).suffix.lower() in READ:
            raise _not_utf8(entry.path)
        files.leave_out(UNNAMED, name)
        return
    files.names.append(name)
    if status.st_ino:  # some file systems give no numbers
        files.identity[name] = _identity(status)


def has_surrogates(name: str) -> bool:
    """Tell whether a name holds bytes that are no UTF-8."""
    return not name.isprintable() and any("\ud800" <= sign <= "\udfff" for sign in name)


def _not_utf8(path: str) -> StudyError:
    """Say that a name is no text."""
    shown = os.fsencode(path).decode("utf-8", "replace")
    return StudyError(
        f"{shown}: its name is not UTF-8; rename it (convmv does it for a whole folder)"
    )


def _identity(status: os.stat_result) -> tuple[int, int]:
    """Identify a real file or folder: device and number on it."""
    return status.st_dev, status.st_ino


def _of_zip(path: Path) -> Files:
    """List a zip file by the same rules; Windows' backslashes stand between folders, too."""
    files = Files(path)
    try:
        files.zip = zipfile.ZipFile(path)
        infos = files.zip.infolist()
    except Exception as error:  # zipfile raises nearly everything on damaged archives
        raise StudyError(
            f"{path}: not a whole zip file ({reason_of(error)}); it was cut off: copy or download "
            "it again"
        ) from None
    for info in infos:
        name = _name_in_zip(info)
        if name.endswith("/"):
            continue
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if not parts or ".." in parts or stat.S_ISLNK(info.external_attr >> 16):
            files.leave_out(OUTSIDE, name)
        elif any(map(is_hidden, parts)):
            files.leave_out(SYSTEM, "/".join(parts))
        else:
            files.infos["/".join(parts)] = info

    # Without the password there is nothing to read.
    if any(info.flag_bits & 1 for info in files.infos.values()):
        files.zip.close()
        raise StudyError(f"{path}: is protected by a password; unpack it and give the folder")
    files.names = sorted(files.infos)
    return files


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


def ending_of(name: str) -> str:
    """Give a file's ending in lower case, .tar.gz included; of a table its name."""
    if PurePosixPath(name).suffix.lower() in (*TABLES, *PARQUETS):
        return PurePosixPath(name).name
    endings = PurePosixPath(name).suffixes[-2:]
    if endings[-1:] == [".gz"]:
        return "".join(endings).lower()
    return endings[-1].lower() if endings else "no ending"


def counted(counts: Counter) -> str:
    """List names with their counts, the most frequent first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return _listed(f"{name} {count:,}" for name, count in ordered)


def _listed(names) -> str:
    """List different names, and how many more there are."""
    names = list(dict.fromkeys(names))
    more = f" and {len(names) - MOST_NAMES:,} more" if len(names) > MOST_NAMES else ""
    return ", ".join(names[:MOST_NAMES]) + more
