"""Workers in jobs of a batch queue: a scheduler in this process, one Dask worker per job.

A job whose dispatcher is gone ends on its own within about a minute, a pending one soon after it starts. Traffic
is encrypted, and only jobs of this dispatcher have the keys: other users of a cluster can reach the port, and
anyone who can connect to a scheduler can run arbitrary code.
"""

from __future__ import annotations

import contextlib
import re
import secrets
from collections.abc import Collection, Iterator, Sequence
from functools import partial
from typing import Any, Final

import dask

from ..prefect_api.closing import Closing
from ..settings import Pool
from ..store import Lake
from .dask_executor import DASK_SETTINGS, DaskExecutor, threads_of
from .dask_keys import QuotedKeys, keys_in
from .job_scaling import JobPool
from .job_scripts import cluster_class, job_options, queue_name
from .queues import BackgroundListing, Listed, Queue, log_folder_of

__all__ = ["open_jobqueue_executor"]

_CLOSE_S: Final = 5.0
#: Time limit for a slow queue to finish pending submissions and cancel the remaining jobs.
_CANCEL_S: Final = 180.0


@contextlib.contextmanager
def open_jobqueue_executor(name: str, pool: Pool, lake: Lake) -> Iterator[DaskExecutor]:
    """Open the queue of a pool; at the end, no job of this dispatcher is left in it.

    Parameters
    ----------
    name : str
        Name of the pool.
    pool : Pool
        Settings of the pool.
    lake : Lake

    Raises
    ------
    MissingDependencyError
        If dask-jobqueue is not installed.
    SettingsError
        If the pool has settings that its queue does not support.
    """
    queue = Queue(pool, log_folder_of(name, pool, lake))
    with contextlib.ExitStack() as stack:
        stack.enter_context(dask.config.set(dict(DASK_SETTINGS)))
        keys = stack.enter_context(keys_in(queue.log_folder))
        closing = stack.enter_context(Closing(f"Dask's scheduler of pool {name}"))
        cluster, client = _open_scheduler(queue, keys, closing)
        jobs = _Jobs(queue, cluster, client)
        closing.callback(jobs.close)
        scaling = JobPool(pool, jobs, f"lake-{re.sub('[^A-Za-z0-9_-]', '-', name)}-{secrets.token_hex(3)}")
        closing.callback(scaling.close, within_s=_CANCEL_S)
        yield DaskExecutor(client, lake, pool.capacity, scaling=scaling)


def _open_scheduler(queue: Queue, keys: Any, closing: Closing) -> tuple[Any, Any]:
    import distributed

    pool = queue.pool
    cluster = cluster_class(pool.kind)(
        n_workers=0,
        security=keys,
        scheduler_options={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        worker_command="alchemiscale_lake.engines.dask_job",
        worker_extra_args=[
            # these override dask-jobqueue's options, which divide memory and cores among threads
            *("--nthreads", str(threads_of(pool.capacity))),
            *("--memory-limit", "0"),
            *("--preload", "alchemiscale_lake.engines.dask_worker"),
            "--no-dashboard",
            "--no-nanny",
        ],
        **job_options(queue.request()),
    )
    closing.callback(partial(cluster.close, timeout=_CLOSE_S), within_s=3 * _CLOSE_S)
    client = distributed.Client(cluster, set_as_default=False)  # type: ignore[no-untyped-call]
    closing.callback(partial(client.close, timeout=_CLOSE_S), within_s=3 * _CLOSE_S)
    return cluster, client


class _Jobs:
    """The worker jobs of one scheduler in its queue."""

    def __init__(self, queue: Queue, cluster: Any, client: Any) -> None:
        self._queue, self._cluster, self._client = queue, cluster, client
        self._watch = BackgroundListing(queue)

    def submit(self, name: str, barred: Collection[str]) -> str:
        spec = self._cluster.new_spec
        keys = QuotedKeys(spec["options"]["security"])
        options = {**spec["options"], "security": keys, "job_name": queue_name(self._queue.pool.kind, name)}
        directives = job_options(self._queue.request(barred))["job_extra_directives"]
        job = spec["cls"](self._cluster.scheduler.address, name=name, **{**options, "job_extra_directives": directives})
        return self._queue.submit_job(job)

    def cancel(self, job_ids: Sequence[str]) -> None:
        self._queue.cancel(job_ids)

    def look(self) -> Listed | None:
        return self._watch.look()

    def dismiss(self, address: str) -> None:
        self._client.loop.add_callback(self._cluster.scheduler.close_worker, address)

    def close(self) -> None:
        self._watch.close()
