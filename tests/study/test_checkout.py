"""Commit and changes: outputs of notebooks are none, all else is, and it takes no time."""

import os
import shutil
import subprocess
import sys
import time

import nbformat
import pytest

from lib.study.checkout import commit_and_changes, require_own_checkout
from lib.study.errors import StudyError
from lib.study.paths import ROOT


@pytest.fixture
def checkout(tmp_path):
    """A checkout with all notebooks, and a filter for them that takes a second."""

    if shutil.which("git") is None:
        pytest.skip("no git")

    def git(*words):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=b", *words]
        subprocess.run(command, capture_output=True, check=True)

    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    shutil.copy(ROOT / ".gitattributes", tmp_path)
    (tmp_path / "run_all.py").write_text("1")
    git("init", "-q")
    git("add", ".")
    git("commit", "-qm", "all of it")
    git("config", "filter.nbstripout.clean", "sleep 1; cat")
    return tmp_path


def execute(path) -> None:
    """Leave in a notebook what an execution does."""
    book = nbformat.read(path, as_version=4)
    for number, cell in enumerate(cell for cell in book.cells if cell.cell_type == "code"):
        cell.execution_count = number
        cell.outputs = [nbformat.v4.new_output("stream", text="drawings\n")]
        cell.metadata["scrolled"] = True
    book.metadata.language_info["version"] = "3.11.7"
    nbformat.write(book, path)


def test_executed_notebooks_are_no_change_and_nothing_waits_for_the_filter(checkout):
    commit, changed = commit_and_changes(checkout)
    assert len(commit) == 7 and not changed
    for path in (checkout / "notebooks").glob("*.ipynb"):
        execute(path)
    began = time.monotonic()
    assert commit_and_changes(checkout) == (commit, False)
    assert time.monotonic() - began < 1


@pytest.mark.parametrize("change", ["cell", "tag", "code", "new file", "no notebook", "removed"])
def test_any_other_change_counts(checkout, change):
    notebook = checkout / "notebooks" / "10_data.ipynb"
    text = notebook.read_text()
    if change == "cell":
        notebook.write_text(text.replace("seed: int = 0", "seed: int = 1"))
    elif change == "tag":
        notebook.write_text(text.replace('"parameters"', '"parameter"'))
    elif change == "code":
        (checkout / "run_all.py").write_text("2")
    elif change == "new file":
        (checkout / "lib").mkdir()
        (checkout / "lib" / "new.py").write_text("3")
    elif change == "no notebook":
        notebook.write_text("[]")
    else:
        notebook.unlink()
    assert commit_and_changes(checkout)[1]


def test_what_does_not_belong_to_the_study_does_not_count(checkout):
    (checkout / "notes.txt").write_text("mine")
    assert not commit_and_changes(checkout)[1]


def test_a_folder_that_is_no_checkout_has_no_commit(tmp_path):
    assert commit_and_changes(tmp_path) == ("unknown", False)


# Two checkouts, one environment.


@pytest.fixture
def clone(tmp_path):
    """Another checkout, with a notebook of the same name."""
    root = tmp_path / "a clone für sich"
    shutil.copytree(ROOT / "lib" / "study", root / "lib" / "study")
    shutil.copy(ROOT / "lib" / "__init__.py", root / "lib" / "__init__.py")
    (root / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "10_data.ipynb", root / "notebooks")
    return root


@pytest.mark.parametrize("name", ["__session__", "__vsc_ipynb_file__", "PAPERMILL_INPUT_PATH"])
def test_a_notebook_of_another_checkout_is_stopped_whoever_opened_it(clone, name):
    path = str(clone / "notebooks" / "10_data.ipynb")
    with pytest.raises(StudyError, match=f"lies in {clone}, and lib was imported from {ROOT}: "):
        require_own_checkout("10_data", {name: path})
    require_own_checkout("10_data", {name: path}, clone)


CALL = """
from lib.study.checkout import require_own_checkout
try:
    require_own_checkout("10_data", {})
    print("runs")
except ValueError as error:
    print(error)
"""
# What papermill is to a kernel: its parent, with the notebook's path among its words.
PARENT = "import subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[-1]])"


@pytest.mark.parametrize("folder", ["notebooks", ".", "elsewhere"])
@pytest.mark.parametrize("lib", ["own", "other"])
def test_the_code_is_that_of_the_notebook_s_own_checkout_or_none(clone, tmp_path, folder, lib):
    """Started in its folder as by JupyterLab, or from anywhere as by papermill."""
    words = [PARENT, CALL]
    cwd = clone / folder
    if folder == "elsewhere":
        words, cwd = [PARENT, str(clone / "notebooks" / "10_data.ipynb"), CALL], tmp_path
    environment = os.environ | {"PYTHONPATH": str(clone if lib == "own" else ROOT)}
    command = [sys.executable, "-P", "-c", *words]
    environment |= {"PYTHONSAFEPATH": "1"}  # lib by PYTHONPATH alone
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)
    wanted = "runs" if lib == "own" else f"this notebook lies in {clone}"
    assert done.stdout.startswith(wanted), done.stdout + done.stderr


def test_where_there_is_no_other_checkout_nothing_is_stopped(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    require_own_checkout("10_data", {})
