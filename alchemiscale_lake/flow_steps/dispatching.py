"""Dispatching for a pool: its engine, the dispatcher, and their display in the Prefect UI."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Cancelled

from ..dispatch.dispatch_report import DispatchReport, Progress
from ..dispatch.dispatcher import Dispatcher
from ..engines.registry import open_executor
from ..estimates.estimate_keeper import EstimateKeeper
from ..store import Lake
from .artifacts import progress_artifact
from .dispatch_setup import DispatchSetup
from .network_pages import keep_pages
from .progress_listeners import tell
from .signals import stop_event
from .task_runs import ShowingExecutor, task_runs

__all__ = ["Dispatched", "dispatch_tasks", "handed_back"]

T = TypeVar("T")
Until = Literal["drained", "stopped", "once"]


@dataclass(frozen=True, slots=True)
class Dispatched:
    """Report of a dispatcher, and whether it was asked to stop before it was done.

    Attributes
    ----------
    report : DispatchReport
        Counts of the dispatcher.
    interrupted : bool
        It was asked to stop before it was done.
    """

    report: DispatchReport
    interrupted: bool


def handed_back(report: T) -> State[T]:
    """Return the state of a flow run that was asked to stop, with its report."""
    return Cancelled(message="stopped; running Tasks were released", data=report)


def dispatch_tasks(
    lake: Lake,
    plan: DispatchSetup,
    *,
    title: str,
    until: Until = "drained",
    gather_at_end: bool = True,
    refill: Callable[[], bool] | None = None,
) -> Dispatched:
    """Claim, run, collect and record Tasks for a pool, until nothing is left or a stop is requested.

    Call it from a flow: every Task becomes a task run, and progress an artifact. Estimates are updated meanwhile;
    the final update can be left to the caller.

    Parameters
    ----------
    lake : Lake
    plan : DispatchSetup
        Pool and settings of the dispatcher.
    title : str
        Title of the progress artifact.
    until : Until, default "drained"
        When to end, as for `Dispatcher.run`.
    gather_at_end : bool, default True
        Update the estimates once more at the end.
    refill : callable, optional
        Called when nothing is left to do; returns whether it created more Tasks.
    """
    with (
        stop_event() as stop,
        EstimateKeeper(lake, at_end=gather_at_end, on_gathered=lambda done: keep_pages(lake, done)) as estimates,
        open_executor(plan.name, plan.pool, lake, once=plan.once) as engine,
        task_runs() as runs,
        progress_artifact(title) as show,
    ):

        def on_progress(progress: Progress) -> None:
            runs.end(progress.newly)
            estimates.note(ended.result.transformation for ended in progress.newly if ended.result.ok)
            show(progress)
            tell(progress)

        # assignments that outlive this flow run would be shown as released at its end
        executor = engine if engine.durable else ShowingExecutor(engine, runs)
        dispatcher = Dispatcher(lake, executor, plan.settings, pools=plan.pools, on_progress=on_progress)
        report = dispatcher.run(until="once" if plan.once else until, stop=stop, refill=refill)
        return Dispatched(report, stop.is_set())
