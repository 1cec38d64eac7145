"""Tasks on a Dask cluster: the same duties as lib.classifiers.workers gives to processes of its own, on as many machines as there are.

Workers read the faces and write the runs where this process does: every machine has to see the study's folder under the same path, and have
this project in the same version. Dask's messages can run code: use schedulers of a network that you trust.
"""

import contextlib
import functools
import logging
import platform
import threading
import traceback
import uuid

from lib.classifiers.workers import ATTEMPTS
from lib.study.errors import StudyError
from lib.study.fingerprints import code_digest
from lib.study.machine import KEPT_MEMORY, cores, thread_environment

LOCAL = "local"
BATCH_SYSTEMS = {"slurm": "SLURMCluster", "pbs": "PBSCluster", "lsf": "LSFCluster"}  # of dask-jobqueue
ANSWER_SECONDS = 10

_turn, _prepared = threading.Lock(), {}  # of one worker process


def on_cluster(tasks: list, prepare, work, arguments: tuple, workers: int, cluster: str, environments: tuple = ({},)):
    """Do tasks on a cluster and yield each as it ends; all but `cluster` as side_by_side takes it.

    Args:
        cluster: address of a running Dask scheduler (tcp://host:8786), "local" for processes here, or slurm, pbs or lsf, whose queue, cores
            and memory stand in dask-jobqueue's own file (~/.config/dask/jobqueue.yaml).
        workers: processes to start, 0 for one a core; a running scheduler has its own.

    Yields:
        (task, "") when it is done, (task, reason) when workers died of it several times.

    Raises:
        StudyError: Dask is not installed, no scheduler answers, or it is lost on the way.
        RuntimeError: `work` or `prepare` raised; the message holds the traceback.
    """
    with connected(cluster, workers, environments) as client:
        from distributed import KilledWorker, as_completed

        duties = prepare, work, arguments, uuid.uuid4().hex, code()
        futures = {client.submit(do_task, *duties, task, pure=False): task for task in tasks}
        ended = as_completed(list(futures), loop=client.loop)
        for future in ended:
            if future.status in ("lost", "pending"):  # its worker died before we looked: the scheduler does it again
                ended.add(future)
                continue
            task = futures.pop(future)
            if future.status == "finished":
                if trouble := future.result():
                    raise RuntimeError(trouble)
                yield task, ""
            elif future.status == "error":
                if not isinstance(future.exception(), KilledWorker):
                    raise RuntimeError(f"cluster: {cluster!r} could not do {task}: {future.exception()!r}")
                yield task, "its workers died again and again; is there enough memory?"
            else:
                raise StudyError(f"cluster: {cluster!r} was lost ({future.status}); finished runs are kept, give the same command again")


@contextlib.contextmanager
def connected(cluster: str, workers: int, environments: tuple):
    """Connect to a cluster, or start one for the time being."""
    try:
        import distributed
    except ModuleNotFoundError:
        raise StudyError(f"cluster: {cluster!r} needs Dask, which is not there: pip install distributed, or leave cluster empty") from None
    with contextlib.ExitStack() as stack:
        try:
            place = cluster if ":" in cluster else stack.enter_context(started(cluster, workers, environments))
            client = stack.enter_context(distributed.Client(place, timeout=ANSWER_SECONDS, set_as_default=False))
        except (OSError, ValueError) as error:
            found = f"cluster: {cluster!r} does not answer or cannot be started ({error})"
            raise StudyError(f"{found}; is a scheduler running there?") from None
        yield client


def started(cluster: str, workers: int, environments: tuple):
    """Start a cluster: processes of one thread each here, or jobs of a batch system.

    Raises:
        StudyError: neither an address nor a known word.
    """
    if cluster == LOCAL:
        return started_here(workers or cores(), environments)
    if cluster not in BATCH_SYSTEMS:
        known = ", ".join([LOCAL, *BATCH_SYSTEMS])
        raise StudyError(f"cluster: {cluster!r} is neither an address such as tcp://host:8786 nor one of {known}")
    import dask_jobqueue

    batch = getattr(dask_jobqueue, BATCH_SYSTEMS[cluster])()
    batch.scale(workers or cores())
    return batch


def started_here(workers: int, environments: tuple):
    """Start processes of one thread each here, which take the environments in turn."""
    import dask
    from distributed import LocalCluster

    class Here(LocalCluster):
        def new_worker_spec(self) -> dict:
            (name, spec), *_ = super().new_worker_spec().items()
            variables = thread_environment(1) | environments[len(self.worker_spec) % len(environments)]
            return {name: spec | {"options": spec["options"] | {"env": variables}}}

    dask.config.set(
        {"distributed.scheduler.allowed-failures": ATTEMPTS - 1, "distributed.nanny.pre-spawn-environ": thread_environment(1) | KEPT_MEMORY}
    )
    here = Here(n_workers=0, threads_per_worker=1, dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL + 1)
    here.scale(workers)
    return here


@functools.cache
def code() -> str:
    """Hash the code that runs go through, as it is when this process first asks."""
    return code_digest("lib.classifiers.runs")


def do_task(prepare, work, arguments: tuple, batch: str, asked: str, task) -> str:
    """Do one task in a worker, which prepares once a batch, and does one task at a time, since torch's random state is one.

    Args:
        batch: name of the call of `on_cluster`: what an earlier one prepared may have changed on disk.
        asked: the code that the caller has; a worker that lives long may have loaded another.

    Returns:
        "", or the traceback of what was raised.
    """
    with _turn:  # for code() too: ast.parse of Python 3.11 fails when two threads are in it
        if asked != code():
            return (
                f"the worker on {platform.node()} has this project in another version: start the cluster's workers anew, "
                "from the same folder"
            )
        try:
            if batch not in _prepared:
                _prepared.clear()
                _prepared[batch] = prepare(*arguments)
            work(_prepared[batch], task)
        except Exception:
            return traceback.format_exc()
    return ""
