"""One Prefect task run per Task, named after its Transformation, for display in the Prefect UI.

A task run is a thread of the dispatching process that waits for the outcome; the work is done elsewhere and does
not depend on it. If Prefect stops responding, only the display is affected.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from typing import Any, cast

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Cancelled, Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner

from ..dispatch.dispatch_report import RecordedTask
from ..dispatch.executor import Executor, Handle
from ..execution import Assignment
from ..prefect_api.closing import ignoring_errors
from ..statestore.result_recording import Recorded

__all__ = ["ShowingExecutor", "task_runner", "task_runs"]

#: Maximum number of waiting task runs, one thread each, for running and queued attempts. Further ones start late
#: in the display, but their Tasks do not wait.
_MOST_WAITING = 512
_MESSAGE_CHARACTERS = 2000


@task(name="protocol-dag", task_run_name="{name}", cache_policy=NO_CACHE, persist_result=False)
def _protocol_dag(name: str, verdict: _Verdict) -> State[Any]:
    """Wait for the outcome of one attempt of a Task."""
    return verdict.wait()


class _Verdict:
    """Outcome of one attempt; not a dataclass, since Prefect would traverse it."""

    __slots__ = ("_future",)

    def __init__(self) -> None:
        self._future: Future[State[Any]] = Future()

    def wait(self) -> State[Any]:
        return self._future.result()

    def give(self, state: State[Any]) -> None:
        if not self._future.done():
            self._future.set_result(state)


def task_runner() -> TaskRunner[PrefectFuture[Any]]:
    """Create the task runner for a flow that shows Tasks."""
    runner: Any = ThreadPoolTaskRunner(max_workers=_MOST_WAITING)
    return cast("TaskRunner[PrefectFuture[Any]]", runner)


class TaskRuns:
    """The task runs of attempts in flight."""

    def __init__(self) -> None:
        self._open: dict[str, _Verdict] = {}
        self._runs: dict[str, Any] = {}

    def begin(self, attempt: str, name: str) -> None:
        """Start the task run of an attempt.

        Parameters
        ----------
        attempt : str
            Identifier of the attempt.
        name : str
            Name of the task run, readable for people.
        """
        self._open[attempt] = verdict = _Verdict()
        self._runs[attempt] = _protocol_dag.submit(name=name, verdict=verdict)
        # Prefect warns about a future that is dropped before its end, so keep it until then
        self._runs = {a: run for a, run in self._runs.items() if a in self._open or not run.state.is_final()}

    def end(self, recorded: Iterable[RecordedTask]) -> None:
        """End the task runs of Tasks whose results were recorded."""
        for each in recorded:
            verdict = self._open.pop(each.result.attempt, None)
            if verdict is not None:
                verdict.give(_state(each.result))

    def end_released(self, attempt: str) -> None:
        """End the task run of an attempt that was released."""
        verdict = self._open.pop(attempt, None)
        if verdict is not None:
            verdict.give(Cancelled(message="stopped and released; the Task is waiting again"))

    def close(self) -> None:
        """End every open task run, and wait until Prefect has recorded all."""
        for attempt in list(self._open):
            self.end_released(attempt)
        for run in self._runs.values():
            run.wait()


class ShowingExecutor:
    """An executor that also shows every assignment as task runs."""

    def __init__(self, inner: Executor, runs: TaskRuns) -> None:
        self._inner, self._runs = inner, runs
        self.durable, self.whole_jobs = inner.durable, inner.whole_jobs
        self.places, self.find = inner.places, inner.find
        self.pending, self.retire = inner.pending, inner.retire

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
    runs = TaskRuns()
    try:
        yield runs
    finally:
        with ignoring_errors("Prefect's record of the Tasks"):
            runs.close()


def _state(result: Recorded) -> State[Any]:
    if not result.ok:
        # a state, not an exception: the flow itself has not failed and continues
        return Failed(message=(result.exception or "failed without an exception")[:_MESSAGE_CHARACTERS])
    value, uncertainty = result.estimate_kcal_mol, result.uncertainty_kcal_mol
    if value is None:
        return Completed(message=f"no single-result estimate, {result.wall_time_s:.1f} s")
    spread = "" if uncertainty is None else f" ± {uncertainty:.2g}"
    return Completed(message=f"{value:.4g}{spread} kcal/mol, {result.wall_time_s:.1f} s")
