"""Assignments as flow runs of a Prefect work pool: Kubernetes pods, processes, containers, ECS tasks.

One flow run per assignment, created when there is work: what is idle does not exist. It goes on
without this process, and is found again by the attempts it carries. A flow run that runs is never
ended to have fewer. Prefect's API may be gone for a while: then nothing is known, and nothing given up.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from alchemiscale_lake.dispatch.executor import Pending, Place
from alchemiscale_lake.errors import ExecutionError, NotFoundError, SettingsError, StorageError
from alchemiscale_lake.execution import Assignment, AttemptSpec
from alchemiscale_lake.execution.receipt import has_receipt
from alchemiscale_lake.execution.release import Release, ReleaseKind, leave_release, read_release
from alchemiscale_lake.execution.stopping import ask_to_stop
from alchemiscale_lake.execution.stored_assignment import load_assignment, store_assignment
from alchemiscale_lake.settings import Pool
from alchemiscale_lake.store import Lake, now_utc

from ._flow_runs import FlowRuns, SeenRun, open_flow_runs
from ._overdue import Listener, Overdue, Patience, overdue

__all__ = ["WorkPoolExecutor", "WorkPoolHandle", "open_work_pool"]

_log = logging.getLogger(__name__)
_LONGEST_PAUSE_S: Final = 600.0
_LONGEST_SILENCE_OF_API_S: Final = 30.0


class WorkPoolHandle:
    """One assignment that was handed out, or that an earlier dispatcher handed out."""

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
        """Of the flow run, for people."""
        return self._name

    def done(self) -> bool:
        """Whether its flow run has ended, or nobody runs it any more."""
        if not self.over:
            self._executor.look()
        return self.over

    def exception(self) -> BaseException | None:
        """Once done: why its process or pod was lost, or None."""
        return None if self.reason is None else ExecutionError(self.reason)

    def cancel(self) -> None:
        """Stop it: through the lake, which reaches the worker in any case, and through Prefect."""
        self._executor.cancel(self)


class WorkPoolExecutor:
    """Runs assignments as flow runs of a Prefect work pool.

    Parameters
    ----------
    lake : Lake
    name : str
        Of the pool.
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

    # --- what a dispatcher asks -------------------------------------------------------------------

    def places(self, workers: int) -> Sequence[Place]:
        """Return the flow runs that may be added: none while Prefect, or the work pool, is not there."""
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
        """Keep the assignment in the lake and create the flow run that runs it.

        If Prefect does not answer, it is created once it does: the assignment's id keeps it from
        being created twice.
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
        """Find the flow runs that carry these attempts and have not ended.

        While Prefect does not answer, all of them are taken to go on.
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
        """Tell how many flow runs wait to begin, and for how long."""
        waiting = [run.since for run in self._live.values() if run.state in ("SCHEDULED", "PENDING")]
        return Pending(len(waiting), (now_utc() - min(waiting)).total_seconds() if waiting else None)

    def retire(self, hostnames: Collection[str]) -> None:
        """Let new pods keep away from these nodes, where the work pool's template can say so."""
        self._retired = tuple(sorted(hostnames))

    def cancel(self, handle: WorkPoolHandle) -> None:
        """Stop what a handle stands for."""
        for spec in handle.specs:
            ask_to_stop(self._lake, spec)
        if handle.run is None:
            # if it was created nevertheless, its worker sees the wish in the lake
            self._end(handle)
            return
        try:
            self._runs.cancel(handle.run.id)
        except StorageError as e:
            self._unreachable(e)

    # --- looking ----------------------------------------------------------------------------------

    def look(self, *, now: bool = False) -> None:
        """Ask Prefect about all flow runs, at most every few seconds."""
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
        """Tell a handle what was seen of its flow run."""
        if handle.run is None:
            carrying = [run for run in seen.values() if handle.specs[0].attempt in run.attempts]
            if not carrying:
                self._end(handle)
                return
            handle.run = carrying[0]
        run = seen.get(handle.run.id)
        if run is None:
            self._end(handle)  # somebody deleted it
        else:
            handle.run = run
            if not run.live:
                self._conclude(handle, run)

    def _conclude(self, handle: WorkPoolHandle, run: SeenRun) -> None:
        """Find out what the end of a flow run means for its Tasks."""
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
        """Give Tasks back that are not to blame, and submit nothing for a while: the next would fare alike."""
        self._say(specs, "refused", reason)
        pause_s = min(self._patience.refused_s * 2**self._refusals, _LONGEST_PAUSE_S)
        self._refusals += 1
        self._paused_until = time.monotonic() + pause_s
        _log.warning("pool %s: %s; nothing is submitted for %.0f s", self._name, reason, pause_s)

    def _say(self, specs: Sequence[AttemptSpec], kind: ReleaseKind, reason: str) -> None:
        """Leave word for attempts that left none themselves."""
        for spec in specs:
            with contextlib.suppress(StorageError):
                if not has_receipt(self._lake, spec) and read_release(self._lake, spec.scope, spec.attempt) is None:
                    leave_release(self._lake, spec, Release(kind, reason, f"work pool {self._pool.work_pool}"))

    # --- those that do not move -------------------------------------------------------------------

    def _look_after(self, live: Mapping[UUID, SeenRun]) -> None:
        """Give up flow runs that wait or are silent for too long, also those of earlier dispatchers."""
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
                    self._give_back(handle, run, late)
                elif run.state in ("RUNNING", "CANCELLING") and self._listener.is_silent(run, handle.specs):
                    self._give_up(handle, run)
            except StorageError as e:
                _log.warning("pool %s: flow run %s: %s", self._name, run.id, e)

    def _give_back(self, handle: WorkPoolHandle, run: SeenRun, late: Overdue) -> None:
        for spec in handle.specs:
            ask_to_stop(self._lake, spec)  # should it start after all
        if late.kind == "unsubmitted":
            # whom Prefect would tell to cancel it is gone
            self._runs.give_up(run.id, late.reason)
        elif late.kind == "evicted":
            self._runs.drop(run.id, late.reason)
        else:
            self._runs.cancel(run.id)
        if late.kind == "evicted":
            self._say(handle.specs, "stopped", late.reason)
        else:
            self._refuse(handle.specs, late.reason)
        self._end(handle)

    def _give_up(self, handle: WorkPoolHandle, run: SeenRun) -> None:
        reason = "no sign of life from its flow run: the process, pod or node is gone"
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
        """Return what the pool says of a pod, as far as the work pool's template has a variable for it."""
        pool = self._pool
        offered: dict[str, Any] = {"gpus": pool.gpus, "excluded_nodes": list(self._retired) or None}
        if pool.cores is not None:
            offered |= {"cpu_request": str(pool.cores)}
        if pool.memory_bytes is not None:
            offered |= {"memory_request": str(pool.memory_bytes), "memory_limit": str(pool.memory_bytes)}
        if pool.walltime_s is not None:
            # pulling the image counts for the pod, and not for the Tasks
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
    lake: Lake, name: str, pool: Pool, *, patience: Patience | None = None
) -> Iterator[WorkPoolExecutor]:
    """Yield the executor of a pool of kind `work-pool`; at the end its flow runs go on.

    Raises
    ------
    SettingsError
        If Prefect has no such work pool; the message has the command that creates it.
    StorageError
        If the Prefect API does not answer.
    """
    assert pool.work_pool is not None, "settings see to it"
    with open_flow_runs(name, pool.work_pool) as runs:
        yield WorkPoolExecutor(lake, name, pool, runs, patience)
