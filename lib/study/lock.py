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
        deadline = time.monotonic() + patience_s
        while not _locked(file):
            holder = _holder(path)
            if time.monotonic() > deadline or _alive(holder):
                who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}, since {holder.get('since', '?')}"
                raise StudyError(f"{path.stem} is being run by {who}; wait for it, stop it, or give this run another --output") from None
            time.sleep(0.1)
        file.truncate(0)
        since = datetime.datetime.now().isoformat(" ", timespec="seconds")
        file.write(json.dumps({"pid": os.getpid(), "host": platform.node(), "since": since}))
        file.flush()
        yield file.fileno()


def _locked(file) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(path: Path) -> dict:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _alive(holder: dict) -> bool:
    """Tell whether the holder is known to live; on another machine it is taken to."""
    if holder.get("host") != platform.node():
        return bool(holder)
    try:
        os.kill(holder["pid"], 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True
