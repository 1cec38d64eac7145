"""Tasks on a Dask cluster: what lib.compute.workers does in processes here, on many machines.

Workers read the faces and write the runs where this process does: every machine has to see the
study's folder under the same path, and have this project in the same version. Dask's messages can
run code: a cluster that is started here takes only those who hold its certificate; a scheduler that
was given by its address is the user's own to guard.
"""

import collections
import contextlib
import functools
import logging
import platform
import threading
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from lib.compute.certificates import temporary_security
from lib.compute.workers import ATTEMPTS
from lib.study.errors import StudyError
from lib.study.fingerprints import code_digest
from lib.study.machine import KEPT_MEMORY, cores, thread_environment
from lib.study.remote import open_to_strangers

# The word for processes of this machine under Dask.
LOCAL = "local"

# dask-jobqueue's class for each batch system.
BATCH_SYSTEMS = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}
ANSWER_SECONDS = 10  # that a scheduler has to answer in
# Pages about a cluster are for its own machine, and without a dashboard.
NO_DASHBOARD = {"dashboard": False, "dashboard_address": "127.0.0.1:0"}

# State of one worker process: one task at a time, and what it has prepared, by batch.
_one_at_a_time = threading.Lock()
_prepared = {}


def run_on_cluster(
    tasks: list,
    prepare: Callable,
    work: Callable,
    arguments: tuple,
    workers: int,
    cluster: str,
    environments: tuple[dict, ...] = ({},),
    code: tuple[str, ...] = (),
    shared: Path | None = None,
) -> Iterator[tuple]:
    """Do tasks on a cluster and yield each as it ends.

    Args:
        tasks, prepare, work, arguments, environments: as run_in_pool takes them.
        workers: processes to start, 0 for one a core; a running scheduler has its own.
        cluster: address of a running Dask scheduler (tcp://host:8786), "local" for processes here,
            or slurm, pbs or lsf, whose queue, cores and memory are set in dask-jobqueue's own file
            (~/.config/dask/jobqueue.yaml).
        code: lib modules that the tasks run; a worker that has loaded another version of them, or
            of what they import, is refused.
        shared: folder that all machines see, for the certificates of a batch system's jobs.

    Yields:
        (task, "") when it is done, (task, reason) when workers died of it several times.

    Raises:
        StudyError: Dask is not installed, no scheduler answers, or it is lost on the way.
        RuntimeError: `work` or `prepare` raised; the message holds the traceback.
    """
    with connected(cluster, workers, environments, shared) as client:
        from distributed import as_completed

        # Every task is submitted at once; the scheduler hands them out.
        duties = (prepare, work, arguments, uuid.uuid4().hex, code, loaded_code(code))
        futures = {client.submit(do_task, *duties, task, pure=False): task for task in tasks}
        ended, kills = as_completed(list(futures), loop=client.loop), collections.Counter()
        for future in ended:
            # The worker died before its result was fetched: the scheduler does the task again.
            if future.status in ("lost", "pending"):
                ended.add(future)
                continue
            task = futures.pop(future)
            reason = _outcome(future, task, cluster)

            # The workers may have died of other tasks, while this one waited there for its turn.
            kills[task] += bool(reason)
            if reason and kills[task] < ATTEMPTS:
                repeated = client.submit(do_task, *duties, task, pure=False)
                futures[repeated] = task
                ended.add(repeated)
                continue
            yield task, reason


def _outcome(future, task, cluster: str) -> str:
    """Return "" for a task that is done, or a reason where its workers died.

    Raises:
        StudyError: the cluster was lost.
        RuntimeError: the task raised.
    """
    from distributed import KilledWorker

    # The worker caught what the task raised, and returned its traceback.
    if future.status == "finished":
        if error := future.result():
            raise RuntimeError(error)
        return ""

    # Neither done nor failed: the scheduler has gone.
    if future.status != "error":
        raise StudyError(
            f"cluster: {cluster!r} was lost ({future.status}); "
            "finished runs are kept, give the same command again"
        )

    # Dask itself failed, unless the task's workers were killed.
    if not isinstance(future.exception(), KilledWorker):
        raise RuntimeError(f"cluster: {cluster!r} could not do {task}: {future.exception()!r}")
    return "its workers died again and again; is there enough memory?"


