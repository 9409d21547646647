"""A whole campaign in one process without Prefect and Dask, to be killed: `python -m tests.faults.driver`.

Submit, create and action Tasks, dispatch on two threads, gather. Run again, it continues. With `--points FILE` it
records the fault points that it passes instead.
"""

from __future__ import annotations

import argparse
import contextlib
import json
from collections.abc import Collection, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.dispatch.executor import Pending, Place
from alchemiscale_lake.estimates.gathering import gather_network
from alchemiscale_lake.execution import Assignment, execute_assignment
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.statestore.claims import Selection
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake


class ThreadHandle:
    def __init__(self, future: Future[list[str]]) -> None:
        self._future = future

    def done(self) -> bool:
        return self._future.done()

    def exception(self) -> BaseException | None:
        return self._future.exception()

    def cancel(self) -> None:
        self._future.cancel()


class ThreadExecutor:
    """Runs assignments on threads of this process."""

    durable = whole_jobs = False

    def __init__(self, slots: int) -> None:
        self._pool = ThreadPoolExecutor(max_workers=slots)
        self._whole = Resources(cores=slots)
        self._handles: list[ThreadHandle] = []

    def places(self, workers: int) -> list[Place]:
        self._handles = [handle for handle in self._handles if not handle.done()]
        free = self._whole.minus(Resources(cores=len(self._handles)))
        return [Place("here", self._whole, free, free.cores, "here")]

    def submit(self, assignment: Assignment, *, name: str, place: str) -> ThreadHandle:
        self._handles.append(ThreadHandle(self._pool.submit(execute_assignment, assignment)))
        return self._handles[-1]

    def find(self, attempts: Mapping[str, str]) -> dict[str, ThreadHandle]:
        return {}

    def pending(self) -> Pending:
        return Pending()

    def retire(self, hostnames: Collection[str]) -> None:
        """There is one host."""


def campaign(place: str, network: Path, scope: str, per_transformation: int, lease_s: float) -> None:
    """Run the whole campaign, from its current state."""
    lake = Lake.create(place, exist_ok=True)
    submitted = submit_network(lake, network, scope, caller=Caller("driver"))
    ensure_tasks(lake, submitted.network, per_transformation, caller=Caller("driver"))
    settings = DispatchSettings(
        resources=Resources(), selection=Selection(networks=(submitted.network,)), lease_s=lease_s, poll_s=0.02
    )
    Dispatcher(lake, ThreadExecutor(2), settings).run()
    gather_network(lake, submitted.network)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("lake")
    parser.add_argument("network", type=Path)
    parser.add_argument("--scope", default="org-campaign-project")
    parser.add_argument("--per-transformation", type=int, default=1)
    parser.add_argument("--lease-s", type=float, default=60.0)
    parser.add_argument("--points", type=Path)
    given = parser.parse_args()
    passed: list[str] = []
    hook = fault_hook(passed.append) if given.points else contextlib.nullcontext()
    with hook:
        campaign(given.lake, given.network, given.scope, given.per_transformation, given.lease_s)
    if given.points:
        given.points.write_text(json.dumps(passed))


if __name__ == "__main__":
    main()
