"""Notebooks as files: one reader for all, which knows a notebook from what is left of one."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.machine import name_a_home
from lib.study.records import parsing, read_json

# What outputs hold, by their kind.
OUTPUTS = {
    "error": {"ename": str, "evalue": str, "traceback": list},
    "stream": {"text": (str, list)},
    "display_data": {"data": dict},
    "execute_result": {"data": dict},
}

SLOW = "rfc3987_syntax"  # a grammar of internationalised addresses


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import nbformat, nbconvert or papermill in a quarter of the time.

    They load jsonschema, which compiles SLOW at import wherever it is installed: 1.5 of the 2.1
    processor seconds that `import papermill` takes. It serves a format that no notebook's schema
    asks for; without it jsonschema leaves that format unchecked. They also look for the user's
    home, which not everybody has.
    """
    name_a_home()

    # An entry of None makes Python say that there is no such module; nobody else meets it.
    before = SLOW in sys.modules
    sys.modules.setdefault(SLOW, None)
    try:
        yield
    finally:
        if not before:
            del sys.modules[SLOW]


def read_notebook(path: Path) -> dict:
    """Read a notebook's JSON.

    Returns:
        Its dictionary; each cell has cell_type, metadata and, as one text, source.

    Raises:
        DamagedFile: empty, cut off, or no notebook.
        StudyError: no such file.
    """
    # What is no notebook is an error that names the file.
    book = read_json(path)
    with parsing(path):
        book["cells"] = [_cell(cell) for cell in book["cells"]]
    return book


def is_notebook(path: Path) -> bool:
    """Tell whether a file reads as a notebook."""
    try:
        read_notebook(path)
    except StudyError:
        return False
    return True


def _cell(cell: dict) -> dict:
    """Check the parts of a cell that readers rely on, and join the lines of its source."""
    # Source, tags and outputs are what readers use.
    _check(cell, {"cell_type": str, "metadata": dict, "source": (str, list)})
    _check(cell["metadata"].get("papermill", {}), {})
    tags = cell["metadata"].get("tags", [])
    for output in cell.get("outputs", []):
        _check(output, {"output_type": str})
        _check(output, OUTPUTS.get(output["output_type"], {}))

    # Lists hold texts alone.
    source = cell["source"]
    if not isinstance(tags, list) or not all(isinstance(part, str) for part in [*source, *tags]):
        raise ValueError("a cell is none of a notebook")
    return cell | {"source": source if isinstance(source, str) else "".join(source)}


def _check(part: dict, kinds: dict) -> None:
    """Raise ValueError where a part of a notebook lacks a key or has one of another kind."""
    if not isinstance(part, dict):
        raise ValueError(f"{type(part).__name__} where a notebook has a dictionary")
    # A missing key is an error as well.
    for key, kind in kinds.items():
        if not isinstance(part[key], kind):
            raise ValueError(f"{key} is {type(part[key]).__name__}")
