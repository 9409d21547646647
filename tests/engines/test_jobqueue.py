from __future__ import annotations

import itertools
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from alchemiscale_lake.engines.dask_executor import Worker
from alchemiscale_lake.engines.job_scaling import JobPool
from alchemiscale_lake.engines.job_scripts import JobRequest, job_of, queue_name
from alchemiscale_lake.engines.queue_listings import QueueJob
from alchemiscale_lake.engines.queues import Listed, QueueError, QueueRefusal, job_script
from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.settings import JOBQUEUE_KINDS, Limits, Pool
from tests.queue_pools import pool_of

COMMAND = "/opt/lake/bin/python -m alchemiscale_lake.execution --lake s3://bucket/lake --assignment 1"


# --- scripts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", JOBQUEUE_KINDS)
def test_the_script_of_every_kind(kind: str, snapshot: SnapshotAssertion) -> None:
    assert job_script("lake-1", pool_of(kind), COMMAND) == snapshot


@pytest.mark.parametrize(
    ("kind", "asks"),
    [
        ("slurm", "#SBATCH --gres=gpu:2\n"),
        ("pbs", "#PBS -l select=1:ncpus=4:mem=16384mb:ngpus=2\n"),
        ("moab", "#PBS -l nodes=1:ppn=4:gpus=2,mem=16384mb\n"),
        ("lsf", '#BSUB -gpu "num=2"\n'),
        ("htcondor", "request_gpus = 2\n"),
    ],
)
def test_gpus_are_asked_for_in_the_common_form(kind: str, asks: str) -> None:
    assert asks in job_script("lake-1", pool_of(kind, gpus=2), COMMAND)


@pytest.mark.parametrize(
    ("kind", "directive", "other"),
    [
        ("slurm", "--gpus-per-node=a100:2", "--gres"),
        ("pbs", "-l select=1:ncpus=4:ngpus=2:gpu_model=a100", "mem=16384mb"),
        ("moab", "-l nodes=1:ppn=4:gpus=2:a100", "mem=16384mb"),
        ("lsf", '-gpu "num=2:mode=shared"', '"num=2"'),
        ("oar", "-l /nodes=1/gpu=2/core=4", "core=4\n"),
        ("htcondor", "Request_GPUs = 2", "request_gpus"),
    ],
)
def test_an_operators_own_words_for_gpus_are_the_only_ones(kind: str, directive: str, other: str) -> None:
    script = job_script("lake-1", pool_of(kind, gpus=2, directives=[directive]), COMMAND)

    assert directive in script
    assert other not in script
    assert "walltime=01:30:00" in script or kind not in ("pbs", "moab", "oar")


def test_directives_come_last_and_some_can_be_left_out() -> None:
    script = job_script("lake-1", pool_of("slurm", directives=["--mem=0"], skip_directives=["--mem", "requeue"]), "x")
    directives = [line for line in script.splitlines() if line.startswith("#SBATCH")]

    assert [line for line in directives if "mem" in line or "requeue" in line] == ["#SBATCH --mem=0"]
    assert directives[-1] == "#SBATCH --mem=0"


@pytest.mark.parametrize(
    ("pool", "match"),
    [
        (pool_of("oar", gpus=1), "the name of GPUs in OAR"),
        (pool_of("htcondor", directives=["nonsense"]), "name = value"),
    ],
)
def test_what_a_queue_does_not_know_is_an_error(pool: Pool, match: str) -> None:
    with pytest.raises(SettingsError, match=match):
        job_script("lake-1", pool, COMMAND)


@pytest.mark.parametrize(
    ("kind", "account", "output"),
    [
        ("slurm", '-A "my project"', '-o "/scratch/100%% of #1/%x-%j.out"'),
        ("lsf", '-P "my project"', '-o "/scratch/of #1/%J.out"'),
        ("pbs", '-A "my project"', "-o /scratch/logs/"),
        ("moab", '-A "my project"', "-o /scratch/logs/"),
    ],
)
def test_spaces_are_quoted(kind: str, account: str, output: str) -> None:
    folders = {"slurm": "/scratch/100% of #1", "lsf": "/scratch/of #1"}
    pool = pool_of(kind, account="my project", log_folder=folders.get(kind, "/scratch/logs"))

    lines = [line.partition(" ")[2] for line in job_script("lake-1", pool, COMMAND).splitlines()]

    assert account in lines
    assert output in lines


def test_slurm_jobs_exclude_quarantined_nodes() -> None:
    request = JobRequest(pool_of("slurm"), Path("/scratch/logs"), ("node1", "node7"))

    assert "#SBATCH --exclude=node1,node7\n" in job_of(request, "lake-1", "x").job_script()


def test_a_script_makes_no_folder(tmp_path: Path) -> None:
    job_script("lake-1", pool_of("slurm", log_folder=str(tmp_path / "logs")), COMMAND)

    assert not (tmp_path / "logs").exists()


def test_a_queue_that_keeps_the_beginning_of_a_name() -> None:
    name = "lake-0123456789abcdef0123456789abcdef"

    assert queue_name("moab", name) == "lake-0123456789"
    assert queue_name("slurm", name) == name


# --- how many jobs --------------------------------------------------------------------------------


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


@settings(max_examples=60, deadline=None)
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
