"""The worker on this machine: a Dask cluster of one process that ends with this process, however it ends.

One worker is enough, since its threads only wait: the work runs in processes started by `execution`. Their fork
server, with all imports done, takes seconds and hundreds of MB per worker process, and a Task may use all
resources of the pool. The worker imports the lake but not Prefect; it needs no API, only the scheduler in this
process.

Scheduler and worker authenticate each other by keys that exist only in memory: other users of this machine can
reach the ports, and anyone who can connect to a scheduler can run arbitrary code as its owner.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from multiprocessing import resource_tracker
from typing import Any

import dask
import psutil

from ..errors import SettingsError
from ..execution.gpus import visible_devices
from ..prefect_api.closing import Closing
from ..resources import Resources
from ..secrecy import forbid_reading, only_secrets
from ..settings import Limits, Pool
from ..store import Lake
from .dask_executor import DASK_SETTINGS, DaskExecutor, threads_of
from .dask_keys import in_memory_keys
from .hidden_spawns import hidden_spawns

__all__ = ["default_workers", "local_pool", "open_local_executor"]

_CLOSE_S = 5.0
_LOOPBACK = "127.0.0.1"


def default_workers(cores_per_task: int = 1) -> int:
    """Return how many Tasks this process's cores can run at the same time."""
    return max(1, _cores_here() // max(1, cores_per_task))


def local_pool(workers: int | None = None, cores_per_task: int = 1) -> Pool:
    """Return settings for this machine as a pool, without a pools file.

    Parameters
    ----------
    workers : int, optional
        Number of Tasks run at a time; by default as many as the cores allow.
    cores_per_task : int
        Cores per Task.

    Raises
    ------
    SettingsError
        If a number is below 1.
    """
    workers = default_workers(cores_per_task) if workers is None else workers
    for field, value in (("workers", workers), ("cores_per_task", cores_per_task)):
        if value < 1:
            raise SettingsError(f"{field} is {value}; a pool needs at least 1", field=field, value=value)
    gpus = len(visible_devices() or ())
    return Pool(kind="local", cores=workers * cores_per_task, gpus=gpus, limits=Limits(maximum=workers))


@contextlib.contextmanager
def open_local_executor(name: str, pool: Pool, lake: Lake) -> Iterator[DaskExecutor]:
    """Start the worker of a local pool; at the end, none of its processes is left.

    Parameters
    ----------
    name : str
        Name of the pool; unused, since nothing of it is visible elsewhere.
    pool : Pool
    lake : Lake
        Lake of its assignments.
    """
    whole = Resources(pool.cores or _cores_here(), pool.memory_bytes, float(pool.gpus))
    with _open_client(threads_of(whole)) as client:
        yield DaskExecutor(client, lake, whole)


@contextlib.contextmanager
def _open_client(threads: int) -> Iterator[Any]:
    import distributed

    make_cluster: Callable[..., Any] = distributed.SpecCluster
    make_client: Callable[..., Any] = distributed.Client
    with contextlib.ExitStack() as stack:
        forbid_reading()
        stack.enter_context(hidden_spawns())
        stack.enter_context(dask.config.set(dict(DASK_SETTINGS)))
        # a hanging worker may still write there during clean-up; ignore it
        temporary = tempfile.TemporaryDirectory(prefix="alchemiscale-lake-dask-", ignore_cleanup_errors=True)
        folder = stack.enter_context(temporary)
        security = in_memory_keys()
        # no dashboard; the remaining HTTP server has no routes, and gets a free port
        common = {"host": _LOOPBACK, "protocol": "tls://", "security": security, "dashboard": False}
        common |= {"dashboard_address": f"{_LOOPBACK}:0"}
        worker: dict[str, Any] = {
            "nthreads": threads,
            "memory_limit": None,
            "local_directory": folder,
            "silence_logs": logging.WARNING,
        }
        # sent through a pipe, after the worker has forbidden reading its memory
        worker["env"] = _credentials()
        left = stack.enter_context(_killed())
        closing = stack.enter_context(Closing("Dask's cluster on this machine"))
        with _deaf_to_interrupts():
            cluster = make_cluster(
                scheduler={"cls": distributed.Scheduler, "options": {**common, "port": 0}},
                workers={0: {"cls": distributed.Nanny, "options": {**common, **worker}}},
                security=security,
                silence_logs=logging.WARNING,
            )
        closing.callback(partial(_close, cluster), within_s=3 * _CLOSE_S)
        closing.callback(lambda: left.extend(_processes(cluster)))
        client = make_client(cluster, set_as_default=False)
        closing.callback(partial(_close, client), within_s=3 * _CLOSE_S)
        yield client


@contextlib.contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Block Ctrl-C, which a terminal sends to the whole process group, in threads and processes started here.

    Signal masks are inherited by the cluster's event loop, by the threads that later start workers, and by
    the workers. This process handles it as usual, at the latest at the end of the block.
    """
    # the first spawn would start this helper and, as a side effect, unblock signals in its thread
    resource_tracker.ensure_running()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _processes(cluster: Any) -> list[psutil.Process]:
    """Return the workers of a cluster, and the processes that they started."""
    found = []
    for nanny in list(cluster.workers.values()):
        with contextlib.suppress(psutil.NoSuchProcess, AttributeError):  # a worker that has just ended
            worker = psutil.Process(nanny.process.pid)
            found += [worker, *worker.children(recursive=True)]
    return found


@contextlib.contextmanager
def _killed() -> Iterator[list[psutil.Process]]:
    """Yield a list; processes in it that are still running at the end are killed."""
    left: list[psutil.Process] = []
    try:
        yield left
    finally:
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()


def _close(cluster_or_client: Any) -> None:
    with contextlib.suppress(TimeoutError):  # on a busy machine; remaining processes are killed
        cluster_or_client.close(timeout=_CLOSE_S)


def _credentials() -> dict[str, str]:
    """Return the secrets that a worker needs: all except Prefect's."""
    return {name: value for name, value in only_secrets(os.environ).items() if not name.startswith("PREFECT_")}


def _cores_here() -> int:
    return len(os.sched_getaffinity(0))
