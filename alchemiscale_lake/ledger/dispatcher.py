"""The dispatcher: claims Tasks for one pool, hands them out, collects and records what comes back.

It knows no engine: an `Executor` runs assignments (Dask, a queue, a work pool), the lake is the only
memory. Killed at any moment, the next dispatcher finds the receipts it left and takes over the rest.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Final, Literal

import numpy as np
import polars as pl

from ..errors import StorageError
from ..execution.heartbeat import read_beat
from ..settings import Pools
from ..store import Lake, now_utc
from ..tasks.states import TaskStates
from .claims import claim_of, claimers, orphaned_attempts, process_is_gone, process_name, renew_leases
from .dispatch_report import DispatchReport, Progress
from .dispatch_settings import DispatchSettings
from .executor import Executor, Handle
from .flights import Flight, Flights
from .forecast import Forecast
from .handing_out import HandingOut
from .hosts import on_parole, publish, quarantined
from .names import TaskNames
from .policy import policy_for
from .pool_reports import PoolReport, report_pool, withdraw_report
from .recording import Books
from .restarts import resolve_restarts
from .results import unrecorded_attempts
from .unwanted import release_unwanted

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)
#: Receipts of attempts that hold no claim any more are looked for this often.
_SWEEP_S: Final = 120.0
#: An attempt that once gave a sign of life and has given none for so long is lost, whatever its engine says.
_SILENCE = timedelta(minutes=10)
_LISTEN_S: Final = 120.0
#: A claim this young may belong to a dispatcher elsewhere that is submitting its job just now.
_SUBMITTING = timedelta(minutes=10)
#: With nothing to do, a dispatcher looks less and less often, down to this.
_IDLE_POLL_S: Final = 5.0
_LONGEST_LEASE_S: Final = 1800.0


class Dispatcher:
    """One pool's dispatcher on one lake.

    Parameters
    ----------
    lake : Lake
    executor : Executor
    settings : DispatchSettings
    pools : Pools, optional
        All pools of this lake, by whose policy this one claims; by default it may claim everything.
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
        pools: Pools | None = None,
        on_progress: Callable[[Progress], None] | None = None,
        rng: np.random.Generator | None = None,
    ) -> None:
        self._lake, self._executor, self._settings, self._on_progress = lake, executor, settings, on_progress
        # what outlives its dispatcher must not be taken for orphaned when that ends
        self._role = "jobs" if executor.durable else "dispatch"
        self._actor = process_name(f"{self._role}:{settings.pool}")
        names = TaskNames(lake)
        self._flights = Flights(lake)
        self._books = Books(lake, settings.pool, self._actor, names)
        forecast = Forecast(lake, pools)
        self._hand_out = HandingOut(
            lake,
            executor,
            settings,
            policy_for(lake, pools, settings.pool, forecast=forecast),
            forecast,
            self._flights,
            names,
            self._actor,
            rng,
        )
        self._beat_at = self._listened_at = -math.inf
        self._swept_at = time.monotonic()
        self._seen_seq = self._checked_seq = -1

    def run(
        self, *, until: Literal["drained", "stopped", "once"] = "drained", stop: threading.Event | None = None
    ) -> DispatchReport:
        """Dispatch until nothing is left to do, or until `stop` is set, or for one turn.

        "drained" means that no Task of the selection may be claimed or is running anywhere. On
        `stop`, and on any error, attempts in flight are cancelled and given back - unless they go on
        without this process, which "once" is for.
        """
        began = time.monotonic()
        stop = stop or threading.Event()
        pause_s = self._settings.poll_s
        self._recover()
        try:
            while not stop.is_set():
                moved = self.step()
                if until == "once" or (until == "drained" and not self._flights and self._is_drained()):
                    break
                pause_s = self._settings.poll_s if moved else min(1.5 * pause_s, self._longest_pause_s())
                stop.wait(pause_s)
        finally:
            self._leave()
        self._sign_off(once=until == "once")
        self._tell()
        report = self._books.report
        return replace(report, in_flight=len(self._flights), wall_time_s=time.monotonic() - began)

    def step(self) -> bool:
        """One turn: collect, look after what runs, claim. Tell whether anything moved."""
        before = self._books.report
        self._collect()
        # every turn: a broken host fails a Task a second
        self._look_at_hosts()
        states = self._lake.task_log.states()
        if states.seq != self._checked_seq:
            self._stop_those_taken(states)
        if time.monotonic() - self._beat_at >= self._settings.heartbeat_s:
            self._beat()
        claimed = self._hand_out(self._lake.task_log.states(), self._ahead())
        self._books.count(claimed=claimed)
        self._tell()
        return self._books.report != before

    # --- what comes back --------------------------------------------------------------------------

    def _collect(self) -> None:
        """Settle whatever ended since the last turn, all of it together: a commit costs more than a row."""
        ended = {a: (flight, c) for flight in self._flights if flight.handle.done() for a, c in flight.claims.items()}
        if not ended:
            return
        left = self._books.record_left({attempt: claim.scope for attempt, (_, claim) in ended.items()})
        silent = {attempt: what for attempt, what in ended.items() if attempt not in left}
        said = {attempt: _said(flight.handle) for attempt, (flight, _) in silent.items()}
        kinds = self._books.end_without_receipt([claim for _, claim in silent.values()], said)
        for attempt, (flight, claim) in silent.items():
            if kinds[attempt] == "refused":
                self._hand_out.cool_down(flight.place, claim.task)
        self._flights.settle(list(ended))

    def _collect_from_running_jobs(self) -> None:
        """Do not make the first Task of a long job wait for the last."""
        together = {a: c.scope for f in self._flights if len(f.claims) > 1 for a, c in f.claims.items()}
        self._flights.settle(self._books.record_left(together))

    # --- looking after what runs ------------------------------------------------------------------

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        self._hand_out.refresh()
        release_unwanted(self._lake, actor=self._actor)
        self._collect_from_running_jobs()
        self._renew()
        self._reap()
        if time.monotonic() - self._listened_at >= _LISTEN_S:
            self._listen()
        if time.monotonic() - self._swept_at >= _SWEEP_S:
            self._sweep()
        self._report_pool()

    def _look_at_hosts(self) -> None:
        hosts = quarantined(self._lake, self._settings.hosts)
        if hosts != self._hand_out.barred:
            publish(self._lake, hosts)
            self._hand_out.barred = hosts
        self._hand_out.on_parole = on_parole(self._lake, self._settings.hosts)
        self._executor.retire(hosts)

    def _stop_those_taken(self, states: TaskStates) -> None:
        """Stop attempts whose Task was taken from them: cancelled, set invalid, completed by an earlier attempt."""
        self._checked_seq = states.seq
        held = states.tasks.filter(pl.col("status") == "running")["attempt"]
        self._flights.stop(self._flights.claims().keys() - set(held))

    def _renew(self) -> None:
        held = {attempt: claim.task for attempt, claim in self._flights.claims().items()}
        lease_s = self._settings.lease_s
        if len(held) > 1000:
            # the more there are, the rarer: thousands of renewals a minute are a log of their own
            lease_s = max(lease_s, min(_LONGEST_LEASE_S, lease_s * len(held) / 1000))
        self._flights.stop(renew_leases(self._lake, held, lease_s=lease_s, actor=self._actor))

    def _listen(self) -> None:
        """Give up attempts that have fallen silent although their engine says that they run."""
        self._listened_at = time.monotonic()
        for attempt, claim in self._flights.claims().items():
            beat = read_beat(self._lake, claim.scope, attempt)
            if beat is not None and now_utc() - beat.at > _SILENCE:
                _log.warning("attempt %s on %s is silent since %s; given up", attempt, beat.hostname, beat.at)
                self._flights.stop([attempt])
                self._books.end_without_receipt([claim], {attempt: f"no sign of life from {beat.hostname}"})
                self._flights.settle([attempt])

    def _reap(self) -> None:
        """End attempts of others whose lease ran out: with their receipt if there is one."""
        now = now_utc()
        running = self._lake.task_log.states().running().values()
        late = [s for s in running if s.lease_expires_at is not None and s.lease_expires_at <= now]
        self._take_over({s.attempt: s.task for s in late if s.attempt and s.attempt not in self._flights}, None)

    def _sweep(self) -> None:
        """Record receipts of attempts that hold no claim any more: late, but good."""
        self._swept_at = time.monotonic()
        forgotten = {a: s for a, s in unrecorded_attempts(self._lake).items() if a not in self._flights}
        self._books.record_forgotten(forgotten)

    def _report_pool(self) -> None:
        workers, slots = len(self._hand_out.places), self._hand_out.slots_free()
        pending = self._executor.pending()
        report = PoolReport(now_utc(), self._actor, workers, slots, pending.jobs, pending.oldest_s)
        try:
            report_pool(self._lake, self._settings.pool, report)
        except StorageError as e:
            _log.warning("pool %s could not report: %s", self._settings.pool, e)

    # --- beginning and end ------------------------------------------------------------------------

    def _recover(self) -> None:
        """Before the first claim: find what goes on, take over from processes that ended, sweep."""
        if self._executor.durable:
            self._find_jobs()
        running = self._lake.task_log.states().running().values()
        self._take_over(orphaned_attempts(self._lake, running, "dispatch"), "its dispatcher ended")
        self._reap()
        self._sweep()
        # whoever recorded a failure may have died before restart policies could look at it
        resolve_restarts(self._lake, None, actor=self._actor)

    def _find_jobs(self) -> None:
        """Take up the jobs that an earlier dispatcher of this pool submitted; give back what has none."""
        running = self._lake.task_log.states().running().values()
        ours = {s.attempt: s for s in running if s.pool == self._settings.pool and s.attempt is not None}
        found = self._executor.find({attempt: state.scope for attempt, state in ours.items()})
        flights: dict[int, Flight] = {}
        for attempt, handle in found.items():
            flight = flights.setdefault(id(handle), Flight(handle, {}, f"job of {attempt}"))
            flight.claims[attempt] = claim_of(ours[attempt])
        for flight in flights.values():
            self._flights.add(flight)
        missing = [state for attempt, state in ours.items() if attempt not in found]
        left = self._books.record_forgotten({s.attempt: s.scope for s in missing if s.attempt})
        for attempt, (actor, at) in claimers(self._lake, missing).items():
            given_up = process_is_gone(actor) or now_utc() - at > _SUBMITTING
            if attempt not in left and actor.startswith(f"{self._role}:") and given_up:
                self._books.end_without_receipt([claim_of(ours[attempt])], {attempt: "its job is gone"})

    def _take_over(self, attempts: Mapping[str, str], reason: str | None) -> None:
        if attempts:
            self._books.record_forgotten({a: "-".join(task.split("-")[2:]) for a, task in attempts.items()})
            self._books.release(attempts, reason)

    def _leave(self) -> None:
        """Give back what cannot go on without us, and what was claimed but not handed out."""
        left = self._hand_out.grounded()
        if not self._executor.durable:
            for flight in self._flights:
                flight.handle.cancel()
            left |= {attempt: claim.task for attempt, claim in self._flights.claims().items()}
            self._flights.settle(list(left))
        self._take_over(left, "the dispatcher stopped")

    def _sign_off(self, *, once: bool) -> None:
        """Say for other pools' policy whether this one goes on: with its jobs, after a single shot."""
        if once:
            self._report_pool()
            return
        try:
            withdraw_report(self._lake, self._settings.pool, self._actor)
        except StorageError as e:
            _log.warning("pool %s could not sign off: %s", self._settings.pool, e)

    def _is_drained(self) -> bool:
        states = self._lake.task_log.states()
        if bool((self._settings.selection.tasks(states)["status"] == "running").any()):
            return False
        return not self._hand_out.claimable(states)

    # --- pace and telling -------------------------------------------------------------------------

    def _ahead(self) -> int:
        """Tasks queued behind those that run, per worker: only short ones, for a claim that waits is withheld."""
        recent = self._books.wall_times_s[-20:]
        mean_s = max(sum(recent) / len(recent), 1e-3) if recent else math.inf
        return 0 if mean_s > 60.0 else min(math.ceil(3.0 / mean_s), 100)

    def _longest_pause_s(self) -> float:
        return max(self._settings.poll_s, min(_IDLE_POLL_S, self._settings.heartbeat_s / 2))

    def _tell(self) -> None:
        if self._on_progress is None:
            return
        states = self._lake.task_log.states()
        if states.seq == self._seen_seq and not self._books.newly:
            return
        self._seen_seq = states.seq
        counts = dict(self._settings.selection.tasks(states)["status"].value_counts().iter_rows())
        waiting, running, complete, error = (counts.get(s, 0) for s in ("waiting", "running", "complete", "error"))
        recorded = self._books.report.completed + self._books.report.failed
        self._on_progress(Progress(waiting, running, complete, error, recorded, self._books.take_newly()))


def _said(handle: Handle) -> str:
    error = handle.exception()
    return "" if error is None else f"{type(error).__name__}: {error}"
