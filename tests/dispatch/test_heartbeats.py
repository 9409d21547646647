"""Heartbeats of many attempts are read without waiting for them."""

from __future__ import annotations

import threading
import time

import pytest

from alchemiscale_lake.dispatch import heartbeats
from alchemiscale_lake.dispatch.heartbeats import HeartbeatReader
from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.execution.assignment import AttemptSpec
from alchemiscale_lake.execution.heartbeat import Beat, leave_beat
from alchemiscale_lake.store import Lake, now_utc
from tests.plain import SCOPE


def beat(lake: Lake, attempt: str) -> Beat:
    made = Beat(now_utc(), now_utc(), now_utc(), "node")
    leave_beat(lake, AttemptSpec(attempt, "t", "x", SCOPE), made)
    return made


def test_a_few_are_read_at_once(lake: Lake) -> None:
    made, reader = beat(lake, "a1"), HeartbeatReader(lake)
    assert reader.answer() is None
    reader.ask({"a1": SCOPE, "a2": SCOPE})
    assert reader.answer() == {"a1": made}, "the other has none"
    assert reader.answer() is None, "taken"


def test_many_are_read_in_the_background(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on, read = threading.Event(), heartbeats.read_beat

    def slow(lake: Lake, scope: str, attempt: str) -> Beat | None:
        assert go_on.wait(30)
        return read(lake, scope, attempt)

    monkeypatch.setattr(heartbeats, "read_beat", slow)
    made, reader = beat(lake, "a1"), HeartbeatReader(lake)
    reader.ask({f"a{n}": SCOPE for n in range(100)})
    assert reader.answer() is None, "a turn goes on meanwhile"
    reader.ask({"a2": SCOPE})
    go_on.set()
    assert answer_of(reader) == {"a1": made}


def test_a_storage_that_does_not_answer_is_an_error_of_whoever_takes_the_answer(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise StorageError("503")

    monkeypatch.setattr(heartbeats, "read_beat", fail)
    reader = HeartbeatReader(lake)
    reader.ask({f"a{n}": SCOPE for n in range(100)})
    with pytest.raises(StorageError, match="503"):
        answer_of(reader)
    monkeypatch.undo()
    reader.ask({"a1": SCOPE})
    assert reader.answer() == {}


def answer_of(reader: HeartbeatReader) -> dict[str, Beat] | None:
    deadline = time.monotonic() + 300
    while (answer := reader.answer()) is None and time.monotonic() < deadline:
        time.sleep(0.01)
    return answer
