from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from alchemiscale_lake.dispatch.pacing import Pace, rest, tasks_ahead


@pytest.mark.parametrize(
    ("turn_s", "busy", "expected"), [(0.1, True, 0.7), (0.01, True, 0.2), (60.0, True, 5.0), (60.0, False, 0.2)]
)
def test_a_turn_of_a_busy_dispatcher_takes_an_eighth_of_the_time(turn_s: float, busy: bool, expected: float) -> None:
    assert Pace(0.2, 20.0).pause_s(turn_s, moved=True, busy=busy) == pytest.approx(expected)


def test_workers_that_run_dry_get_more_work() -> None:
    """Turns of 0.5 s, two workers with Tasks of 0.5 s: a turn must find what ended in a whole pause, not less."""
    pace, ended = Pace(0.2, 20.0), [0.5]
    for _ in range(3):
        in_flight = 2 * (1 + tasks_ahead(ended, pace.cycle_s(0.5), 1))
        # `rest` ends when half of them have ended, at the latest
        ended += [0.5] * min(in_flight // 2, round(2 * pace.cycle_s(0.5) / 0.5))
    assert pace.cycle_s(0.5) == pytest.approx(4.0)
    assert len(ended) == 1 + 3 * 16


def test_an_idle_dispatcher_polls_less_and_less_often_until_something_changes() -> None:
    pace = Pace(0.2, 20.0)

    pauses = [pace.pause_s(9.0, moved=False, busy=True) for _ in range(12)]
    pace.pause_s(9.0, moved=True, busy=True)

    assert pauses[:2] == pytest.approx([0.3, 0.45])
    assert pauses[-1] == 5.0
    assert pace.pause_s(9.0, moved=False, busy=True) == pytest.approx(0.3)


def test_pauses_are_not_longer_than_half_a_heartbeat() -> None:
    assert Pace(0.2, 2.0).pause_s(60.0, moved=True, busy=True) == 1.0
    assert Pace(2.0, 2.0).pause_s(60.0, moved=True, busy=True) == 2.0


def in_flight(*done: bool) -> Any:
    return {str(n): SimpleNamespace(handle=SimpleNamespace(done=lambda one=one: one)) for n, one in enumerate(done)}


@pytest.mark.parametrize(
    ("done", "waits"),
    [((), True), ((True, False, False), True), ((True, False), False), ((True,), False)],
)
def test_a_rest_ends_when_half_of_the_assignments_have_ended(done: tuple[bool, ...], waits: bool) -> None:
    began = time.monotonic()

    rest(threading.Event(), 3.0, in_flight(*done), poll_s=0.02)

    assert (time.monotonic() - began >= 3.0) is waits


def test_a_rest_ends_when_asked_to_stop() -> None:
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    began = time.monotonic()

    rest(stop, 60.0, {}, poll_s=0.02)

    assert time.monotonic() - began < 30.0


@pytest.mark.parametrize(
    ("wall_times_s", "cycle_s", "cores", "ahead"),
    [
        ([], 1.0, 1, 0),
        ([61.0] * 20, 1.0, 1, 0),
        ([61.0] * 20 + [30.0] * 20, 1.0, 1, 1),
        ([1.0], 0.1, 1, 3),
        ([40.0, 40.0, 1.0, 1.0, 1.0], 0.1, 1, 3),
        ([1.0], 0.1, 2, 6),
        ([1.0], 10.0, 1, 20),
        ([0.01], 10.0, 4, 100),
    ],
)
def test_workers_have_short_tasks_until_the_next_turn(
    wall_times_s: list[float], cycle_s: float, cores: int, ahead: int
) -> None:
    assert tasks_ahead(wall_times_s, cycle_s, cores) == ahead
