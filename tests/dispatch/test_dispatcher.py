"""The dispatcher with a simulated engine, so that every turn can be observed."""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import numpy as np
import polars as pl
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch import dispatcher as dispatcher_module
from alchemiscale_lake.dispatch import recovery
from alchemiscale_lake.dispatch import sightings as sightings_module
from alchemiscale_lake.dispatch.dispatch_report import Progress
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.dispatch.picture import InFlight, spec_of
from alchemiscale_lake.execution.assignment import Assignment, AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.execution.quarantine_list import read_quarantine
from alchemiscale_lake.execution.release import Release, leave_release
from alchemiscale_lake.execution.start_markers import write_start_marker
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.faults import fault_hook
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import QuarantineRules
from alchemiscale_lake.statestore import claims as claims_module
from alchemiscale_lake.statestore.claims import Claim, Selection, claim_tasks, process_name
from alchemiscale_lake.statestore.network_members import network_transformations
from alchemiscale_lake.statestore.network_state import set_network_state
from alchemiscale_lake.statestore.restarts import add_task_restart_patterns
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import (
    action_tasks,
    cancel_tasks,
    create_tasks,
    ensure_tasks,
    set_tasks_status,
)
from alchemiscale_lake.store import Lake, now_utc, task_log
from tests.claims import end_claims
from tests.engine import Engine, Flight
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt


@pytest.fixture
def network(lake: Lake) -> str:
    submitted = submit_network(lake, plain_chain([("a", "b"), ("b", "c"), ("c", "d")]), SCOPE)
    ensure_tasks(lake, submitted.network, 2, caller=Caller("ana"))
    return submitted.network


def dispatcher(
    lake: Lake, engine: Engine, told: list[Progress] | None = None, *, slots: int = 2, **settings: object
) -> Dispatcher:
    engine.slots = slots
    chosen = DispatchSettings(**{"resources": Resources(), "poll_s": 0.01, **settings})  # type: ignore[arg-type]
    return Dispatcher(
        lake, engine, chosen, on_progress=None if told is None else told.append, rng=np.random.default_rng(0)
    )


def counts(lake: Lake) -> dict[str, int]:
    return dict(lake.task_log.states().tasks["status"].value_counts().iter_rows())


def test_a_drained_run_completes_everything_once(lake: Lake, network: str) -> None:
    told: list[Progress] = []
    report = dispatcher(lake, Engine(lake, at_once=True), told).run()
    assert (report.claimed, report.completed, report.failed, report.released) == (6, 6, 0, 0)
    assert counts(lake) == {"complete": 6}
    assert told[-1].complete == 6
    assert sorted(t.name for p in told for t in p.newly) == [f"{p}-r{r}" for p in ("a_b", "b_c", "c_d") for r in (0, 1)]


def test_progress_counts_the_tasks_that_will_run(lake: Lake, network: str) -> None:
    """Neither cancelled ones nor those that were never actioned, in a selection by network or of the whole lake."""
    tasks = lake.task_log.states().with_status("waiting")["task"].sort().to_list()
    cancel_tasks(lake, tasks[:2], network, caller=Caller("ana"))
    create_tasks(lake, network_transformations(lake, network), caller=Caller("ana"))
    told: list[Progress] = []
    dispatcher(lake, Engine(lake, at_once=True), told, selection=Selection(networks=(network,))).run()
    assert {(p.waiting + p.queued + p.running + p.complete, p.total) for p in told} == {(4, 4)}
    assert (told[-1].waiting, told[-1].ended) == (0, 4)

    action_tasks(lake, tasks[:1], network, caller=Caller("ana"))
    told.clear()
    dispatcher(lake, Engine(lake, at_once=True), told).run()
    assert (told[-1].waiting, told[-1].ended, told[-1].total) == (0, 5, 5)


def test_a_drained_run_asks_for_more_until_there_is_none(lake: Lake, network: str) -> None:
    left = [1, 2]

    def refill() -> bool:
        if not left:
            return False
        assert set(counts(lake)) == {"complete"}
        tasks = create_tasks(lake, network_transformations(lake, network)[: left.pop()], caller=Caller("test"))
        action_tasks(lake, tasks, network, caller=Caller("test"))
        return True

    report = dispatcher(lake, Engine(lake, at_once=True)).run(refill=refill)

    assert report.completed == 6 + 2 + 1
    assert counts(lake) == {"complete": 9}


