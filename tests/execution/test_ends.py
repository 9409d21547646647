"""Attempts that are ended from outside: the job's end, its signals, bad hosts, no progress."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from alchemiscale_lake.execution import execute_assignment, job, lifeline
from alchemiscale_lake.execution.heartbeat import read_beat
from alchemiscale_lake.execution.quarantine_list import publish_quarantine
from alchemiscale_lake.execution.release import Release, read_release
from alchemiscale_lake.execution.stop_requests import ask_to_stop
from alchemiscale_lake.execution.stored_assignment import store_assignment
from alchemiscale_lake.store import now_utc
from tests.execution.bench import SCOPE, Bench, alive, tries, wait_for
from tests.execution.scripted import scripted

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _in_no_job(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(job, "_reasons", [])
    monkeypatch.delenv(job.ENDS_AT, raising=False)
    monkeypatch.setenv("ALCHEMISCALE_LAKE_HOSTNAME", "node1")


def _release(bench: Bench, attempt: str) -> Release:
    release = read_release(bench.lake, SCOPE, attempt)
    assert release is not None
    return release


def _job_of(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    monkeypatch.setenv(job.ENDS_AT, str(time.time() + seconds))


@contextmanager
def _worker(bench: Bench, assignment: str) -> Iterator[subprocess.Popen[bytes]]:
    """Start a queue's job, as the engines do."""
    command = [
        sys.executable,
        "-m",
        "alchemiscale_lake.execution",
        "--lake",
        bench.lake.url,
        "--assignment",
        assignment,
    ]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=ROOT, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_task_that_takes_longer_than_the_job_is_not_begun(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    _job_of(monkeypatch, 100.0)
    long, short = (replace(bench.spec(scripted("pass")), duration_s=s) for s in (75.0, 60.0))
    assert execute_assignment(bench.assignment(long, short, retire_before_s=30.0)) == [short.attempt]
    release = _release(bench, long.attempt)
    assert (release.kind, release.hostname) == ("refused", "node1")
    assert release.reason.startswith("the job ends in ")
    assert release.reason.endswith(", and its Tasks are stopped 30 s earlier; the Task takes about 75 s")
    assert not bench.folder(long).exists()


def test_what_runs_when_the_job_ends_goes_back_and_on(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = f"""
import pathlib, signal, time
if not (shared / 'checkpoint').exists():
    (shared / 'checkpoint').write_text('half')
    open({str(tmp_path / "pid")!r}, 'w').write(str(__import__('os').getpid()))
    time.sleep(600)
outputs['checkpoint'] = (shared / 'checkpoint').read_text()
"""
    spec = bench.spec(scripted({"first": "pass", "second": text}))
    _job_of(monkeypatch, 7.0)
    began = time.monotonic()
    assert execute_assignment(bench.assignment(spec, retire_before_s=4.0)) == []
    assert time.monotonic() - began < 6.5
    assert not alive(int((tmp_path / "pid").read_text()))
    assert _release(bench, spec.attempt) == Release("walltime", "stopped 4 s before the end of its job", "node1")

    monkeypatch.delenv(job.ENDS_AT)
    receipt = bench.run(bench.spec(spec.transformation, like=spec))

    assert receipt.result["ok"]
    assert tries(receipt) == [("first", 1, True), ("second", 1, False), ("second", 2, True)]
    assert receipt.units[1]["exception"] == "Cancelled: stopped 4 s before the end of its job"


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_job_that_receives_a_signal_releases_its_tasks(bench: Bench, tmp_path: Path, signum: signal.Signals) -> None:
    text = f"import os, time; open({str(tmp_path)!r} + '/pid', 'a').write(f'{{os.getpid()}} '); time.sleep(600)"
    running, waiting = bench.spec(scripted(text)), bench.spec(scripted("pass"))
    stored = store_assignment(bench.lake, bench.assignment(running, waiting))
    with _worker(bench, stored) as process:
        pids = wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().split(), timeout_s=300)
        process.send_signal(signum)
        began = time.monotonic()
        assert process.wait(300) == 0
        assert time.monotonic() - began < 120.0
    assert not alive(int(pids[0]))
    told = f"the job received {signum.name}"
    assert _release(bench, running.attempt) == Release("stopped", told, "node1")
    assert _release(bench, waiting.attempt) == Release("refused", told, "node1")
    assert bench.folder(running).is_dir()
    assert not bench.folder(waiting).exists()


def test_a_queue_that_signals_every_process_of_a_job_fails_no_task(bench: Bench, tmp_path: Path) -> None:
    text = f"import os, time; open({str(tmp_path)!r} + '/pid', 'a').write(f'{{os.getpid()}} '); time.sleep(600)"
    spec = bench.spec(scripted(text))
    stored = store_assignment(bench.lake, bench.assignment(spec, unit_retries=0))
    with _worker(bench, stored) as process:
        pid = int(wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), timeout_s=300))
        os.kill(pid, signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        assert process.wait(300) == 0
    assert _release(bench, spec.attempt).kind == "stopped"
    assert not bench.lake.objects.exists(f"attempts/{SCOPE}/{spec.attempt}/receipt.arrow")


def test_a_queue_that_ends_a_job_while_it_plans_waits_for_no_second_plan(bench: Bench, tmp_path: Path) -> None:
    text = f"import os, time; open({str(tmp_path)!r} + '/pid', 'a').write(f'{{os.getpid()}} '); time.sleep(600)"
    spec = bench.spec(scripted("pass", in_create=text))
    stored = store_assignment(bench.lake, bench.assignment(spec))
    with _worker(bench, stored) as process:
        pid = int(wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), timeout_s=300))
        process.send_signal(signal.SIGTERM)
        os.kill(pid, signal.SIGKILL)
        assert process.wait(300) == 0
    assert _release(bench, spec.attempt).kind == "stopped"
    assert len((tmp_path / "pid").read_text().split()) == 1


