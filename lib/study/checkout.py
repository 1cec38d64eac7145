"""The project's commit, and whether its files differ from it."""

import json
import os
import subprocess
from pathlib import Path

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
