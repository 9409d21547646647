"""A dispatcher asks for more Tasks when it has none, and seldom while some run."""

from __future__ import annotations

import itertools

from alchemiscale_lake.dispatch.refill import Refill


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def refill(clock: Clock, takes_s: float, found: bool, asked: list[float]) -> Refill:
    def ask() -> bool:
        asked.append(clock.now)
        clock.now += takes_s
        return found

    return Refill(ask, clock=clock)


def test_it_asks_at_once_when_nothing_is_left() -> None:
    asked: list[float] = []
    assert refill(Clock(), 0.1, found=True, asked=asked).now()
    assert not refill(Clock(), 0.1, found=False, asked=asked).now()
    assert len(asked) == 2


def test_while_tasks_run_it_asks_for_a_twentieth_of_the_time() -> None:
    clock, asked = Clock(), list[float]()
    more = refill(clock, 2.0, found=True, asked=asked)
    while clock.now < 300.0:
        clock.now += 1.0
        more.early(lambda: True)
    assert asked[0] == 105.0
    assert all(later - earlier >= 42.0 for earlier, later in itertools.pairwise(asked))
    assert len(asked) == 5


def test_workers_that_are_busy_get_no_more() -> None:
    clock, asked = Clock(), list[float]()
    more = refill(clock, 0.0, found=True, asked=asked)
    clock.now += 60.0
    assert not more.early(lambda: False)
    assert more.early(lambda: True)
    assert asked == [160.0]


def test_without_anybody_to_ask_there_are_no_more() -> None:
    more = Refill(None)
    assert not more.now()
    assert not more.early(lambda: True)
