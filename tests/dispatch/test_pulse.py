"""Leases and heartbeats are old if they have not changed, whatever the clocks of others show."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from alchemiscale_lake.dispatch import pulse as pulse_module
from alchemiscale_lake.dispatch.flights import spec_of
from alchemiscale_lake.dispatch.pulse import Pulse
from alchemiscale_lake.dispatch.sightings import Sightings
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.statestore.claims import Claim
from alchemiscale_lake.store import Lake, now_utc
from alchemiscale_lake.tasks import TaskState
from tests.plain import SCOPE

CLAIM = Claim("a1", "Task-1-org-campaign-project", "Transformation-1-org-campaign-project", SCOPE, None)
LEASE_S = 300.0
HOUR_S = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pulse(lake: Lake, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Pulse:
    monkeypatch.setattr(pulse_module, "lease_durations_s", lambda _, states: {s.attempt: LEASE_S for s in states})
    return Pulse(lake, 60.0, Sightings(lake, "p", clock=clock, clock_name="here"))


def held(ends_in_s: float) -> TaskState:
    """Return a lease that ends then by the local clock, which is not its writer's."""
    until = now_utc() + timedelta(seconds=ends_in_s)
    return TaskState(SCOPE, CLAIM.task, CLAIM.transformation, None, "running", 10, CLAIM.attempt, "p", until)


def beat(lake: Lake, ago_s: float) -> None:
    at = now_utc() - timedelta(seconds=ago_s)
    leave_beat(lake, spec_of(CLAIM), Beat(at, at, at, "node"))


def look(pulse: Pulse, state: TaskState) -> bool:
    """Return whether one turn of a dispatcher gives an attempt up."""
    return pulse.given_up(pulse.late([state])) == [state]


def turns(pulse: Pulse, clock: Clock, state: TaskState, upto_s: float, every_s: float = 20.0) -> float | None:
    """Return when an attempt is given up by a dispatcher that checks at this interval; None if never."""
    while clock.now <= upto_s:
        if look(pulse, state):
            return clock.now
        clock.now += every_s
    return None


@pytest.mark.parametrize("ends_in_s", [LEASE_S, -HOUR_S, HOUR_S, -400 * 24 * HOUR_S, 400 * 24 * HOUR_S])
def test_a_lease_lasts_from_when_it_was_first_seen(pulse: Pulse, clock: Clock, ends_in_s: float) -> None:
    """Whether its writer's clock is right, behind or ahead, it neither blocks its Task nor loses it at once."""
    assert turns(pulse, clock, held(ends_in_s), 10_000) == LEASE_S + 120.0


def test_a_lease_that_is_renewed_holds(pulse: Pulse, clock: Clock) -> None:
    for minutes in range(0, 60, 2):
        clock.now = 60.0 * minutes
        assert not look(pulse, held(-HOUR_S))


def test_an_attempt_that_beats_is_not_given_up(pulse: Pulse, clock: Clock, lake: Lake) -> None:
    state = held(-HOUR_S)
    while clock.now < 2000.0:
        beat(lake, 7200.0 - clock.now)
        assert not look(pulse, state)
        clock.now += 30.0
    assert turns(pulse, clock, state, 10_000) == pytest.approx(2000.0 + 120.0, abs=61.0)


def test_after_an_outage_all_heartbeats_are_timed_afresh(pulse: Pulse, clock: Clock) -> None:
    state = held(0.0)
    assert turns(pulse, clock, state, LEASE_S + 100.0) is None
    pulse.forget()
    clock.now += 500.0
    assert not look(pulse, state)
    assert not pulse.late([state])


def test_a_dispatcher_that_was_stopped_itself_looks_twice(pulse: Pulse, clock: Clock) -> None:
    """Ctrl-Z suspends it together with its workers; the following hour was not watched."""
    state = held(0.0)
    assert not look(pulse, state)
    clock.now += HOUR_S
    assert not look(pulse, state)
    clock.now += HOUR_S
    assert not look(pulse, state), "such an hour counts for a minute"
    clock.now += 20.0
    assert not look(pulse, state)
    clock.now += 40.0
    assert look(pulse, state)


def test_silence_is_a_beat_that_does_not_move(pulse: Pulse, clock: Clock, lake: Lake) -> None:
    claims = {CLAIM.attempt: CLAIM}
    assert pulse.silent(claims) == {}, "no beat at all: it has not started, or is done in a second"
    beat(lake, 400 * 24 * HOUR_S)
    for clock.now in (0.0, 120.0, 240.0, 360.0, 480.0, 599.0):
        assert pulse.silent(claims) == {}, "the clock there may be behind"
    clock.now = 600.0
    assert list(pulse.silent(claims)) == [CLAIM.attempt]


def test_a_process_that_was_stopped_has_heard_no_silence(pulse: Pulse, clock: Clock, lake: Lake) -> None:
    claims = {CLAIM.attempt: CLAIM}
    beat(lake, 0.0)
    assert pulse.silent(claims) == {}
    clock.now = 10 * HOUR_S
    assert pulse.silent(claims) == {}
    beat(lake, -1.0)
    clock.now += 120.0
    assert pulse.silent(claims) == {}


def test_jobs_are_missing_from_when_they_were_first_missed(pulse: Pulse, clock: Clock) -> None:
    assert pulse.jobless_s(["a", "b"]) == {"a": 0.0, "b": 0.0}
    clock.now = 50.0
    assert pulse.jobless_s(["a"]) == {"a": 50.0}
    clock.now = 60.0
    assert pulse.jobless_s(["a", "b"]) == {"a": 60.0, "b": 0.0}


def test_how_long_a_lease_lasts_is_asked_once(pulse: Pulse, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never reads the log for a lease that is renewed in time."""
    asked: list[datetime | None] = []

    def durations(_: Lake, states: list[TaskState]) -> dict[str | None, float]:
        asked.extend(s.lease_expires_at for s in states)
        return {s.attempt: LEASE_S for s in states}

    monkeypatch.setattr(pulse_module, "lease_durations_s", durations)
    state = held(0.0)
    for clock.now in range(0, 2000, 50):  # type: ignore[assignment]
        pulse.late([state])
    assert asked == [state.lease_expires_at]
    pulse.late([replace(state, lease_expires_at=now_utc())])
    assert len(asked) == 1
