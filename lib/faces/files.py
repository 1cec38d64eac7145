"""The files of a source: a folder, a zip, or one table, listed and read through the same names.

What is left out by the rules of lib.faces.walk, or because nobody reads it, is counted and named.
"""

import functools
import unicodedata
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

from lib.faces.content import HEAD, PARQUET, describe_content, is_zip, reason_of
from lib.faces.pictures import PICTURES
from lib.faces.walk import PARQUETS, TABLES, Walk, has_surrogates, not_utf8, walk_folder, walk_zip
from lib.study.errors import StudyError

MOST_BYTES = 200_000_000  # a picture that unpacks to more is a mistake or an attack
MOST_TABLE_BYTES = 8_000_000_000  # the same of a table inside a zip
MOST_TEXT = 80  # characters of a file that are shown in a message
MOST_NAMES = 6  # of each kind that are named when files are left out

# Why files are left out.
TWICE = "further links to files that are read already"
OTHER = "files of other kinds"


class Files:
    """All files of a source by their path inside it, "/" between folders; nothing is unpacked.

    Attributes:
        path: of the source.
        names: of its files, sorted.
        pictures: those of them whose ending is a picture's.
        identity: of each file of a folder, equal for two names of one real file.
    """

    def __init__(self, path: Path, walk: Walk, archive: zipfile.ZipFile | None = None):
        self.path = path
        self.names, self.identity = walk.names, walk.identity
        self.walk, self.zip = walk, archive

    @functools.cached_property
    def known(self) -> frozenset[str]:
        """The names, to look one up."""
        return frozenset(self.names)

    @functools.cached_property
    def _by_look(self) -> dict[str, str]:
        """The names by their composed spelling."""
        return {unicodedata.normalize("NFC", name): name for name in self.names}

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
                return self.zip.open(self.walk.infos[name])
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
        # The size is stated before anything is unpacked.
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
        # Where the system gives no numbers of files, the name is the identity.
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
        """Note a file that is not read."""
        self.walk.leave_out(reason, name)

    def announce(self, used) -> None:
        """Print what was left out, counted and named, if anything was.

        Args:
            used: names of the files that were read; the others are left out, too.
        """
        # What was neither read nor left out by the walk is of another kind.
        used = set(used)
        used.update(*self.walk.left_out.values())
        others = [name for name in self.names if name not in used]
        text = self.left_out()
        if others:
            endings = Counter(ending_of(name) for name in others)
            text += f"{'; ' if text else ''}{len(others):,} {OTHER} ({counted(endings)})"
        if text:
            print(f"{self.path.name}: left out: {text}")

    def left_out(self) -> str:
        """Count and name by reason what was left out; "" for nothing."""
        parts = [
            f"{len(names):,} {reason} ({_listed(PurePosixPath(name).name for name in names)})"
            for reason, names in self.walk.left_out.items()
        ]
        # A name may hold bytes that no terminal shows.
        return "; ".join(parts).encode("utf-8", "replace").decode()

    def contents(self) -> str:
        """Say what lies in a source that holds nothing to read, and what to do with it."""
        if not self.names:
            left_out = self.left_out()
            return f"all of it is left out: {left_out}" if left_out else "it is empty"
        found = f"found {counted(Counter(ending_of(name) for name in self.names))}"
        archives = self.ending_in((".zip",))
        if len(archives) == 1 and not self.zip:
            return f"{found}; give the path of {archives[0]} itself"
        if archives:
            them = "it" if len(archives) == 1 else "them"
            return f"{found}; unpack {them} (unzip) and give the folder"

        # An archive or a container of another kind is called what it is.
        if len(self.names) == 1:
            said = describe_content(self.begins(self.names[0]))
            return f"{found}, which {said}" if said else found
        for name in self._one_of_each_kind():
            if said := describe_content(self.begins(name)):
                return f"{found}; {name} {said}"
        return found

    def _one_of_each_kind(self) -> list[str]:
        """List the first file of each ending, the most frequent ending first."""
        counts = Counter(ending_of(name) for name in self.names)
        firsts = {ending_of(name): name for name in reversed(self.names)}
        return [firsts[ending] for ending, _ in counts.most_common()]

    def why_not_there(self, name: str) -> str:
        """Say why a file that a table names is not among those that are read."""
        parts = [name, *map(str, PurePosixPath(name).parents)]
        for reason, names in self.walk.left_out.items():
            if any(part in names for part in parts):
                return f"which is left out ({reason})"
        return "which is not there"

    def spelt(self, name: str) -> str:
        """Give a file's own name for one that looks the same: macOS writes ä as two signs."""
        if name in self.known:
            return name
        return self._by_look.get(unicodedata.normalize("NFC", name), name)

    def place(self, name: str) -> Path:
        """Give a file's path outside of a zip."""
        return self.path / name if self.path.is_dir() else self.path

    def _size(self, name: str) -> int:
        """Give the bytes of a file, as its zip states them."""
        try:
            return self.walk.infos[name].file_size if self.zip else self.place(name).stat().st_size
        except OSError as error:
            raise self.unreadable(name, error) from None


def open_files(path: str | Path) -> Files:
    """Open a source: a folder, a zip file, or one CSV or Parquet file.

    Raises:
        StudyError: nothing there, or something that is read in no way; says what it is.
    """
    # Folders are walked, files are told by how they begin.
    path = existing(path)
    if path.is_dir():
        return Files(path, walk_folder(path))
    if not path.is_file():
        raise StudyError(f"{path}: is a device or pipe; give a folder or a file")
    try:
        with open(path, "rb") as file:
            head = file.read(HEAD)
    except OSError as error:
        raise StudyError(f"{path}: cannot be read ({error.strerror})") from None

    # By content, and by ending where content does not tell.
    ending = path.suffix.lower()
    said = describe_content(head)
    if ending not in TABLES and (is_zip(head) or (ending == ".zip" and not said)):
        return _open_zip(path, head)
    is_table = ending in TABLES and not said
    if is_table or head.startswith(PARQUET) or (ending in PARQUETS and head):
        return Files(path, Walk([path.name]))
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
        raise not_utf8(str(path))
    return path


def _refusal(path: Path, head: bytes) -> str:
    """Say why one file is no source."""
    # A picture or another file, else nothing that is known.
    said = describe_content(head)
    if path.suffix.lower() in PICTURES and (not said or said.endswith("picture")):
        return "is one picture; give a folder with one folder of pictures a class"
    if said:
        return f"{said}, or give it again as a folder" if said.endswith("picture") else said
    return (
        "neither a folder nor a zip file, CSV or Parquet; give one of these (a table's name ends "
        "in .csv or .parquet)"
    )


def _open_zip(path: Path, head: bytes) -> Files:
    """Open a zip file, which begins with `head`."""
    # The table of contents stands at the end: without it the file was cut off.
    try:
        archive = zipfile.ZipFile(path)
    except Exception as error:  # zipfile raises nearly everything on damaged archives
        shown = " ".join(head.decode("ascii", "replace").split())[:MOST_TEXT]
        if head.isascii() and shown.isprintable():
            raise StudyError(
                f"{path}: is text ({shown!r}), as a refused download leaves it; download the file "
                "itself"
            ) from None
        raise StudyError(
            f"{path}: not a whole zip file ({reason_of(error)}); it was cut off, or is one part of "
            "several: copy or download it again"
        ) from None
    try:
        return Files(path, walk_zip(archive, path), archive)
    except StudyError:
        archive.close()
        raise


def ending_of(name: str) -> str:
    """Give a file's ending in lower case, .tar.gz included; of a table its name."""
    # Tables are few, and a name says which one was left out.
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
