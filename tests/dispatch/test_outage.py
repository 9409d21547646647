from __future__ import annotations

import pytest

from alchemiscale_lake.dispatch.outage import Outage
from alchemiscale_lake.errors import StorageError


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_pauses_grow_to_half_a_minute_and_end_after_ten() -> None:
    clock = Clock()
    outage, pauses = Outage(clock=clock), list[float]()
    for _ in range(23):
        pauses.append(outage.pause_after(StorageError("503")))
        clock.now += pauses[-1]
    with pytest.raises(StorageError, match="503"):
        outage.pause_after(StorageError("503"))
    assert pauses[:7] == [1, 2, 4, 8, 16, 30, 30]
    assert 570 < clock.now <= 600


def test_a_successful_turn_resets_the_count() -> None:
    clock = Clock()
    outage = Outage(clock=clock)
    outage.pause_after(StorageError("503"))
    clock.now = 599.0
    outage.over()
    clock.now = 5000.0
    assert outage.pause_after(StorageError("503")) == 1.0
