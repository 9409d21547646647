"""Which Tasks are really running, and how long the rest will take."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pytest

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.costs.forecast import Forecast
from alchemiscale_lake.dispatch.dispatch_report import Progress
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.dispatch.progress_estimate import Outlook, ProgressEstimate
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.statestore.claims import Selection, claim_tasks
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, now_utc
from tests.engine import Engine
from tests.plain import SCOPE, plain_chain


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def network(lake: Lake) -> str:
    """Of eight Tasks."""
    submitted = submit_network(lake, plain_chain([("a", "b"), ("b", "c"), ("c", "d"), ("d", "e")]), SCOPE)
    ensure_tasks(lake, submitted.network, 2, caller=Caller("ana"))
    return submitted.network


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def estimate(lake: Lake, network: str, clock: Clock) -> ProgressEstimate:
    return ProgressEstimate(lake, Selection(networks=(network,)), Forecast(lake, None), clock=clock)


def begin(lake: Lake, attempt: str, *, ran_for_s: float = 0.0) -> None:
    at = now_utc()
    spec = AttemptSpec(attempt, "t", "x", SCOPE)
    leave_beat(lake, spec, Beat(at, at - timedelta(seconds=ran_for_s), at, "host"))


def claim(lake: Lake, count: int) -> list[str]:
    claims = claim_tasks(lake, "pool", count, lease_s=60.0, caller=Caller("x"))
    return [claim.attempt for claim in claims]


def test_claimed_tasks_are_queued_until_their_worker_gives_a_sign(
    lake: Lake, estimate: ProgressEstimate, clock: Clock
) -> None:
    attempts = claim(lake, 3)

    before = estimate.outlook(lake.task_log.states(), [])
    begin(lake, attempts[0])
    at_once = estimate.outlook(lake.task_log.states(), [])
    clock.now += 5.0
    later = estimate.outlook(lake.task_log.states(), [])

    assert (before.running, before.queued) == (0, 3)
    assert at_once == before  # heartbeats are read only now and then
    assert (later.running, later.queued) == (1, 2)


def test_nothing_is_expected_before_anything_is_known(lake: Lake, estimate: ProgressEstimate, clock: Clock) -> None:
    assert estimate.outlook(lake.task_log.states(), []).eta_s is None

    (attempt,) = claim(lake, 1)
    begin(lake, attempt)
    clock.now += 5.0

    # it is running, but the duration of such Tasks is unknown
    assert estimate.outlook(lake.task_log.states(), []).eta_s is None


def test_finished_tasks_predict_the_remaining_duration(lake: Lake, estimate: ProgressEstimate, clock: Clock) -> None:
    for attempt in claim(lake, 2):
        begin(lake, attempt, ran_for_s=40.0)

    eta_s = estimate.outlook(lake.task_log.states(), [100.0, 100.0]).eta_s
    clock.now += 1.0
    a_second_later = estimate.outlook(lake.task_log.states(), [100.0, 100.0]).eta_s

    # two concurrent Tasks: six wait, of 100 s each, and 60 s are left of each running one
    assert eta_s == pytest.approx((6 * 100.0 + 2 * 60.0) / 2)
    assert a_second_later == pytest.approx(eta_s - 1.0)


def test_the_longest_task_is_waited_for(lake: Lake, estimate: ProgressEstimate) -> None:
    for attempt in claim(lake, 8)[:7]:
        begin(lake, attempt, ran_for_s=99.0)

    # one of eight waits for a worker, and takes 100 s
    assert estimate.outlook(lake.task_log.states(), [100.0]).eta_s == pytest.approx(100.0)


def test_the_pace_so_far_counts_once_there_is_one(lake: Lake, estimate: ProgressEstimate, clock: Clock) -> None:
    (attempt,) = claim(lake, 1)
    begin(lake, attempt)
    estimate.outlook(lake.task_log.states(), [])
    clock.now += 100.0

    # 50 s of work in 100 s: a worker is idle half of the time
    eta_s = estimate.outlook(lake.task_log.states(), [10.0] * 5).eta_s

    assert eta_s == pytest.approx(7 * 10.0 / 0.5)


def test_a_dispatcher_reports_a_task_start_although_the_log_is_unchanged(lake: Lake, network: str) -> None:
    told: list[Progress] = []
    engine = Engine(lake, slots=2)
    settings = DispatchSettings(resources=Resources(), poll_s=0.01, selection=Selection(networks=(network,)))
    dispatcher = Dispatcher(lake, engine, settings, on_progress=told.append, rng=np.random.default_rng(0))
    clock = Clock()
    dispatcher._estimate._clock = clock

    dispatcher.turn()
    begin(lake, engine.flights[0].attempts[0])
    dispatcher.turn()
    clock.now += 5.0
    dispatcher.turn()
    dispatcher.turn()

    assert [(p.running, p.queued, p.waiting, p.total) for p in told] == [(0, 2, 6, 8), (1, 1, 6, 8)]


def test_without_remaining_tasks_there_is_no_forecast(lake: Lake) -> None:
    estimate = ProgressEstimate(lake, Selection(), Forecast(lake, None))

    assert estimate.outlook(lake.task_log.states(), [1.0]) == Outlook(0, 0, None)
