"""One Prefect task run per Task, named after its Transformation, for display in the Prefect UI.

A task run is two messages to the Prefect server, that it is running and how it ended: no function runs, and no thread
waits for it. The work is done elsewhere and does not depend on it. If Prefect stops responding, only the display is
affected.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID, uuid4

from prefect.client.schemas.objects import State, TaskRun
from prefect.context import FlowRunContext
from prefect.events import Event
from prefect.states import Cancelled, Completed, Failed, Running
from prefect.utilities.engine import emit_task_run_state_change_event

from ..dispatch.dispatch_report import RecordedTask
from ..dispatch.executor import Executor, Handle, Place
from ..execution import Assignment
from ..prefect_api.closing import ignoring_errors
from ..statestore.result_recording import Recorded

__all__ = ["ShowingExecutor", "TaskRuns", "task_runs"]

#: Task runs that end sooner are shown at their end only. Short Tasks wait longer than that behind others, which would
#: be shown as running: a second message for each, which costs as much CPU time as a short Task.
_SHOWN_AFTER_S: Final = 15.0
_MESSAGE_CHARACTERS: Final = 2000
_TASK: Final = "protocol-dag"


@dataclass(slots=True)
class _Run:
    task_run: TaskRun
    running: State[Any]
    began_s: float
    shown: Event | None = None


class TaskRuns:
    """The task runs of attempts in flight.

    Parameters
    ----------
    flow_run : UUID or None
        Flow run to which they belong.
    clock : callable
        Monotonic time, s.
    """

    def __init__(self, flow_run: UUID | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._flow_run, self._clock = flow_run, clock
        self._open: dict[str, _Run] = {}

    def begin(self, attempt: str, name: str) -> None:
        """Start the task run of an attempt.

        Parameters
        ----------
        attempt : str
            Identifier of the attempt.
        name : str
            Name of the task run, readable for people.
        """
        task_run = TaskRun(id=uuid4(), name=name, flow_run_id=self._flow_run, task_key=_TASK, dynamic_key=attempt)
        self._open[attempt] = _Run(task_run, Running(), self._clock())

    def show(self) -> None:
        """Report the task runs that began a while ago."""
        until_s = self._clock() - _SHOWN_AFTER_S
        for run in self._open.values():
            if run.began_s > until_s:
                return  # so did all later ones
            if run.shown is None:
                run.shown = _report(run, run.running)

    def end(self, recorded: Iterable[RecordedTask]) -> None:
        """End the task runs of Tasks whose results were recorded."""
        for each in recorded:
            self._end(each.result.attempt, _state(each.result))

    def end_released(self, attempt: str) -> None:
        """End the task run of an attempt that was released."""
        self._end(attempt, Cancelled(message="stopped and released; the Task is waiting again"))

    def close(self) -> None:
        """End every open task run."""
        for attempt in list(self._open):
            self.end_released(attempt)

    def _end(self, attempt: str, state: State[Any]) -> None:
        run = self._open.pop(attempt, None)
        if run is not None:
            _report(run, state)


class ShowingExecutor:
    """An executor that also shows every assignment as task runs."""

    def __init__(self, inner: Executor, runs: TaskRuns) -> None:
        self._inner, self._runs = inner, runs
        self.durable, self.whole_jobs = inner.durable, inner.whole_jobs
        self.find, self.pending, self.retire = inner.find, inner.pending, inner.retire

    def places(self, workers: int) -> Sequence[Place]:
        """Return where attempts can start now. Asked in every turn, so it also updates what is shown."""
        self._runs.show()
        return self._inner.places(workers)

    def submit(self, assignment: Assignment, *, name: str, place: str) -> Handle:
        """Submit an assignment and show it.

        Parameters
        ----------
        assignment : Assignment
            Attempts that one worker runs together, and their settings.
        name : str
            Readable name, also of the task runs.
        place : str
            As for the executor that it shows.
        """
        handle = self._inner.submit(assignment, name=name, place=place)
        for spec in assignment.attempts:
            self._runs.begin(spec.attempt, name)
        return _ShownHandle(handle, assignment, self._runs)


class _ShownHandle:
    __slots__ = ("_assignment", "_inner", "_runs")

    def __init__(self, inner: Handle, assignment: Assignment, runs: TaskRuns) -> None:
        self._inner, self._assignment, self._runs = inner, assignment, runs

    def done(self) -> bool:
        return self._inner.done()

    def exception(self) -> BaseException | None:
        return self._inner.exception()

    def cancel(self) -> None:
        self._inner.cancel()
        for spec in self._assignment.attempts:
            self._runs.end_released(spec.attempt)


@contextlib.contextmanager
def task_runs() -> Iterator[TaskRuns]:
    """Yield the task runs of the flow that is running; all are ended at the end."""
    context = FlowRunContext.get()
    runs = TaskRuns(None if context is None or context.flow_run is None else context.flow_run.id)
    try:
        yield runs
    finally:
        with ignoring_errors("Prefect's record of the Tasks"):
            runs.close()


def _report(run: _Run, state: State[Any]) -> Event | None:
    """Send a state of a task run to the server, which creates the task run when it hears of it first."""
    task_run, before = run.task_run, run.task_run.state
    # typed as datetime, in Prefect's own type of times
    started_at: Any = run.running.timestamp
    ended_at: Any = state.timestamp
    task_run.state, task_run.run_count, task_run.start_time = state, 1, started_at
    state.state_details.task_run_id, state.state_details.flow_run_id = task_run.id, task_run.flow_run_id
    if state.is_final():
        task_run.end_time, task_run.total_run_time = ended_at, ended_at - started_at
    return emit_task_run_state_change_event(task_run, before, state, follows=run.shown)


def _state(result: Recorded) -> State[Any]:
    if not result.ok:
        # a state, not an exception: the flow itself has not failed and continues
        return Failed(message=(result.exception or "failed without an exception")[:_MESSAGE_CHARACTERS])
    value, uncertainty = result.estimate_kcal_mol, result.uncertainty_kcal_mol
    if value is None:
        return Completed(message=f"no single-result estimate, {result.wall_time_s:.1f} s")
    spread = "" if uncertainty is None else f" ± {uncertainty:.2g}"
    return Completed(message=f"{value:.4g}{spread} kcal/mol, {result.wall_time_s:.1f} s")