def test_no_more_is_in_flight_than_there_are_slots(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine)
    assert turn.turn()
    assert not turn.turn(), "nothing moved"
    assert len(engine.flights) == 2
    engine.land(engine.flights[0])
    turn.turn()
    assert len(engine.flights) == 3
    assert counts(lake) == {"complete": 1, "running": 2, "waiting": 3}


def test_short_tasks_are_queued_ahead(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine)
    turn.turn()
    engine.land(engine.flights[0], wall_time_s=0.1)
    turn.turn()
    assert len(engine.flights) == 6


def test_failed_tasks_end_in_error_and_the_rest_goes_on(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine, slots=6)
    turn.turn()
    for i, flight in enumerate(engine.flights):
        engine.land(flight, ok=i > 0)
    turn.turn()
    assert counts(lake) == {"complete": 5, "error": 1}


def test_a_task_whose_workers_end_under_it_three_times_is_a_failed_result(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine, slots=6)
    turn.turn()
    task = engine.flights[0].assignment.attempts[0].task
    for _ in range(3):
        assert counts(lake) == {"running": 6}, "given back, and claimed again in the same turn"
        (flight,) = [f for f in engine.flights if f.assignment.attempts[0].task == task and not f.done()]
        engine.crash(flight, RuntimeError("out of memory"))
        turn.turn()
    assert counts(lake) == {"error": 1, "running": 5}
    log = lake.table("task_log").scan().filter(pl.col("event") == "released").collect()
    assert log["reason"].to_list() == ["lost: RuntimeError: out of memory"] * 2
    row = lake.table("results").scan().collect().row(0, named=True)
    said = "WorkerLost: 3 workers in a row ended while running it; the last: RuntimeError: out of memory"
    assert (row["ok"], row["exception"]) == (False, said)


def test_the_reason_in_the_log_is_the_one_that_the_attempt_stated(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine, slots=6)
    turn.turn()
    (spec,) = engine.flights[0].assignment.attempts
    leave_release(lake, spec, Release("walltime", "the job ends in 5 minutes", "node7"))
    engine.crash(engine.flights[0])
    turn.turn()
    (row,) = lake.table("task_log").scan().filter(pl.col("event") == "released").collect().iter_rows(named=True)
    assert (row["of_attempt"], row["reason"]) == (spec.attempt, "walltime: the job ends in 5 minutes (node7)")
    assert counts(lake) == {"running": 6}, "it goes on in the next job"


def test_a_place_that_refuses_is_left_alone_for_a_while(lake: Lake, network: str) -> None:
    engine = Engine(lake, hosts=("a", "b"))
    turn = dispatcher(lake, engine, slots=1)
    turn.turn()
    refused = next(f for f in engine.flights if f.place == "a")
    leave_release(lake, refused.assignment.attempts[0], Release("refused", "memory is 95 % full", "a"))
    engine.crash(refused)
    turn.turn()
    assert [f.place for f in engine.flights] == ["a", "b"], "neither the place nor the Task is tried at once"
    assert counts(lake) == {"running": 1, "waiting": 5}


def test_stopping_cancels_attempts_and_releases_claims(lake: Lake, network: str) -> None:
    engine, stop = Engine(lake), threading.Event()
    thread = threading.Timer(0.3, stop.set)
    thread.start()
    report = dispatcher(lake, engine).run(until="stopped", stop=stop)
    thread.join()
    assert all(f.cancelled for f in engine.flights)
    assert report.released == 2
    assert counts(lake) == {"waiting": 6}


def test_an_error_in_the_engine_releases_claimed_tasks(lake: Lake, network: str) -> None:
    class BrokenEngine(Engine):
        def submit(self, assignment: Assignment, *, name: str, place: str) -> Flight:
            if self.flights:
                raise ConnectionError("the scheduler is gone")
            return super().submit(assignment, name=name, place=place)

    with pytest.raises(ConnectionError):
        dispatcher(lake, BrokenEngine(lake)).run()
    assert counts(lake) == {"waiting": 6}


def test_a_task_set_invalid_is_cancelled_in_the_next_turn(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine)
    turn.turn()
    task = engine.flights[0].assignment.attempts[0].task
    set_tasks_status(lake, [task], "invalid", caller=Caller("ana"))
    turn.turn()
    assert engine.flights[0].cancelled
    assert not engine.flights[1].cancelled


