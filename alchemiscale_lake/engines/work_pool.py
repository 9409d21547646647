"""Assignments as flow runs of a Prefect work pool: Kubernetes pods, processes, containers, ECS tasks.

One flow run per assignment, created when there is work, so there are no idle ones. It continues without this
process, and is found again by its attempts. Running flow runs are never stopped to scale down. While Prefect's API
does not respond, nothing is given up.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from ..dispatch.executor import Pending, Place
from ..errors import ExecutionError, NotFoundError, SettingsError, StorageError
from ..execution import Assignment, AttemptSpec
from ..execution.receipt import has_receipt
from ..execution.release import Release, ReleaseKind, leave_release, read_release
from ..execution.stop_requests import ask_to_stop
from ..execution.stored_assignment import load_assignment, store_assignment
from ..settings import Pool
from ..store import Lake, now_utc
from .flow_runs import FlowRuns, SeenRun, open_flow_runs
from .overdue_runs import Listener, Overdue, Patience, overdue

__all__ = ["WorkPoolExecutor", "WorkPoolHandle", "open_work_pool"]

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_S: Final = 600.0
_LONGEST_SILENCE_OF_API_S: Final = 30.0


class WorkPoolHandle:
    """An assignment dispatched by this or an earlier dispatcher."""

    __slots__ = ("_executor", "_name", "assignment", "over", "reason", "run", "specs")

    def __init__(
        self,
        executor: WorkPoolExecutor,
        specs: tuple[AttemptSpec, ...],
        *,
        assignment: str | None = None,
        name: str = "",
        run: SeenRun | None = None,
    ) -> None:
        self._executor, self.specs, self.assignment, self._name, self.run = executor, specs, assignment, name, run
        self.over = False
        self.reason: str | None = None

    @property
    def name(self) -> str:
        """Display name of the flow run."""
        return self._name

    def done(self) -> bool:
        """Return whether its flow run has ended or was given up."""
        if not self.over:
            self._executor.look()
        return self.over

    def exception(self) -> BaseException | None:
        """Return why its process or pod was lost, once done; None if it was not."""
        return None if self.reason is None else ExecutionError(self.reason)

    def cancel(self) -> None:
        """Stop it, through the lake, which always reaches the worker, and through Prefect."""
        self._executor.cancel(self)


class WorkPoolExecutor:
    """Runs assignments as flow runs of a Prefect work pool.

    Parameters
    ----------
    lake : Lake
    name : str
        Name of the pool.
    pool : Pool
    runs : FlowRuns
    patience : Patience
    """

    durable = True
    whole_jobs = True

    def __init__(self, lake: Lake, name: str, pool: Pool, runs: FlowRuns, patience: Patience | None = None) -> None:
        self._lake, self._name, self._pool, self._runs = lake, name, pool, runs
        self._patience = patience or Patience()
        self._listener = Listener(lake, self._patience)
        self._strangers: dict[UUID, WorkPoolHandle] = {}
        self._handles: dict[int, WorkPoolHandle] = {}
        self._live: dict[UUID, SeenRun] = {}
        self._retired: tuple[str, ...] = ()
        self._obstacle: str | None = None
        self._next_look = 0.0
        self._silences = self._refusals = self._made = 0
        self._paused_until = 0.0

    # --- executor interface -----------------------------------------------------------------------

    def places(self, workers: int) -> Sequence[Place]:
        """Return one place per flow run that may be added: none while Prefect or the work pool is unavailable."""
        self.look()
        if self._silences or self._obstacle or time.monotonic() < self._paused_until:
            return []
        pool, limits = self._pool, self._pool.limits
        uncreated = sum(handle.run is None and handle.assignment is not None for handle in self._handles.values())
        free = min(workers, limits.maximum) - len(self._live) - uncreated
        capacity = pool.capacity
        return [
            Place(f"new-{self._made + i}", capacity, capacity, pool.tasks_per_job, None, pool.walltime_s)
            for i in range(min(free, limits.submit_at_once))
        ]

    def submit(self, assignment: Assignment, *, name: str, place: str) -> WorkPoolHandle:
        """Store the assignment in the lake and create the flow run that runs it.

        If Prefect does not respond, the flow run is created later: the assignment's id prevents duplicates.

        Parameters
        ----------
        assignment : Assignment
            Attempts that one worker runs together, and their settings.
        name : str
            Readable name of the flow run.
        place : str
            As named by `Place`; here it is a flow run to come.
        """
        self._made += 1
        stored = store_assignment(self._lake, assignment)
        handle = WorkPoolHandle(self, assignment.attempts, assignment=stored, name=name)
        self._handles[id(handle)] = handle
        try:
            self._create(handle)
        except StorageError as e:
            self._unreachable(e)
        return handle

    def find(self, attempts: Mapping[str, str]) -> Mapping[str, WorkPoolHandle]:
        """Find the flow runs of these attempts that have not ended.

        While Prefect does not respond, all of them are assumed to continue.
        """
        self.look(now=True)
        if self._silences:
            handles = {a: WorkPoolHandle(self, (_bare_spec(a, scope),)) for a, scope in attempts.items()}
        else:
            handles = {}
            for run in self._live.values():
                of_run = [attempt for attempt in run.attempts if attempt in attempts]
                if of_run:
                    handle = WorkPoolHandle(self, self._specs(run, attempts), assignment=run.assignment, run=run)
                    handles |= dict.fromkeys(of_run, handle)
        self._handles |= {id(handle): handle for handle in handles.values()}
        return handles

    def pending(self) -> Pending:
        """Return how many flow runs wait to start, and for how long."""
        waiting = [run.since for run in self._live.values() if run.state in ("SCHEDULED", "PENDING")]
        return Pending(len(waiting), (now_utc() - min(waiting)).total_seconds() if waiting else None)

    def retire(self, hostnames: Collection[str]) -> None:
        """Exclude these nodes for new pods, if the work pool's template supports it."""
        self._retired = tuple(sorted(hostnames))

    def cancel(self, handle: WorkPoolHandle) -> None:
        """Stop the assignment of a handle."""
        for spec in handle.specs:
            ask_to_stop(self._lake, spec)
        if handle.run is None:
            # if it was created after all, its worker sees the stop request in the lake
            self._end(handle)
            return
        try:
            self._runs.cancel(handle.run.id)
        except StorageError as e:
            self._unreachable(e)

    # --- polling ----------------------------------------------------------------------------------

    def look(self, *, now: bool = False) -> None:
        """Read all flow runs from Prefect, at most every few seconds."""
        if not now and time.monotonic() < self._next_look:
            return
        self._next_look = time.monotonic() + self._patience.look_s
        try:
            for handle in [h for h in self._handles.values() if h.run is None and h.assignment is not None]:
                self._create(handle)
            live = {run.id: run for run in self._runs.live() if run.lake == self._lake.url}
            known = {handle.run.id for handle in self._handles.values() if handle.run is not None}
            ended = {run.id: run for run in self._runs.read(known - live.keys())}
            obstacle = self._runs.obstacle()
        except StorageError as e:
            self._unreachable(e)
            return
        if obstacle is not None and obstacle != self._obstacle:
            _log.warning("pool %s: %s", self._name, obstacle)
        self._silences, self._live, self._obstacle = 0, live, obstacle
        for handle in list(self._handles.values()):
            self._update(handle, {**ended, **live})
        self._look_after(live)

    def _unreachable(self, error: StorageError) -> None:
        if not self._silences:
            _log.warning("pool %s: %s", self._name, error)
        self._silences += 1
        pause_s = min(self._patience.look_s * 2**self._silences, _LONGEST_SILENCE_OF_API_S)
        self._next_look = time.monotonic() + pause_s

    def _update(self, handle: WorkPoolHandle, seen: Mapping[UUID, SeenRun]) -> None:
        """Update a handle with the state of its flow run."""
        if handle.run is None:
            carrying = [run for run in seen.values() if handle.specs[0].attempt in run.attempts]
            if not carrying:
                self._end(handle)
                return
            handle.run = carrying[0]
        run = seen.get(handle.run.id)
        if run is None:
            self._end(handle)  # it was deleted
        else:
            handle.run = run
            if not run.live:
                self._conclude(handle, run)

    def _conclude(self, handle: WorkPoolHandle, run: SeenRun) -> None:
        """Release or fail the Tasks of an ended flow run, depending on its state."""
        if run.state == "COMPLETED":
            self._refusals = 0
        elif run.state == "CANCELLED":
            self._say(handle.specs, "stopped", run.message or "its flow run was cancelled")
        elif run.state == "FAILED" or run.n_starts == 0:
            self._refuse(handle.specs, f"its flow run did not start: {run.message}")
        else:
            handle.reason = f"its flow run {run.state_name.lower()}: {run.message}"
        self._end(handle)

    def _end(self, handle: WorkPoolHandle) -> None:
        handle.over = True
        self._handles.pop(id(handle), None)

    def _refuse(self, specs: Sequence[AttemptSpec], reason: str) -> None:
        """Release Tasks without blaming them, and pause submissions: the next flow run would fail too."""
        self._say(specs, "refused", reason)
        pause_s = min(self._patience.refused_s * 2**self._refusals, _LONGEST_PAUSE_S)
        self._refusals += 1
        self._paused_until = time.monotonic() + pause_s
        _log.warning("pool %s: %s; submissions are paused for %.0f s", self._name, reason, pause_s)

    def _say(self, specs: Sequence[AttemptSpec], kind: ReleaseKind, reason: str) -> None:
        """Write a release for attempts that left neither a receipt nor a release."""
        for spec in specs:
            with contextlib.suppress(StorageError):
                if not has_receipt(self._lake, spec) and read_release(self._lake, spec.scope, spec.attempt) is None:
                    leave_release(self._lake, spec, Release(kind, reason, f"work pool {self._pool.work_pool}"))

    # --- stuck flow runs --------------------------------------------------------------------------

    def _look_after(self, live: Mapping[UUID, SeenRun]) -> None:
        """Give up flow runs that wait or send no heartbeat for too long, including those of earlier dispatchers."""
        handles = {handle.run.id: handle for handle in self._handles.values() if handle.run is not None}
        self._strangers = {
            run.id: self._strangers.get(run.id) or WorkPoolHandle(self, (), assignment=run.assignment, run=run)
            for run in live.values()
            if run.id not in handles
        }
        self._listener.forget_all_but(live.keys())
        for run in live.values():
            handle = handles.get(run.id) or self._strangers[run.id]
            try:
                handle.specs = handle.specs or self._specs(run, {})
                late = overdue(run, now_utc(), self._patience)
                if late is not None:
                    self._release(handle, run, late)
                elif run.state in ("RUNNING", "CANCELLING") and self._listener.is_silent(run, handle.specs):
                    self._give_up(handle, run)
            except StorageError as e:
                _log.warning("pool %s: flow run %s: %s", self._name, run.id, e)

    def _release(self, handle: WorkPoolHandle, run: SeenRun, late: Overdue) -> None:
        for spec in handle.specs:
            ask_to_stop(self._lake, spec)  # in case it starts after all
        if late.kind == "unsubmitted":
            # the worker that would cancel it for Prefect is gone
            self._runs.give_up(run.id, late.reason)
        elif late.kind in ("evicted", "cancelled"):
            self._runs.drop(run.id, late.reason)
        else:
            self._runs.cancel(run.id)
        if late.kind in ("evicted", "cancelled"):
            self._say(handle.specs, "stopped", late.reason)
        else:
            self._refuse(handle.specs, late.reason)
        self._end(handle)

    def _give_up(self, handle: WorkPoolHandle, run: SeenRun) -> None:
        reason = "no heartbeat from its flow run: the process, pod or node is gone"
        for spec in handle.specs:
            ask_to_stop(self._lake, spec)
        self._runs.give_up(run.id, reason)
        handle.reason = reason
        self._end(handle)

    # --- flow runs --------------------------------------------------------------------------------

    def _create(self, handle: WorkPoolHandle) -> None:
        assert handle.assignment is not None
        try:
            handle.run = self._runs.create(
                handle.assignment,
                [spec.attempt for spec in handle.specs],
                name=handle.name,
                parameters={"lake": self._lake.url, "walltime_s": self._pool.walltime_s},
                job_variables=self._job_variables(),
            )
        except SettingsError as e:
            self._refuse(handle.specs, str(e))
            self._end(handle)
            return
        self._live[handle.run.id] = handle.run

    def _job_variables(self) -> dict[str, Any]:
        """Return the pool's settings of a pod for which the work pool's template has a variable."""
        pool = self._pool
        offered: dict[str, Any] = {"gpus": pool.gpus, "excluded_nodes": list(self._retired) or None}
        if pool.cores is not None:
            offered |= {"cpu_request": str(pool.cores)}
        if pool.memory_bytes is not None:
            offered |= {"memory_request": str(pool.memory_bytes), "memory_limit": str(pool.memory_bytes)}
        if pool.walltime_s is not None:
            # pulling the image counts towards the pod's deadline, but not the Tasks'
            offered |= {"active_deadline_seconds": int(pool.walltime_s + pool.retire_before_s)}
        return {k: v for k, v in offered.items() if v is not None and k in self._runs.job_variables}

    def _specs(self, run: SeenRun, scopes: Mapping[str, str]) -> tuple[AttemptSpec, ...]:
        try:
            return load_assignment(self._lake, run.assignment).attempts
        except NotFoundError:
            return tuple(_bare_spec(attempt, scopes[attempt]) for attempt in run.attempts if attempt in scopes)


def _bare_spec(attempt: str, scope: str) -> AttemptSpec:
    return AttemptSpec(attempt, task="", transformation="", scope=scope)


@contextlib.contextmanager
def open_work_pool(
    name: str, pool: Pool, lake: Lake, *, patience: Patience | None = None
) -> Iterator[WorkPoolExecutor]:
    """Yield the executor of a pool of kind `work-pool`; its flow runs continue after the end.

    Parameters
    ----------
    name : str
        Name of the pool.
    pool : Pool
        Settings of the pool.
    lake : Lake
    patience : Patience, optional
        Polling interval and time limits; by default, those of `Patience`.

    Raises
    ------
    SettingsError
        If Prefect has no such work pool; the message has the command that creates it.
    StorageError
        If the Prefect API does not answer.
    """
    assert pool.work_pool is not None, "ensured by settings"
    with open_flow_runs(name, pool.work_pool) as runs:
        yield WorkPoolExecutor(lake, name, pool, runs, patience)
