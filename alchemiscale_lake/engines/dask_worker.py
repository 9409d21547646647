"""Preload module of Dask workers in queue jobs, imported on compute nodes only.

The worker reports its host and the end of its job to the scheduler. When its job gets SIGTERM, it stops its
attempts before it closes, so that the dispatcher learns the reason for each; when its dispatcher is gone, it
stops its attempts and exits.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from distributed.core import Status

from ..execution.host import hostname, queue_job
from ..execution.job import seconds_left, stop_all

__all__ = ["dask_setup", "dask_teardown"]

#: Time limit for stopping attempts; queues commonly kill processes after 30 s.
_ENDING_S: Final = 20.0
#: The process exits after this time even if something hangs; its child processes end with it.
_LAST_S: Final = 40.0


async def dask_setup(worker: Any) -> None:
    """Report this worker's host and job to the scheduler, and listen for the job's end."""
    # a duration: the dispatcher counts it from when it first sees this worker, by its own clock
    facts = {"hostname": hostname(), "queue_job": queue_job(), "job_ends_in_s": seconds_left()}
    for name, value in facts.items():
        worker.startup_information[name] = _telling(value)
    _Ending(worker).listen()


async def dask_teardown(worker: Any) -> None:
    """Stop the attempts that run here, and guarantee that the process ends."""
    last = threading.Timer(_LAST_S, os._exit, args=(1,))
    last.daemon = True
    last.start()
    await _end_attempts(worker, "the worker ends: its dispatcher is gone or no longer needs it")


def _telling(value: Any) -> Callable[[Any], Any]:
    async def tell(worker: Any) -> Any:
        return value

    return tell


async def _end_attempts(worker: Any, reason: str) -> None:
    stop_all(reason)
    deadline = time.monotonic() + _ENDING_S
    while worker.active_threads and time.monotonic() < deadline:
        await asyncio.sleep(0.1)


class _Ending:
    """Shutdown of a worker whose job gets SIGTERM: first its attempts, then the worker.

    Dask alone would leave the scheduler at once, and die of a second signal, which queues do send.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._close = signal.getsignal(signal.SIGTERM)
        self._ending: asyncio.Task[None] | None = None

    def listen(self) -> None:
        signal.signal(signal.SIGTERM, self._hear)

    def _hear(self, signum: int, frame: Any) -> None:
        if self._ending is None:
            self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._ending is None:
            self._ending = self._loop.create_task(self._end())

    async def _end(self) -> None:
        # take no more work, and let the scheduler know
        self._worker.status = Status.paused
        await _end_attempts(self._worker, "the job received SIGTERM")
        if callable(self._close):
            self._close(signal.SIGTERM, None)
            signal.signal(signal.SIGTERM, self._hear)
        else:
            await self._worker.close(reason="SIGTERM")
