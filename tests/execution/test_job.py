"""What a process knows of the end of its job."""

from __future__ import annotations

import signal
import time

import pytest

from alchemiscale_lake.execution import job


@pytest.fixture(autouse=True)
def _in_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_reasons", [])
    monkeypatch.delenv(job.ENDS_AT, raising=False)


def test_a_process_in_no_job_has_no_end() -> None:
    assert job.seconds_left() is None
    assert job.stop_reason() is None


@pytest.mark.parametrize("told", ["", "UNLIMITED", "12:00"])
def test_an_invalid_end_of_a_job_is_ignored(told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(job.ENDS_AT, told)
    assert job.seconds_left() is None


def test_the_end_of_a_job_is_a_time_that_may_have_passed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    monkeypatch.setenv(job.ENDS_AT, "1060.5")
    assert job.seconds_left() == 60.5
    monkeypatch.setattr(time, "time", lambda: 1061.0)
    assert job.seconds_left() == -0.5


def test_the_first_reason_to_stop_counts_also_within_a_signal_handler() -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: job.stop_all("evicted"))
    try:
        signal.raise_signal(signal.SIGUSR1)
        signal.raise_signal(signal.SIGUSR1)
        job.stop_all("something else")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert job.stop_reason() == "evicted"
