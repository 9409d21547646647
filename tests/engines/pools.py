"""Campaigns in pools: a lake with a network, a dispatcher on a thread, and the invariants at the end."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed  # noqa: F401 - two threads that import it at once get in each other's way
import gufe
import polars as pl

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch.dispatch_report import DispatchReport
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.engines.registry import open_executor
from alchemiscale_lake.flow_steps.dispatch_setup import set_up_dispatch
from alchemiscale_lake.statestore.claims import Selection
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake

SCOPE = "org-campaign-project"


def stored(lake: Lake, network: gufe.AlchemicalNetwork, per_transformation: int = 1, *, scope: str = SCOPE) -> str:
    """Store a network with Tasks, actioned."""
    path = (lake.local_path or Path()) / f".{network.key}.json"
    gufe_adapter.dump_network(network, path)
    submitted = submit_network(lake, path, scope).network
    ensure_tasks(lake, submitted, per_transformation, caller=Caller("ana"))
    return submitted


class Daemon:
    """A dispatcher of a pool on a thread, as run by the command, without Prefect."""

    def __init__(self, lake: Lake, pool: str, pools_file: Path, **settings: Any) -> None:
        self._arguments = lake, pool, pools_file
        self._until = settings.pop("until", "drained")
        self.stop = threading.Event()
        self.report: DispatchReport | None = None
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name=f"dispatch {pool}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        lake, name, pools_file = self._arguments
        try:
            plan = set_up_dispatch(lake, name, Selection(), pools_file=str(pools_file))
            with open_executor(plan.name, plan.pool, lake) as executor:
                dispatcher = Dispatcher(lake, executor, plan.settings, pools=plan.pools)
                self.report = dispatcher.run(until=self._until, stop=self.stop)
        except BaseException as e:
            self.error = e

    def join(self, timeout_s: float = 600.0) -> DispatchReport:
        """Wait until it has ended; return its report."""
        self._thread.join(timeout_s)
        if self.error is not None:
            raise self.error
        assert self.report is not None, "the dispatcher is still at work"
        return self.report


@contextlib.contextmanager
def daemon(lake: Lake, pool: str, pools_file: Path, **settings: Any) -> Iterator[Daemon]:
    """Start a dispatcher; on exit it is stopped, if it has not ended."""
    started = Daemon(Lake.open(lake.url), pool, pools_file, **settings)
    try:
        yield started
    finally:
        started.stop.set()
        started.join()


def counts(lake: Lake) -> dict[str, int]:
    """Return Tasks by status."""
    return dict(lake.task_log.states().tasks["status"].value_counts().iter_rows())


def events(lake: Lake, kind: str) -> pl.DataFrame:
    """Return events of a kind, in order."""
    return lake.table("task_log").scan().filter(pl.col("event") == kind).sort("seq", "idx").collect()


def results(lake: Lake) -> pl.DataFrame:
    """Return all results."""
    return lake.table("results").scan().sort("started_at").collect()


def wait_until(what: Callable[[], bool], timeout_s: float = 300.0) -> float:
    """Wait until a condition holds; return how long that took, seconds."""
    began = time.monotonic()
    while not what():
        assert time.monotonic() - began < timeout_s, "it did not come about"
        time.sleep(0.05)
    return time.monotonic() - began


def assert_all_complete_once(lake: Lake, n_tasks: int) -> None:
    """Check that every Task is complete, by exactly one good result, and that there are no claims."""
    assert counts(lake) == {"complete": n_tasks}
    good = results(lake).filter(pl.col("ok"))
    assert good["task"].n_unique() == n_tasks
    assert len(events(lake, "completed")) == n_tasks
    assert lake.task_log.states().running() == {}