def test_an_inactive_network_stops_its_running_tasks(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine, heartbeat_s=0.0)
    turn.turn()
    lake.network_log.set([network], caller=Caller("ana"), state="inactive")  # its process died before it could release
    turn.turn()
    turn.turn()
    assert all(f.cancelled for f in engine.flights)
    assert counts(lake) == {"waiting": 6}
    assert len(engine.flights) == 2, "nothing new is claimed"
    reasons = lake.table("task_log").scan().filter(pl.col("event") == "released").collect()["reason"].to_list()
    assert reasons == ["no longer actioned on any active network"] * 2


def test_tasks_that_an_inactive_network_released_are_not_claimed_again(lake: Lake, network: str) -> None:
    turn = dispatcher(lake, Engine(lake), heartbeat_s=1000.0)
    turn.turn()
    claimed = turn.report.claimed
    assert claimed > 0

    set_network_state(lake, [network], "inactive", caller=Caller("ana"))
    for _ in range(3):
        turn.turn()
        assert set(counts(lake)) == {"waiting"}

    assert turn.report.claimed == claimed


def test_a_host_that_fails_fast_is_left_alone(lake: Lake, network: str) -> None:
    engine = Engine(lake, hosts=("bad", "good"))
    turn = dispatcher(lake, engine, slots=1, hosts=QuarantineRules(failures=1))
    turn.turn()
    bad = next(f for f in engine.flights if f.place == "bad")
    engine.land(bad, ok=False, wall_time_s=1.0, hostname="bad", started_at=now_utc())
    for _ in range(20):
        turn.turn()
        time.sleep(0.02)  # results are read at most a twentieth of the time
    assert engine.retired == {"bad"}
    assert [f.place for f in engine.flights].count("bad") <= 2, "one may have been placed before it was known"
    assert set(read_quarantine(lake)) == {"bad"}, "and its workers can read it"


def test_a_machine_on_its_own_runs_all_of_its_tasks_however_they_fail(lake: Lake, network: str) -> None:
    class Failing(Engine):
        def submit(self, assignment: Assignment, *, name: str, place: str) -> Flight:
            flight = super().submit(assignment, name=name, place=place)
            self.land(flight, ok=False, wall_time_s=0.1, hostname=place, started_at=now_utc())
            return flight

    report = dispatcher(lake, Failing(lake)).run()
    assert report.failed == 6
    assert counts(lake) == {"error": 6}, "a network that cannot run says so at once, not after quarantines"


def test_a_failure_that_a_pattern_matches_is_run_again(lake: Lake, network: str) -> None:
    add_task_restart_patterns(lake, network, ["asked to fail"], 1, caller=Caller("ana"))
    engine = Engine(lake)
    turn = dispatcher(lake, engine, slots=6)
    turn.turn()
    task = engine.flights[0].assignment.attempts[0].task
    for _ in range(2):
        (flight,) = [f for f in engine.flights if f.assignment.attempts[0].task == task and not f.done()]
        engine.land(flight, ok=False)
        turn.turn()
    assert counts(lake) == {"error": 1, "running": 5}
    assert lake.task_log.states().networks_of([task]) == {task: {}}, "its restart used up, it is cancelled"


def test_an_attempt_that_fell_silent_is_given_up(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine)
    turn.turn()
    (spec,) = engine.flights[0].assignment.attempts
    long_ago = now_utc() - timedelta(hours=1)
    leave_beat(lake, spec, Beat(long_ago, long_ago, long_ago, "node3"))
    (other,) = engine.flights[1].assignment.attempts
    leave_beat(lake, other, Beat(now_utc(), long_ago, long_ago, "node4"))
    turn = dispatcher(lake, engine, heartbeat_s=0.0)
    turn._in_flight = {
        s.attempt: InFlight(Claim(s.attempt, s.task, s.transformation, s.scope, None), flight, flight.place)
        for flight in engine.flights
        for s in flight.assignment.attempts
    }
    turn.turn()
    assert not engine.flights[0].cancelled, "how old its beat is, its own clock says"
    turn._sightings.note("beats", {spec.attempt: (long_ago.isoformat(), 601.0), other.attempt: ("before", 601.0)})
    turn._schedule._silence_at = -1e9
    turn.turn()
    assert engine.flights[0].cancelled
    assert not engine.flights[1].cancelled
    (row,) = lake.table("task_log").scan().filter(pl.col("event") == "released").collect().iter_rows(named=True)
    assert row["reason"] == "lost: no heartbeat from node3"


