"""The engines of a queue on a real Slurm: jobs start, run, are lost, and end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from alchemiscale_lake.directives import directive_mistakes
from alchemiscale_lake.dispatch.executor import Executor, Handle, Place
from alchemiscale_lake.engines.registry import open_executor
from alchemiscale_lake.execution import AttemptSpec
from alchemiscale_lake.execution.release import read_release
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Limits, Pool
from alchemiscale_lake.store import Lake, attempt_folder
from tests.example_networks import harmonic_transformation
from tests.execution.bench import SCOPE, Bench
from tests.slurm import Slurm, slurm

ONE_GPU = Resources(1, None, 1.0)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with slurm(tmp_path_factory.mktemp("slurm") / "s", kill_wait_s=10) as running:
        yield running


@pytest.fixture(scope="module")
def shared_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake.create(tmp_path_factory.mktemp("engine") / "lake")


@pytest.fixture
def bench(shared_lake: Lake, tmp_path: Path) -> Bench:
    return Bench(shared_lake, tmp_path / "work")


@pytest.fixture
def empty(cluster: Slurm) -> Iterator[Slurm]:
    """The cluster, without jobs before and after."""
    assert cluster.jobs() == []
    yield cluster
    cluster.run("scancel", "--user=root")
    cluster.wait_for(lambda s: not s.jobs())


def pool_of(**changes: Any) -> Pool:
    limits = Limits(maximum=changes.pop("maximum", 3))
    settings = {"cores": 1, "memory": "1GB", "gpus": 1, "walltime": "10m", "retire_before": "30s", "interface": "lo"}
    return Pool(kind="slurm", limits=limits, **{**settings, "idle": "1s", **changes})


def attempt(bench: Bench, **settings: Any) -> AttemptSpec:
    spec = bench.spec(harmonic_transformation(n_samples=20, n_windows=1, **settings))
    return replace(spec, resources=ONE_GPU)


def hand_out(bench: Bench, executor: Executor, spec: AttemptSpec, place: Place) -> Handle:
    return executor.submit(bench.assignment(spec, gpus=1), name="a Task", place=place.name)


def pump(
    executor: Executor, wanted: Callable[[], int], until: Callable[[Sequence[Place]], bool], timeout_s: float = 300.0
) -> Sequence[Place]:
    """Take turns as a dispatcher does, until a condition on the places holds."""
    deadline = time.monotonic() + timeout_s
    while True:
        places = executor.places(wanted())
        if until(places):
            return places
        assert time.monotonic() < deadline, f"waited in vain; places: {places}"
        time.sleep(0.2)


def has_receipt(lake: Lake, spec: AttemptSpec) -> bool:
    return lake.objects.exists(f"{attempt_folder(SCOPE, spec.attempt)}/receipt.arrow")


def is_running(lake: Lake, spec: AttemptSpec) -> bool:
    return lake.objects.exists(f"{attempt_folder(SCOPE, spec.attempt)}/beat.json")


def of_jobs(conf: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = process.environ()
            if environment.get("SLURM_CONF") == conf and "SLURM_JOB_ID" in environment:
                found.append(process)
    return found


def test_jobs_come_with_work_and_go_without(empty: Slurm, bench: Bench) -> None:
    waiting = [attempt(bench, duration_s=1.0) for _ in range(4)]
    specs, largest = list(waiting), 0
    handles: list[Handle] = []
    with open_executor("cold", pool_of(maximum=2), bench.lake) as executor:
        assert list(executor.places(0)) == []
        assert empty.jobs() == []

        def wanted() -> int:
            return min(2, len(waiting) + sum(not handle.done() for handle in handles))

        def hand_out_all(places: Sequence[Place]) -> bool:
            nonlocal largest
            largest = max(largest, len(empty.jobs()))
            for place in places:
                assert place.ends_in_s is not None
                assert 500.0 < place.ends_in_s <= 600.0
                if waiting and ONE_GPU.fits_in(place.free):
                    handles.append(hand_out(bench, executor, waiting.pop(), place))
            return not waiting and all(handle.done() for handle in handles)

        pump(executor, wanted, hand_out_all)
        pump(executor, lambda: 0, lambda places: not empty.jobs())

    assert largest == 2
    receipts = [bench.receipt(spec) for spec in specs]
    assert all(receipt.result["ok"] for receipt in receipts)
    assert {receipt.result["hostname"] for receipt in receipts} == {"node1", "node2"}


def test_a_cancelled_job_gives_its_task_back_and_is_replaced(empty: Slurm, bench: Bench) -> None:
    with open_executor("lost", pool_of(maximum=1, idle="60s"), bench.lake) as executor:
        (place,) = pump(executor, lambda: 1, lambda places: len(places) == 1)
        spec = attempt(bench, duration_s=120.0)
        handle = hand_out(bench, executor, spec, place)
        pump(executor, lambda: 1, lambda _: is_running(bench.lake, spec))
        (job,) = empty.running()

        empty.cancel(job.job_id)
        pump(executor, lambda: 1, lambda _: handle.done())

        assert handle.exception() is None
        assert not has_receipt(bench.lake, spec)
        release = read_release(bench.lake, SCOPE, spec.attempt)
        assert release is not None
        assert (release.kind, release.hostname) == ("stopped", job.node)

        # meanwhile the controller is restarted, and running jobs are unaffected
        empty.restart_controller()
        (place,) = pump(executor, lambda: 1, lambda places: len(places) == 1)
        again = attempt(bench)
        handle = hand_out(bench, executor, again, place)
        pump(executor, lambda: 1, lambda _: handle.done())
        assert has_receipt(bench.lake, again)
        (other,) = empty.running()
        assert other.job_id != job.job_id


def test_rejections_by_the_queue_are_reported_and_followed_by_a_pause(
    empty: Slurm, bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    with open_executor("refused", pool_of(queue="no-such-partition"), bench.lake) as executor:
        pump(executor, lambda: 2, lambda _: "trying again" in caplog.text)
        for _ in range(5):
            assert list(executor.places(2)) == []

    assert caplog.text.count("sbatch failed") == 1
    assert "invalid partition specified: no-such-partition" in caplog.text
    assert empty.jobs() == []


def test_jobs_stay_off_a_host_to_be_let_alone(empty: Slurm, bench: Bench) -> None:
    with open_executor("picky", pool_of(maximum=1), bench.lake) as executor:
        executor.retire(["node1", "node2", "a-laptop"])
        pump(executor, lambda: 1, lambda _: bool(empty.running()), timeout_s=300.0)

        assert [job.node for job in empty.running()] == ["node3"]
    empty.wait_for(lambda s: not s.jobs())


DISPATCHER = """
import sys, time
from pathlib import Path
from alchemiscale_lake.execution import Assignment, AttemptSpec, Resources
from alchemiscale_lake.settings import Limits, Pool
from alchemiscale_lake.store import Lake
from alchemiscale_lake.engines.registry import open_executor