def test_from_the_word_to_the_process_gone(
    bench: Bench, tmp_path: Path, record_property: pytest.RecordProperty
) -> None:
    """Cancellation reaches the process tree within one polling interval plus the time of SIGTERM."""
    text = f"""
import os, subprocess, time
helper = subprocess.Popen(['sleep', '600'])
open({str(tmp_path)!r} + '/pid', 'w').write(f'{{os.getpid()}} {{helper.pid}}')
time.sleep(600)
"""
    spec = bench.spec(scripted(text))
    thread = threading.Thread(target=execute_assignment, args=(bench.assignment(spec),))
    thread.start()
    pids = [int(p) for p in wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().split())]
    began = time.monotonic()
    ask_to_stop(bench.lake, spec)
    wait_for(lambda: not any(alive(pid) for pid in pids))
    gone_s = time.monotonic() - began
    record_property("seconds", gone_s)
    thread.join()
    assert len(pids) == 2
    assert gone_s < 5.0


def test_a_quarantined_host_runs_nothing(bench: Bench) -> None:
    spec = bench.spec(scripted("pass"))
    publish_quarantine(bench.lake, {"node1": now_utc() + timedelta(hours=1)})
    try:
        assert execute_assignment(bench.assignment(spec)) == []
    finally:
        publish_quarantine(bench.lake, {})
    release = _release(bench, spec.attempt)
    assert release.kind == "refused"
    assert release.reason.startswith("host node1 is quarantined until ")
    assert not bench.folder(spec).exists()


def test_results_name_the_node(bench: Bench) -> None:
    assert bench.run(bench.spec(scripted("pass"))).result["hostname"] == "node1"


STUCK = """
import time
if not (shared / 'again').exists():
    (shared / 'again').touch()
    time.sleep(600)
"""


def test_a_unit_without_progress_is_ended_and_run_again(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted(STUCK)), stuck_after_s=2.0, unit_retries=1, fail_fast_s=0.0)
    assert tries(receipt) == [("only", 1, False), ("only", 2, True)]
    said = "Stuck: no CPU time used and nothing written for 2 s on host node1"
    assert receipt.units[0]["exception"] == said
    assert "time.sleep" in receipt.units[0]["traceback"] or "File" in receipt.units[0]["traceback"]


def test_a_stuck_unit_is_a_failed_result(bench: Bench) -> None:
    receipt = bench.run(bench.spec(scripted("import time; time.sleep(600)")), stuck_after_s=1.5)
    assert receipt.result["exception"].startswith("Stuck: ")
    assert receipt.result["failed_unit"] == "only"


def test_a_stuck_create_is_a_failed_result(bench: Bench) -> None:
    spec = bench.spec(scripted("pass", in_create="import time; time.sleep(600)"))
    receipt = bench.run(spec, stuck_after_s=1.5)
    assert receipt.result["failed_unit"] == "create"
    assert receipt.result["exception"].startswith("Stuck: ")


BUSY = {
    "computing": "import time; end = time.time() + 4\nwhile time.time() < end: sum(range(10000))",
    "a-program": "import subprocess; subprocess.run('timeout 4 sh -c \"while :; do :; done\"', shell=True)",
    "writing": "import time\nfor n in range(8): time.sleep(0.5); open(shared / 'x', 'a').write('.')",
    "talking": "import time\nfor n in range(8): time.sleep(0.5); print(n, flush=True)",
}


@pytest.mark.parametrize("how", BUSY)
def test_a_unit_that_gets_on_is_left_alone(bench: Bench, how: str) -> None:
    assert bench.run(bench.spec(scripted(BUSY[how])), stuck_after_s=1.5).result["ok"]


def test_a_running_attempt_beats_and_one_that_ended_does_not(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "_ASK_FOLDER_S", 0.1)
    monkeypatch.setattr(lifeline, "_FIRST_BEAT_S", 0.1)
    monkeypatch.setenv("SLURM_JOB_ID", "77")
    spec = bench.spec(scripted({"first": "pass", "second": "import time; time.sleep(3)"}))
    thread = threading.Thread(target=execute_assignment, args=(bench.assignment(spec),))
    thread.start()
    beat = wait_for(lambda: read_beat(bench.lake, SCOPE, spec.attempt))
    thread.join()
    assert (beat.hostname, beat.queue_job) == ("node1", "77")
    assert beat.started_at <= beat.progress_at <= beat.at
    assert read_beat(bench.lake, SCOPE, spec.attempt) is None
    assert bench.receipt(spec).result["ok"]


def test_heartbeats_report_progress(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifeline, "_ASK_FOLDER_S", 0.05)
    monkeypatch.setattr(lifeline, "_FIRST_BEAT_S", 0.0)
    monkeypatch.setattr(lifeline.Lifeline.__init__, "__kwdefaults__", {"beat_s": 0.05})
    spec = bench.spec(scripted({"first": "pass", "second": "import time; time.sleep(2)"}))
    thread = threading.Thread(target=execute_assignment, args=(bench.assignment(spec),))
    thread.start()
    wait_for(
        lambda: (
            (b := read_beat(bench.lake, SCOPE, spec.attempt)) is not None and (b.units_done, b.units_total) == (1, 2)
        )
    )
    thread.join()
