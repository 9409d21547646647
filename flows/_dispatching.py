"""Dispatching within a flow run: a pool, the dispatcher, and what people see of both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Cancelled

from alchemiscale_lake.execution import Resources
from alchemiscale_lake.ledger.claims import Selection
from alchemiscale_lake.ledger.dispatcher import Dispatcher, DispatchReport, Progress
from alchemiscale_lake.ledger.executor import DispatchSettings
from alchemiscale_lake.store import Lake

from ._artifacts import progress_artifact
from ._progress import tell
from ._runners import DaskExecutor, PoolSettings, open_pool
from ._signals import stop_event
from ._task_runs import ShowingExecutor, task_runs

__all__ = ["Dispatched", "dispatch_tasks", "handed_back"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Dispatched:
    """What a dispatcher did, and whether it was asked to stop before it was done."""

    report: DispatchReport
    interrupted: bool


def handed_back(report: T) -> State[T]:
    """Return the state of a flow run that was asked to stop, with what it reports nevertheless."""
    return Cancelled(message="stopped; running Tasks were handed back", data=report)


def dispatch_tasks(
    lake: Lake,
    pool: PoolSettings,
    selection: Selection,
    *,
    title: str,
    until: Literal["drained", "stopped"] = "drained",
    timeout_s: float | None = None,
    unit_retries: int = 1,
) -> Dispatched:
    """Claim, run, collect and record on a pool of this machine, until nothing is left or someone says stop.

    Call it from a flow: every Task becomes a task run of it, and its progress an artifact.
    """
    settings = DispatchSettings(
        pool=pool.name,
        slots=pool.workers,
        resources=Resources(cores=pool.cores_per_task),
        selection=selection,
        timeout_s=timeout_s,
        unit_retries=unit_retries,
    )
    with stop_event() as stop, open_pool(pool) as client, task_runs() as runs, progress_artifact(title) as show:

        def on_progress(progress: Progress) -> None:
            runs.end(progress.newly)
            show(progress)
            tell(progress)

        executor = ShowingExecutor(DaskExecutor(client, lake), runs)
        report = Dispatcher(lake, executor, settings, on_progress=on_progress).run(until=until, stop=stop)
        return Dispatched(report, stop.is_set())
