"""Pools of workers on this machine, and the executor that hands assignments to them.

A worker imports the lake and never Prefect; it needs no API, only the scheduler in this process. It
dies with this process however that ends.
"""

from __future__ import annotations

import contextlib
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import resource_tracker
from typing import Any

import dask
import psutil

from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.execution import Assignment, execute_assignment
from alchemiscale_lake.execution.stopping import ask_to_stop
from alchemiscale_lake.store import Lake

__all__ = ["DaskExecutor", "DaskHandle", "PoolSettings", "default_workers", "open_pool"]

_CLOSE_S = 5.0
#: At most so many assignments go back to the queue together when a worker process dies.
_THREADS = 16

_DASK = {
    # of a queue, a worker gets the next assignment when it is free, so that its death costs nobody else
    "distributed.scheduler.worker-saturation": 1.0,
    # an assignment survives so many deaths of its worker; it goes on in the folder it worked in
    "distributed.scheduler.allowed-failures": 2,
    "distributed.scheduler.work-stealing": False,
    # a ProtocolDAG's memory belongs to its own process; the worker has nothing to spill or to pause for
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.admin.tick.limit": "1h",
}


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """A pool of workers on this machine.

    Parameters
    ----------
    name : str
        Name that claims and results carry.
    workers : int
        Assignments that run at a time.
    cores_per_task : int
        Cores that each of them may use.

    Raises
    ------
    SettingsError
        If a number is below 1.
    """

    name: str = "local"
    workers: int = 1
    cores_per_task: int = 1

    def __post_init__(self) -> None:
        for field in ("workers", "cores_per_task"):
            value = getattr(self, field)
            if value < 1:
                raise SettingsError(f"{field} is {value}; a pool needs at least 1", field=field, value=value)


def default_workers(cores_per_task: int = 1) -> int:
    """Return how many assignments this process's cores can run at a time."""
    return max(1, len(os.sched_getaffinity(0)) // max(1, cores_per_task))


@contextlib.contextmanager
def open_pool(settings: PoolSettings) -> Iterator[Any]:
    """Start the workers and yield a `distributed.Client`; at the end no process of theirs is left."""
    import distributed

    make_cluster: Callable[..., Any] = distributed.LocalCluster
    make_client: Callable[..., Any] = distributed.Client
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(_DASK))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="alchemiscale-lake-dask-"))
        processes = _processes(settings.workers)
        with _deaf_to_interrupts():
            cluster = make_cluster(
                n_workers=processes,
                threads_per_worker=settings.workers // processes,
                processes=True,
                memory_limit=None,
                dashboard_address=None,
                # without a dashboard there still is an HTTP server, by default on a port that another may have
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                worker_dashboard_address="127.0.0.1:0",
                local_directory=folder,
                host="127.0.0.1",
            )
        stack.callback(_close, cluster)
        client = make_client(cluster, set_as_default=False)
        stack.callback(client.close, timeout=_CLOSE_S)
        yield client


def _processes(workers: int) -> int:
    """Return how many processes the threads that wait for assignments are spread over, evenly.

    A thread is enough to wait: the work is done in processes that execution starts. What these begin
    from, with every import done, is kept once per worker process and takes seconds and hundreds of MB.
    """
    fewest = -(-workers // _THREADS)
    return next(n for n in range(fewest, workers + 1) if workers % n == 0)


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Keep Ctrl-C, which a terminal sends to all, from the processes of threads that start here.

    Signal masks are inherited: by the cluster's event loop, by the threads that start workers for it
    at any time, and by the workers. This process hears it as ever, at the latest at the end.
    """
    # the first spawn would start this helper and, as a side effect, unblock signals in its thread
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _close(cluster: Any) -> None:
    """Close a cluster and kill what is left of its workers and of the processes they started."""
    left = []
    for nanny in cluster.workers.values():
        with contextlib.suppress(psutil.NoSuchProcess, AttributeError):  # a worker that just ended has no process
            worker = psutil.Process(nanny.process.pid)
            left += [worker, *worker.children(recursive=True)]
    cluster.close(timeout=_CLOSE_S)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


class DaskHandle:
    """One assignment that was handed out."""

    __slots__ = ("_assignment", "_future", "_lake")

    def __init__(self, future: Any, assignment: Assignment, lake: Lake) -> None:
        self._future, self._assignment, self._lake = future, assignment, lake

    def done(self) -> bool:
        """Whether it ran, or its worker is lost."""
        return bool(self._future.done())

    def exception(self) -> BaseException | None:
        """Once done: why the worker was lost, or None."""
        if self._future.status != "error":
            return None
        error: BaseException | None = self._future.exception()
        return error

    def cancel(self) -> None:
        """Tell whoever runs it to stop, and the scheduler to forget it."""
        for spec in self._assignment.attempts:
            # through the lake: the worker hears of it also when Dask has forgotten it
            ask_to_stop(self._lake, spec)
        self._future.cancel()


class DaskExecutor:
    """Runs assignments as plain futures of a Dask client.

    Parameters
    ----------
    client : distributed.Client
    lake : Lake
        The lake of the assignments; a cancelled one is told to stop through it.
    """

    def __init__(self, client: Any, lake: Lake) -> None:
        self._client, self._lake = client, lake

    def submit(self, assignment: Assignment, *, name: str) -> DaskHandle:
        """Hand an assignment out."""
        # one group of keys: the scheduler then queues what no worker is free for
        key = f"assignment-{assignment.attempts[0].attempt}"
        future = self._client.submit(execute_assignment, assignment, key=key, pure=False)
        return DaskHandle(future, assignment, self._lake)