if __name__ == "__main__":
    lake, attempt, task, transformation, scope, work = sys.argv[1:]
    limits = Limits(maximum=2)
    pool = Pool(kind="slurm", cores=1, memory="1GB", gpus=1, walltime="10m", interface="lo", limits=limits)
    spec = AttemptSpec(attempt, task, transformation, scope, None, Resources(1, None, 1.0))
    handle = None
    with open_executor("killed", pool, Lake.open(lake)) as executor:
        while True:
            places = executor.places(2)
            if places and handle is None:
                assignment = Assignment(lake, "killed", (spec,), Resources(1, None, 1.0), work_root=work)
                handle = executor.submit(assignment, name="x", place=places[0].name)
            time.sleep(0.2)
"""


def test_jobs_end_by_themselves_when_their_dispatcher_is_killed(empty: Slurm, bench: Bench, tmp_path: Path) -> None:
    spec = attempt(bench, duration_s=300.0)
    script = tmp_path / "dispatcher.py"
    script.write_text(DISPATCHER)
    told = [bench.lake.url, spec.attempt, spec.task, spec.transformation, spec.scope, str(bench.work)]
    environment = {**os.environ, "PYTHONPATH": str(Path.cwd())}
    dispatcher = subprocess.Popen([sys.executable, str(script), *told], env=environment, start_new_session=True)
    try:
        empty.wait_for(lambda s: len(s.running()) == 2 and is_running(bench.lake, spec))
    finally:
        dispatcher.send_signal(signal.SIGKILL)
        dispatcher.wait()
    killed_at = time.monotonic()

    empty.wait_for(lambda s: not s.jobs())

    assert of_jobs(os.environ["SLURM_CONF"]) == []
    release = read_release(bench.lake, SCOPE, spec.attempt)
    assert release is not None
    assert "dispatcher is gone" in release.reason
    assert time.monotonic() - killed_at < 300.0


def test_a_single_shot_job_is_cancelled(empty: Slurm, bench: Bench) -> None:
    spec = attempt(bench, duration_s=120.0)
    with open_executor("pool", pool_of(), bench.lake, once=True) as executor:
        handle = hand_out(bench, executor, spec, executor.places(1)[0])
        empty.wait_for(lambda _: is_running(bench.lake, spec))
        assert not handle.done()
        (job,) = empty.running()

        handle.cancel()

        empty.wait_for(lambda _: handle.done())
    release = read_release(bench.lake, SCOPE, spec.attempt)
    assert release is not None
    assert (release.kind, release.hostname) == ("stopped", job.node)
    assert of_jobs(os.environ["SLURM_CONF"]) == []


@pytest.mark.parametrize(
    ("directive", "is_read"),
    [
        ("-A 'my project' --comment=x # with a comment", True),
        ('--comment="a b" --exclusive', True),
        ("--constraint= --nice=5", True),
        ("-p gpu long", False),
        ("-A my project", False),
        ("--comment=my project", False),
        ("comment=x", False),
        ('--comment="x', False),
    ],
)
def test_the_check_of_directives_agrees_with_slurm(empty: Slurm, tmp_path: Path, directive: str, is_read: bool) -> None:
    script = tmp_path / "job.sh"
    script.write_text(f"#!/bin/bash\n#SBATCH {directive}\ntrue\n")

    said = subprocess.run(["sbatch", "--hold", str(script)], capture_output=True, text=True, check=False, cwd=tmp_path)

    assert (said.returncode == 0) is is_read, said.stderr
    assert (list(directive_mistakes("slurm", [directive])) == []) is is_read


@pytest.mark.parametrize("once", [False, True])
def test_accounts_and_folders_with_spaces(empty: Slurm, bench: Bench, tmp_path: Path, once: bool) -> None:
    folder = tmp_path / "100% of logs #1"
    spec = attempt(bench)
    pool = pool_of(account="my project", log_folder=str(folder), maximum=1)
    with open_executor("spaces", pool, bench.lake, once=once) as executor:
        (place,) = pump(executor, lambda: 1, lambda places: len(places) == 1)
        handle = hand_out(bench, executor, spec, place)
        pump(executor, lambda: 1, lambda _: bool(empty.running()) or handle.done())
        accounts = empty.run("squeue", "--noheader", "--states=all", "--sort=-i", "--format=%a").splitlines()
        pump(executor, lambda: 1, lambda _: handle.done())

    assert accounts[0] == "my project"
    assert bench.receipt(spec).result["ok"] is True
    assert [path.suffix for path in folder.iterdir() if not path.name.startswith(".")] == [".out"]
