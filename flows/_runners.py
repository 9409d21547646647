"""From a pool's settings to the executor that serves it: what flows that dispatch begin with.

Engines that need Prefect are elsewhere (`_work_pool`): nothing here imports it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from alchemiscale_lake.ledger.executor import Executor
from alchemiscale_lake.settings import Pool
from alchemiscale_lake.store import Lake

from ._local_pool import default_workers, local_pool, open_local_executor

__all__ = ["default_workers", "local_pool", "open_executor"]


@contextlib.contextmanager
def open_executor(name: str, pool: Pool, lake: Lake) -> Iterator[Executor]:
    """Yield the executor of a pool.

    Parameters
    ----------
    name : str
        Name of the pool.
    pool : Pool
    lake : Lake
        Where its assignments are from.
    """
    with open_local_executor(pool, lake) as executor:
        yield executor
