"""Assignments as jobs of a queue that is simulated in memory."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from alchemiscale_lake.engines import queue_executor as _queue_executor
from alchemiscale_lake.engines.queue_executor import QueueExecutor
from alchemiscale_lake.engines.queue_listings import QueueJob
from alchemiscale_lake.engines.queues import (
    Listed,
    QueueError,
    QueueRefusal,
)
from alchemiscale_lake.execution import Assignment, AttemptSpec
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.execution.stored_assignment import load_assignment, store_assignment
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Limits, Pool
from alchemiscale_lake.store import Lake
from tests.queue_pools import pool_of


@dataclass
class MemoryQueue:
    """A queue in memory."""

    pool: Pool
    jobs: dict[str, QueueJob] = field(default_factory=dict)
    commands: dict[str, str] = field(default_factory=dict)
    barred: Sequence[str] = ()
    cancelled: list[str] = field(default_factory=list)
    fails: QueueError | None = None
    silent: bool = False
    lists: bool = True

    def submit(self, name: str, command: str, *, barred: Sequence[str] = ()) -> str:
        if self.fails is not None:
            raise self.fails
        self.barred = barred
        job_id = str(100 + len(self.commands))
        self.jobs[job_id] = QueueJob(job_id, name, "pending")
        self.commands[job_id] = command
        return job_id

    def list(self) -> Listed:
        if self.silent:
            raise QueueError("squeue did not answer")
        return Listed(time.monotonic(), dict(self.jobs) if self.lists else {})

    def cancel(self, job_ids: Sequence[str]) -> None:
        self.cancelled += job_ids
        for job_id in job_ids:
            self.jobs.pop(job_id, None)


@pytest.fixture(autouse=True)
def prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make listings always current."""
    monkeypatch.setattr(_queue_executor, "_LISTED_S", 0.0)
    monkeypatch.setattr(_queue_executor, "_LISTING_LAG_S", 0.0)


@pytest.fixture
def memory() -> MemoryQueue:
    return MemoryQueue(pool_of("slurm", limits=Limits(maximum=3), tasks_per_job=4))


@pytest.fixture
def executor(memory: MemoryQueue, lake: Lake) -> QueueExecutor:
    return QueueExecutor("big", memory, lake)  # type: ignore[arg-type]


def assignment_of(lake: Lake, *attempts: str, pool: str = "big") -> Assignment:
    specs = tuple(AttemptSpec(a, f"Task-{a}-o-c-p", "Transformation-1-o-c-p", "o-c-p") for a in attempts)
    return Assignment(lake.url, pool, specs, Resources(4))


def test_a_place_is_a_job_that_may_be_submitted(executor: QueueExecutor, lake: Lake) -> None:
    places = executor.places(1)
    assert len(places) == 3
    assert {(p.slots, p.hostname, p.ends_in_s) for p in places} == {(4, None, 5400.0)}
    assert all(p.free == p.capacity == Resources(4, 16 * 2**30, 0.0) for p in places)
    assert executor.places(1) == places

    executor.submit(assignment_of(lake, "a"), name="x", place=places[1].name)

    left = executor.places(1)
    assert len(left) == 2
    assert places[1].name not in {place.name for place in left}


def test_few_jobs_a_turn(lake: Lake) -> None:
    memory = MemoryQueue(pool_of("slurm", limits=Limits(maximum=30, submit_at_once=7)))

    assert len(QueueExecutor("big", memory, lake).places(100)) == 7  # type: ignore[arg-type]


def test_what_a_job_runs_is_in_the_lake(executor: QueueExecutor, memory: MemoryQueue, lake: Lake) -> None:
    assignment = assignment_of(lake, "a", "b")

    handle = executor.submit(assignment, name="x", place="big job 1")

    (job,) = memory.jobs.values()
    assignment_id = job.name.removeprefix("lake-")
    assert load_assignment(lake, assignment_id) == assignment
    expected = f"/opt/lake/bin/python -m alchemiscale_lake.execution --lake {lake.url} --assignment {assignment_id}"
    assert memory.commands[job.job_id] == expected
    note = json.loads(lake.objects.get(f"assignments/{assignment_id}.job.json"))
    assert (note["job"], note["pool"], note["name"]) == ("100", "big", job.name)
    assert not handle.done()
    memory.jobs.clear()
    assert handle.done()
    assert handle.exception() is None


