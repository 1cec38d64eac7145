"""Execute one notebook with papermill, in a kernel of this very interpreter.

`python -m lib.study.execution` reads its order as JSON and runs as a process of its own: when the
one that started it goes, the kernel and all its workers go too.
"""

import errno
import json
import os
import re
import sys
import threading
from pathlib import Path

from lib.study.errors import sentence
from lib.study.notebooks import quick_imports
from lib.study.paths import HALF_DONE, RUNNING

LONGEST_MESSAGE = 10_000  # characters of an error; the executed copy holds all of it
START_S = 180  # seconds until a kernel has to answer
# Escape sequences of a terminal, which tracebacks are full of.
COLOURS = re.compile(r"\x1b\[[0-9;]*m")

# How Python spells what the system says of a file, and what it says of a disk that is full or only
# to be read.
SYSTEM_ERROR = re.compile(r"\[Errno (?P<number>\d+)\] (?P<text>[^:]+)(?:: '(?P<file>.*)')?")
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


def execute(order: dict) -> dict:
    """Execute a notebook; the copy appears under its final name only when complete.

    Args:
        order: notebook, executed (paths), values (what to inject), scratch (folder with a short
            name, for sockets).

    Returns:
        {"ok": True}, or {"ok": False, "error": name, "message": text, "line": failing source line,
        "copy": path}.
    """
    with quick_imports():
        import papermill
    from traitlets.config import Config

    # The copy has another name while it runs, and where it fails.
    executed = Path(order["executed"])
    running = executed.with_suffix(RUNNING)
    failed = executed.with_suffix(HALF_DONE)

    # Sockets in the file system: no port that two kernels could race for.
    # Short, because the name of such a socket has room for a hundred characters.
    config = Config()
    config.KernelManager.transport = "ipc"
    config.KernelManager.ip = os.path.join(order["scratch"], "k")
    try:
        executed.parent.mkdir(parents=True, exist_ok=True)
        own_kernel(Path(order["scratch"]))
        papermill.execute_notebook(
            order["notebook"],
            str(running),
            order["values"],
            kernel_name="python3",
            progress_bar=False,
            start_timeout=START_S,
            config=config,
        )
    except Exception as error:
        # Any error of the kernel or around it is reported; the executed copy is kept.
        if running.exists():
            os.replace(running, failed)
        copy = str(failed) if failed.exists() else ""
        return {"ok": False, "copy": copy, **describe(error)}

    # Complete: it takes its name, and an earlier failure goes.
    os.replace(running, executed)
    failed.unlink(missing_ok=True)
    return {"ok": True}


def own_kernel(scratch: Path) -> None:
    """Make `python3` mean this interpreter, whatever kernels are registered on the machine."""
    spec = scratch / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": argv, "display_name": "Python 3", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(kernel))

    # Jupyter looks here first, and leaves nothing in the user's folders.
    os.environ.update(
        JUPYTER_PATH=str(scratch / "jupyter"),
        JUPYTER_RUNTIME_DIR=str(scratch / "r"),
        IPYTHONDIR=str(scratch / "i"),
    )


def describe(error: Exception) -> dict:
    """Put a failure in the reader's words: what, and in which line of the notebook.

    Args:
        error: of papermill, which knows the cell's source and traceback, or any other.
    """
    # Of the system about a file: a full disk, a folder that cannot be written to.
    if isinstance(error, OSError):
        return {"error": "StudyError", "message": sentence(error), "line": ""}

    # The same, of something that the notebook called: a library that writes a file by itself.
    ename, evalue = getattr(error, "ename", ""), getattr(error, "evalue", "")
    system = SYSTEM_ERROR.fullmatch(evalue) if ename == "OSError" else None
    if system and int(system["number"]) in UNWRITABLE:
        raised = OSError(int(system["number"]), system["text"], system["file"])
        return {"error": "StudyError", "message": sentence(raised), "line": ""}

    # The last frame inside the notebook tells the line of the cell.
    trace = [COLOURS.sub("", entry) for entry in getattr(error, "traceback", None) or []]
    in_cells = [entry for entry in trace if "Cell In[" in entry]
    number = _marked_line(in_cells[-1]) if in_cells else 0

    # The line as it stands in the cell; numbers count from 1.
    lines = (getattr(error, "source", "") or "").splitlines()
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    return {
        "error": getattr(error, "ename", type(error).__name__),
        "message": getattr(error, "evalue", str(error))[:LONGEST_MESSAGE],
        "line": line.strip(),
    }


def _marked_line(trace: str) -> int:
    """Read the line number behind IPython's arrow, 0 where there is none."""
    match = re.search(r"-+>\s*(\d+)", trace)
    return int(match.group(1)) if match else 0


def _die_with_parent() -> None:
    """Wait for the end of standard input, which comes when the parent dies or asks; then take all
    children along.
    """
    import psutil

    while os.read(0, 4096):
        pass

    # The kernel, and the workers that it started.
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    os._exit(3)


if __name__ == "__main__":
    # One line is the order; that the input stays open says that somebody waits.
    received = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    result = execute(received)
    print(json.dumps(result), flush=True)
    os._exit(0)
