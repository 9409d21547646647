from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from alchemiscale_lake.dispatch.pacing import pause_s, rest, tasks_ahead


@pytest.mark.parametrize(
    ("last_s", "turn_s", "moved", "expected"),
    [
        (0.2, 0.1, True, 0.7),
        (5.0, 0.01, True, 0.2),
        (0.2, 60.0, True, 5.0),
        (0.2, 60.0, False, 0.3),
        (5.0, 0.1, False, 5.0),
    ],
)
def test_a_turn_takes_an_eighth_of_the_time(last_s: float, turn_s: float, moved: bool, expected: float) -> None:
    paused = pause_s(last_s, turn_s, moved=moved, poll_s=0.2, heartbeat_s=20.0)

    assert paused == pytest.approx(expected)


def test_pauses_are_not_longer_than_half_a_heartbeat() -> None:
    assert pause_s(1.0, 60.0, moved=True, poll_s=0.2, heartbeat_s=2.0) == 1.0
    assert pause_s(1.0, 60.0, moved=True, poll_s=2.0, heartbeat_s=2.0) == 2.0


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
        ([1.0], 0.1, 2, 6),
        ([1.0], 10.0, 1, 20),
        ([0.01], 10.0, 4, 100),
    ],
)
def test_workers_have_short_tasks_until_the_next_turn(
    wall_times_s: list[float], cycle_s: float, cores: int, ahead: int
) -> None:
    assert tasks_ahead(wall_times_s, cycle_s, cores) == ahead