@contextlib.contextmanager
def connected(
    cluster: str, workers: int, environments: tuple[dict, ...], shared: Path | None = None
):
    """Connect to a cluster, or start one for as long as the context lasts.

    Args:
        cluster, workers, environments, shared: as `run_on_cluster` takes them.

    Raises:
        StudyError: Dask is not installed, no scheduler answers.
    """
    # Dask is optional.
    try:
        import distributed
    except ModuleNotFoundError:
        raise StudyError(
            f"cluster: {cluster!r} needs Dask, which is not installed: "
            "pip install distributed, or leave cluster empty"
        ) from None
    with contextlib.ExitStack() as stack:
        try:
            # A running cluster, or one of our own that ends with the context.
            address, security = cluster, None

            # The user's own one may be open to anybody.
            if open_to_strangers(cluster):
                warnings.warn(open_to_strangers(cluster), stacklevel=2)

            # One of ours takes holders of its certificate alone.
            if ":" not in cluster:
                where = None if cluster == LOCAL else shared
                security = stack.enter_context(temporary_security(where))
                started = start_cluster(cluster, workers, environments, security)
                address = stack.enter_context(started)
            client = distributed.Client(
                address, timeout=ANSWER_SECONDS, set_as_default=False, security=security
            )
            stack.enter_context(client)
        except (OSError, ValueError) as error:
            raise StudyError(
                f"cluster: {cluster!r} does not answer or cannot be started ({error}); "
                "is a scheduler running there?"
            ) from None
        yield client


def start_cluster(cluster: str, workers: int, environments: tuple[dict, ...], security):
    """Start a cluster: processes of one thread each here, or jobs of a batch system.

    Args:
        cluster, workers, environments: as `run_on_cluster` takes them.
        security: of `temporary_security`.
    """
    if cluster == LOCAL:
        return start_local_cluster(workers or cores(), environments, security)
    import dask
    import dask_jobqueue

    # What the user's file says of scheduler and workers, without pages about them.
    options = dask.config.get(f"jobqueue.{cluster}.scheduler-options", {})
    words = dask.config.get(f"jobqueue.{cluster}.worker-extra-args", []) or []

    # Jobs wait in the batch system's queue, and join as they start.
    batch = getattr(dask_jobqueue, BATCH_SYSTEMS[cluster])(
        security=security,
        protocol="tls://",
        scheduler_options=options | NO_DASHBOARD,
        worker_extra_args=[*words, "--no-dashboard"],
    )
    batch.scale(workers or cores())
    return batch


def start_local_cluster(workers: int, environments: tuple[dict, ...], security):
    """Start processes of one thread each here, which take the environments in turn."""
    import dask
    from distributed import LocalCluster

    class LocalProcesses(LocalCluster):
        """A local cluster whose processes have variables of their own."""

        def new_worker_spec(self) -> dict:
            place = len(self.worker_spec)
            variables = thread_environment(1) | environments[place % len(environments)]

            # The specification is shared by all workers: each gets a copy with its variables.
            specs = {}
            for name, spec in super().new_worker_spec().items():
                specs[name] = spec | {"options": spec["options"] | {"env": variables}}
            return specs

    # Deaths that a task may cost, and the variables that libraries read as they are loaded.
    settings = {
        "distributed.scheduler.allowed-failures": ATTEMPTS - 1,
        "distributed.nanny.pre-spawn-environ": thread_environment(1) | KEPT_MEMORY,
    }
    dask.config.set(settings)
    # Without a dashboard, and without messages of workers that come and go.
    here = LocalProcesses(
        n_workers=0,
        threads_per_worker=1,
        protocol="tls://",
        security=security,
        host="127.0.0.1",
        scheduler_kwargs=NO_DASHBOARD,
        silence_logs=logging.CRITICAL + 1,
    )
    here.scale(workers)
    return here


@functools.cache
def loaded_code(modules: tuple[str, ...]) -> str:
    """Hash lib modules and what they import, as they are when this process first asks."""
    return code_digest(*modules)


def do_task(
    prepare: Callable,
    work: Callable,
    arguments: tuple,
    batch: str,
    code: tuple[str, ...],
    digest: str,
    task,
) -> str:
    """Do one task in a worker, which prepares once a batch and does one task at a time.

    Torch's random state belongs to the process, so tasks cannot share it.

    Args:
        batch: name of the call of `run_on_cluster`: what an earlier one prepared may have changed
            on disk.
        code: lib modules that the tasks run.
        digest: of these modules, as the caller has them.

    Returns:
        "", or the traceback of what was raised.
    """
    # The lock holds for loaded_code too: ast.parse of Python 3.11 fails with two threads in it.
    with _one_at_a_time:
        if digest != loaded_code(code):
            return (
                f"the worker on {platform.node()} has this project in another version: "
                "start the cluster's workers anew, from the same folder"
            )
        try:
            # What an earlier batch prepared is not needed any more.
            if batch not in _prepared:
                _prepared.clear()
                _prepared[batch] = prepare(*arguments)
            work(_prepared[batch], task)
        except Exception:
            return traceback.format_exc()
    return ""
