"""What a Dask worker in a queue job adds to Dask's own: a preload module, imported on compute nodes only.

It tells the scheduler where it is and when its job ends. When its job is told to end, it ends what it
runs before it closes, so that the dispatcher hears of each attempt why; when its dispatcher is gone,
it ends what it runs, and itself.
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

from alchemiscale_lake.execution.host import hostname, queue_job
from alchemiscale_lake.execution.job import seconds_left, stop_all

__all__ = ["dask_setup", "dask_teardown"]

#: Attempts have so long to end; queues commonly kill what does not end within 30 s.
_ENDING_S: Final = 20.0
#: After so long the process ends, whatever still hangs in it; what it started ends with it.
_LAST_S: Final = 40.0


async def dask_setup(worker: Any) -> None:
    """Have the scheduler told of this worker's host and job, and hear of the job's end."""
    # a duration: the dispatcher counts it from when it first sees this worker, by its own clock
    told = {"hostname": hostname(), "queue_job": queue_job(), "job_ends_in_s": seconds_left()}
    for name, value in told.items():
        worker.startup_information[name] = _telling(value)
    _Ending(worker).listen()


async def dask_teardown(worker: Any) -> None:
    """End the attempts that run here, and make sure of the process's own end."""
    last = threading.Timer(_LAST_S, os._exit, args=(1,))
    last.daemon = True
    last.start()
    await _end_attempts(worker, "the worker ends: its dispatcher is gone, or needs it no more")


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
    """What a worker does when its job is told to end: first its attempts, then itself.

    Dask would leave the scheduler at once, and die of a second signal; queues send theirs more than once.
    """

    def __init__(self, worker: Any) -> None:
        self._worker = worker
        self._loop = asyncio.get_running_loop()
        self._close = signal.getsignal(signal.SIGTERM)
        self._begun: asyncio.Task[None] | None = None

    def listen(self) -> None:
        signal.signal(signal.SIGTERM, self._hear)

    def _hear(self, signum: int, frame: Any) -> None:
        if self._begun is None:
            self._loop.call_soon_threadsafe(self._begin)

    def _begin(self) -> None:
        if self._begun is None:
            self._begun = self._loop.create_task(self._end())

    async def _end(self) -> None:
        # takes nothing more, and the scheduler knows
        self._worker.status = Status.paused
        await _end_attempts(self._worker, "the job was told to end (SIGTERM)")
        if callable(self._close):
            self._close(signal.SIGTERM, None)
            signal.signal(signal.SIGTERM, self._hear)
        else:
            await self._worker.close(reason="SIGTERM")
