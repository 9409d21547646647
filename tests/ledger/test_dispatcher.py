"""The dispatcher with an engine of our own, so that every turn can be watched."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

import numpy as np
import pytest

from alchemiscale_lake.execution.assignment import Assignment, AttemptSpec
from alchemiscale_lake.ledger.claims import claim_tasks, end_claims, process_name
from alchemiscale_lake.ledger.dispatcher import Dispatcher, Progress
from alchemiscale_lake.ledger.executor import DispatchSettings
from alchemiscale_lake.ledger.submit import submit_network
from alchemiscale_lake.ledger.tasks import action_tasks, create_tasks, ensure_tasks, set_tasks_status
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, leave_receipt, plain_chain, plain_receipt


@dataclass
class Flight:
    assignment: Assignment
    name: str
    ended: bool = False
    error: BaseException | None = None
    cancelled: bool = False

    def done(self) -> bool:
        return self.ended or self.cancelled

    def exception(self) -> BaseException | None:
        return self.error

    def cancel(self) -> None:
        self.cancelled = True


@dataclass
class Engine:
    """Runs nothing by itself: `land` ends a flight with a receipt, `crash` without."""

    lake: Lake
    flights: list[Flight] = field(default_factory=list)
    at_once: bool = False

    def submit(self, assignment: Assignment, *, name: str) -> Flight:
        self.flights.append(Flight(assignment, name))
        if self.at_once:
            self.land(self.flights[-1])
        return self.flights[-1]

    def land(self, flight: Flight, *, ok: bool = True, wall_time_s: float = 1000.0) -> None:
        (spec,) = flight.assignment.attempts
        leave_receipt(self.lake, plain_receipt(spec, ok=ok, wall_time_s=wall_time_s))
        flight.ended = True

    def crash(self, flight: Flight, error: BaseException | None) -> None:
        flight.ended, flight.error = True, error


@pytest.fixture
def network(lake: Lake) -> str:
    submitted = submit_network(lake, plain_chain([("a", "b"), ("b", "c"), ("c", "d")]), SCOPE)
    ensure_tasks(lake, submitted.network, 2, creator="ana")
    return submitted.network


def dispatcher(lake: Lake, engine: Engine, told: list[Progress] | None = None, **settings: object) -> Dispatcher:
    chosen = DispatchSettings(**{"slots": 2, "poll_s": 0.01, **settings})  # type: ignore[arg-type]
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


def test_no_more_is_in_flight_than_there_are_slots(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine)
    assert turn.step()
    assert turn.step()
    assert len(engine.flights) == 2
    engine.land(engine.flights[0])
    turn.step()
    assert len(engine.flights) == 3
    assert counts(lake) == {"complete": 1, "running": 2, "waiting": 3}


def test_short_tasks_are_queued_ahead(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine)
    turn.step()
    engine.land(engine.flights[0], wall_time_s=0.1)
    turn.step()
    assert len(engine.flights) == 6


def test_failed_tasks_end_in_error_and_the_rest_goes_on(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine, slots=6)
    turn.step()
    for i, flight in enumerate(engine.flights):
        engine.land(flight, ok=i > 0)
    turn.step()
    assert counts(lake) == {"complete": 5, "error": 1}


def test_a_worker_lost_under_its_task_is_a_failed_result(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine, slots=6)
    turn.step()
    engine.crash(engine.flights[0], RuntimeError("killed 3 workers"))
    turn.step()
    assert counts(lake) == {"error": 1, "running": 5}
    row = lake.table("results").scan().collect().row(0, named=True)
    assert (row["ok"], row["exception"]) == (False, "WorkerLost: RuntimeError: killed 3 workers")


def test_what_ends_without_receipt_or_reason_is_given_back(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine, slots=6)
    turn.step()
    engine.crash(engine.flights[0], None)
    turn.step()
    assert counts(lake) == {"running": 6}, "given back, and claimed again in the same turn"
    log = lake.table("task_log").scan().collect()
    assert log.filter(event="released")["of_attempt"].to_list() == [engine.flights[0].assignment.attempts[0].attempt]


def test_stopping_cancels_and_gives_back(lake: Lake, network: str) -> None:
    engine, stop = Engine(lake), threading.Event()
    thread = threading.Timer(0.3, stop.set)
    thread.start()
    report = dispatcher(lake, engine).run(until="stopped", stop=stop)
    thread.join()
    assert all(f.cancelled for f in engine.flights)
    assert report.released == 2
    assert counts(lake) == {"waiting": 6}


def test_an_error_in_the_engine_gives_back_what_was_claimed(lake: Lake, network: str) -> None:
    class BrokenEngine(Engine):
        def submit(self, assignment: Assignment, *, name: str) -> Flight:
            if self.flights:
                raise ConnectionError("the scheduler is gone")
            return super().submit(assignment, name=name)

    with pytest.raises(ConnectionError):
        dispatcher(lake, BrokenEngine(lake)).run()
    assert counts(lake) == {"waiting": 6}


def test_a_task_set_invalid_is_cancelled_within_a_lease(lake: Lake, network: str) -> None:
    engine = Engine(lake)
    turn = dispatcher(lake, engine, lease_s=0.03)
    turn.step()
    task = engine.flights[0].assignment.attempts[0].task
    set_tasks_status(lake, [task], "invalid", actor="ana")
    threading.Event().wait(0.02)
    turn.step()
    assert engine.flights[0].cancelled
    assert not engine.flights[1].cancelled


def test_receipts_of_a_dead_dispatcher_are_recorded_and_the_rest_claimed_anew(lake: Lake, network: str) -> None:
    dead = process_name("dispatch:local").replace(".", ".9", 1)  # same machine, a process that never was
    left, _ = claim_tasks(lake, "local", 2, lease_s=600, actor=dead)
    leave_receipt(lake, plain_receipt(AttemptSpec(left.attempt, left.task, left.transformation, left.scope)))
    report = dispatcher(lake, Engine(lake, at_once=True)).run()
    assert report.recovered == 1
    assert report.claimed == 5
    assert counts(lake) == {"complete": 6}
    assert lake.table("results").scan().collect()["task"].is_unique().all()


def test_expired_leases_of_others_are_reaped_live_ones_waited_for(lake: Lake, network: str) -> None:
    claim_tasks(lake, "elsewhere", 3, lease_s=0.5, actor="dispatch:elsewhere@1.2@another-machine")
    report = dispatcher(lake, Engine(lake, at_once=True), lease_s=0.3).run()
    assert counts(lake) == {"complete": 6}
    assert report.claimed == 6
    assert report.released == 3


def test_a_late_receipt_nobody_waits_for_is_swept_up(lake: Lake, network: str) -> None:
    (claim,) = claim_tasks(lake, "elsewhere", 1, lease_s=0, actor="x")
    end_claims(lake, {claim.attempt: claim.task}, actor="x")
    leave_receipt(lake, plain_receipt(AttemptSpec(claim.attempt, claim.task, claim.transformation, claim.scope)))
    report = dispatcher(lake, Engine(lake, at_once=True)).run()
    assert (report.recovered, report.claimed) == (1, 5)


def test_extending_tasks_follow_and_are_given_the_result(lake: Lake, network: str) -> None:
    parent = lake.task_log.states().tasks["task"][0]
    transformation = lake.task_log.states().of([parent])[parent].transformation
    (child,) = create_tasks(lake, [transformation], extends=parent, creator="ana")
    action_tasks(lake, [child], network, actor="ana")
    engine = Engine(lake, at_once=True)
    dispatcher(lake, engine).run()
    (flight,) = [f for f in engine.flights if f.assignment.attempts[0].task == child]
    assert flight.assignment.attempts[0].extends_result == "somewhere"
    order = [f.assignment.attempts[0].task for f in engine.flights]
    assert order.index(child) > order.index(parent)
