"""The project's commit, whether its files differ from it, and whether a notebook is one of its
own.
"""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.paths import ROOT

# What a commit does not stand for when it was changed since.
TRACKED = ("lib", "notebooks", "params", "run_all.py", "environment.yml")
GIT_SECONDS = 10
SHORT = 7  # characters of a commit's name


def commit_and_changes(root: Path = ROOT) -> tuple[str, bool]:
    """Name the commit of a checkout, and tell whether code, notebooks or parameters differ from it.

    A notebook whose outputs alone changed does not.

    Returns:
        ("unknown", False) where there is no git or no checkout.
    """
    # The filter for notebooks would start a Python for each whose time has changed; what it would
    # find is found here.
    unfiltered = ("-c", "filter.nbstripout.clean=cat")
    words = ("status", "--porcelain=v2", "--branch", "-z", "--untracked-files=all", "--", *TRACKED)
    entries = _git(root, *unfiltered, *words).split("\0")
    if not entries[0]:
        return "unknown", False
    commit = entries[0].removeprefix("# branch.oid ")[:SHORT]
    changes = [entry for entry in entries if entry and not entry.startswith("#")]
    return commit, any(_counts(root, entry) for entry in changes)


def require_own_checkout(notebook: str, variables: Mapping, root: Path = ROOT) -> None:
    """Stop a notebook that imported `lib` from another checkout than its own.

    An environment that two checkouts share holds the project of one of them. A notebook of the
    other would run that one's code, and write among its results.

    Args:
        notebook: name of the notebook without .ipynb.
        variables: the notebook's own.
        root: the checkout that `lib` was imported from.

    Raises:
        StudyError: names both, and how the notebook's own one wins.
    """
    # The first place that lies in a checkout decides.
    for place in _places(notebook, variables):
        own = _checkout_of(place, notebook)
        if own is None:
            continue
        if own != root.resolve():
            raise StudyError(
                f"this notebook lies in {own}, and lib was imported from {root}: start it with "
                f"PYTHONPATH={own} set, or call run_all.py in {own}, which puts its lib into the "
                "environment"
            )
        return


def _places(notebook: str, variables: Mapping) -> Iterator[Path]:
    """Yield where a notebook may lie, the surest place first."""
    # JupyterLab and VS Code say which file they opened, papermill says it if asked to.
    for name in ("__session__", "__vsc_ipynb_file__", "PAPERMILL_INPUT_PATH"):
        if isinstance(variables.get(name), str):
            yield Path(variables[name])

    # Otherwise papermill has the file among its words.
    import psutil

    try:
        parent = psutil.Process().parent()
        words = parent.cmdline() if parent else []
        yield from (
            Path(parent.cwd(), word) for word in words if word.endswith(f"{notebook}.ipynb")
        )
    except psutil.Error:
        pass  # it has gone, or is another user's
    yield Path.cwd()


def _checkout_of(place: Path, notebook: str) -> Path | None:
    """Climb from a file or folder to the checkout that holds it; None where there is none."""
    place = place.resolve()
    for folder in (place, *place.parents):
        if (folder / "notebooks" / f"{notebook}.ipynb").is_file():
            return folder if (folder / "lib" / "study" / "step.py").is_file() else None
    return None


def _counts(root: Path, entry: str) -> bool:
    """Tell whether a change in the list of `git status` is more than outputs of a notebook."""
    # 1 <state> <sub> <modes of HEAD, index, folder> <names of HEAD's and the index's text> <path>
    kind, *fields = entry.split(" ", 8)
    if kind != "1" or not fields[-1].endswith(".ipynb"):
        return True
    of_head, path = fields[5], root / fields[-1]
    try:
        committed = json.loads(_git(root, "cat-file", "blob", of_head))
        return _essence(committed) != _essence(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return True  # no notebook any more


def _essence(book: dict) -> list:
    """Take from a notebook what an execution leaves as it is: kinds, texts and tags of its
    cells.
    """
    # Counts, outputs and what JupyterLab notes of its own are left out.
    return [
        [cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", [])]
        for cell in book["cells"]
    ]


def _git(root: Path, *words: str) -> str:
    """Ask git about a checkout; empty where there is no git or no checkout."""
    # It would otherwise note in the index what it found out.
    environment = os.environ | {"GIT_OPTIONAL_LOCKS": "0"}
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *words],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=GIT_SECONDS,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout
