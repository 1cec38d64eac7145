"""One run at a time, and no lock that outlives its process."""

import json
import platform
import subprocess
import sys

import pytest

from lib.study.errors import StudyError
from lib.study.lock import study_lock


def test_the_second_is_told_who_holds_it(tmp_path):
    with study_lock(tmp_path / "quick.lock"):
        said = rf"quick is being run by process \d+ on {platform.node()}, since 20"
        with pytest.raises(StudyError, match=said), study_lock(tmp_path / "quick.lock"):
            pass


def test_a_lock_that_is_given_back_can_be_taken(tmp_path):
    for _ in range(2):
        with study_lock(tmp_path / "quick.lock"):
            pass


def test_a_dead_holder_is_no_obstacle(tmp_path):
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True).stdout
    (tmp_path / "quick.lock").write_text(json.dumps({"pid": int(gone), "host": platform.node(), "since": "long ago"}))
    with study_lock(tmp_path / "quick.lock") as descriptor:
        assert descriptor > 2
