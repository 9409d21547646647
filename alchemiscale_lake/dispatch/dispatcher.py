"""The dispatcher: claims Tasks for one pool, hands them out, collects and records what comes back.

It knows no engine: an `Executor` runs assignments (Dask, a queue, a work pool), the lake is the only
memory. Killed at any moment, the next dispatcher finds the receipts it left and takes over the rest.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Final, Literal

import numpy as np
import polars as pl

from ..errors import NotBegunError, StorageError, TransientError
from ..ledger.claims import process_name
from ..ledger.hosts import on_parole, publish, quarantined
from ..ledger.names import TaskNames
from ..ledger.unwanted import release_unwanted
from ..settings import Pools
from ..store import Lake, now_utc
from ..tasks.states import TaskStates
from .executor import Executor, Handle
from .flights import Flights
from .forecast import Forecast
from .handing_out import HandingOut
from .outage import Outage
from .own_leases import OwnLeases
from .policy import policy_for
from .pool_reports import PoolReport, report_pool, withdraw_report
from .pulse import Pulse
from .recording import NO_WORD, Books, Ending, recent_refusals
from .report import DispatchReport, Progress
from .salvage import Salvage
from .settings import DispatchSettings
from .sightings import Sightings

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)
_LISTEN_S: Final = 120.0
#: Kinds of endings that speak for trying elsewhere, or later.
_UNTOUCHED: Final = ("refused", "unreadable", "stopped")
#: With nothing to do, a dispatcher looks less and less often, down to this.
_IDLE_POLL_S: Final = 5.0
_LONGEST_LEASE_S: Final = 1800.0
#: Whoever wants to stop does not wait for a lake that does not answer: leases end by themselves.
_FAREWELL_S: Final = 15.0


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
        self._books = Books(lake, settings.pool, self._actor, names, durable=executor.durable)
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
        self._sightings = Sightings(lake, settings.pool)
        self._pulse = Pulse(lake, settings.lease_s, self._sightings)
        self._leases = OwnLeases(lake, self._actor, self._flights, self._sightings)
        self._salvage = Salvage(
            lake, executor, settings.pool, self._role, self._actor, self._flights, self._books, self._pulse
        )
        self._has_begun = self._is_shaken = False
        self._beat_at = self._listened_at = -math.inf
        self._seen_seq = self._checked_seq = -1

    def run(
        self, *, until: Literal["drained", "stopped", "once"] = "drained", stop: threading.Event | None = None
    ) -> DispatchReport:
        """Dispatch until nothing is left to do, or until `stop` is set, or for one turn.

        "drained" means that no Task of the selection may be claimed or is running anywhere. On
        `stop`, and on any error, attempts in flight are cancelled and given back - unless they go on
        without this process, which "once" is for. A lake that does not answer is waited for, up to ten
        minutes.

        Raises
        ------
        TransientError
            If the lake, or the engine's queue, did not answer for longer.
        """
        began = time.monotonic()
        stop = stop or threading.Event()
        pause_s, outage = self._settings.poll_s, Outage()
        try:
            while not stop.is_set():
                try:
                    moved = self._turn()
                    if until == "once" or (until == "drained" and not self._flights and self._is_drained()):
                        break
                    outage.over()
                    pause_s = self._settings.poll_s if moved else min(1.5 * pause_s, self._longest_pause_s())
                except TransientError as e:
                    self._is_shaken = True
                    pause_s = outage.pause_after(e)
                stop.wait(pause_s)
        finally:
            self._leave(once=until == "once")
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
            states = self._lake.task_log.states()
        claimed = self._hand_out(states, self._ahead())
        self._books.count(claimed=claimed)
        # a look at the log is a request to a bucket
        self._tell(self._lake.task_log.states() if claimed else states)
        return self._books.report != before

    def _turn(self) -> bool:
        """Take one turn; after the first, and after a failure, see first to what lies about."""
        if self._is_shaken:
            # nobody's lease could be renewed meanwhile: ours are, at once, and the others' are given time
            self._beat_at = -math.inf
            self._pulse.forget()
            self._renew()
            self._salvage.give_back_strays()
            self._is_shaken = False
        if not self._has_begun:
            self._salvage.begin()
            self._hand_out.recall(recent_refusals(self._lake))
            self._has_begun = True
        return self.step()

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
        for attempt, kind in kinds.items():
            flight, claim = silent[attempt]
            if kind in _UNTOUCHED:
                # a worker that was told to end says nothing of the Task
                self._hand_out.cool_down(flight.place, claim.task, longer=kind != "stopped")
        self._flights.settle(list(ended))

    def _collect_from_running_jobs(self) -> None:
        """Do not make the first Task of a long job wait for the last."""
        together = {a: c.scope for f in self._flights if len(f.claims) > 1 for a, c in f.claims.items()}
        self._flights.settle(self._books.record_left(together))

    # --- looking after what runs ------------------------------------------------------------------

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        self._renew()
        self._hand_out.refresh()
        release_unwanted(self._lake, actor=self._actor)
        self._collect_from_running_jobs()
        self._salvage.reap()
        if time.monotonic() - self._listened_at >= _LISTEN_S:
            self._listen()
        self._salvage.sweep()
        self._report_pool()

    def _look_at_hosts(self) -> None:
        if self._settings.hosts is None:
            return
        hosts = quarantined(self._lake, self._settings.hosts)
        if hosts != self._hand_out.barred:
            publish(self._lake, hosts)
            for name in sorted(hosts.keys() - self._hand_out.barred.keys()):
                _log.warning("host %s is in quarantine until %s; see `alchemiscale-lake hosts`", name, hosts[name])
            self._hand_out.barred = hosts
        self._hand_out.on_parole = on_parole(self._lake, self._settings.hosts)
        self._executor.retire(hosts)

    def _stop_those_taken(self, states: TaskStates) -> None:
        """Stop attempts whose Task was taken from them: cancelled, set invalid, completed by an earlier attempt."""
        held = states.tasks.filter(pl.col("status") == "running")["attempt"]
        self._flights.stop(self._flights.claims().keys() - set(held))
        self._checked_seq = states.seq

    def _renew(self) -> None:
        lease_s = self._settings.lease_s
        if len(self._flights) > 1000:
            # the more there are, the rarer: thousands of renewals a minute are a log of their own
            lease_s = max(lease_s, min(_LONGEST_LEASE_S, lease_s * len(self._flights) / 1000))
        self._flights.stop(self._leases.renew(lease_s))

    def _listen(self) -> None:
        """Give up attempts that have fallen silent although their engine says that they run."""
        self._listened_at = time.monotonic()
        claims = self._flights.claims()
        for attempt, beat in self._pulse.silent(claims).items():
            _log.warning("attempt %s on %s is silent since %s; given up", attempt, beat.hostname, beat.at)
            self._flights.stop([attempt])
            word = ("lost", f"no sign of life from {beat.hostname}")
            self._books.end_without_receipt([claims[attempt]], {attempt: word})
            self._flights.settle([attempt])

    def _report_pool(self) -> None:
        workers, slots = len(self._hand_out.places), self._hand_out.slots_free()
        pending = self._executor.pending()
        report = PoolReport(now_utc(), self._actor, workers, slots, pending.jobs, pending.oldest_s)
        try:
            report_pool(self._lake, self._settings.pool, report)
        except StorageError as e:
            _log.warning("pool %s could not report: %s", self._settings.pool, e)

    # --- the end ----------------------------------------------------------------------------------

    def _leave(self, *, once: bool) -> None:
        """Give back what cannot go on without us, and what was claimed but not handed out."""
        deadline, outage = time.monotonic() + _FAREWELL_S, Outage()
        while True:
            try:
                self._give_back()
                self._sign_off(once=once)
                self._tell(self._lake.task_log.states())
            except TransientError as e:
                if time.monotonic() > deadline:
                    _log.warning("%s; what is still claimed comes back when its leases end", e)
                    return
                time.sleep(outage.pause_after(e))
            else:
                return

    def _give_back(self) -> None:
        if not self._executor.durable:
            claims = self._flights.claims()
            for flight in self._flights:
                flight.handle.cancel()
            self._salvage.give_back(claims.values(), "the dispatcher stopped")
            self._flights.settle(list(claims))
        else:
            # what the engine refused after the last look is not to wait for the next dispatcher
            self._collect()
        self._salvage.give_back_strays()

    def _sign_off(self, *, once: bool) -> None:
        """Say for other pools' policy whether this one goes on: with its jobs, after a single shot."""
        if once:
            self._report_pool()
            self._leases.note()
            self._salvage.save(now=True)
        else:
            withdraw_report(self._lake, self._settings.pool, self._actor)

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

    def _tell(self, states: TaskStates) -> None:
        if self._on_progress is None:
            return
        if states.seq == self._seen_seq and not self._books.newly:
            return
        self._seen_seq = states.seq
        counts = dict(self._settings.selection.tasks(states)["status"].value_counts().iter_rows())
        waiting, running, complete, error = (counts.get(s, 0) for s in ("waiting", "running", "complete", "error"))
        recorded = self._books.report.completed + self._books.report.failed
        self._on_progress(Progress(waiting, running, complete, error, recorded, self._books.take_newly()))


def _said(handle: Handle) -> Ending:
    error = handle.exception()
    if error is None:
        return NO_WORD
    return ("refused", str(error)) if isinstance(error, NotBegunError) else ("lost", f"{type(error).__name__}: {error}")
