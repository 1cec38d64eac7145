"""A pool of worker processes of one thread each.

Four such processes train more images a second than one with four threads, and sixteen threads on
four cores train a ninth of that. A process that dies loses the task it was at and nothing else;
when the parent dies, so do its processes.
"""

import collections
import contextlib
import math
import multiprocessing
import multiprocessing.connection
import os
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from lib.study.machine import KEPT_MEMORY, thread_environment

ATTEMPTS = 2  # processes that a task may cost before it is given up


def run_in_pool(
    tasks: Iterable,
    prepare: Callable,
    work: Callable,
    arguments: tuple,
    workers: int,
    environments: tuple[dict, ...] = ({},),
    deadline: float = math.inf,
) -> Iterator[tuple]:
    """Do tasks in a pool of processes and yield each as it ends.

    Args:
        tasks: hashable and picklable; drawn one by one as processes become free, so that a
            generator can decide late what is to be done next.
        prepare: module-level function; called once a process with `arguments`, returns what `work`
            needs.
        work: module-level function of (prepared, task); leaves its result on disk.
        arguments: small and picklable.
        workers: processes at once.
        environments: variables of a process; the places of the pool take them in turn, so that one
            for each GPU distributes the processes over the GPUs.
        deadline: by time.monotonic; what is not done by then is stopped, and nothing follows.

    Yields:
        (task, "") when it is done, (task, reason) when processes died of it ATTEMPTS times.

    Raises:
        RuntimeError: `work` or `prepare` raised; the message holds the traceback.
    """
    pool = Pool((prepare, work, arguments), workers, environments)
    source, again, deaths = iter(tasks), collections.deque(), collections.Counter()

    def next_task():
        """Take a task that cost a process, or else a new one; None where there are no more."""
        return again.popleft() if again else next(source, None)

    try:
        while True:
            # Fill the pool.
            while len(pool.members) < workers and (task := next_task()) is not None:
                pool.spawn(task)
            if not pool.members:
                return

            # A deadline stops those that are still at work.
            ready = pool.ready(deadline)
            if not ready:
                return

            for member in ready:
                task = member.task
                try:
                    error = member.connection.recv()
                except (EOFError, ConnectionResetError):
                    # The process died of its task, which another process tries again.
                    pool.join(member)
                    deaths[task] += 1
                    if deaths[task] < ATTEMPTS:
                        again.append(task)
                    else:
                        yield task, _reason(member.process.exitcode)
                    continue
                if error:
                    raise RuntimeError(error)

                # The task is done; the process takes the next one, or goes.
                following = next_task()
                if following is None:
                    pool.join(member)
                else:
                    member.take(following)
                yield task, ""
    finally:
        pool.terminate()


def _reason(exit_code: int) -> str:
    """Explain why a task was given up."""
    return f"its process died {ATTEMPTS} times (exit code {exit_code}); is there enough memory?"


@dataclass
class Member:
    """One process of a pool."""

    process: multiprocessing.Process  # that runs `serve`
    connection: multiprocessing.connection.Connection  # this end of the pipe to it
    place: int  # in the pool; decides its environment
    task: object  # that it is at

    def take(self, task) -> None:
        """Give the process its next task."""
        self.task = task
        self.connection.send(task)


@dataclass
class Pool:
    """Processes that serve the same duties."""

    duties: tuple  # (prepare, work, arguments), see run_in_pool
    size: int  # largest number of processes
    environments: tuple[dict, ...]  # variables by place, in turn
    members: dict = field(default_factory=dict)  # by their connections

    def spawn(self, task) -> None:
        """Start a process at a free place, and give it its first task."""
        # The place decides which GPU the process gets.
        taken = {member.place for member in self.members.values()}
        place = min(set(range(self.size)) - taken)

        # The variables are read when the child loads its libraries. It is spawned, for a fork of a
        # process that has threads may hang.
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        process = context.Process(target=serve, args=(there, *self.duties), daemon=True)
        variables = self.environments[place % len(self.environments)]
        with environment(thread_environment(1) | KEPT_MEMORY | variables):
            process.start()
        there.close()

        # A process that died at once is noticed when it is waited for.
        member = Member(process, here, place, task)
        with contextlib.suppress(BrokenPipeError):
            member.take(task)
        self.members[here] = member

    def ready(self, deadline: float) -> list[Member]:
        """Wait until processes have finished their tasks or died, and return them; none where the
        deadline passes first.
        """
        seconds = None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
        connections = multiprocessing.connection.wait(list(self.members), seconds)
        return [self.members[connection] for connection in connections]

    def join(self, member: Member) -> None:
        """End a process that has no task, and wait until it has ended."""
        del self.members[member.connection]
        member.connection.close()
        member.process.join()

    def terminate(self) -> None:
        """End all processes, whatever they are at."""
        for member in list(self.members.values()):
            member.process.terminate()
            self.join(member)


def serve(connection, prepare: Callable, work: Callable, arguments: tuple) -> None:
    """Run as a process of a pool: prepare once, do tasks until there are no more."""
    # A parent that is killed cannot end its processes.
    threading.Thread(target=exit_with_parent, daemon=True).start()

    # An empty text means that a task is done.
    try:
        prepared = prepare(*arguments)
        while True:
            work(prepared, connection.recv())
            connection.send("")
    except EOFError:  # the parent has closed the connection
        return
    except Exception:
        connection.send(traceback.format_exc())


def exit_with_parent() -> None:
    """End this process as soon as its parent has ended, whatever it is doing."""
    multiprocessing.parent_process().join()
    os._exit(1)


@contextlib.contextmanager
def environment(variables: dict[str, str]):
    """Set environment variables for a while."""
    # None stands for a variable that was not set.
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name)
            else:
                os.environ[name] = value
