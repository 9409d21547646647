"""Leases and heartbeats are old if they have not changed, whatever the clocks of others show."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from types import SimpleNamespace

import pytest

from alchemiscale_lake.dispatch import observation
from alchemiscale_lake.dispatch.decision import decide
from alchemiscale_lake.dispatch.observation import Observer
from alchemiscale_lake.dispatch.picture import Due, InFlight, Picture
from alchemiscale_lake.dispatch.sightings import Sightings
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.store import Lake, now_utc
from alchemiscale_lake.tasks import TaskState
from tests.attempts import JOBS, ME, in_flight, running, states
from tests.engine import Engine

LEASE_S = 300.0
HOUR_S = 3600.0
WATCH = Due(heartbeat=True)
LISTEN = Due(heartbeat=True, silence=True)


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Watcher:
    """An observer whose log holds the given Tasks."""

    def __init__(self, lake: Lake, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held: tuple[TaskState, ...] = ()
        self.sightings = Sightings(lake, "p", clock=clock, clock_name="here")
        self.me, self._lake = ME, lake
        monkeypatch.setattr(lake.task_log, "states", lambda: states(*self.held))

    def picture(self, flying: dict[str, InFlight], due: Due) -> Picture:
        observer = self.__dict__.setdefault(
            "observer", Observer(self._lake, Engine(self._lake, durable=True), self.me, 60.0, self.sightings)
        )
        return observer.picture(flying, due)

    def gives_up(self, state: TaskState) -> bool:
        """Return whether one turn of a dispatcher gives an attempt of another up."""
        self.held = (state,)
        return decide(self.picture({}, WATCH)).expire == (state,)

    def silent(self, *flying: int) -> list[str]:
        """Return the attempts in flight that one turn finds silent."""
        self.held = tuple(running(n) for n in flying)
        mine = {a: replace(one, handle=RUNNING) for a, one in in_flight(*flying).items()}
        return sorted(decide(self.picture(mine, LISTEN)).silent)


class _Running:
    def done(self) -> bool:
        return False


RUNNING = _Running()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def watcher(lake: Lake, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Watcher:
    monkeypatch.setattr(observation, "lease_durations_s", lambda _, of: {s.attempt: LEASE_S for s in of})
    return Watcher(lake, clock, monkeypatch)


def held(ends_in_s: float) -> TaskState:
    """Return a lease that ends then by the local clock, which is not its writer's."""
    return running(1, now_utc() + timedelta(seconds=ends_in_s))


def beat(lake: Lake, ago_s: float) -> None:
    at, state = now_utc() - timedelta(seconds=ago_s), running(1)
    spec = AttemptSpec("a1", state.task, state.transformation, state.scope)
    leave_beat(lake, spec, Beat(at, at, at, "node"))


def turns(watcher: Watcher, clock: Clock, state: TaskState, upto_s: float, every_s: float = 20.0) -> float | None:
    """Return when an attempt is given up by a dispatcher that checks at this interval; None if never."""
    while clock.now <= upto_s:
        if watcher.gives_up(state):
            return clock.now
        clock.now += every_s
    return None


@pytest.mark.parametrize("ends_in_s", [LEASE_S, -HOUR_S, HOUR_S, -400 * 24 * HOUR_S, 400 * 24 * HOUR_S])
def test_a_lease_lasts_from_when_it_was_first_seen(watcher: Watcher, clock: Clock, ends_in_s: float) -> None:
    """Whether its writer's clock is right, behind or ahead, it neither blocks its Task nor loses it at once."""
    assert turns(watcher, clock, held(ends_in_s), 10_000) == LEASE_S + 120.0


def test_a_lease_that_is_renewed_holds(watcher: Watcher, clock: Clock) -> None:
    for minutes in range(0, 60, 2):
        clock.now = 60.0 * minutes
        assert not watcher.gives_up(held(-HOUR_S))


def test_an_attempt_that_beats_is_not_given_up(watcher: Watcher, clock: Clock, lake: Lake) -> None:
    state = held(-HOUR_S)
    while clock.now < 2000.0:
        beat(lake, 7200.0 - clock.now)
        assert not watcher.gives_up(state)
        clock.now += 30.0
    assert turns(watcher, clock, state, 10_000) == pytest.approx(2000.0 + 120.0, abs=61.0)


