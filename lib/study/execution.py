"""Execute one notebook with papermill in a kernel of this very interpreter; `python -m lib.study.execution` reads its task as JSON.

Runs as a process of its own: when the one that started it goes, the kernel and all its workers go too.
"""

import json
import os
import re
import sys
import threading
from pathlib import Path


def execute(task: dict) -> dict:
    """Execute a notebook over IPC; the copy appears under its final name only when complete.

    Args:
        task: notebook, executed (paths), values (what to inject), scratch (short-named folder for sockets).

    Returns:
        {"ok": True}, or {"ok": False, "error": name, "message": text, "line": failing source line, "copy": path}.
    """
    import papermill
    from traitlets.config import Config

    executed = Path(task["executed"])
    running, failed = executed.with_suffix(".running.ipynb"), executed.with_suffix(".failed.ipynb")
    executed.parent.mkdir(parents=True, exist_ok=True)
    own_kernel(Path(task["scratch"]))
    config = Config()
    config.KernelManager.transport = "ipc"
    config.KernelManager.ip = os.path.join(task["scratch"], "k")
    try:
        papermill.execute_notebook(
            task["notebook"], str(running), task["values"], kernel_name="python3", progress_bar=False, start_timeout=180, config=config
        )
    except Exception as error:  # whatever went wrong in the kernel or on the way: the copy stays, the reader is told
        if running.exists():
            os.replace(running, failed)
        return {"ok": False, "copy": str(failed) if failed.exists() else "", **describe(error)}
    os.replace(running, executed)
    failed.unlink(missing_ok=True)
    return {"ok": True}


def own_kernel(scratch: Path) -> None:
    """Make `python3` mean this interpreter, whatever kernels are registered on the machine."""
    spec = scratch / "jupyter" / "kernels" / "python3"
    spec.mkdir(parents=True, exist_ok=True)
    argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "display_name": "Python 3", "language": "python"}))
    os.environ.update(JUPYTER_PATH=str(scratch / "jupyter"), JUPYTER_RUNTIME_DIR=str(scratch / "r"), IPYTHONDIR=str(scratch / "i"))


def describe(error: Exception) -> dict:
    """Put a failure in the reader's words: what, and in which line of the notebook."""
    source = getattr(error, "source", "") or ""
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", entry) for entry in getattr(error, "traceback", None) or []]
    trace = [entry for entry in plain if "Cell In[" in entry]
    number = _marked_line(trace[-1]) if trace else 0
    lines = source.splitlines()
    line = lines[number - 1] if 0 < number <= len(lines) else ""
    return {"error": getattr(error, "ename", type(error).__name__), "message": getattr(error, "evalue", str(error)), "line": line.strip()}


def _marked_line(trace: str) -> int:
    """Read the line number behind IPython's arrow."""
    match = re.search(r"-+>\s*(\d+)", trace)
    return int(match.group(1)) if match else 0


def _die_with_parent() -> None:
    """Wait for the end of standard input, which comes when the parent dies or asks; then take all children along."""
    import psutil

    while os.read(0, 4096):
        pass
    for child in psutil.Process().children(recursive=True):
        try:
            child.kill()
        except psutil.NoSuchProcess:
            continue
    os._exit(3)


if __name__ == "__main__":
    order = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_die_with_parent, daemon=True).start()
    result = execute(order)
    print(json.dumps(result), flush=True)
    os._exit(0)
