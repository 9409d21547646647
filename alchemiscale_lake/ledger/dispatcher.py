"""The dispatcher: claims Tasks for one pool, hands them out, collects and records what comes back.

It knows no engine: an `Executor` runs assignments (Dask, a thread, a queue), the lake is the only
memory. Killed at any moment, the next dispatcher finds the receipts it left and takes over the rest.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from ..execution.assignment import Assignment, AttemptSpec
from ..execution.lost import lost_receipt
from ..schemas.receipt import Receipt
from ..store import Lake, now_utc
from ..tasks.states import TaskStates
from .claims import (
    Claim,
    claim_tasks,
    end_claims,
    orphaned_attempts,
    process_name,
    renew_leases,
)
from .executor import DispatchSettings, Executor, Handle
from .names import TaskNames
from .results import Recorded, find_receipts, good_results, record_receipts, unrecorded_attempts

__all__ = ["DispatchReport", "Dispatcher", "Progress", "RecordedTask"]

_log = logging.getLogger(__name__)
#: So much work, in seconds, is queued behind every busy slot, so that short Tasks leave no gaps ...
_LOOKAHEAD_S = 3.0
#: ... and of Tasks longer than this none at all: a claim that waits is withheld from others.
_NO_LOOKAHEAD_PAST_S = 60.0
_MOST_AHEAD = 100
#: Receipts of attempts that hold no claim any more are looked for this often.
_SWEEP_S = 120.0


@dataclass(frozen=True, slots=True)
class RecordedTask:
    """A Task that just ended, with its science name."""

    name: str
    result: Recorded


@dataclass(frozen=True, slots=True)
class Progress:
    """Tasks of the selection by status, and what was recorded since the last report."""

    waiting: int
    running: int
    complete: int
    error: int
    recorded: int
    newly: Sequence[RecordedTask]


@dataclass(frozen=True, slots=True)
class DispatchReport:
    """What a run of the dispatcher did. `recovered` receipts were left by an earlier dispatcher."""

    claimed: int = 0
    completed: int = 0
    failed: int = 0
    released: int = 0
    recovered: int = 0
    wall_time_s: float = 0.0


@dataclass(slots=True)
class _Flight:
    claim: Claim
    name: str
    handle: Handle


class Dispatcher:
    """One pool's dispatcher on one lake.

    Parameters
    ----------
    lake : Lake
    executor : Executor
    settings : DispatchSettings
    on_progress : callable, optional
        Called with a `Progress` whenever something changed.
    rng : numpy.random.Generator, optional
        Draws the Tasks to claim.
    """

    def __init__(
        self,
        lake: Lake,
        executor: Executor,
        settings: DispatchSettings,
        *,
        on_progress: Callable[[Progress], None] | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._lake = lake
        self._executor = executor
        self._settings = settings
        self._on_progress = on_progress
        self._rng = rng or np.random.default_rng()
        self._actor = process_name(f"dispatch:{settings.pool}")
        self._flights: dict[str, _Flight] = {}
        self._grounded: dict[str, str] = {}
        self._durations: list[float] = []
        self._names = TaskNames(lake)
        self._newly: list[RecordedTask] = []
        self._report = DispatchReport()
        self._renewed_at = self._swept_at = time.monotonic()
        self._seen_seq = -1

    def run(
        self, *, until: Literal["drained", "stopped"] = "drained", stop: threading.Event | None = None
    ) -> DispatchReport:
        """Dispatch until nothing is left to do, or until `stop` is set.

        "drained" means that no Task of the selection may be claimed or is running anywhere. On
        `stop`, and on any error, attempts in flight are cancelled and given back.
        """
        began = time.monotonic()
        stop = stop or threading.Event()
        self._recover()
        try:
            while not stop.is_set():
                busy = self.step()
                if until == "drained" and not busy and not self._others_running():
                    break
                stop.wait(self._settings.poll_s)
        finally:
            self._hand_back("the dispatcher stopped")
        self._tell()
        self._report = replace(self._report, wall_time_s=time.monotonic() - began)
        return self._report

    def step(self) -> bool:
        """One turn: collect, renew, reap, claim. Tell whether anything is in flight."""
        self._collect()
        if time.monotonic() - self._renewed_at >= self._settings.lease_s / 3:
            self._renew()
            self._reap()
        if time.monotonic() - self._swept_at >= _SWEEP_S:
            self._sweep()
        self._hand_out()
        self._tell()
        return bool(self._flights)

    # --- claim and hand out ---------------------------------------------------------------------

    def _hand_out(self) -> None:
        settings = self._settings
        free = settings.slots + self._ahead() - len(self._flights)
        if free < 1:
            return
        claims = claim_tasks(
            self._lake,
            settings.pool,
            free,
            lease_s=settings.lease_s,
            actor=self._actor,
            selection=settings.selection,
            rng=self._rng,
        )
        if not claims:
            return
        self._grounded = {claim.attempt: claim.task for claim in claims}
        names = self._names.of(claims)
        extended = good_results(self._lake, [c.extends for c in claims if c.extends is not None])
        for claim in claims:
            name = names[claim.task]
            assignment = self._assignment(claim, extended.get(claim.extends or ""))
            self._flights[claim.attempt] = _Flight(claim, name, self._executor.submit(assignment, name=name))
            del self._grounded[claim.attempt]
        self._report = replace(self._report, claimed=self._report.claimed + len(claims))

    def _assignment(self, claim: Claim, extends_result: str | None) -> Assignment:
        settings = self._settings
        spec = AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope, extends_result)
        return Assignment(
            lake=self._lake.url,
            pool=settings.pool,
            attempts=(spec,),
            resources=settings.resources,
            timeout_s=settings.timeout_s,
            unit_retries=settings.unit_retries,
            work_root=settings.work_root,
        )

    def _ahead(self) -> int:
        recent = self._durations[-20:]
        if not recent:
            return 0
        mean_s = max(sum(recent) / len(recent), 1e-3)
        if mean_s > _NO_LOOKAHEAD_PAST_S:
            return 0
        return min(self._settings.slots * math.ceil(_LOOKAHEAD_S / mean_s), _MOST_AHEAD)

    # --- collect and record ---------------------------------------------------------------------

    def _collect(self) -> None:
        ended = {attempt: f for attempt, f in self._flights.items() if f.handle.done()}
        if not ended:
            return
        receipts = find_receipts(self._lake, {a: f.claim.scope for a, f in ended.items()})
        lost = set(ended) - {r.attempt for r in receipts}
        receipts += [
            lost_receipt(self._spec(ended[a].claim), self._settings.pool, error, now_utc())
            for a in sorted(lost)
            if (error := ended[a].handle.exception()) is not None
        ]
        self._record(receipts)
        unheard = {a: ended[a].claim.task for a in lost if ended[a].handle.exception() is None}
        released = end_claims(self._lake, unheard, actor=self._actor, reason="stopped without a result")
        self._report = replace(self._report, released=self._report.released + released)
        for attempt in ended:
            del self._flights[attempt]

    def _spec(self, claim: Claim) -> AttemptSpec:
        return AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)

    def _record(self, receipts: Sequence[Receipt]) -> int:
        recorded = record_receipts(self._lake, receipts, actor=self._actor)
        new = [r for r in recorded if r.new]
        if not new:
            return 0
        names = self._names.of(new)
        self._newly += [RecordedTask(names[r.task], r) for r in new]
        self._durations += [r.wall_time_s for r in new]
        good = sum(r.ok for r in new)
        self._report = replace(
            self._report,
            completed=self._report.completed + good,
            failed=self._report.failed + len(new) - good,
        )
        return len(new)

    # --- leases -----------------------------------------------------------------------------------

    def _renew(self) -> None:
        self._renewed_at = time.monotonic()
        held = {attempt: flight.claim.task for attempt, flight in self._flights.items()}
        for attempt in renew_leases(self._lake, held, lease_s=self._settings.lease_s, actor=self._actor):
            # no longer ours: cancelled, set invalid, or ended by a late result of an earlier attempt
            self._flights[attempt].handle.cancel()

    def _reap(self) -> None:
        """End attempts of others whose lease ran out: with their receipt if there is one."""
        now = now_utc()
        running = self._lake.task_log.states().running().values()
        late = [s for s in running if s.lease_expires_at is not None and s.lease_expires_at <= now]
        self._take_over({s.attempt: s.task for s in late if s.attempt not in self._flights and s.attempt}, None)

    def _recover(self) -> None:
        """Before the first claim: take over from processes of this machine that ended, and sweep."""
        running = self._lake.task_log.states().running().values()
        self._take_over(orphaned_attempts(self._lake, running), "its dispatcher ended")
        self._reap()
        self._sweep()

    def _take_over(self, attempts: Mapping[str, str], reason: str | None) -> None:
        if not attempts:
            return
        scopes = {attempt: "-".join(task.split("-")[2:]) for attempt, task in attempts.items()}
        recovered = self._record(find_receipts(self._lake, scopes))
        released = end_claims(self._lake, attempts, actor=self._actor, reason=reason)
        self._report = replace(
            self._report,
            recovered=self._report.recovered + recovered,
            released=self._report.released + released,
        )

    def _sweep(self) -> None:
        """Record receipts of attempts that hold no claim any more: late, but good."""
        self._swept_at = time.monotonic()
        forgotten = {a: s for a, s in unrecorded_attempts(self._lake).items() if a not in self._flights}
        recovered = self._record(find_receipts(self._lake, forgotten))
        self._report = replace(self._report, recovered=self._report.recovered + recovered)

    def _hand_back(self, reason: str) -> None:
        for flight in self._flights.values():
            flight.handle.cancel()
        left = self._grounded | {attempt: flight.claim.task for attempt, flight in self._flights.items()}
        self._flights.clear()
        self._take_over(left, reason)

    # --- telling ----------------------------------------------------------------------------------

    def _others_running(self) -> bool:
        states = self._lake.task_log.states()
        return bool((self._settings.selection.tasks(states)["status"] == "running").any())

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        states = self._lake.task_log.states()
        if states.seq == self._seen_seq and not self._newly:
            return
        self._seen_seq = states.seq
        newly, self._newly = self._newly, []
        self._on_progress(self._progress(states, newly))

    def _progress(self, states: TaskStates, newly: Sequence[RecordedTask]) -> Progress:
        counts = dict(self._settings.selection.tasks(states)["status"].value_counts().iter_rows())
        recorded = self._report.completed + self._report.failed
        waiting, running, complete, error = (
            counts.get(name, 0) for name in ("waiting", "running", "complete", "error")
        )
        return Progress(waiting, running, complete, error, recorded, newly)
