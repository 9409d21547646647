"""The number of jobs of a queue, with a queue and workers that are simulated."""

import itertools
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.engines.dask_executor import Worker
from alchemiscale_lake.engines.job_scaling import JobPool
from alchemiscale_lake.engines.queue_listings import QueueJob
from alchemiscale_lake.engines.queues import Listed, QueueError, QueueRefusal
from alchemiscale_lake.settings import Limits
from tests.queue_pools import pool_of


@dataclass
class FakeQueue:
    """A queue in memory, whose jobs become workers on request."""

    now: float = 0.0
    jobs: dict[str, QueueJob] = field(default_factory=dict)
    workers: dict[str, Worker] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    dismissed: list[str] = field(default_factory=list)
    barred: list[Collection[str]] = field(default_factory=list)
    refuses: QueueError | None = None
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def submit(self, name: str, barred: Collection[str]) -> str:
        if self.refuses is not None:
            raise self.refuses
        job_id = str(next(self._numbers))
        self.jobs[job_id] = QueueJob(job_id, name, "pending")
        self.barred.append(barred)
        return job_id

    def cancel(self, job_ids: Sequence[str]) -> None:
        self.cancelled += job_ids
        for job_id in job_ids:
            self.end(job_id)

    def look(self) -> Listed:
        return Listed(self.now, dict(self.jobs))

    def dismiss(self, address: str) -> None:
        self.dismissed.append(address)
        self.end(address)

    def begin(self, job_id: str, hostname: str = "node1", ends_in_s: float = 5000.0) -> None:
        job = self.jobs[job_id] = replace(self.jobs[job_id], state="running")
        self.workers[job_id] = Worker(job_id, job.name, job_id, hostname, ends_in_s, 0)

    def end(self, job_id: str) -> None:
        self.jobs.pop(job_id, None)
        self.workers.pop(job_id, None)

    def change(self, job_id: str, **changes: Any) -> None:
        self.workers[job_id] = replace(self.workers[job_id], **changes)


@dataclass
class Scene:
    """A pool of jobs on a fake queue."""

    queue: FakeQueue
    jobs: JobPool

    def turn(self, wanted: int, *, later_s: float = 10.0, barred: Collection[str] = ()) -> list[str]:
        self.queue.now += later_s
        taking = self.jobs.adjust(list(self.queue.workers.values()), wanted, barred)
        deadline = time.monotonic() + 300.0
        while not all(job.submission.done() for job in self.jobs._jobs.values()):
            assert time.monotonic() < deadline
            time.sleep(0.001)
        self.jobs._thread.submit(lambda: None).result(300.0)
        return sorted(taking)


def scene(**limits: Any) -> Scene:
    queue = FakeQueue()
    pool = pool_of("slurm", limits=Limits(**limits), idle="300s", retire_before="300s")
    return Scene(queue, JobPool(pool, queue, "lake-test", clock=lambda: queue.now))


def test_as_many_jobs_as_there_is_work_for() -> None:
    s = scene(maximum=5)

    s.turn(0)
    assert s.queue.jobs == {}
    s.turn(3)
    assert sorted(s.queue.jobs) == ["1", "2", "3"]
    assert {job.name for job in s.queue.jobs.values()} == {"lake-test-1", "lake-test-2", "lake-test-3"}
    s.turn(3)
    s.turn(50)
    assert len(s.queue.jobs) == 5
    s.turn(50)
    assert len(s.queue.jobs) == 5


def test_few_jobs_are_submitted_together() -> None:
    s = scene(maximum=50, submit_at_once=2)

    sizes = []
    for _ in range(3):
        s.turn(5)
        sizes.append(len(s.queue.jobs))

    assert sizes == [2, 4, 5]


def test_workers_take_attempts_once_they_are_there() -> None:
    s = scene(maximum=2)
    s.turn(2)

    s.queue.begin("2")

    assert s.turn(2) == ["2"]


def test_a_worker_of_someone_else_is_left_alone() -> None:
    s = scene(maximum=2)
    s.queue.workers["x"] = Worker("x", "somebody", "x", "node1", None, 0)

    assert s.turn(0) == []
    assert s.queue.dismissed == []


def test_what_pends_and_is_not_needed_is_cancelled_the_youngest_first() -> None:
    s = scene(maximum=5)
    s.turn(3)

    s.turn(1)
    assert s.queue.cancelled == []  # jobs may be needed again
    s.turn(1, later_s=31.0)

    assert s.queue.cancelled == ["3", "2"]
    assert sorted(s.queue.jobs) == ["1"]


def test_a_need_that_comes_back_costs_no_place_in_the_queue() -> None:
    s = scene(maximum=5)
    s.turn(3)

    for wanted in (1, 3, 1, 3):
        s.turn(wanted, later_s=20.0)

    assert s.queue.cancelled == []


def test_idle_workers_end_down_to_the_minimum() -> None:
    s = scene(maximum=3, minimum=1)
    s.turn(3)
    for job_id in ("1", "2", "3"):
        s.queue.begin(job_id)
    assert s.turn(0) == ["1", "2", "3"]

    assert s.turn(0, later_s=200.0) == ["1", "2", "3"]
    assert len(s.turn(0, later_s=101.0)) == 1

    assert s.queue.cancelled == []
    assert len(s.queue.dismissed) == 2
    s.turn(0, later_s=1000.0)
    assert len(s.queue.jobs) == 1


