from __future__ import annotations

import json
import os
import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from alchemiscale_lake.engines import queue_executor as _queue_executor
from alchemiscale_lake.engines import queues as _queues
from alchemiscale_lake.engines.queue_executor import QueueExecutor
from alchemiscale_lake.engines.queue_listings import QueueJob, list_jobs, list_nodes
from alchemiscale_lake.engines.queues import (
    BackgroundListing,
    Backoff,
    Listed,
    Queue,
    QueueError,
    QueueRefusal,
    log_folder_of,
)
from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.execution import Assignment, AttemptSpec
from alchemiscale_lake.execution.stop_requests import is_asked_to_stop
from alchemiscale_lake.execution.stored_assignment import load_assignment, store_assignment
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import JOBQUEUE_KINDS, Limits, Pool
from alchemiscale_lake.store import Lake
from tests.queue_pools import pool_of

# --- queue messages -------------------------------------------------------------------------------

PBS = """{
    "timestamp":1664911414,
    "pbs_version":"19.0.0",
    "pbs_server":"meta-pbs.example.org",
    "Jobs":{
        "12860476.meta-pbs.example.org":{
            "Job_Name":"lake-01",
            "Job_Owner":"someone@example.org",
            "job_state":"R",
            "queue":"charon_2h",
            "server":"meta-pbs.example.org",
            "exec_host":"charon24/0*2+charon21/0*2"
        },
        "12860477.meta-pbs.example.org":{
            "Job_Name":"STDIN",
            "Job_Owner":"someone@example.org",
            "job_state":"Q",
            "queue":"workq"
        }
    }
}"""
SGE = """<?xml version='1.0'?>
<job_info  xmlns:xsd="http://www.w3.org/2001/XMLSchema">
  <queue_info>
    <job_list state="running">
      <JB_job_number>389524</JB_job_number>
      <JAT_prio>0.50500</JAT_prio>
      <JB_name>lake-01</JB_name>
      <JB_owner>someone</JB_owner>
      <state>r</state>
      <JAT_start_time>2011-11-23T17:20:34</JAT_start_time>
      <queue_name>cloud@cloud-002</queue_name>
      <slots>1</slots>
    </job_list>
  </queue_info>
  <job_info>
    <job_list state="pending">
      <JB_job_number>112742</JB_job_number>
      <JAT_prio>0.00000</JAT_prio>
      <JB_name>CH3ONO2</JB_name>
      <JB_owner>someone</JB_owner>
      <state>hqw</state>
      <JB_submission_time>2015-05-08T16:30:25</JB_submission_time>
      <queue_name></queue_name>
      <slots>1</slots>
    </job_list>
  </job_info>
</job_info>"""
MOAB = """<Data><Object>queue</Object><cluster LocalActiveNodes="1" time="1278480000"></cluster>
<queue count="1" option="active">
<job AWDuration="3931" Account="gvo00000" Class="short" DRMJID="123456788.master.gengar.vsc" EEDuration="1278479828"
 Group="vsc40000" JobID="123456788" JobName="lake-01" MasterHost="node129" ReqAWDuration="7200" ReqProcs="8"
 State="Running" SubmissionTime="1278470000" User="vsc40000"></job></queue>
<queue count="1" option="eligible">
<job JobID="Moab.123456789" JobName="job.sh" State="Idle" User="vsc40000"></job></queue>
<queue count="0" option="blocked"></queue></Data>"""
CONDOR = """[
{
  "ClusterId": 207,
  "JobBatchName": "lake-01",
  "JobStatus": 2,
  "ProcId": 0
}
,
{
  "ClusterId": 208,
  "JobStatus": 1,
  "ProcId": 0
}
,
{
  "ClusterId": 206,
  "JobBatchName": "lake-00",
  "JobStatus": 4,
  "ProcId": 0
}
]
"""
OAR = """{
   "1717": {"id": 1717, "name": "lake-01", "owner": "someone", "state": "Running", "queue": "default"},
   "1718": {"id": 1718, "name": null, "owner": "someone", "state": "Waiting", "queue": "default"},
   "1716": {"id": 1716, "name": "lake-00", "owner": "someone", "state": "Terminated", "queue": "default"}
}"""


def answering(*answers: str) -> Callable[..., str]:
    """Replace a command by one with these outputs, in order."""
    left = list(answers)

    def run(*command: str, unless: str | None = None) -> str:
        assert all(isinstance(word, str) for word in command)
        return left.pop(0)

    return run


