"""Commit and changes: outputs of notebooks are none, all else is, and it takes no time."""

import shutil
import subprocess
import time

import nbformat
import pytest

from lib.study.checkout import commit_and_changes
from lib.study.paths import ROOT

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="no git")


@pytest.fixture
def checkout(tmp_path):
    """A checkout with all notebooks, and a filter for them that takes a second."""

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
