"""The connection of an attempt to its lake: asked at intervals, and never in the way of the attempt."""

from __future__ import annotations

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from alchemiscale_lake.errors import StorageError
from alchemiscale_lake.execution import lifeline
from alchemiscale_lake.execution.heartbeat import Beat
from alchemiscale_lake.execution.lifeline import Lifeline
from alchemiscale_lake.store import now_utc
from tests.execution.bench import wait_for
from tests.execution.messages import SPEC

LAKE: Any = SimpleNamespace(local_path="a folder")


class Beats(list[Beat]):
    """Heartbeats that were written; `removed` counts removals."""

    removed = 0


@pytest.fixture
def beats(monkeypatch: pytest.MonkeyPatch) -> Beats:
    written = Beats()

    def remove(*_: object) -> None:
        written.removed += 1

    monkeypatch.setattr(lifeline, "leave_beat", lambda lake, spec, beat: written.append(beat))
    monkeypatch.setattr(lifeline, "remove_beat", remove)
    monkeypatch.setattr(lifeline, "_ASK_FOLDER_S", 0.001)
    monkeypatch.setattr(lifeline, "_FIRST_BEAT_S", 0.0)
    return written


def test_a_request_to_stop_is_passed_on_once(beats: Beats) -> None:
    asked: list[str] = []

    def stop(attempt: str) -> bool:
        asked.append(attempt)
        return len(asked) >= 3

    with Lifeline(LAKE, SPEC, stop, beat_s=0.001) as line:
        line.told.result(60)
        # it is still heard from until it has stopped
        line.begin(now_utc())
        wait_for(lambda: len(beats) >= 2)
    assert asked == [SPEC.attempt] * 3


def test_an_attempt_that_has_not_begun_sends_and_removes_nothing(beats: Beats) -> None:
    with Lifeline(LAKE, SPEC, lambda _: False) as line:
        assert not line.told.done()
    assert (beats, beats.removed) == ([], 0)


def test_a_beat_has_the_progress_and_is_removed_in_the_end(beats: Beats) -> None:
    with Lifeline(LAKE, SPEC, lambda _: False, beat_s=0.001) as line:
        # it waited for its turn
        began = line.vitals.progress_at + timedelta(seconds=1)
        line.vitals.units_done, line.vitals.units_total = 1, 3
        line.begin(began)
        wait_for(lambda: len(beats) >= 2)
        assert beats.removed == 0
    assert (beats[0].units_done, beats[0].units_total, beats[0].started_at) == (1, 3, began)
    assert beats[0].progress_at == began, "the start is progress"
    assert beats.removed == 1


def test_a_storage_that_does_not_answer_is_asked_again(beats: Beats, caplog: pytest.LogCaptureFixture) -> None:
    answers = iter([StorageError("no answer"), OSError("stale"), True])

    def stop(_: str) -> bool:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    with Lifeline(LAKE, SPEC, stop) as line:
        line.told.result(60)
    assert "no answer" in caplog.text
