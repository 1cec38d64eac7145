"""A notebook on a machine of a Dask cluster: `python -m lib.study.remote ADDRESS` stands in for
lib.study.execution and waits for it.

Pools and metrics do not depend on each other, so each of their notebooks goes to whichever machine
is free. Every machine has to see the project and the study's folder under the paths that they have
here. Dask's messages can run code: a scheduler at a tls:// address with certificates (Dask's
setting distributed.comm.tls) takes only those who hold one, any other whoever reaches it.

The asking process writes a heartbeat file for as long as it waits. A worker whose heartbeat is gone
or stands still stops its notebook.
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

CONNECT_S = 10  # seconds until a scheduler has to answer
HEARTBEAT_S = 1.0  # seconds between two writes of the heartbeat
TIMEOUT_S = 60.0  # seconds without one after which the asking process is taken for dead
POLL_S = 0.2
STOP_S = 10  # seconds that a process has to take its kernel along

_one_notebook = threading.Lock()  # of a worker process: a notebook takes all its threads


def open_to_strangers(cluster: str) -> str:
    """Warn of a scheduler that takes any client; "" where there is none.

    Args:
        cluster: an address, or one of the words of `lib.compute.cluster`, which starts clusters
            that are closed.
    """
    if ":" not in cluster or cluster.startswith("tls:"):
        return ""
    return (
        f"cluster: the scheduler at {cluster} takes any client: whoever reaches it can run "
        "programs as the people whose processes serve it; give it certificates and a tls:// "
        "address (Dask's setting distributed.comm.tls), or keep it in a network that you trust"
    )


def send(order: dict, address: str) -> dict:
    """Have a notebook executed on the cluster.

    Args:
        order: of `lib.study.execution.execute`, and root (the project's folder), environment
            (variables of the kernel).
        address: of a running Dask scheduler.

    Returns:
        What `execute` reports there; a cluster that is not there, is lost, or whose workers die of
        it is reported likewise.
    """
    from distributed import Client

    # A worker stops as soon as this process no longer shows that it waits.
    file = heartbeat_file(order)
    try:
        with Client(address, timeout=CONNECT_S, set_as_default=False) as client, heartbeat(file):
            return client.submit(execute_on_worker, order, str(file), pure=False).result()
    except Exception as error:
        # Any error of Dask or of the network is reported.
        found = f"cluster: {address!r} did not do it ({error!r})"
        return failed(f"{found}; is the scheduler running, and has it workers?")


def execute_on_worker(order: dict, heartbeat_path: str) -> dict:
    """Execute a notebook in a process of its own, in a worker; stop it when the asking process has
    gone.

    Args:
        order: as in `send`.
        heartbeat_path: file that the asking process writes again and again, and removes when it
            goes.
    """
    with _one_notebook:
        # Every machine has to see the same folders.
        for path in (order["notebook"], order["root"], Path(order["executed"]).parent):
            if not Path(path).exists():
                return failed(
                    f"{platform.node()} does not see {path}: the cluster's machines need the same "
                    "folders under the same paths"
                )

        # Sockets lie on this machine, under a short name.
        with tempfile.TemporaryDirectory(
            prefix="faces-", dir="/tmp", ignore_cleanup_errors=True
        ) as scratch:
            return _executed(order | {"scratch": scratch}, Path(heartbeat_path))


@contextlib.contextmanager
def heartbeat(file: Path):
    """Write a file anew all the time, and remove it in the end."""
    over = threading.Event()

    # A counter, so that a beat differs from the one before.
    def beat() -> None:
        count = 0
        while not over.wait(HEARTBEAT_S):
            count += 1
            file.write_text(str(count))

    file.write_text("0")
    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        file.unlink(missing_ok=True)


def heartbeat_file(order: dict) -> Path:
    """Return the path of the heartbeat file of a notebook's execution.

    The asking process writes this file at intervals; the worker stops when it no longer changes.

    Args:
        order: as in `send`; the file lies beside order["executed"], the executed notebook.
    """
    return Path(order["executed"]).with_suffix(".heartbeat")


def failed(message: str) -> dict:
    """Report as `execute` does that a notebook did not come to its end."""
    return {"ok": False, "error": "StudyError", "message": message, "line": "", "copy": ""}


def _executed(order: dict, file: Path) -> dict:
    """Execute a notebook in a process of its own for as long as the heartbeat goes on."""
    # The kernel's variables as they were sent, with as many threads as this worker has.
    variables = {**os.environ, **order["environment"], **thread_environment(_worker_threads())}
    # It reports into a file: a pipe that nobody empties would stop it.
    with (
        open(Path(order["executed"]).with_suffix(".log"), "ab") as log,
        tempfile.TemporaryFile() as reported,
    ):
        process = subprocess.Popen(
            [sys.executable, "-m", "lib.study.execution"],
            cwd=order["root"],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=reported,
            stderr=log,
            start_new_session=True,
        )

        # Send the order, wait, and read the last line that it printed.
        try:
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
            if not _wait(process, file):
                return failed("the process that asked for it has gone")
            reported.seek(0)
            lines = reported.read().decode(errors="replace").splitlines()
            if not lines:
                return failed(f"exit status {process.returncode} on {platform.node()}")
            return json.loads(lines[-1])
        finally:
            with contextlib.suppress(BrokenPipeError):
                process.stdin.close()  # makes it take its kernel along
            process.wait(STOP_S)


def _wait(process: subprocess.Popen, file: Path) -> bool:
    """Wait for a process to end; False as soon as the heartbeat is gone or stands still."""
    last, changed = "", time.monotonic()
    while process.poll() is None:
        if not file.exists():
            return False

        # Standing still is as bad as gone: the machine may have lost its network.
        count = file.read_text()
        if count != last:
            last, changed = count, time.monotonic()
        if time.monotonic() - changed > TIMEOUT_S:
            return False
        time.sleep(POLL_S)
    return True


def _worker_threads() -> int:
    from distributed import get_worker

    return get_worker().state.nthreads


def _end_with_parent(file: Path) -> None:
    """Wait for the end of standard input, which comes when the parent dies or asks; the worker sees
    that the heartbeat is gone.
    """
    while os.read(0, 4096):
        pass
    file.unlink(missing_ok=True)
    os._exit(3)


if __name__ == "__main__":
    # As in lib.study.execution: one line is the order, the open input says that somebody waits.
    received = json.loads(sys.stdin.buffer.readline())
    waiting = threading.Thread(
        target=_end_with_parent, args=[heartbeat_file(received)], daemon=True
    )
    waiting.start()

    # Workers import this module by name: what __main__ defines would have to travel itself.
    from lib.study import remote

    print(json.dumps(remote.send(received, sys.argv[1])), flush=True)
    os._exit(0)
