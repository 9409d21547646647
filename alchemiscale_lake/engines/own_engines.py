"""The engines of this package, as its entry points name them. Their modules are imported when a pool is opened."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Final

from ..settings import Pool
from .registry import Engine

if TYPE_CHECKING:
    from ..dispatch.executor import Executor
    from ..store import Lake

__all__ = ["LOCAL", "QUEUE", "WORK_POOL"]


def _open_local(name: str, pool: Pool, lake: Lake) -> AbstractContextManager[Executor]:
    from .local_pool import open_local_executor

    return open_local_executor(name, pool, lake)


def _open_jobqueue(name: str, pool: Pool, lake: Lake) -> AbstractContextManager[Executor]:
    from .jobqueue_pool import open_jobqueue_executor

    return open_jobqueue_executor(name, pool, lake)


def _open_queue(name: str, pool: Pool, lake: Lake) -> AbstractContextManager[Executor]:
    from .queue_executor import open_queue_executor

    return open_queue_executor(name, pool, lake)


def _job_script(name: str, pool: Pool, command: str) -> str:
    from .job_scripts import job_script

    return job_script(name, pool, command)


def _open_work_pool(name: str, pool: Pool, lake: Lake) -> AbstractContextManager[Executor]:
    from .work_pool import open_work_pool

    return open_work_pool(name, pool, lake)


_FLOWS: Final = "alchemiscale-lake[flows]"

#: Dask on this machine.
LOCAL: Final = Engine(_open_local, requirement=_FLOWS)
#: Jobs of a batch queue: Dask workers, or one stored assignment each.
QUEUE: Final = Engine(
    _open_jobqueue, open_once=_open_queue, requirement="alchemiscale-lake[hpc]", job_script=_job_script
)
#: Flow runs of a Prefect work pool.
WORK_POOL: Final = Engine(
    _open_work_pool, open_once=_open_work_pool, durable=True, needs_prefect=True, requirement=_FLOWS
)
