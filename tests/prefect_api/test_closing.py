"""Exceptions or hangs while an engine is closed change no outcome."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import distributed
import psutil
import pytest

from alchemiscale_lake.engines import job_scaling as _job_pool
from alchemiscale_lake.engines import local_pool as _local_pool
from alchemiscale_lake.engines.dask_executor import DaskExecutor
from alchemiscale_lake.engines.local_pool import local_pool
from alchemiscale_lake.engines.queues import QueueError
from alchemiscale_lake.engines.registry import open_executor
from alchemiscale_lake.flow_steps import task_runs as _task_runs
from alchemiscale_lake.prefect_api.closing import Closing
from alchemiscale_lake.store import Lake
from tests.queue_pools import pool_of

COMPLAINT = "did not close properly"


@pytest.fixture
def hang() -> Iterator[Callable[..., None]]:
    """A close that does not return before the test ends."""
    over = threading.Event()
    yield lambda *_, **__: over.wait(60.0)
    over.set()


@pytest.fixture(autouse=True)
def warnings_only(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "alchemiscale_lake")


def fail(*_: Any, **__: Any) -> None:
    raise TimeoutError("timed out after 5 s")


def lost(*_: Any, **__: Any) -> None:
    raise OSError("connection closed")


def complaints(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if COMPLAINT in record.getMessage()]


def _only_where_we_close(name: str, instead: Callable[..., None]) -> Callable[..., Any]:
    """Replace a `close`, except for objects of other tests that are collected meanwhile."""
    close = getattr(distributed, name).close

    def closes(self: Any, *arguments: Any, **settings: Any) -> Any:
        ours = threading.current_thread().name == "closing"
        return instead() if ours else close(self, *arguments, **settings)

    return closes


@contextlib.contextmanager
def keeping_from_closing(monkeypatch: pytest.MonkeyPatch, instead: dict[str, Any]) -> Iterator[list[Any]]:
    """Replace the `close` of Dask's classes; yield a list of clients, which are really closed at the end."""
    opened: list[Any] = []
    with monkeypatch.context() as patched:
        for name, close in instead.items():
            patched.setattr(getattr(distributed, name), "close", _only_where_we_close(name, close))
        yield opened
    for client in opened:
        for each in (client, client.cluster):
            with contextlib.suppress(TimeoutError):
                each.close(timeout=1.0)


def test_everything_is_closed_in_reverse_order_and_reported_once(
    caplog: pytest.LogCaptureFixture, hang: Callable[..., None]
) -> None:
    closed: list[int] = []
    with Closing("the engine") as closing:
        closing.callback(lambda: closed.append(1))
        closing.callback(fail)
        closing.callback(hang, within_s=0.1)
        closing.callback(lambda: closed.append(2))

    assert closed == [2, 1]
    assert complaints(caplog) == [
        "the engine did not close properly (no response within 0.1 s; TimeoutError: timed out after 5 s); "
        "no result is affected"
    ]


def test_an_error_of_the_work_itself_goes_on() -> None:
    closed: list[int] = []

    def work() -> None:
        with Closing("the engine") as closing:
            closing.callback(lambda: closed.append(1))
            closing.callback(fail)
            raise ValueError("the work")

    with pytest.raises(ValueError, match="the work"):
        work()

    assert closed == [1]


def test_closing_without_errors_prints_nothing(caplog: pytest.LogCaptureFixture) -> None:
    with Closing("the engine") as closing:
        closing.callback(lambda: None)

    assert caplog.records == []


@pytest.mark.parametrize("whose", ["Client", "SpecCluster"])
@pytest.mark.parametrize(("close", "n_told"), [(fail, 0), (lost, 1), ("hang", 1)])
def test_a_local_pool_that_does_not_close(
    whose: str,
    close: Any,
    n_told: int,
    lake: Lake,
    hang: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(_local_pool, "_CLOSE_S", 0.5)
    with keeping_from_closing(monkeypatch, {whose: hang if close == "hang" else close}) as opened:
        with open_executor("local", local_pool(1), lake) as executor:
            assert isinstance(executor, DaskExecutor)
            opened.append(executor._client)
            processes = [psutil.Process(pid) for pid in executor._client.run(os.getpid).values()]

        assert psutil.wait_procs(processes, timeout=120.0)[1] == []
    assert len(complaints(caplog)) == n_told


def test_a_queue_pool_that_does_not_close(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pool = pool_of("slurm", log_folder=str(tmp_path / "logs"), interface="lo")
    monkeypatch.setattr(_job_pool.JobPool, "close", lost)
    with (
        keeping_from_closing(monkeypatch, {"Client": fail, "SpecCluster": lost}) as opened,
        open_executor("cluster", pool, lake) as executor,
    ):
        assert isinstance(executor, DaskExecutor)
        opened.append(executor._client)

    assert len(complaints(caplog)) == 1
    assert "pool cluster" in complaints(caplog)[0]
    assert complaints(caplog)[0].count("connection closed") == 2


def test_a_queue_that_does_not_answer_does_not_hold_a_pool_up(
    tmp_path: Path, lake: Lake, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    pool = pool_of("slurm", log_folder=str(tmp_path / "logs"), interface="lo")

    def submit(*_: Any, **__: Any) -> str:
        raise QueueError("sbatch did not answer")

    began = time.monotonic()
    with open_executor("cluster", pool, lake) as executor:
        monkeypatch.setattr("alchemiscale_lake.engines.queues.Queue.submit_job", submit)
        executor.places(1)

    assert time.monotonic() - began < 60.0
    assert complaints(caplog) == []


def test_prefect_failing_at_the_end_of_task_runs_is_a_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(_task_runs.TaskRuns, "close", lost)

    with _task_runs.task_runs() as runs:
        assert runs is not None

    assert len(complaints(caplog)) == 1
