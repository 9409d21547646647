"""A worker whose lake is a bucket: few requests, stoppable, and not delayed by a stalled storage."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from alchemiscale_lake.execution import execute_assignment, job
from alchemiscale_lake.execution.release import read_release
from alchemiscale_lake.execution.stop_requests import ask_to_stop
from alchemiscale_lake.store import Lake
from tests.execution.bench import SCOPE, Bench, alive, wait_for
from tests.execution.scripted import scripted
from tests.s3 import Way


@pytest.fixture
def bench(bucket_lake: str, tmp_path: Path) -> Bench:
    return Bench(Lake.open(bucket_lake), tmp_path / "work")


def _sleeping(tmp_path: Path) -> str:
    return f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(600)"


def _pid(tmp_path: Path) -> int:
    return int(wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text(), timeout_s=30.0))


def test_a_task_runs_and_leaves_its_receipt_in_the_bucket(bench: Bench) -> None:
    assert bench.run(bench.spec(scripted("print('hello')"))).result["ok"]


def test_a_bucket_is_asked_seldom_and_the_attempt_stopped(bench: Bench, way: Way, tmp_path: Path) -> None:
    spec = bench.spec(scripted(_sleeping(tmp_path)))
    thread = threading.Thread(target=execute_assignment, args=(bench.assignment(spec),))
    thread.start()
    pid = _pid(tmp_path)
    with way.counted() as requests:
        time.sleep(6.0)
    assert 1 <= len(requests) <= 4, requests
    began = time.monotonic()
    ask_to_stop(bench.lake, spec)
    wait_for(lambda: not alive(pid))
    assert time.monotonic() - began < 120.0
    thread.join()
    release = read_release(bench.lake, SCOPE, spec.attempt)
    assert release is not None
    assert release.kind == "stopped"
    # the first heartbeat was written and removed; a unit may have written to stderr
    left = {p.rpartition("/")[2] for p in bench.lake.objects.list(f"attempts/{SCOPE}/{spec.attempt}")}
    assert left - {"stderr.txt"} == {"ended.json", "stop", "unfinished.receipt"}


def test_a_storage_that_stalls_does_not_hold_up_the_end(
    bench: Bench, way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = bench.spec(scripted(_sleeping(tmp_path)))
    monkeypatch.setenv(job.ENDS_AT, str(time.time() + 10_000.0))
    thread = threading.Thread(target=execute_assignment, args=(bench.assignment(spec, retire_before_s=5.0),))
    thread.start()
    pid = _pid(tmp_path)
    way.misbehave("stall", path=f"attempts/{SCOPE}/{spec.attempt}", times=1000)
    time.sleep(5.5)
    monkeypatch.setenv(job.ENDS_AT, str(time.time() + 4.0))
    began = time.monotonic()
    wait_for(lambda: not alive(pid))
    assert time.monotonic() - began < 4.0
    thread.join(60.0)
    assert not thread.is_alive()
    way.behave()
    assert read_release(bench.lake, SCOPE, spec.attempt) is None
    assert bench.folder(spec).is_dir()