def test_after_an_outage_all_heartbeats_are_timed_afresh(watcher: Watcher, clock: Clock) -> None:
    state = held(0.0)
    assert turns(watcher, clock, state, LEASE_S + 100.0) is None
    watcher.sightings.forget()
    clock.now += 500.0
    assert not watcher.gives_up(state)


def test_a_dispatcher_that_was_stopped_itself_looks_twice(watcher: Watcher, clock: Clock) -> None:
    """Ctrl-Z suspends it together with its workers; the following hour was not watched."""
    state = held(0.0)
    assert not watcher.gives_up(state)
    clock.now += HOUR_S
    assert not watcher.gives_up(state)
    clock.now += HOUR_S
    assert not watcher.gives_up(state), "such an hour counts for a minute"
    clock.now += 20.0
    assert not watcher.gives_up(state)
    clock.now += 40.0
    assert watcher.gives_up(state)


def test_silence_is_a_beat_that_does_not_move(watcher: Watcher, clock: Clock, lake: Lake) -> None:
    assert watcher.silent(1) == [], "no beat at all: it has not begun, or is done in a second"
    beat(lake, 400 * 24 * HOUR_S)
    for clock.now in (0.0, 120.0, 240.0, 360.0, 480.0, 599.0):
        assert watcher.silent(1) == [], "the clock there may be behind"
    clock.now = 600.0
    assert watcher.silent(1) == ["a1"]


def test_a_process_that_was_stopped_has_heard_no_silence(watcher: Watcher, clock: Clock, lake: Lake) -> None:
    beat(lake, 0.0)
    assert watcher.silent(1) == []
    clock.now = 10 * HOUR_S
    assert watcher.silent(1) == []
    beat(lake, -1.0)
    clock.now += 120.0
    assert watcher.silent(1) == []


def test_jobs_are_missing_from_when_they_were_first_missed(watcher: Watcher, clock: Clock) -> None:
    watcher.me = JOBS

    def jobless_s(*numbers: int) -> dict[str, float | None]:
        watcher.held = tuple(running(n) for n in numbers)
        seen = watcher.picture({}, Due(heartbeat=True, sweep=True))
        return {attempt: other.jobless_s for attempt, other in seen.others.items()}

    assert jobless_s(1, 2) == {"a1": 0.0, "a2": 0.0}
    clock.now = 50.0
    assert jobless_s(1) == {"a1": 50.0}
    clock.now = 60.0
    assert jobless_s(1, 2) == {"a1": 60.0, "a2": 0.0}


def test_a_job_that_just_left_its_queue_is_asked_for_its_receipt(
    watcher: Watcher, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be missing because it was fast, and a cron job that comes too early would leave its results lying."""
    watcher.me, watcher.held = JOBS, (running(1), running(2))
    monkeypatch.setattr(
        observation, "find_receipts", lambda _, asked: [SimpleNamespace(attempt=a) for a in asked if a == "a1"]
    )

    seen = watcher.picture({}, Due(start=True, sweep=True))

    assert {attempt: other.jobless_s for attempt, other in seen.others.items()} == {"a1": 0.0, "a2": 0.0}
    assert list(seen.receipts) == ["a1"]
    decision = decide(seen)
    assert (list(decision.record), decision.fail, decision.release, decision.stop) == (
        [seen.receipts["a1"]],
        {},
        {},
        (),
    )


def test_how_long_a_lease_lasts_is_asked_once(watcher: Watcher, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It never reads the log for a lease that is renewed in time."""
    asked: list[datetime | None] = []

    def durations(_: Lake, states: list[TaskState]) -> dict[str | None, float]:
        asked.extend(s.lease_expires_at for s in states)
        return {s.attempt: LEASE_S for s in states}

    monkeypatch.setattr(observation, "lease_durations_s", durations)
    state = held(0.0)
    for clock.now in range(0, 2000, 50):  # type: ignore[assignment]
        watcher.gives_up(state)
    assert asked == [state.lease_expires_at]
    watcher.gives_up(replace(state, lease_expires_at=now_utc()))
    assert len(asked) == 1
