"""The contract for engines, of a Prefect work pool: real server, worker and flow runs.

In a file of its own since a flow run takes seconds to start.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any

import psutil
import pytest

from alchemiscale_lake.dispatch.executor import Executor, Handle
from alchemiscale_lake.execution import AttemptSpec
from alchemiscale_lake.prefect_api.local_api import Api
from alchemiscale_lake.settings import Limits, Pool
from alchemiscale_lake.store import Lake
from tests.contracts.executor_contract import ExecutorContract
from tests.engines.work_pools import Worker, make_work_pool, worker


@pytest.fixture(scope="module")
def serving(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    make_work_pool("contract")
    with worker("contract", tmp_path_factory.mktemp("worker")) as started:
        yield started


class TestWorkPool(ExecutorContract):
    durable, whole_jobs = True, True
    patience_s = 300.0

    @pytest.fixture(autouse=True)
    def _worker(self, serving: Worker) -> Iterator[None]:
        self.worker = serving
        yield
        # what is durable would go on while the next test runs
        self.kill_flow_runs()

    def open(self, lake: Lake) -> AbstractContextManager[Executor]:
        # Prefect reads the API's address on import
        from alchemiscale_lake.engines.overdue_runs import Patience
        from alchemiscale_lake.engines.work_pool import open_work_pool

        pool = Pool(kind="work-pool", work_pool="contract", limits=Limits(maximum=2))
        return open_work_pool("contract", pool, lake, patience=Patience(look_s=0.5))

    def lose(self, executor: Executor, handle: Handle, spec: AttemptSpec) -> None:
        self.kill_flow_runs()

    def kill_flow_runs(self) -> None:
        """Kill everything below the worker, and not the worker."""
        below: list[Any] = self.worker.process.children(recursive=True)
        for process in below:
            process.kill()
        psutil.wait_procs(below, timeout=30.0)
