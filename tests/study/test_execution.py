"""How an execution's failure is told: what the system says of a disk is a sentence."""

import errno
from types import SimpleNamespace

import pytest

from lib.study.execution import describe


@pytest.mark.parametrize(
    "message, said",
    [
        (
            str(OSError(errno.ENOSPC, "No space left on device", "/a b/c.png")),
            "/a b/c.png: no space left on device; free some space and run again",
        ),
        (
            str(OSError(errno.ENOSPC, "No space left on device")),
            "no space left on device; free some space and run again",
        ),
        (
            str(OSError(errno.EROFS, "Read-only file system", "/a/b")),
            "/a/b: read-only file system; give a folder that can be written to: --output",
        ),
    ],
)
def test_a_full_disk_that_a_library_meets_in_a_notebook_is_a_sentence(message, said):
    error = SimpleNamespace(ename="OSError", evalue=message)
    told = describe(error)
    assert told["error"] == "StudyError" and told["message"].startswith(said)


def test_other_errors_of_a_notebook_keep_their_line():
    trace = ["Cell In[3], line 2\n      1 a = 1\n----> 2 open(name)\n"]
    error = SimpleNamespace(
        ename="FileNotFoundError",
        evalue="[Errno 2] No such file or directory: 'x'",
        traceback=trace,
        source="a = 1\nopen(name)",
    )
    told = describe(error)
    assert told["error"] == "FileNotFoundError" and told["line"] == "open(name)"
