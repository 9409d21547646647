"""What ends an attempt early, and which of several reasons counts."""

from __future__ import annotations

import time
from concurrent.futures import Future

import pytest

from alchemiscale_lake.execution import job
from alchemiscale_lake.execution.watch import Cut, Watch


class Clocks:
    """The clocks of a process, and the end of its job."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.left_s = 100.0, 1e6
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr("alchemiscale_lake.execution.watch.seconds_left", lambda: self.left_s)


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    monkeypatch.setattr(job, "_reasons", [])
    return Clocks(monkeypatch)


def test_nothing_ends_an_attempt_without_limits(clocks: Clocks) -> None:
    clocks.left_s = None  # type: ignore[assignment]
    assert Watch(Future()).cut() is None


def test_a_timeout_is_the_failure_of_the_task_and_all_else_is_not(clocks: Clocks) -> None:
    watch = Watch(Future(), timeout_s=10.0)
    clocks.now = 109.9
    assert watch.cut() is None
    clocks.now = 110.0
    assert watch.cut() is Cut.TIMEOUT
    assert watch.exception(Cut.TIMEOUT) == ("TimeoutError", "timeout after 10 s")
    assert {cut: cut.releases for cut in Cut} == {Cut.STOPPED: True, Cut.WALLTIME: True, Cut.TIMEOUT: False}


def test_an_attempt_is_stopped_before_the_end_of_its_job(clocks: Clocks) -> None:
    watch = Watch(Future(), retire_before_s=30.0)
    clocks.left_s = 30.1
    assert watch.cut() is None
    clocks.left_s = 30.0
    assert watch.cut() is Cut.WALLTIME
    assert watch.exception(Cut.WALLTIME) == ("Cancelled", "stopped 30 s before the end of its job")


def test_what_requeues_a_task_counts_before_what_fails_it(clocks: Clocks) -> None:
    told: Future[None] = Future()
    watch = Watch(told, timeout_s=0.0, retire_before_s=30.0)
    assert watch.cut() is Cut.TIMEOUT
    clocks.left_s = 0.0
    assert watch.cut() is Cut.WALLTIME
    told.set_result(None)
    assert watch.cut() is Cut.STOPPED


def test_a_signal_to_the_job_stops_every_attempt_for_its_reason(clocks: Clocks) -> None:
    watch = Watch(Future())
    assert watch.reason(Cut.STOPPED) == "the attempt was stopped"
    job.stop_all("the job received SIGTERM")
    assert watch.cut() is Cut.STOPPED
    assert watch.exception(Cut.STOPPED) == ("Cancelled", "the job received SIGTERM")


def test_waiting_ends_with_a_step_or_a_stop_request(clocks: Clocks) -> None:
    told: Future[None] = Future()
    done: Future[int] = Future()
    open_: Future[int] = Future()
    done.set_result(1)
    watch = Watch(told)

    assert watch.wait([done, open_]) == {done}
    told.set_result(None)
    assert watch.wait([open_]) == set()


@pytest.mark.parametrize(("timeout_s", "left_s"), [(None, None), (10.0, 60.0), (100.0, 99.0)])
def test_clean_up_has_time_after_the_deadline(clocks: Clocks, timeout_s: float | None, left_s: float | None) -> None:
    watch = Watch(Future(), timeout_s)
    clocks.now += 1.0

    assert watch.more_time(60.0).timeout_s == left_s


def test_a_stop_request_ends_clean_up_too(clocks: Clocks) -> None:
    told: Future[None] = Future()
    more = Watch(told, 10.0).more_time(60.0)
    told.set_result(None)
    assert more.cut() is Cut.STOPPED
