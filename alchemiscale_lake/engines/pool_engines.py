"""From a pool's settings to its executor.

Engines that need Prefect are elsewhere (`work_pool`): nothing here imports it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ..dispatch.executor import Executor
from ..settings import Pool
from ..store import Lake
from .local_pool import default_workers, local_pool, open_local_executor

__all__ = ["default_workers", "local_pool", "open_executor"]


@contextlib.contextmanager
def open_executor(name: str, pool: Pool, lake: Lake, *, once: bool = False) -> Iterator[Executor]:
    """Yield the executor of a pool: of this machine, or of a batch queue.

    Parameters
    ----------
    name : str
        Name of the pool.
    pool : Pool
    lake : Lake
        Lake of its assignments.
    once : bool
        For a queue: every job runs one stored assignment, and continues when this process ends.

    Raises
    ------
    MissingDependencyError
        If dask-jobqueue is needed and not installed.
    SettingsError
        If the pool's settings are not valid.
    """
    if pool.kind == "local":
        with open_local_executor(pool, lake) as local:
            yield local
    elif once:
        from .queue_executor import open_queue_executor

        with open_queue_executor(name, pool, lake) as single_shot:
            yield single_shot
    else:
        from .jobqueue_pool import open_jobqueue_executor

        with open_jobqueue_executor(name, pool, lake) as jobs:
            yield jobs
