"""The dispatcher: claims Tasks for one pool, assigns them to workers, collects and records the results.

It is independent of the engine: an `Executor` runs assignments (Dask, a queue, a work pool), and all state is in the
lake. If it is killed at any moment, the next dispatcher finds the receipts and takes over the rest.
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

from ..caller import Caller
from ..costs.forecast import Forecast
from ..errors import NotStartedError, StorageError, TransientError
from ..hints import with_lake
from ..settings import Pools
from ..statestore.claims import process_name
from ..statestore.host_records import on_probation, publish, quarantined
from ..statestore.task_names import TaskNames
from ..statestore.unwanted_tasks import release_unwanted
from ..store import Lake, now_utc
from ..tasks.states import TaskStates
from .executor import Executor, Handle
from .flights import Flights
from .handing_out import HandingOut
from .headway import Headway, Outlook
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
#: Kinds of endings after which a Task should run elsewhere, or later.
_UNTOUCHED: Final = ("refused", "unreadable", "stopped")
#: An idle dispatcher polls less and less often, down to this interval.
_IDLE_POLL_S: Final = 5.0
_LONGEST_LEASE_S: Final = 1800.0
#: On stopping, a lake that does not answer is not waited for: leases expire anyway.
_FAREWELL_S: Final = 15.0


class Dispatcher:
    """Dispatcher of one pool on one lake.

    Parameters
    ----------
    lake : Lake
    executor : Executor
    settings : DispatchSettings
    pools : Pools, optional
        All pools of this lake, whose policy applies to its claims; default: it may claim everything.
    on_progress : callable, optional
        Called with a `Progress` after every change.
    rng : numpy.random.Generator, optional
        Random generator for the choice of Tasks.
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
        # jobs that outlive their dispatcher must not be considered orphaned when it ends
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
        self._has_started = self._is_shaken = False
        self._beat_at = self._listened_at = -math.inf
        self._headway = Headway(lake, settings.selection, forecast)
        self._outlook = Outlook()
        self._seen_seq = self._checked_seq = -1

    def run(
        self, *, until: Literal["drained", "stopped", "once"] = "drained", stop: threading.Event | None = None
    ) -> DispatchReport:
        """Dispatch until nothing is left to do, or until `stop` is set, or for one turn.

        "drained" means that no Task of the selection can be claimed or is running anywhere. On `stop`, and on any
        error, attempts in flight are cancelled and released, unless they continue without this process, as in batch
        mode ("once"). If the lake does not answer, retries for up to ten minutes.

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
        """Take one turn: collect, monitor, claim. Return whether anything changed."""
        before = self._books.report
        self._collect()
        # every turn: a broken host can fail a Task per second
        self._look_at_hosts()
        states = self._lake.task_log.states()
        if states.seq != self._checked_seq:
            self._stop_those_taken(states)
        if time.monotonic() - self._beat_at >= self._settings.heartbeat_s:
            self._beat()
            states = self._lake.task_log.states()
        claimed = self._hand_out(states, self._ahead())
        self._books.count(claimed=claimed)
        # reading the log is a request to a bucket
        self._tell(self._lake.task_log.states() if claimed else states)
        return self._books.report != before

    def _turn(self) -> bool:
        """Take one turn; on the first one, and after a failure, recover lost attempts first."""
        if self._is_shaken:
            # leases could not be renewed during the outage: renew ours at once, and give the others time
            self._beat_at = -math.inf
            self._pulse.forget()
            self._renew()
            self._salvage.give_back_strays()
            self._is_shaken = False
        if not self._has_started:
            self._salvage.begin()
            self._hand_out.recall(recent_refusals(self._lake))
            self._has_started = True
        return self.step()

    # --- collecting -------------------------------------------------------------------------------

    def _collect(self) -> None:
        """Settle all attempts that ended since the last turn together, since a commit costs more than a row."""
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
                # a worker that was asked to stop implies nothing about the Task
                self._hand_out.cool_down(flight.place, claim.task, longer=kind != "stopped")
        self._flights.settle(list(ended))

    def _collect_from_running_jobs(self) -> None:
        """Record finished Tasks of long jobs without waiting for the last one."""
        together = {a: c.scope for f in self._flights if len(f.claims) > 1 for a, c in f.claims.items()}
        self._flights.settle(self._books.record_left(together))

    # --- monitoring -------------------------------------------------------------------------------

    def _beat(self) -> None:
        self._beat_at = time.monotonic()
        self._renew()
        self._hand_out.refresh()
        release_unwanted(self._lake, caller=Caller(self._actor))
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
                see = with_lake("`alchemiscale-lake hosts`", self._lake.url)
                _log.warning("host %s is quarantined until %s; see %s", name, hosts[name], see)
            self._hand_out.barred = hosts
        self._hand_out.on_probation = on_probation(self._lake, self._settings.hosts)
        self._executor.retire(hosts)

    def _stop_those_taken(self, states: TaskStates) -> None:
        """Stop attempts that lost their Task: cancelled, set invalid, completed by an earlier attempt."""
        held = states.tasks.filter(pl.col("status") == "running")["attempt"]
        self._flights.stop(self._flights.claims().keys() - set(held))
        self._checked_seq = states.seq

    def _renew(self) -> None:
        lease_s = self._settings.lease_s
        if len(self._flights) > 1000:
            # renew less often with many attempts: thousands of renewals a minute would flood the log
            lease_s = max(lease_s, min(_LONGEST_LEASE_S, lease_s * len(self._flights) / 1000))
        self._flights.stop(self._leases.renew(lease_s))

    def _listen(self) -> None:
        """Give up attempts without a heartbeat although their engine reports them as running."""
        self._listened_at = time.monotonic()
        claims = self._flights.claims()
        for attempt, beat in self._pulse.silent(claims).items():
            _log.warning("attempt %s on %s has sent no heartbeat since %s; given up", attempt, beat.hostname, beat.at)
            self._flights.stop([attempt])
            word = ("lost", f"no heartbeat from {beat.hostname}")
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

    # --- stopping ---------------------------------------------------------------------------------

    def _leave(self, *, once: bool) -> None:
        """Release attempts that cannot continue without us, and claims that were not assigned."""
        deadline, outage = time.monotonic() + _FAREWELL_S, Outage()
        while True:
            try:
                self._give_back()
                self._sign_off(once=once)
                self._tell(self._lake.task_log.states())
            except TransientError as e:
                if time.monotonic() > deadline:
                    _log.warning("%s; remaining claims are released when their leases expire", e)
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
            # Tasks that the engine refused since the last check must not wait for the next dispatcher
            self._collect()
        self._salvage.give_back_strays()

    def _sign_off(self, *, once: bool) -> None:
        """Report to other pools' policies whether this pool continues: with its jobs, in batch mode."""
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

    # --- pace and progress ------------------------------------------------------------------------

    def _ahead(self) -> int:
        """Return the Tasks to queue per worker behind running ones: only short Tasks, since queuing withholds them."""
        recent = self._books.wall_times_s[-20:]
        mean_s = max(sum(recent) / len(recent), 1e-3) if recent else math.inf
        return 0 if mean_s > 60.0 else min(math.ceil(3.0 / mean_s), 100)

    def _longest_pause_s(self) -> float:
        return max(self._settings.poll_s, min(_IDLE_POLL_S, self._settings.heartbeat_s / 2))

    def _tell(self, states: TaskStates) -> None:
        if self._on_progress is None:
            return
        is_news = states.seq != self._seen_seq or bool(self._books.newly)
        if not is_news and not self._headway.due():
            return
        outlook = self._headway.outlook(states, self._books.wall_times_s)
        if not is_news and (outlook.running, outlook.queued) == (self._outlook.running, self._outlook.queued):
            return
        self._seen_seq, self._outlook = states.seq, outlook
        counts = dict(self._settings.selection.tasks(states)["status"].value_counts().iter_rows())
        waiting, complete, error = (counts.get(s, 0) for s in ("waiting", "complete", "error"))
        recorded, newly = self._books.report.completed + self._books.report.failed, self._books.take_newly()
        running, queued, eta_s = outlook.running, outlook.queued, outlook.eta_s
        self._on_progress(Progress(waiting, running, complete, error, recorded, newly, queued, eta_s))


def _said(handle: Handle) -> Ending:
    error = handle.exception()
    if error is None:
        return NO_WORD
    return (
        ("refused", str(error)) if isinstance(error, NotStartedError) else ("lost", f"{type(error).__name__}: {error}")
    )
