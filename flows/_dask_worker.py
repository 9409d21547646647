"""What a Dask worker in a queue job adds to Dask's own: a preload module, imported on compute nodes only.

It tells the scheduler where it is and when its job ends. When it closes - its dispatcher is gone, its
job is told to end, nobody needs it - it ends what it runs, and itself.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from typing import Any, Final

from alchemiscale_lake.execution.host import hostname, queue_job
from alchemiscale_lake.execution.job import seconds_left, stop_all

__all__ = ["dask_setup", "dask_teardown"]

#: Attempts have so long to end; queues commonly kill what does not end within 30 s.
_ENDING_S: Final = 20.0
#: After so long the process ends, whatever still hangs in it; what it started ends with it.
_LAST_S: Final = 40.0


async def dask_setup(worker: Any) -> None:
    """Have the scheduler told of this worker's host and job."""
    left_s = seconds_left()
    ends_at = None if left_s is None else time.time() + left_s
    told = {"hostname": hostname(), "queue_job": queue_job(), "job_ends_at": ends_at}
    for name, value in told.items():
        worker.startup_information[name] = _telling(value)


def _telling(value: Any) -> Any:
    async def tell(worker: Any) -> Any:
        return value

    return tell


async def dask_teardown(worker: Any) -> None:
    """End the attempts that run here, and make sure of the process's own end."""
    stop_all("the worker ends: its job does, or its dispatcher is gone")
    last = threading.Timer(_LAST_S, os._exit, args=(1,))
    last.daemon = True
    last.start()
    deadline = time.monotonic() + _ENDING_S
    while worker.active_threads and time.monotonic() < deadline:
        await asyncio.sleep(0.1)
