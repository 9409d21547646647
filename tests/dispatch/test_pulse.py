"""Leases and beats are old when they have not moved, whatever the clocks of others say."""

from __future__ import annotations

from datetime import timedelta

import pytest

from alchemiscale_lake.dispatch.flights import spec_of
from alchemiscale_lake.dispatch.pulse import Pulse
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.ledger.claims import Claim
from alchemiscale_lake.store import Lake, now_utc
from alchemiscale_lake.tasks import TaskState
from tests.plain import SCOPE

CLAIM = Claim("a1", "Task-1-org-campaign-project", "Transformation-1-org-campaign-project", SCOPE, None)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pulse(lake: Lake, clock: Clock) -> Pulse:
    return Pulse(lake, 60.0, clock=clock)


def held(late_s: float) -> TaskState:
    until = now_utc() - timedelta(seconds=late_s)
    return TaskState(SCOPE, CLAIM.task, CLAIM.transformation, None, "running", 10, CLAIM.attempt, "p", until)


def beat(lake: Lake, ago_s: float) -> None:
    at = now_utc() - timedelta(seconds=ago_s)
    leave_beat(lake, spec_of(CLAIM), Beat(at, at, at, "node"))


def test_a_lease_that_ran_out_is_watched_before_it_is_believed(pulse: Pulse, clock: Clock) -> None:
    state = held(7200.0)  # two hours, which may be what the clocks differ by
    assert pulse.given_up([state]) == []
    clock.now = 119.0
    assert pulse.given_up([state]) == []
    clock.now = 120.0
    assert pulse.given_up([state]) == [state]


def test_a_lease_that_is_renewed_by_a_clock_behind_ours_holds(pulse: Pulse, clock: Clock) -> None:
    for minutes in range(20):
        clock.now = 60.0 * minutes
        assert pulse.given_up([held(500.0)]) == []


def test_an_attempt_that_beats_is_not_given_up(pulse: Pulse, clock: Clock, lake: Lake) -> None:
    state = held(1000.0)
    for minutes in range(10):
        clock.now = 60.0 * minutes
        beat(lake, 7200.0 - clock.now)
        assert pulse.given_up([state]) == []
    clock.now += 120.0
    assert pulse.given_up([state]) == [state]


def test_after_an_outage_all_are_watched_anew(pulse: Pulse, clock: Clock) -> None:
    state = held(100.0)
    pulse.given_up([state])
    clock.now = 500.0
    pulse.forget()
    assert pulse.given_up([state]) == []


@pytest.mark.parametrize(
    ("late_s", "beat_ago_s", "gone"), [(60, None, False), (130, None, True), (130, 60, False), (999, 700, True)]
)
def test_a_single_look_leaves_a_margin(
    pulse: Pulse, lake: Lake, late_s: float, beat_ago_s: float | None, gone: bool
) -> None:
    if beat_ago_s is not None:
        beat(lake, beat_ago_s)
    assert (pulse.given_up([held(late_s)], at_first=True) != []) is gone


def test_silence_is_a_beat_that_does_not_move(pulse: Pulse, clock: Clock, lake: Lake) -> None:
    claims = {CLAIM.attempt: CLAIM}
    assert pulse.silent(claims) == {}, "no beat at all: it has not begun, or is done in a second"
    beat(lake, 1500.0)
    assert pulse.silent(claims) == {}, "the clock there may be behind"
    clock.now = 601.0
    assert list(pulse.silent(claims)) == [CLAIM.attempt]


def test_a_beat_of_long_ago_is_silence_at_the_first_look(pulse: Pulse, lake: Lake) -> None:
    beat(lake, 3700.0)
    assert list(pulse.silent({CLAIM.attempt: CLAIM})) == [CLAIM.attempt]