# --- jobs that continue without their dispatcher -------------------------------------------------------


def test_one_turn_submits_whole_jobs_and_leaves_them(lake: Lake, network: str) -> None:
    engine = Engine(lake, durable=True, whole_jobs=True, jobs=2)
    report = dispatcher(lake, engine, slots=2, maximum_workers=2).run(until="once")
    assert [len(f.attempts) for f in engine.flights] == [2, 2]
    assert (report.claimed, report.in_flight, report.released) == (4, 4, 0)
    assert not any(f.cancelled for f in engine.flights)
    assert counts(lake) == {"running": 4, "waiting": 2}


def test_the_next_turn_collects_what_ended_and_goes_on_with_what_runs(lake: Lake, network: str) -> None:
    engine = Engine(lake, durable=True, whole_jobs=True, jobs=2)
    dispatcher(lake, engine, slots=2, maximum_workers=2).run(until="once")
    engine.land(engine.flights[0])
    report = dispatcher(lake, engine, slots=2, maximum_workers=2).run(until="once")
    assert (report.recovered, report.claimed, report.in_flight) == (2, 2, 4)
    assert counts(lake) == {"complete": 2, "running": 4}


@pytest.mark.parametrize(
    ("started", "reason"),
    [
        (True, "lost: its job is gone"),
        (False, "refused: its job ended before the attempt started; see the job's output"),
    ],
)
def test_the_task_of_a_job_that_vanished_is_released(
    lake: Lake, network: str, monkeypatch: pytest.MonkeyPatch, started: bool, reason: str
) -> None:
    monkeypatch.setattr(recovery, "_UNLISTED_S", 0.0)
    engine = Engine(lake, durable=True, whole_jobs=True, jobs=2)
    dead = process_name("jobs:local").replace(".", ".9", 1)  # same machine, a process that never was
    (claim,) = claim_tasks(lake, "local", 1, lease_s=6000, caller=Caller(dead))
    if started:
        spec = AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)
        write_start_marker(lake, Assignment(lake.url, "local", (spec,)))
    elsewhere = "jobs:local@1.2@another-machine"
    (young,) = claim_tasks(lake, "local", 1, lease_s=6000, caller=Caller(elsewhere))
    dispatcher(lake, engine, slots=1).run(until="once")
    log = lake.table("task_log").scan().filter(pl.col("event") == "released").collect()
    assert log["of_attempt"].to_list() == [claim.attempt], "the other may be submitting it just now"
    assert log["reason"].to_list() == [reason]
    assert lake.task_log.states().of([young.task])[young.task].attempt == young.attempt
    stopped = [is_asked_to_stop(lake, spec_of(c)) for c in (claim, young)]
    assert stopped == [True, False], "should its job turn up after all, it has nothing to run"


def test_jobs_that_never_begin_fail_no_task(lake: Lake, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "_UNLISTED_S", 0.0)
    monkeypatch.setattr(dispatcher_module, "recent_refusals", lambda lake: {})  # or the next waits a while
    engine = Engine(lake, durable=True, whole_jobs=True)
    for _ in range(5):
        dispatcher(lake, engine, slots=1).run(until="once")
        for flight in engine.flights:
            engine.crash(flight)
    assert set(counts(lake)) <= {"waiting", "running"}
    assert lake.table("results").scan().collect().is_empty()


def test_a_job_that_its_queue_cannot_list_yet_is_left_alone(lake: Lake, network: str) -> None:
    dead = process_name("jobs:local").replace(".", ".9", 1)
    (claim,) = claim_tasks(lake, "local", 1, lease_s=6000, caller=Caller(dead))
    dispatcher(lake, Engine(lake, durable=True, whole_jobs=True, jobs=0)).run(until="once")
    assert lake.task_log.states().of([claim.task])[claim.task].attempt == claim.attempt


def test_the_first_task_of_a_job_does_not_wait_for_the_last(lake: Lake, network: str) -> None:
    engine = Engine(lake, durable=True, whole_jobs=True)
    turn = dispatcher(lake, engine, heartbeat_s=0.0)
    turn.turn()
    first, second = engine.flights[0].assignment.attempts
    leave_receipt(lake, plain_receipt(first))
    turn.turn()
    assert lake.task_log.states().of([first.task])[first.task].status == "complete"
    assert lake.task_log.states().of([second.task])[second.task].status == "running"


