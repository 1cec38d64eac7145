"""The overview and the glossary that git keeps are those that the present code writes."""

import shutil
import subprocess

import pytest

from lib.report import render_top
from lib.study.paths import ROOT

PAGES = ("index.html", "glossary.html")


@pytest.mark.parametrize("page", PAGES)
def test_a_study_leaves_the_committed_pages_as_they_are(page, tmp_path):
    """What the first command of the README renders anew does not differ from git's."""
    listed = subprocess.run(
        ["git", "ls-files", "reports"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    files = [name for name in listed.stdout.splitlines() if not name.endswith((".npz", ".onnx"))]
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)

    render_top(tmp_path / "reports")
    committed, now = (root / "reports" / page for root in (ROOT, tmp_path))
    same = committed.read_bytes() == now.read_bytes()
    assert same, "run_all.py wrote it anew: commit it"
