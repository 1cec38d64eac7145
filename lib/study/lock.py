"""One run of a study at a time: a lock that a dead process cannot keep."""

import contextlib
import datetime
import fcntl
import json
import os
import platform
import time
from pathlib import Path

from lib.study.errors import StudyError
from lib.study.records import read_json

POLL_S = 0.1  # seconds between two tries


@contextlib.contextmanager
def study_lock(path: Path, patience_s: float = 5.0):
    """Hold a study's lock; yields its file descriptor, for child processes to hold it too.

    Args:
        path: the lock file; beside, not in, the study's folder.
        patience_s: how long to wait where the holder is dead but its children are still leaving.

    Raises:
        StudyError: another run holds it; names its process, machine and start.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        # A dead holder's children may keep the lock for a moment; a living one is reported at once.
        deadline = time.monotonic() + patience_s
        while not _locked(file):
            holder = _holder(path)
            if time.monotonic() > deadline or _is_alive(holder):
                raise _held_by(holder, path)
            time.sleep(POLL_S)

        # Say who holds it, for those who ask.
        file.truncate(0)
        since = datetime.datetime.now().isoformat(" ", timespec="seconds")
        file.write(json.dumps({"pid": os.getpid(), "host": platform.node(), "since": since}))
        file.flush()
        yield file.fileno()


def _locked(file) -> bool:
    """Try to take the lock without waiting."""
    # The system gives a dead process's lock back, whatever it died of.
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> dict:
    """Read who holds the lock: pid, host, since; {} if it is not recorded."""
    try:
        holder = read_json(path)
    except StudyError:
        return {}
    return holder if isinstance(holder.get("pid"), int) else {}


def _held_by(holder: dict, path: Path) -> StudyError:
    pid, host, since = (holder.get(key, "?") for key in ("pid", "host", "since"))
    # The lock is called after the study.
    return StudyError(
        f"{path.stem} is being run by process {pid} on {host}, since {since}; "
        "wait for it, stop it, or give this run another --output"
    )


def _is_alive(holder: dict) -> bool:
    """Tell whether the holder is known to live; on another machine it is taken to."""
    if holder.get("host") != platform.node():
        return bool(holder)
    try:
        os.kill(holder["pid"], 0)  # signal 0 asks, and does nothing
    except (ProcessLookupError, OverflowError):  # a number that no process has
        return False
    except PermissionError:
        pass  # it lives, and belongs to another user
    return True
