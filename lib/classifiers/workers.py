"""Tasks side by side in processes of one thread each.

Four such processes train more images a second than one with four threads, and sixteen threads on four cores train a ninth of that.
A process that dies loses the task it was at and nothing else; when the parent dies, so do its processes.
"""

import collections
import contextlib
import multiprocessing
import multiprocessing.connection
import os
import threading
import traceback

from lib.study.machine import KEPT_MEMORY, thread_environment

ATTEMPTS = 2  # processes that a task may cost before it is given up


def side_by_side(tasks: list, prepare, work, arguments: tuple, workers: int, environments: tuple = ({},)):
    """Do tasks in processes and yield each as it ends.

    Args:
        tasks: hashable and picklable.
        prepare: module-level function; called once a process with `arguments`, returns what `work` needs.
        work: module-level function (prepared, task); leaves its result on disk.
        arguments: small and picklable.
        workers: processes at once.
        environments: variables of a process; the processes take turns, so that one for each GPU shares them out.

    Yields:
        (task, "") when it is done, (task, reason) when processes died of it ATTEMPTS times.

    Raises:
        RuntimeError: `work` or `prepare` raised; the message holds the traceback.
    """
    waiting, lost, crew = collections.deque(tasks), collections.Counter(), {}
    try:
        while waiting or crew:
            while waiting and len(crew) < workers:
                place = next(place for place in range(workers) if all(place != taken for _, _, taken in crew.values()))
                hire(crew, (prepare, work, arguments), waiting.popleft(), place, environments[place % len(environments)])
            for connection in multiprocessing.connection.wait(list(crew)):
                process, task, place = crew[connection]
                try:
                    trouble = connection.recv()
                except (EOFError, ConnectionResetError):
                    dismiss(crew, connection)
                    lost[task] += 1
                    if lost[task] < ATTEMPTS:
                        waiting.append(task)
                    else:
                        yield task, f"its process died {ATTEMPTS} times (exit code {process.exitcode}); is there enough memory?"
                    continue
                if trouble:
                    raise RuntimeError(trouble)
                if waiting:
                    crew[connection] = process, waiting.popleft(), place
                    connection.send(crew[connection][1])
                else:
                    dismiss(crew, connection)
                yield task, ""
    finally:
        for connection in list(crew):
            crew[connection][0].terminate()
            dismiss(crew, connection)


def hire(crew: dict, duties: tuple, task, place: int, variables: dict) -> None:
    """Start a process at a place among the others, with variables of its environment, and give it its first task."""
    context = multiprocessing.get_context("spawn")  # a fork of a process that has threads may hang
    ours, theirs = context.Pipe()
    process = context.Process(target=serve, args=(theirs, *duties), daemon=True)
    with environment(thread_environment(1) | KEPT_MEMORY | variables):  # read by the child when it loads its libraries
        process.start()
    theirs.close()
    with contextlib.suppress(BrokenPipeError):  # it died at once: noticed when it is waited for
        ours.send(task)
    crew[ours] = process, task, place


def dismiss(crew: dict, connection) -> None:
    """Let a process go and wait until it has gone."""
    process, *_ = crew.pop(connection)
    connection.close()
    process.join()


def serve(connection, prepare, work, arguments: tuple) -> None:
    """Live as a worker: prepare once, do tasks until there are no more."""
    threading.Thread(target=die_with_parent, daemon=True).start()
    try:
        prepared = prepare(*arguments)
        while True:
            work(prepared, connection.recv())
            connection.send("")
    except EOFError:
        return
    except Exception:
        connection.send(traceback.format_exc())


def die_with_parent() -> None:
    """End this process as soon as its parent has ended, whatever it is doing."""
    multiprocessing.parent_process().join()
    os._exit(1)


@contextlib.contextmanager
def environment(variables: dict):
    """Set environment variables for a while."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
