"""The heartbeat of an attempt in the lake."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from alchemiscale_lake.execution.heartbeat import Beat, leave_beat, read_beat, remove_beat
from alchemiscale_lake.store import Lake, now_utc
from tests.execution.messages import SCOPE, SPEC


def test_a_beat_is_read_as_it_was_left_and_can_be_taken_away(own_lake: Lake) -> None:
    now = now_utc()
    beat = Beat(now, now - timedelta(hours=1), now - timedelta(seconds=5), "node1", "job", 2, 5)
    assert read_beat(own_lake, SCOPE, "attempt") is None
    leave_beat(own_lake, SPEC, beat)
    assert read_beat(own_lake, SCOPE, "attempt") == beat
    remove_beat(own_lake, SPEC)
    remove_beat(own_lake, SPEC)
    assert read_beat(own_lake, SCOPE, "attempt") is None


def test_the_last_beat_counts(own_lake: Lake) -> None:
    first = Beat(now_utc(), now_utc(), now_utc(), "node1")
    leave_beat(own_lake, SPEC, first)
    leave_beat(own_lake, SPEC, later := replace(first, at=first.at + timedelta(seconds=30), units_done=1))

    assert read_beat(own_lake, SCOPE, SPEC.attempt) == later