def test_cancelling_one_task_of_a_job_leaves_the_other(lake: Lake, network: str) -> None:
    engine = Engine(lake, durable=True, whole_jobs=True)
    turn = dispatcher(lake, engine)
    turn.turn()
    first, second = engine.flights[0].assignment.attempts
    set_tasks_status(lake, [first.task], "invalid", caller=Caller("ana"))
    turn.turn()
    assert is_asked_to_stop(lake, first)
    assert not is_asked_to_stop(lake, second)
    assert not engine.flights[0].cancelled
    set_tasks_status(lake, [second.task], "deleted", caller=Caller("ana"))
    turn.turn()
    assert engine.flights[0].cancelled


def test_workers_are_asked_for_as_there_is_work(lake: Lake, network: str) -> None:
    engine = Engine(lake, at_once=True)
    dispatcher(lake, engine, maximum_workers=4, capacity=Resources(2)).run()
    assert engine.wanted[0] == 3, "six Tasks of a core on workers of two"
    assert engine.wanted[-1] == 0


def test_receipts_of_a_dead_dispatcher_are_recorded_and_the_rest_claimed_again(lake: Lake, network: str) -> None:
    dead = process_name("dispatch:local").replace(".", ".9", 1)  # same machine, a process that never was
    left, _ = claim_tasks(lake, "local", 2, lease_s=600, caller=Caller(dead))
    leave_receipt(lake, plain_receipt(AttemptSpec(left.attempt, left.task, left.transformation, left.scope)))
    report = dispatcher(lake, Engine(lake, at_once=True)).run()
    assert report.recovered == 1
    assert report.claimed == 5
    assert counts(lake) == {"complete": 6}
    assert lake.table("results").scan().collect()["task"].is_unique().all()


def test_expired_leases_of_others_are_reaped_live_ones_waited_for(lake: Lake, network: str) -> None:
    claim_tasks(lake, "elsewhere", 3, lease_s=0.5, caller=Caller("dispatch:elsewhere@1.2@another-machine"))
    report = dispatcher(lake, Engine(lake, at_once=True), lease_s=0.3, heartbeat_s=0.1).run()
    assert counts(lake) == {"complete": 6}
    assert report.claimed == 6
    assert report.released == 3


def test_a_late_receipt_without_a_waiting_attempt_is_recorded(lake: Lake, network: str) -> None:
    (claim,) = claim_tasks(lake, "elsewhere", 1, lease_s=0, caller=Caller("x"))
    end_claims(lake, {claim.attempt: claim.task}, caller=Caller("x"), reason="lost")
    leave_receipt(lake, plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)))
    report = dispatcher(lake, Engine(lake, at_once=True)).run()
    assert (report.recovered, report.claimed) == (1, 5)