@pytest.mark.parametrize(
    ("kind", "answers", "running", "pending"),
    [
        ("slurm", ["1|RUNNING|lake-01\n12|PENDING|a|b\n13|COMPLETING|x\n"], {"1": "lake-01", "13": "x"}, {"12": "a|b"}),
        ("pbs", ["12860476.meta-pbs\n12860477.meta-pbs\n", PBS], {"12860476": "lake-01"}, {"12860477": "STDIN"}),
        ("moab", [MOAB], {"123456788": "lake-01"}, {"123456789": "job.sh"}),
        ("lsf", ["7|RUN|lake-01\n8|PEND|x\n9|USUSP|y\n"], {"7": "lake-01", "9": "y"}, {"8": "x"}),
        ("sge", [SGE], {"389524": "lake-01"}, {"112742": "CH3ONO2"}),
        ("htcondor", [CONDOR], {"207.0": "lake-01"}, {"208.0": ""}),
        ("oar", [OAR], {"1717": "lake-01"}, {"1718": ""}),
    ],
)
def test_what_each_queue_says(
    kind: str, answers: Sequence[str], running: dict[str, str], pending: dict[str, str]
) -> None:
    jobs = list_jobs(kind, answering(*answers))

    assert {job.job_id: job.name for job in jobs.values() if job.state == "running"} == running
    assert {job.job_id: job.name for job in jobs.values() if job.state == "pending"} == pending
    assert all(job_id == job.job_id for job_id, job in jobs.items())


EMPTY_XML = "<job_info><queue_info></queue_info><job_info></job_info></job_info>"


@pytest.mark.parametrize(
    ("kind", "answers"),
    [
        ("slurm", [""]),
        ("pbs", [""]),
        # all had ended when more were requested
        ("pbs", ["1.server\n", '{"timestamp":1, "pbs_version":"2024.1.2", "pbs_server":"gadi-pbs-01"}']),
        ("pbs", ["1.server\n", ""]),
        ("moab", ['<Data><queue count="0" option="active"></queue></Data>']),
        ("lsf", [""]),
        ("sge", [EMPTY_XML]),
        ("htcondor", [""]),
        ("oar", [""]),
        ("oar", ["{}"]),
    ],
)
def test_an_empty_queue(kind: str, answers: Sequence[str]) -> None:
    assert list_jobs(kind, answering(*answers)) == {}


@pytest.mark.parametrize("kind", JOBQUEUE_KINDS)
def test_what_cannot_be_read_is_an_error_and_no_empty_queue(kind: str) -> None:
    with pytest.raises(ValueError, match="cannot be parsed"):
        list_jobs(kind, answering("slurm_load_jobs error", "what?"))


def test_only_slurm_lists_its_nodes() -> None:
    assert list_nodes("slurm", answering("node1\nnode2\nnode1\n")) == {"node1", "node2"}
    assert list_nodes("pbs", answering()) == frozenset()


