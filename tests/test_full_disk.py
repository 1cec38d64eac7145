"""Full disks, at every moment of every stage: a sentence with the file, the cause and the way out,
and when there is room the same call goes on to the same files.

The disks are real: file systems in memory that are too small by so many pages, or have room for
too few files, mounted in a namespace of their own (see full_disk.py). Where the machine allows none
of that, the tests are skipped. DISKS=200 fills more of them.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from full_disk import NAMESPACE, STAGES, may_mount

from lib.study.paths import ROOT

DISKS = int(os.environ.get("DISKS", "0"))
QUICK = ("data", "curation", "results")  # stages that import no torch

pytestmark = pytest.mark.skipif(not may_mount(), reason="needs the right to mount a file system")


def happened(folder: Path, **order) -> list[dict]:
    """Fill disks, and return what happened on each."""
    folder.mkdir()
    words = [*NAMESPACE, sys.executable, str(Path(__file__).with_name("full_disk.py"))]
    text = json.dumps(order | {"folder": str(folder)}) + "\n"
    own = os.environ | {"PYTHONPATH": str(ROOT)}  # lib beside these tests
    done = subprocess.run(words, input=text, capture_output=True, text=True, env=own)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def check(disks: list[dict]) -> None:
    """Every disk was full, was told of in a sentence, and did no harm."""
    for disk in disks:
        assert not disk["fault"], f"{disk['room']}: {disk['fault']}"
    assert sum(bool(disk["said"]) for disk in disks) > len(disks) / 2


@pytest.mark.parametrize(
    "stage",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in STAGES],
)
def test_a_stage_on_a_full_disk_ends_in_a_sentence_and_goes_on_when_there_is_room(tmp_path, stage):
    check(happened(tmp_path / "disk", stage=stage, most=DISKS or 40))


@pytest.mark.slow
@pytest.mark.parametrize("scratch", ["large", "full"])
def test_a_whole_study_on_a_full_disk_goes_on_when_there_is_room(toy, tmp_path, scratch):
    toy.stage("10_data", "seed")
    toy.stage("40_training", "(step.paths.tables / '10_data.txt').read_text() * 5000")
    toy.stage("50_metrics", "len((step.paths.tables / '40_training.txt').read_text())")
    disk = tmp_path / "disk"
    environment = toy.environment() | ({"TMPDIR": str(disk)} if scratch == "full" else {})
    disks = happened(
        disk,
        words=toy.command("--output", str(disk)),
        environment=environment,
        patterns=["runs/quick/tables/*.txt", "reports/quick/index.html"],
        most=DISKS or 20,
    )
    check(disks)
