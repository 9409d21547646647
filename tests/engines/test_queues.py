from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from alchemiscale_lake.engines import queues as _queues
from alchemiscale_lake.engines.queue_listings import QueueJob
from alchemiscale_lake.engines.queues import (
    BackgroundListing,
    Backoff,
    Queue,
    QueueError,
    QueueRefusal,
    log_folder_of,
)
from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.store import Lake
from tests.queue_pools import pool_of


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