def test_a_claimer_that_died_with_its_clock_ahead_blocks_nothing(
    lake: Lake, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ahead = SimpleNamespace(now=lambda _=None: datetime.now(UTC) + timedelta(days=30))
    with monkeypatch.context() as there:
        there.setattr(claims_module, "now_utc", ahead.now)
        there.setattr(task_log, "datetime", ahead)
        claim_tasks(lake, "elsewhere", 3, lease_s=0.5, caller=Caller("dispatch:elsewhere@1.2@another-machine"))
    report = dispatcher(lake, Engine(lake, at_once=True), lease_s=0.3, heartbeat_s=0.1).run()
    assert counts(lake) == {"complete": 6}
    assert (report.claimed, report.released) == (6, 3)


def test_a_claimer_whose_clock_is_behind_keeps_its_tasks(
    lake: Lake, network: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By every clock but its own its lease expired a month ago."""
    behind = SimpleNamespace(now=lambda _=None: datetime.now(UTC) - timedelta(days=30))
    with monkeypatch.context() as there:
        there.setattr(claims_module, "now_utc", behind.now)
        there.setattr(task_log, "datetime", behind)
        claimed = claim_tasks(
            lake, "elsewhere", 3, lease_s=600, caller=Caller("dispatch:elsewhere@1.2@another-machine")
        )
    dispatcher(lake, Engine(lake, at_once=True), lease_s=0.3, heartbeat_s=0.0).run(until="once")
    turn = dispatcher(lake, Engine(lake, at_once=True), lease_s=0.3, heartbeat_s=0.0)
    turn.turn()
    turn.turn()
    assert {s.attempt for s in lake.task_log.states().running().values()} >= {c.attempt for c in claimed}


def test_single_turns_of_a_pool_watch_together(lake: Lake, network: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With cron, each is a new process: observations of the last one are in the lake."""
    (claim,) = claim_tasks(lake, "elsewhere", 1, lease_s=300, caller=Caller("dispatch:elsewhere@1.2@another-machine"))
    real = time.monotonic

    def is_expired_at(now_s: float) -> bool:
        monkeypatch.setattr(sightings_module.time, "monotonic", lambda: real() + now_s)
        dispatcher(lake, Engine(lake, durable=True, whole_jobs=True, jobs=0)).run(until="once")
        expired = lake.table("task_log").scan().filter(pl.col("event") == "expired").collect()
        return expired["of_attempt"].to_list() == [claim.attempt]

    assert not any(is_expired_at(now_s) for now_s in (0.0, 200.0, 290.0, 310.0, 350.0))
    assert is_expired_at(600.0)


@pytest.mark.parametrize("set_by", [timedelta(days=30), timedelta(days=-30)])
def test_leases_are_renewed_although_the_clock_was_set(
    lake: Lake, network: str, monkeypatch: pytest.MonkeyPatch, set_by: timedelta
) -> None:
    turn = dispatcher(lake, Engine(lake), lease_s=0.2, heartbeat_s=0.0)
    turn.turn()
    before = lake.task_log.states().running()
    monkeypatch.setattr(claims_module, "now_utc", lambda: datetime.now(UTC) + set_by)
    deadline = time.monotonic() + 300.0
    while lake.task_log.states().running() == before and time.monotonic() < deadline:
        turn.turn()
    assert lake.task_log.states().running() != before


def test_leases_are_not_renewed_before_they_are_due(lake: Lake, network: str) -> None:
    """In batch mode neither, with a new process each time: the log of a large pool would fill up."""
    engine = Engine(lake, durable=True, jobs=2)
    dispatcher(lake, engine, lease_s=6000.0).run(until="once")
    before = lake.task_log.states().running()
    assert before
    dispatcher(lake, engine, lease_s=6000.0).run(until="once")
    after = lake.task_log.states().running()
    assert {task: after[task] for task in before} == before


@pytest.mark.parametrize("late", [True, False])
def test_a_recorded_result_that_its_task_has_not_heard_of_ends_it(lake: Lake, network: str, *, late: bool) -> None:
    """Its recorder was killed before the event: a dispatcher's start, and its sweep, write it."""
    (claim,) = claim_tasks(lake, "elsewhere", 1, lease_s=600, caller=Caller("x"))
    end_claims(lake, {claim.attempt: claim.task}, caller=Caller("x"), reason="stopped")
    turn = dispatcher(lake, Engine(lake), heartbeat_s=0.0)
    if late:
        turn.turn()

    def die(name: str) -> None:
        if name == "results:before-event":
            raise KeyboardInterrupt

    receipt = plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope))
    with fault_hook(die), pytest.raises(KeyboardInterrupt):
        record_receipts(lake, [receipt], caller=Caller("x"))
    if late:
        turn._schedule._swept_at = -1e9
        turn.turn()
    else:
        turn.turn()
    assert turn.report.recovered == 1
    assert lake.task_log.states().of([claim.task])[claim.task].status == "complete"


def test_extending_tasks_follow_and_are_given_the_result(lake: Lake, network: str) -> None:
    parent = lake.task_log.states().tasks["task"][0]
    transformation = lake.task_log.states().of([parent])[parent].transformation
    (child,) = create_tasks(lake, [transformation], extends=parent, caller=Caller("ana"))
    action_tasks(lake, [child], network, caller=Caller("ana"))
    engine = Engine(lake, at_once=True)
    dispatcher(lake, engine).run()
    (of_parent,) = [f for f in engine.flights if f.assignment.attempts[0].task == parent]
    (flight,) = [f for f in engine.flights if f.assignment.attempts[0].task == child]
    spec = of_parent.assignment.attempts[0]
    assert flight.assignment.attempts[0].extends_result == f"attempts/{spec.scope}/{spec.attempt}/result.json.zst"
    order = [f.assignment.attempts[0].task for f in engine.flights]
    assert order.index(child) > order.index(parent)
