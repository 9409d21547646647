"""Counts of a dispatcher, and what it shows of them."""

from __future__ import annotations

from alchemiscale_lake.dispatch.dispatch_report import DispatchReport, Progress, RecordedTask, Tally
from alchemiscale_lake.statestore.result_recording import Recorded


def test_progress_adds_up() -> None:
    seen = Progress(waiting=1, running=2, complete=4, error=8, recorded=0, newly=(), queued=16)

    assert (seen.ended, seen.total) == (12, 31)


def recorded(attempt: str, *, ok: bool) -> RecordedTask:
    return RecordedTask(attempt, Recorded(attempt, "Task", "Transformation", ok, None, None, None, 3.0, new=True))


def test_recorded_results_are_counted_by_outcome_and_origin() -> None:
    tally = Tally()
    tally.recorded([recorded("a1", ok=True), recorded("a2", ok=False)], {"a2", "a9"})
    tally.recorded([recorded("a3", ok=True)], ())
    tally.count(released=2, completed=1)

    assert tally.report == DispatchReport(completed=3, failed=1, recovered=1, released=2)
    assert tally.n_recorded == 4
    assert tally.wall_times_s == [3.0, 3.0, 3.0]


def test_every_result_is_shown_once() -> None:
    tally = Tally()
    tally.recorded([recorded("a1", ok=True)], ())
    first = tally.take_newly()
    tally.recorded([recorded("a2", ok=True)], ())

    assert [one.name for one in first] == ["a1"]
    assert [one.name for one in tally.take_newly()] == ["a2"]
    assert tally.take_newly() == []
