"""Attempts that a dispatcher did not hand out, or lost sight of: found, recorded, or given back.

What others claimed whose leases ran out or whose processes ended, jobs of an earlier dispatcher, late
receipts, and claims of one's own whose hand-out failed. Whoever may still run such an attempt is told
to stop before its Task goes back, so that no Task is worked on twice.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import timedelta
from typing import Final

from ..execution.stopping import ask_to_stop
from ..ledger.at_once import at_once
from ..ledger.claims import Claim, claim_of, claimers, orphaned_attempts, process_is_gone
from ..ledger.restarts import resolve_restarts
from ..ledger.results import unrecorded_attempts
from ..ledger.task_ends import RECENT
from ..store import Lake, now_utc
from ..tasks import TaskState
from .executor import Executor
from .flights import Flight, Flights, spec_of
from .pulse import Pulse
from .recording import Books

__all__ = ["Salvage"]

#: Receipts of attempts that hold no claim any more are looked for this often; of old ones, more rarely.
_SWEEP_S: Final = 120.0
_SWEEP_ALL_S: Final = 3600.0
_OLD: Final = timedelta(hours=6)
#: A claim this young may belong to a dispatcher elsewhere that is submitting its job just now.
_SUBMITTING: Final = timedelta(minutes=10)
#: A job this young may not be listed by its queue yet.
_UNLISTED: Final = timedelta(seconds=10)


class Salvage:
    """What one dispatcher does for attempts that are none of its flights.

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
        """Before the first claim: find what goes on, take over from processes that ended, sweep."""
        self.find_jobs()
        running = self._running()
        orphans = orphaned_attempts(self._lake, running, "dispatch")
        self.give_back([claim_of(s) for s in running if s.attempt in orphans], "its dispatcher ended")
        self.reap(at_first=True)
        self._books.record_forgotten(self._forgotten())
        self._books.end_recorded()
        # whoever recorded a failure may have died before restart policies could look at it
        resolve_restarts(self._lake, None, actor=self._actor)

    def reap(self, *, at_first: bool = False) -> None:
        """End attempts of others whose lease ran out and that give no sign of life: with their receipt, if any."""
        running = self._running()
        dead = {state.attempt: state for state in self._pulse.given_up(running, at_first=at_first)}
        late = self._pulse.late(running)
        # of a process that has ended on this machine nothing need be waited for
        orphans = orphaned_attempts(self._lake, late, "dispatch")
        dead |= {state.attempt: state for state in late if state.attempt in orphans}
        self.give_back([claim_of(state) for state in dead.values()], None)

    def sweep(self) -> None:
        """Now and then: record late receipts, and give back what jobs that are gone have left."""
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
        """Take up the jobs that an earlier dispatcher of this pool submitted; give back what has none."""
        ours = {s.attempt: s for s in self._running() if s.pool == self._pool and s.attempt is not None}
        if not self._executor.durable or not ours:
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
        """Give back what this dispatcher claimed and, because of an error, did not hand out, or not for certain."""
        held = [s for s in self._running() if s.pool == self._pool]
        claimed_by = claimers(self._lake, held)
        strays = [claim_of(s) for s in held if s.attempt and claimed_by.get(s.attempt, ("",))[0] == self._actor]
        self.give_back(strays, "it could not be handed out")

    def give_back(self, claims: Collection[Claim], reason: str | None) -> None:
        """Record what left a receipt; stop and release the others, without a reason those whose lease ran out."""
        if not claims:
            return
        left = self._books.record_forgotten({claim.attempt: claim.scope for claim in claims})
        others = [claim for claim in claims if claim.attempt not in left]
        # first, lest two work on one Task: the reverse could be cut in between
        self._stop(others)
        self._books.release({claim.attempt: claim.task for claim in others}, reason)

    def _give_up_jobless(self, missing: Collection[TaskState]) -> None:
        left = self._books.record_forgotten({s.attempt: s.scope for s in missing if s.attempt})
        now, gone = now_utc(), []
        claimed_by = claimers(self._lake, missing)
        for state in missing:
            actor, at = claimed_by.get(state.attempt or "", ("", now))
            patience = _UNLISTED if process_is_gone(actor) else _SUBMITTING
            if state.attempt not in left and actor.startswith(f"{self._role}:") and now - at > patience:
                gone.append(claim_of(state))
        self._stop(gone)
        self._books.end_without_receipt(gone, {claim.attempt: ("lost", "its job is gone") for claim in gone})

    def _stop(self, claims: Collection[Claim]) -> None:
        at_once(lambda claim: ask_to_stop(self._lake, spec_of(claim)), claims)

    def _running(self) -> list[TaskState]:
        """Tasks that are held and none of this dispatcher's flights."""
        running = self._lake.task_log.states().running().values()
        return [s for s in running if s.attempt is not None and s.attempt not in self._flights]

    def _forgotten(self, within: timedelta | None = None) -> Mapping[str, str]:
        attempts = unrecorded_attempts(self._lake) if within is None else unrecorded_attempts(self._lake, within)
        return {attempt: scope for attempt, scope in attempts.items() if attempt not in self._flights}
