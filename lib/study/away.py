"""A notebook on a machine of a Dask cluster: `python -m lib.study.away ADDRESS` stands in for lib.study.execution and waits for it.

Pools and metrics do not depend on each other, so each of their notebooks goes to whichever machine is free. Every machine has to see the
project and the study's folder under the paths that they have here. Dask's messages can run code: use schedulers of a trusted network.
"""

import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from lib.study.machine import thread_environment

ANSWER_SECONDS = 10
PULSE_S, PATIENCE_S = 1.0, 60.0  # how often who asked shows life, and how long its silence is borne

_turn = threading.Lock()  # of one worker process: a notebook takes all its threads


def send(order: dict, address: str) -> dict:
    """Have a notebook executed on the cluster.

    Args:
        order: of `lib.study.execution.execute`, and root (the project's folder), environment (variables of the kernel).
        address: of a running Dask scheduler.

    Returns:
        What `execute` reports there; a cluster that is not there, is lost, or whose workers die of it is reported likewise.
    """
    from distributed import Client

    pulse = Path(order["executed"]).with_suffix(".pulse")
    try:
        with Client(address, timeout=ANSWER_SECONDS, set_as_default=False) as client, beating(pulse):
            return client.submit(do_notebook, order, str(pulse), pure=False).result()
    except Exception as error:  # whatever Dask or the way there raised: the reader is told
        return failed(f"cluster: {address!r} did not do it ({error!r}); is the scheduler running, and has it workers?")


def do_notebook(order: dict, pulse: str) -> dict:
    """Execute a notebook in a process of its own, in a worker; stop it when whoever asked has gone.

    Args:
        pulse: file that the asking process writes again and again, and removes when it goes.
    """
    with _turn:
        for path in (order["notebook"], order["root"], Path(order["executed"]).parent):
            if not Path(path).exists():
                return failed(f"{platform.node()} does not see {path}: the cluster's machines need the same folders under the same paths")
        with tempfile.TemporaryDirectory(prefix="faces-", dir="/tmp", ignore_cleanup_errors=True) as scratch:
            return _executed(order | {"scratch": scratch}, Path(pulse))


def _executed(order: dict, pulse: Path) -> dict:
    variables = {**os.environ, **order["environment"], **thread_environment(_threads())}
    with open(Path(order["executed"]).with_suffix(".log"), "ab") as log:
        process = subprocess.Popen([sys.executable, "-m", "lib.study.execution"], cwd=order["root"], env=variables, stdin=subprocess.PIPE,
                                   stdout=subprocess.PIPE, stderr=log, start_new_session=True)  # fmt: skip
    try:
        process.stdin.write(json.dumps(order).encode() + b"\n")
        process.stdin.flush()
        seen, changed = "", time.monotonic()
        while process.poll() is None:
            now = pulse.read_text() if pulse.exists() else None
            seen, changed = (now, time.monotonic()) if now != seen else (seen, changed)
            if now is None or time.monotonic() - changed > PATIENCE_S:
                return failed("whoever asked for it has gone")
            time.sleep(0.2)
        lines = process.stdout.read().decode(errors="replace").splitlines()
        return json.loads(lines[-1]) if lines else failed(f"exit status {process.returncode} on {platform.node()}")
    finally:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()  # makes it take its kernel along
        process.wait(10)


def _threads() -> int:
    from distributed import get_worker

    return get_worker().state.nthreads


@contextlib.contextmanager
def beating(pulse: Path):
    """Write a file anew all the time, and remove it in the end."""
    over = threading.Event()

    def beat() -> None:
        count = 0
        while not over.wait(PULSE_S):
            pulse.write_text(str(count := count + 1))

    pulse.write_text("0")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        pulse.unlink(missing_ok=True)


def failed(message: str) -> dict:
    """Report as `execute` does that a notebook did not come to its end."""
    return {"ok": False, "error": "StudyError", "message": message, "line": "", "copy": ""}


def _go_with_parent(pulse: Path) -> None:
    """Wait for the end of standard input, which comes when the parent dies or asks; the worker sees that the pulse is gone."""
    while os.read(0, 4096):
        pass
    pulse.unlink(missing_ok=True)
    os._exit(3)


if __name__ == "__main__":
    asked = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_go_with_parent, args=[Path(asked["executed"]).with_suffix(".pulse")], daemon=True).start()
    from lib.study import away  # as a module that workers import: what is defined in __main__ would have to travel itself

    print(json.dumps(away.send(asked, sys.argv[1])), flush=True)
    os._exit(0)
