"""Recovery of attempts that this dispatcher did not submit or lost track of: record them, or release them.

Attempts of others whose leases expired or whose processes ended, jobs of an earlier dispatcher, late receipts, and own
claims whose submission failed. A possible worker of such an attempt is asked to stop before its Task is released, so
that no Task is computed twice at once.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from ..caller import Caller
from ..execution.stop_requests import ask_to_stop
from ..statestore.claims import Claim, claim_of, claimers, orphaned_attempts, process_is_gone
from ..statestore.restarts import resolve_restarts
from ..statestore.result_recording import unrecorded_attempts
from ..statestore.task_ends import RECENT
from ..statestore.unrecorded_receipts import forgotten_receipts
from ..store import Lake, now_utc
from ..store.parallel_requests import at_once
from ..tasks import TaskState
from .executor import Executor
from .flights import Flight, Flights, spec_of
from .pulse import Pulse
from .recording import Books

__all__ = ["Salvage"]

#: Intervals between searches for receipts of attempts without a claim: recent attempts, all attempts.
_SWEEP_S: Final = 120.0
_SWEEP_ALL_S: Final = 3600.0
_OLD: Final = timedelta(hours=6)
#: A younger claim without a job may belong to a dispatcher elsewhere that is just submitting it.
_SUBMITTING_S: Final = 600.0
#: A job that was just submitted may not be listed by its queue yet.
_UNLISTED_S: Final = 10.0


class Salvage:
    """Recovers attempts that are not in flight at one dispatcher.

    Parameters
    ----------
    lake : Lake
    executor : Executor
    pool : str
    role, actor : str
        Of the dispatcher, as in its claims.
    flights : Flights
    books : Books
    pulse : Pulse
    """

    def __init__(
        self,
        lake: Lake,
        executor: Executor,
        pool: str,
        role: str,
        actor: str,
        flights: Flights,
        books: Books,
        pulse: Pulse,
    ) -> None:
        self._lake, self._executor, self._pool = lake, executor, pool
        self._role, self._actor = role, actor
        self._flights, self._books, self._pulse = flights, books, pulse
        self._swept_at = self._swept_all_at = time.monotonic()

    def begin(self) -> None:
        """Before the first claim: find running jobs, take over from processes that ended, sweep."""
        self._pulse.begin()
        self.find_jobs()
        running = self._running()
        orphans = orphaned_attempts(self._lake, running, "dispatch")
        self.give_back([claim_of(s) for s in running if s.attempt in orphans], "its dispatcher ended")
        self.reap()
        # also attempts missing from the log, for example after a power cut
        left = {a: scope for a, scope in forgotten_receipts(self._lake).items() if a not in self._flights}
        self._books.record_forgotten({**self._forgotten(), **left})
        self._books.end_recorded()
        # a process that recorded a failure may have died before it applied restart policies
        resolve_restarts(self._lake, None, caller=Caller(self._actor))

    def reap(self) -> None:
        """End attempts of others with an expired lease and no heartbeat: with their receipt, if any."""
        everyone = [s for s in self._lake.task_log.states().running().values() if s.attempt is not None]
        late = [s for s in self._pulse.late(everyone) if s.attempt and s.attempt not in self._flights]
        dead = {state.attempt: state for state in self._pulse.given_up(late)}
        # a process known to have ended on this machine need not be waited for
        orphans = orphaned_attempts(self._lake, late, "dispatch")
        dead |= {state.attempt: state for state in late if state.attempt in orphans}
        others = self._stop_unrecorded([claim_of(state) for state in dead.values()])
        self._books.expire([dead[claim.attempt] for claim in others])
        self.save(everyone)

    def save(self, running: Collection[TaskState] | None = None, *, now: bool = False) -> None:
        """Store observations of attempts that outlive this dispatcher for the next one of the pool."""
        if running is None:
            running = self._lake.task_log.states().running().values()
        attempts = {s.attempt for s in running if s.attempt is not None}
        if not self._executor.durable:
            attempts = {attempt for attempt in attempts if attempt not in self._flights}
        self._pulse.save(attempts, now=now)

    def sweep(self) -> None:
        """Occasionally record late receipts, and release claims left by jobs that are gone."""
        now = time.monotonic()
        if now - self._swept_at < _SWEEP_S:
            return
        everything = now - self._swept_all_at >= _SWEEP_ALL_S
        self._books.record_forgotten(self._forgotten() if everything else self._forgotten(_OLD))
        self._books.end_recorded(None if everything else RECENT)
        self.find_jobs()
        self._swept_at = now
        self._swept_all_at = now if everything else self._swept_all_at

    def find_jobs(self) -> None:
        """Take over the jobs that an earlier dispatcher of this pool submitted; release claims without a job."""
        ours = {s.attempt: s for s in self._running() if s.pool == self._pool and s.attempt is not None}
        if not self._executor.durable:
            return
        if not ours:
            self._pulse.jobless_s(())
            return
        found = self._executor.find({attempt: state.scope for attempt, state in ours.items()})
        flights: dict[int, Flight] = {}
        for attempt, handle in found.items():
            flight = flights.setdefault(id(handle), Flight(handle, {}, f"job of {attempt}"))
            flight.claims[attempt] = claim_of(ours[attempt])
        for flight in flights.values():
            self._flights.add(flight)
        self._give_up_jobless([state for attempt, state in ours.items() if attempt not in found])

    def give_back_strays(self) -> None:
        """Release claims of this dispatcher that, because of an error, were not or may not have been submitted."""
        held = [s for s in self._running() if s.pool == self._pool]
        claimed_by = claimers(self._lake, held)
        strays = [claim_of(s) for s in held if s.attempt and claimed_by.get(s.attempt, ("",))[0] == self._actor]
        self.give_back(strays, "it could not be dispatched")

    def give_back(self, claims: Collection[Claim], reason: str) -> None:
        """Record attempts with a receipt; stop and release the others."""
        others = self._stop_unrecorded(claims)
        self._books.release({claim.attempt: claim.task for claim in others}, reason)

    def _stop_unrecorded(self, claims: Collection[Claim]) -> list[Claim]:
        """Record attempts with a receipt; stop the others and return them."""
        if not claims:
            return []
        left = self._books.record_forgotten({claim.attempt: claim.scope for claim in claims})
        others = [claim for claim in claims if claim.attempt not in left]
        # stop before releasing, so that no two attempts run one Task: the reverse could be interrupted in between
        self._stop(others)
        return others

    def _give_up_jobless(self, missing: Collection[TaskState]) -> None:
        jobless_s = self._pulse.jobless_s([s.attempt for s in missing if s.attempt])
        left = self._books.record_forgotten({s.attempt: s.scope for s in missing if s.attempt})
        gone = []
        claimed_by = claimers(self._lake, missing)
        for state in missing:
            attempt = state.attempt or ""
            actor, at = claimed_by.get(attempt, ("", now_utc()))
            if process_is_gone(actor):
                # the claim is from this machine, and so is its time; if the clock was set since, the job is stopped
                # before it starts, or waited for a little longer
                # is stopped before it begins, or waited for a little longer
                is_gone = max(jobless_s[attempt], (now_utc() - at).total_seconds()) > _UNLISTED_S
            else:
                is_gone = jobless_s[attempt] > _SUBMITTING_S
            if is_gone and attempt not in left and actor.startswith(f"{self._role}:"):
                gone.append(claim_of(state))
        self._stop(gone)
        self._books.end_without_receipt(gone, {claim.attempt: ("lost", "its job is gone") for claim in gone})

    def _stop(self, claims: Collection[Claim]) -> None:
        at_once(lambda claim: ask_to_stop(self._lake, spec_of(claim)), claims)

    def _running(self) -> list[TaskState]:
        """Return running Tasks that are not in flight at this dispatcher."""
        running = self._lake.task_log.states().running().values()
        return [s for s in running if s.attempt is not None and s.attempt not in self._flights]

    def _forgotten(self, within: timedelta | None = None) -> Mapping[str, str]:
        attempts = unrecorded_attempts(self._lake) if within is None else unrecorded_attempts(self._lake, within)
        return {attempt: scope for attempt, scope in attempts.items() if attempt not in self._flights}
