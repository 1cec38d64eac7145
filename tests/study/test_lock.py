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
        message = rf"quick is being run by process \d+ on {platform.node()}, since 20"
        with pytest.raises(StudyError, match=message), study_lock(tmp_path / "quick.lock"):
            pass


def test_a_lock_that_is_given_back_can_be_taken(tmp_path):
    for _ in range(2):
        with study_lock(tmp_path / "quick.lock"):
            pass


def test_a_dead_holder_is_no_obstacle(tmp_path):
    command = [sys.executable, "-c", "import os; print(os.getpid())"]
    ended = subprocess.run(command, capture_output=True, text=True, check=True)
    holder = {"pid": int(ended.stdout), "host": platform.node(), "since": "long ago"}
    (tmp_path / "quick.lock").write_text(json.dumps(holder))
    with study_lock(tmp_path / "quick.lock") as descriptor:
        assert descriptor > 2


@pytest.mark.parametrize(
    "text", ['{"pid": "x"}', "[1]", '{"pid": -5, "host": 3}', "\0", "9" * 99, '{"pid": 1e9}']
)
def test_a_lock_file_may_hold_anything(tmp_path, text):
    path = tmp_path / "quick.lock"
    path.write_text(text)
    with study_lock(path):
        path.write_text(text)
        with (
            pytest.raises(StudyError, match="quick is being run by process"),
            study_lock(path, 0.2),
        ):
            pass