def test_a_worker_that_runs_something_stays() -> None:
    s = scene(maximum=1)
    s.turn(1)
    s.queue.begin("1")
    s.queue.change("1", attempts=1)

    for _ in range(5):
        assert s.turn(0, later_s=1000.0) == ["1"]
    s.queue.change("1", attempts=0)
    assert s.turn(0, later_s=1.0) == ["1"]
    assert s.turn(0, later_s=299.0) == ["1"]
    assert s.turn(0, later_s=2.0) == []

    assert s.queue.dismissed == ["1"]


def test_a_worker_near_its_end_gets_nothing_more_and_is_replaced() -> None:
    s = scene(maximum=3)
    s.turn(1)
    s.queue.begin("1", ends_in_s=299.0)
    s.queue.change("1", attempts=1)

    assert s.turn(1) == []
    assert sorted(s.queue.jobs) == ["1", "2"]
    assert s.queue.dismissed == []
    s.queue.change("1", attempts=0)
    s.turn(1)

    assert s.queue.dismissed == ["1"]


def test_a_host_to_be_let_alone_loses_its_workers_once_they_are_idle() -> None:
    s = scene(maximum=4)
    s.turn(2)
    s.queue.begin("1", "bad")
    s.queue.begin("2", "good")
    s.queue.change("1", attempts=1)

    assert s.turn(2, barred=["bad"]) == ["2"]
    assert s.queue.dismissed == []
    s.queue.change("1", attempts=0)
    s.turn(2, barred=["bad"])

    assert s.queue.dismissed == ["1"]
    assert s.queue.barred[-1] == ("bad",)
    assert sorted(s.queue.jobs) == ["2", "3"]


def test_a_job_that_died_with_its_worker_is_replaced_immediately() -> None:
    s = scene(maximum=1)
    s.turn(1)
    s.queue.begin("1")
    s.turn(1)

    s.queue.end("1")
    s.turn(1)

    assert sorted(s.queue.jobs) == ["2"]


def test_jobs_that_end_before_they_begin_are_not_submitted_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    s = scene(maximum=1)
    submitted = set()
    for _ in range(60):
        s.turn(1)
        submitted |= set(s.queue.jobs)
        for job_id in list(s.queue.jobs):
            s.queue.end(job_id)

    assert 3 <= len(submitted) <= 7
    assert "ended before its worker started" in caplog.text


def test_a_rejected_submission_is_reported_once_and_retried_later(caplog: pytest.LogCaptureFixture) -> None:
    s = scene(maximum=3)
    s.queue.refuses = QueueRefusal("sbatch failed: invalid partition")
    s.turn(3)
    s.turn(3, later_s=1.0)
    s.turn(3, later_s=1.0)
    assert caplog.text.count("invalid partition; trying again in 15 s") == 1

    s.queue.refuses = None
    s.turn(3, later_s=5.0)
    assert s.queue.jobs == {}
    s.turn(3, later_s=15.0)

    assert len(s.queue.jobs) == 3


def test_a_job_whose_submission_was_not_answered_may_turn_up() -> None:
    s = scene(maximum=1)
    s.queue.refuses = QueueError("sbatch did not respond within 60 s")
    s.turn(1)
    s.queue.refuses = None
    s.queue.jobs["77"] = QueueJob("77", "lake-test-1", "pending")

    s.turn(1, later_s=100.0)
    s.turn(1, later_s=100.0)

    assert sorted(s.queue.jobs) == ["77"]
    s.jobs.close()
    assert s.queue.cancelled == ["77"]


def test_what_does_not_go_although_it_was_let_go_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    s = scene(maximum=1)
    monkeypatch.setattr(s.queue, "dismiss", s.queue.dismissed.append)
    s.turn(1)
    s.queue.begin("1")
    s.turn(0)

    s.turn(0, later_s=301.0)
    s.turn(0, later_s=30.0)
    assert s.queue.cancelled == []
    s.turn(0, later_s=31.0)

    assert s.queue.dismissed == ["1"]
    assert s.queue.cancelled == ["1"]


def test_at_the_end_nothing_is_left() -> None:
    s = scene(maximum=3)
    s.turn(3)
    s.queue.begin("1")
    s.turn(3)

    s.jobs.close()

    assert sorted(s.queue.cancelled) == ["1", "2", "3"]


@given(
    maximum=st.integers(1, 4),
    minimum=st.integers(0, 1),
    script=st.lists(
        st.tuples(st.integers(0, 6), st.sampled_from(["nothing", "begin", "work", "rest", "die"]), st.integers(1, 400)),
        max_size=15,
    ),
)
def test_the_limit_of_jobs_is_kept_and_no_busy_worker_is_released(
    maximum: int, minimum: int, script: list[tuple[int, str, int]]
) -> None:
    s = scene(maximum=maximum, minimum=minimum)
    for wanted, happens, later_s in script:
        pending = [job_id for job_id in s.queue.jobs if job_id not in s.queue.workers]
        if happens == "begin" and pending:
            s.queue.begin(pending[0])
        elif happens == "die" and s.queue.jobs:
            s.queue.end(next(iter(s.queue.jobs)))
        elif happens in ("work", "rest") and s.queue.workers:
            s.queue.change(next(iter(s.queue.workers)), attempts=1 if happens == "work" else 0)
        busy = {job_id for job_id, worker in s.queue.workers.items() if worker.attempts}

        taking = s.turn(wanted, later_s=float(later_s))

        assert len(s.queue.jobs) <= maximum
        assert busy <= set(s.queue.jobs)
        assert set(taking) <= set(s.queue.workers)
    s.jobs.close()
    assert s.queue.jobs == {}