def test_jobs_of_an_earlier_run_are_found_by_their_names(memory: MemoryQueue, lake: Lake) -> None:
    first = QueueExecutor("big", memory, lake)  # type: ignore[arg-type]
    first.submit(assignment_of(lake, "a", "b"), name="x", place="p")
    # died between submission and its record
    orphan = store_assignment(lake, assignment_of(lake, "c"))
    memory.jobs["900"] = QueueJob("900", f"lake-{orphan}", "running")
    memory.jobs["901"] = QueueJob("901", f"lake-{'0' * 32}", "running")  # another lake's
    memory.jobs["902"] = QueueJob("902", "something else", "running")

    second = QueueExecutor("big", memory, lake)  # type: ignore[arg-type]
    found = second.find({"a": "o-c-p", "b": "o-c-p", "c": "o-c-p", "d": "o-c-p"})

    assert set(found) == {"a", "b", "c"}
    assert found["a"] is found["b"]
    assert not any(handle.done() for handle in found.values())
    assert len(second.places(1)) == 1
    del memory.jobs["900"]
    assert found["c"].done()
    assert not found["a"].done()


def test_jobs_of_another_pool_in_the_same_queue_do_not_count(memory: MemoryQueue, lake: Lake) -> None:
    QueueExecutor("small", memory, lake).submit(  # type: ignore[arg-type]
        assignment_of(lake, "a", pool="small"), name="x", place="p"
    )

    assert len(QueueExecutor("big", memory, lake).places(1)) == 3  # type: ignore[arg-type]


def test_a_job_too_young_to_be_listed_counts(
    executor: QueueExecutor, memory: MemoryQueue, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_queue_executor, "_LISTING_LAG_S", 5.0)
    memory.lists = False

    handle = executor.submit(assignment_of(lake, "a"), name="x", place=executor.places(1)[0].name)

    assert len(executor.places(1)) == 2
    assert not handle.done()


def test_a_queue_of_short_names(lake: Lake) -> None:
    memory = MemoryQueue(pool_of("moab"))
    QueueExecutor("big", memory, lake).submit(assignment_of(lake, "a"), name="x", place="p")  # type: ignore[arg-type]
    ((job_id, job),) = memory.jobs.items()

    found = QueueExecutor("big", memory, lake).find({"a": "o-c-p"})  # type: ignore[arg-type]

    assert job_id == "100"
    assert len(job.name) == 15
    assert set(found) == {"a"}


def test_cancelling_notifies_the_job_and_the_queue(executor: QueueExecutor, memory: MemoryQueue, lake: Lake) -> None:
    assignment = assignment_of(lake, "a", "b")
    handle = executor.submit(assignment, name="x", place="p")

    handle.cancel()

    assert memory.cancelled == ["100"]
    assert all(is_asked_to_stop(lake, spec) for spec in assignment.attempts)
    assert handle.done()


def test_a_refusal_gives_the_tasks_back_and_waits(executor: QueueExecutor, memory: MemoryQueue, lake: Lake) -> None:
    place = executor.places(1)[0].name
    memory.fails = QueueRefusal("sbatch failed: no")

    first = executor.submit(assignment_of(lake, "a"), name="x", place=place)
    memory.fails = None
    second = executor.submit(assignment_of(lake, "b"), name="x", place=place)

    assert first.done()
    assert second.done()
    assert memory.commands == {}
    assert executor.places(1) == []


def test_a_submission_without_an_answer_is_pending_until_the_queue_denies_it(
    executor: QueueExecutor, memory: MemoryQueue, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_queue_executor, "_LISTING_LAG_S", 0.3)
    memory.fails = QueueError("sbatch did not answer")
    assignment = assignment_of(lake, "a")

    handle = executor.submit(assignment, name="x", place="p")

    assert not handle.done()
    memory.silent = True
    time.sleep(0.3)
    assert not handle.done()
    memory.silent = False
    assert handle.done()
    assert is_asked_to_stop(lake, assignment.attempts[0])


def test_a_silent_queue_has_no_places_and_all_its_jobs(
    executor: QueueExecutor, memory: MemoryQueue, lake: Lake
) -> None:
    handle = executor.submit(assignment_of(lake, "a"), name="x", place="p")
    executor.listed()
    memory.silent = True
    memory.jobs.clear()

    assert not handle.done()
    fresh = QueueExecutor("big", memory, lake)  # type: ignore[arg-type]
    assert fresh.places(1) == []
    with pytest.raises(QueueError):
        fresh.find({"a": "o-c-p"})


def test_further_jobs_stay_off_bad_hosts(executor: QueueExecutor, memory: MemoryQueue, lake: Lake) -> None:
    executor.retire(["node2", "node1"])
    executor.submit(assignment_of(lake, "a"), name="x", place="p")

    assert memory.barred == ("node1", "node2")