# --- commands -------------------------------------------------------------------------------------


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], None]:
    """Put a shell script in the place of a command."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")

    def install(name: str, script: str) -> None:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    return install


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    return Queue(pool_of("slurm"), tmp_path)


@pytest.mark.parametrize(
    ("kind", "command", "script", "job_id"),
    [
        ("slurm", "sbatch", 'cat "$1" > submitted; echo "Submitted batch job 42"', "42"),
        ("pbs", "qsub", 'cat "$1" > submitted; echo 42.server', "42"),
        ("moab", "msub", 'cat "$1" > submitted; echo; echo Moab.42', "42"),
        ("sge", "qsub", """cat "$1" > submitted; echo 'Your job 42 ("lake-1") has been submitted'""", "42"),
        ("lsf", "bsub", "cat > submitted; echo 'Job <42> is submitted to queue <long>.'", "42"),
        ("oar", "oarsub", 'echo "$*" > submitted; echo OAR_JOB_ID=42', "42"),
        ("htcondor", "condor_submit", 'cat "$1" > submitted; echo "1 job(s) submitted to cluster 42."', "42.0"),
    ],
)
def test_each_queue_is_handed_its_script(
    kind: str,
    command: str,
    script: str,
    job_id: str,
    commands: Callable[[str, str], None],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    commands(command, script)
    queue = Queue(pool_of(kind), tmp_path)

    assert queue.submit("lake-1", "run this") == job_id
    assert "exec run this" in (tmp_path / "submitted").read_text()

    commands(command, "echo 'no such queue' >&2; exit 1")
    with pytest.raises(QueueRefusal, match=f"^{command} failed: no such queue$"):
        queue.submit("lake-1", "run this")


@pytest.mark.parametrize(
    "says",
    ['echo "Batch job submission failed: Socket timed out on send/recv operation" >&2; exit 1', "sleep 5", "echo what"],
)
def test_a_job_of_unknown_submission_outcome(
    says: str, queue: Queue, commands: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_queues, "_PATIENCE_S", 0.3)
    commands("sbatch", says)

    with pytest.raises(QueueError) as raised:
        queue.submit("lake-1", "run this")

    assert not isinstance(raised.value, QueueRefusal)


def test_a_queue_that_does_not_answer(
    queue: Queue, commands: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    commands("squeue", 'echo "slurm_load_jobs error: Unable to contact slurm controller" >&2; exit 1')
    with pytest.raises(QueueError, match="Unable to contact slurm controller"):
        queue.list()

    monkeypatch.setattr(_queues, "_PATIENCE_S", 0.2)
    commands("squeue", "sleep 5")
    with pytest.raises(QueueError, match="did not respond"):
        queue.list()

    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(QueueError, match="host of the queue"):
        queue.list()


def test_an_empty_queue_of_lsf_is_not_a_failure(commands: Callable[[str, str], None], tmp_path: Path) -> None:
    commands("bjobs", 'echo "No unfinished job found" >&2; exit 255')

    assert Queue(pool_of("lsf"), tmp_path).list().jobs == {}


def test_a_job_that_has_ended_may_be_cancelled(queue: Queue, commands: Callable[[str, str], None]) -> None:
    commands("scancel", 'test "$*" = "1 2" && echo "Invalid job id specified" >&2 && exit 1')

    queue.cancel(["1", "2"])
    queue.cancel([])


def test_jobs_stay_off_nodes_that_the_queue_has(queue: Queue, commands: Callable[[str, str], None]) -> None:
    commands("sinfo", "echo node1; echo node2")
    assert queue.request(["node2", "laptop"]).excluded == ("node2",)

    commands("sinfo", "exit 1")
    assert Queue(queue.pool, queue.log_folder).request(["node2"]).excluded == ()


def test_a_listing_is_asked_for_in_the_background(queue: Queue, commands: Callable[[str, str], None]) -> None:
    commands("squeue", 'sleep 3; echo "1|RUNNING|lake-1"')
    watch = BackgroundListing(queue, every_s=0.1)
    began = time.monotonic()

    assert watch.look() is None
    assert time.monotonic() - began < 2.0
    while (listed := watch.look()) is None:
        time.sleep(0.01)
    watch.close()

    assert began <= listed.asked_at
    assert listed.named("lake-1") == QueueJob("1", "lake-1", "running")
    assert listed.named("lake-2") is None


def test_what_was_listed_stands_until_the_queue_answers_again(
    queue: Queue, commands: Callable[[str, str], None], caplog: pytest.LogCaptureFixture
) -> None:
    commands("squeue", 'echo "1|RUNNING|lake-1"')
    watch = BackgroundListing(queue, every_s=0.01)
    while (before := watch.look()) is None:
        time.sleep(0.01)
    commands("squeue", "exit 1")

    while "squeue failed" not in caplog.text:
        last = watch.look()
        time.sleep(0.01)
    watch.close()

    assert last is not None
    assert last.jobs == before.jobs


def test_a_backoff_doubles_up_to_a_limit() -> None:
    now = [0.0]
    backoff = Backoff(first_s=10.0, longest_s=30.0, clock=lambda: now[0])
    waits = []
    for _ in range(4):
        backoff.wait("no")
        backoff.wait("no again, at the same time")
        since = now[0]
        while not backoff.is_over:
            now[0] += 1.0
        waits.append(now[0] - since)

    backoff.wait("no")
    backoff.forget()

    assert waits == [10.0, 20.0, 30.0, 30.0]
    assert backoff.is_over


def test_where_jobs_write_their_output(lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert lake.local_path is not None
    default = pool_of("slurm", log_folder=None)

    assert log_folder_of("big", default, lake) == lake.local_path / "work" / "logs" / "big"
    given = pool_of("slurm", log_folder=str(tmp_path / "my logs"))
    assert log_folder_of("big", given, lake) == tmp_path / "my logs"
    assert (tmp_path / "my logs").is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="log_folder"):
        log_folder_of("big", pool_of("slurm", log_folder=str(tmp_path / "file" / "x")), lake)


# --- batch mode -----------------------------------------------------------------------------------


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
