"""The dispatcher: claims Tasks for one pool, assigns them to workers, collects and records the results.

A turn observes, decides and acts, twice: first about attempts (`observation`, `decision`, `acts`), then about what to
start (`openings`, `allocation`, `assignments`). The decisions are pure functions of what was observed. It is
independent of the engine: an `Executor` runs assignments (Dask, a queue, a work pool), and all state is in the lake. If
it is killed at any moment, the next dispatcher finds the receipts and takes over the rest.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final, Literal

import numpy as np

from ..costs.forecast import Forecast
from ..errors import StorageError, TransientError
from ..hints import with_lake
from ..settings import Pools
from ..statestore.attempt_endings import recent_refusals
from ..statestore.claims import Claim, claim_chosen, process_name
from ..statestore.host_records import on_probation, publish, quarantined
from ..statestore.task_names import TaskNames
from ..store import Lake, ReceiptKey, now_utc
from ..tasks.states import TaskStates
from .acts import Acts
from .allocation import Openings, allocate, needs_of
from .assignments import attempt_specs, build_assignment, grouped_by_place
from .cooling import Cooling
from .decision import decide
from .dispatch_report import DispatchReport, Progress, Tally
from .dispatch_settings import DispatchSettings
from .executor import Executor
from .lease_monitor import lease_sign
from .observation import OWN_LEASES, Observer
from .openings import OpeningsObserver
from .outage import Outage
from .pacing import Pace, rest, tasks_ahead
from .picture import Due, Identity, InFlight
from .pool_reports import PoolReport, report_pool, withdraw_report
from .progress_estimate import Outlook, ProgressEstimate
from .refill import Refill
from .schedule import Schedule
from .sightings import Sightings

__all__ = ["Dispatcher"]

_log = logging.getLogger(__name__)
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
        role = "jobs" if executor.durable else "dispatch"
        self._me = Identity(settings.pool, role, process_name(f"{role}:{settings.pool}"))
        self._names, self._tally = TaskNames(lake), Tally()
        forecast = Forecast(lake, pools)
        self._sightings = Sightings(lake, settings.pool)
        self._observer = Observer(lake, executor, self._me, settings.lease_s, self._sightings)
        self._acts = Acts(lake, self._tally, self._names)
        self._openings = OpeningsObserver(lake, executor, settings, pools, forecast, rng)
        self._estimate = ProgressEstimate(lake, settings.selection, forecast)
        self._schedule = Schedule(settings.heartbeat_s, time.monotonic())
        self._in_flight: Mapping[str, InFlight] = {}
        self._cooling = Cooling()
        self._key: ReceiptKey | None = None
        self._quarantined: Mapping[str, datetime] = {}
        self._on_probation: Collection[str] = ()
        self._outlook, self._seen_seq = Outlook(), -1
        self._tried: object = None
        self._cycle_s = 0.0

    def run(
        self,
        *,
        until: Literal["drained", "stopped", "once"] = "drained",
        stop: threading.Event | None = None,
        refill: Callable[[], bool] | None = None,
    ) -> DispatchReport:
        """Dispatch until nothing is left to do, or until `stop` is set, or for one turn.

        "drained" means that no Task of the selection can be claimed or is running anywhere. On `stop`, and on any
        error, attempts in flight are cancelled and released, unless they continue without this process, as in batch
        mode ("once"). If the lake does not answer, retries for up to ten minutes.

        Parameters
        ----------
        until : {"drained", "stopped", "once"}, default "drained"
            When to end.
        stop : threading.Event, optional
            Ends the dispatcher once set, at the next turn.
        refill : callable, optional
            With "drained", called when nothing is left to do, and now and then while workers idle; creates more Tasks,
            and returns whether it did.

        Raises
        ------
        TransientError
            If the lake, or the engine's queue, did not answer for longer.
        """
        began = time.monotonic()
        stop = stop or threading.Event()
        poll_s, outage, more = self._settings.poll_s, Outage(), Refill(refill)
        pace = Pace(poll_s, self._settings.heartbeat_s)
        try:
            while not stop.is_set():
                turn_began = time.monotonic()
                try:
                    moved = self.turn()
                    if until == "once":
                        break
                    if until == "drained" and not self._in_flight and self._is_drained():
                        if not more.now():
                            break
                        moved = True
                    elif until == "drained":
                        moved |= more.early(self._is_idle)
                    outage.over()
                    turn_s = time.monotonic() - turn_began
                    self._cycle_s = pace.cycle_s(turn_s)
                    for_s = pace.pause_s(turn_s, moved=moved, busy=bool(self._in_flight))
                    # jobs that outlive their dispatcher are long, and asking for them is a request to their queue
                    rest(stop, for_s, {} if self._executor.durable else self._in_flight, poll_s=poll_s)
                except TransientError as e:
                    stop.wait(outage.pause_after(e))
        finally:
            self._leave(once=until == "once")
        return replace(self.report, wall_time_s=time.monotonic() - began)

    @property
    def report(self) -> DispatchReport:
        """Return what it has done so far."""
        return replace(self._tally.report, in_flight=len(self._in_flight))

    def turn(self) -> bool:
        """Take one turn: settle attempts, start others. Return whether anything changed."""
        before = self._tally.report
        try:
            due = self._schedule.due(time.monotonic())
            self._prepare(due)
            self._settle(due)
            self._look_at_hosts()
            states = self._lake.task_log.states()
            if due.heartbeat:
                self._openings.refresh()
                self._tried = None
                self._report_pool()
            claimed = self._start(states)
            self._schedule.passed(due, time.monotonic())
            # reading the log is a request to a bucket
            self._show(self._lake.task_log.states() if claimed else states)
        except TransientError:
            self._schedule.shake()
            raise
        return self._tally.report != before

    # --- attempts in flight ------------------------------------------------------------------------

    def _prepare(self, due: Due) -> None:
        """Load what earlier dispatchers observed; after an outage, observe anew."""
        if due.after_outage:
            self._sightings.forget()
        if due.start:
            self._sightings.recall()
            self._cooling = Cooling.recalled(recent_refusals(self._lake), time.monotonic())

    def _settle(self, due: Due) -> None:
        """Record, release, stop and renew attempts."""
        picture = self._observer.picture(self._in_flight, due)
        decision = decide(picture)
        # jobs of earlier dispatchers are in flight from now on, whatever fails next
        self._in_flight = picture.in_flight
        self._in_flight = self._acts.carry_out(decision, picture)
        if decision.refusals:
            self._cooling = self._cooling.after(decision.refusals, picture.at_s)
        if due.heartbeat:
            self._save_sightings(picture.states)

    def _save_sightings(self, states: TaskStates, *, now: bool = False) -> None:
        """Store observations of attempts that outlive this dispatcher for the next one of the pool."""
        running = set(states.tasks.filter(status="running")["attempt"])
        if not self._executor.durable:
            running -= self._in_flight.keys()
        self._sightings.save(running, now=now)

    # --- hosts and pool ----------------------------------------------------------------------------

    def _look_at_hosts(self) -> None:
        """Exclude quarantined hosts: in every turn, since a broken host can fail a Task per second."""
        if self._settings.hosts is None:
            return
        hosts = quarantined(self._lake, self._settings.hosts)
        if hosts != self._quarantined:
            publish(self._lake, hosts)
            for name in sorted(hosts.keys() - self._quarantined.keys()):
                see = with_lake("`alchemiscale-lake hosts`", self._lake.url)
                _log.warning("host %s is quarantined until %s; see %s", name, hosts[name], see)
            self._quarantined = hosts
        self._on_probation = on_probation(self._lake, self._settings.hosts)
        self._executor.retire(hosts)

    def _report_pool(self) -> None:
        workers, slots = len(self._openings.places), self._openings.slots_free()
        pending = self._executor.pending()
        report = PoolReport(now_utc(), self._me.actor, workers, slots, pending.jobs, pending.oldest_s)
        try:
            report_pool(self._lake, self._settings.pool, report)
        except StorageError as e:
            _log.warning("pool %s could not report: %s", self._settings.pool, e)

    # --- starting ----------------------------------------------------------------------------------

    def _start(self, states: TaskStates) -> int:
        """Claim and submit as many Tasks as there is capacity for; return their number."""
        openings = self._openings.look(
            states,
            self._in_flight,
            cooling=self._cooling.active(time.monotonic()),
            quarantined=self._quarantined,
            on_probation=self._on_probation,
            ahead=self._ahead(),
        )
        admission = self._openings.admission(states)
        seen = states.seq, openings.ahead, openings.places
        if not openings.places or not len(admission.candidates) or admission.limit == 0 or seen == self._tried:
            return 0
        if self._key is None:
            self._lake.prepare_for_workers()
            # before the first claim: no attempt claimed later may lack a secret
            self._key = self._lake.receipt_key
        placed: Mapping[str, str] = {}

        def chosen(states: TaskStates) -> Sequence[str]:
            nonlocal placed
            # networks are read after Tasks: one that becomes inactive is recorded before its Tasks are released
            current = self._openings.with_current_networks(openings)
            placed = allocate(current, self._openings.admission(states))
            return list(placed)

        claimed_at_s = time.monotonic()
        claims = claim_chosen(
            self._lake, self._settings.pool, chosen, lease_s=self._settings.lease_s, caller=self._me.caller
        )
        if claims:
            self._submit(claims, openings, placed, self._key, claimed_at_s)
            self._tally.count(claimed=len(claims))
        else:
            self._tried = seen
        return len(claims)

    def _submit(
        self,
        claims: Sequence[Claim],
        openings: Openings,
        placed: Mapping[str, str],
        key: ReceiptKey,
        claimed_at_s: float,
    ) -> None:
        names = self._names.of(claims)
        needs = needs_of(openings.needs, self._settings, [claim.transformation for claim in claims])
        specs = attempt_specs(self._lake, claims, needs, key, self._settings.files)
        places, started = {place.name: place for place in openings.places}, dict[str, InFlight]()
        try:
            for place, group in grouped_by_place(claims, placed, whole_jobs=openings.whole_jobs):
                name = names[group[0].task] + (f" and {len(group) - 1} more" if len(group) > 1 else "")
                its = [specs[claim.attempt] for claim in group]
                assignment = build_assignment(self._lake, self._settings, its, places[place])
                handle = self._executor.submit(assignment, name=name, place=place)
                started |= {claim.attempt: InFlight(claim, handle, place, claimed_at_s) for claim in group}
        finally:
            self._in_flight = {**self._in_flight, **started}

    # --- stopping ---------------------------------------------------------------------------------

    def _leave(self, *, once: bool) -> None:
        """Release attempts that cannot continue without us, and claims that were not assigned."""
        deadline, outage = time.monotonic() + _FAREWELL_S, Outage()
        while True:
            try:
                # first at the engine: the lake may not answer
                self._cancel_all()
                # also Tasks that the engine refused since the last check must not wait for the next dispatcher
                self._settle(Due(leaving=True))
                self._sign_off(once=once)
                self._show(self._lake.task_log.states())
            except TransientError as e:
                if time.monotonic() > deadline:
                    _log.warning("%s; remaining claims are released when their leases expire", e)
                    return
                time.sleep(outage.pause_after(e))
            else:
                return

    def _cancel_all(self) -> None:
        """Cancel what cannot continue without this process."""
        if not self._executor.durable:
            for handle in {id(one.handle): one.handle for one in self._in_flight.values()}.values():
                handle.cancel()

    def _sign_off(self, *, once: bool) -> None:
        """Report to other pools' policies whether this pool continues: with its jobs, in batch mode."""
        if once:
            self._report_pool()
            states = self._lake.task_log.states()
            self._note_own_leases(states)
            self._save_sightings(states, now=True)
        else:
            withdraw_report(self._lake, self._settings.pool, self._me.actor)

    def _note_own_leases(self, states: TaskStates) -> None:
        """Store the age of each lease for the next dispatcher of the pool."""
        now_s, held = time.monotonic(), states.of([one.claim.task for one in self._in_flight.values()])
        signs = {state.attempt: lease_sign(state) for state in held.values() if state.attempt in self._in_flight}
        ages_s = {attempt: now_s - self._in_flight[attempt].leased_at_s for attempt in signs if attempt is not None}
        seen = {a: (signs[a], age_s) for a, age_s in ages_s.items() if math.isfinite(age_s)}
        self._sightings.note(OWN_LEASES, seen)

    def _is_idle(self) -> bool:
        """Return whether there is capacity, and no Task for it."""
        return self._openings.slots_free() > 0 and not self._openings.claimable(self._lake.task_log.states())

    def _is_drained(self) -> bool:
        states = self._lake.task_log.states()
        if bool((self._settings.selection.tasks(states)["status"] == "running").any()):
            return False
        return not self._openings.claimable(states)

    # --- pace and progress ------------------------------------------------------------------------

    def _ahead(self) -> int:
        return tasks_ahead(self._tally.wall_times_s, self._cycle_s, self._settings.capacity.cores)

    def _show(self, states: TaskStates) -> None:
        if self._on_progress is None:
            return
        is_news = states.seq != self._seen_seq or bool(self._tally.newly)
        if not is_news and not self._estimate.due():
            return
        outlook = self._estimate.outlook(states, self._tally.wall_times_s)
        if not is_news and (outlook.running, outlook.queued) == (self._outlook.running, self._outlook.queued):
            return
        self._seen_seq, self._outlook = states.seq, outlook
        counts = dict(self._settings.selection.tasks(states)["status"].value_counts().iter_rows())
        waiting = len(self._settings.selection.waiting(states))
        complete, error = counts.get("complete", 0), counts.get("error", 0)
        recorded, newly = self._tally.n_recorded, self._tally.take_newly()
        running, queued, eta_s = outlook.running, outlook.queued, outlook.eta_s
        self._on_progress(Progress(waiting, running, complete, error, recorded, newly, queued, eta_s))
