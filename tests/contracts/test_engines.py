"""One contract for engines: Dask here and in a queue, batch mode, and those of other packages."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
import pytest

from alchemiscale_lake.dispatch.executor import Executor, Handle
from alchemiscale_lake.engines.dask_executor import DaskExecutor
from alchemiscale_lake.engines.registry import open_executor
from alchemiscale_lake.execution import AttemptSpec
from alchemiscale_lake.execution.heartbeat import read_beat
from alchemiscale_lake.settings import ENGINES, Limits, Pool
from alchemiscale_lake.store import Lake
from tests.contracts.executor_contract import ExecutorContract
from tests.engine import Engine
from tests.execution.bench import SCOPE, Bench
from tests.lakes import new_lake
from tests.plugins import install, thread_engine
from tests.slurm import Slurm, slurm

TWO = Limits(maximum=2)


def slurm_pool(**changes: Any) -> Pool:
    keys = {"cores": 1, "memory": "1GB", "gpus": 1, "walltime": "10m", "retire_before": "30s", "interface": "lo"}
    return Pool(kind="slurm", limits=TWO, **{**keys, "idle": "60s", **changes})


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    with slurm(tmp_path_factory.mktemp("slurm") / "s", kill_wait_s=2) as running:
        yield running


class SharedWorkers(ExecutorContract):
    """One scheduler, and its workers, for all tests that may share them: a worker takes seconds to start."""

    shared: Any

    @pytest.fixture(scope="class", autouse=True)
    def _shared(self, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        with self.open(new_lake(tmp_path_factory.mktemp("shared") / "lake")) as request.cls.shared:
            yield

    @contextlib.contextmanager
    def opened(self, lake: Lake) -> Iterator[Executor]:
        shared = self.shared
        yield DaskExecutor(shared._client, lake, shared._capacity, scaling=shared._scaling)


class TestDaskHere(SharedWorkers):
    durable, whole_jobs = False, False

    def open(self, lake: Lake) -> AbstractContextManager[Executor]:
        return open_executor("here", Pool(kind="local", cores=2, limits=TWO), lake)

    def lose(self, executor: Any, handle: Handle, spec: AttemptSpec) -> None:
        (pid,) = executor._client.run(os.getpid).values()
        psutil.Process(pid).kill()


class InSlurm(ExecutorContract):
    gpus = 1.0
    lake: Lake

    @pytest.fixture(autouse=True)
    def _queue(self, cluster: Slurm) -> Iterator[None]:
        self.cluster = cluster
        yield
        if hasattr(self, "lake"):  # its engine was its own
            cluster.run("scancel", "--user=root")
            cluster.wait_for(lambda s: not s.jobs())

    def open(self, lake: Lake) -> AbstractContextManager[Executor]:
        self.lake = lake
        return open_executor("cluster", slurm_pool(), lake, once=self.whole_jobs)

    def lose(self, executor: Executor, handle: Handle, spec: AttemptSpec) -> None:
        beat = read_beat(self.lake, SCOPE, spec.attempt)
        assert beat is not None
        assert beat.queue_job is not None
        self.cluster.run("scancel", "--signal=KILL", "--full", beat.queue_job)


@pytest.mark.usefixtures("cluster")
class TestDaskInSlurm(SharedWorkers, InSlurm):
    durable, whole_jobs = False, False


class TestBatchMode(InSlurm):
    durable, whole_jobs = True, True


class TestAnotherPackage(ExecutorContract):
    """The engine of docs/plug-ins.md."""

    durable, whole_jobs = False, True

    @pytest.fixture(autouse=True)
    def _installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        entries = {ENGINES: {"threads": "thread_engine:ENGINE"}}
        install(tmp_path / "site", monkeypatch, "thread_engine", thread_engine(), entries)

    def open(self, lake: Lake) -> AbstractContextManager[Executor]:
        return open_executor("threads", Pool(kind="threads", cores=1, limits=TWO), lake)

    def lose(self, executor: Executor, handle: Handle, spec: AttemptSpec) -> None:
        handle.cancel()  # a thread cannot be lost without this process


class TestEngineOfTests(ExecutorContract):
    """It runs nothing: short attempts end at the next turn, long ones when they are cancelled or lost."""

    durable, whole_jobs = False, False

    @contextlib.contextmanager
    def open(self, lake: Lake) -> Iterator[Executor]:
        yield Engine(lake, slots=2)

    def attempt(self, bench: Bench, **settings: Any) -> AttemptSpec:
        spec = super().attempt(bench, **settings)
        self.asked = {**getattr(self, "asked", {}), spec.attempt: settings}
        return spec

    def is_running(self, bench: Bench, spec: AttemptSpec) -> bool:
        return True

    def turn(self, executor: Any) -> None:
        for flight in executor.flights:
            asked = self.asked[flight.attempts[0]]
            if not flight.done() and asked.get("duration_s", 0.0) < 10.0:
                executor.land(flight, ok="fail" not in asked)

    def lose(self, executor: Any, handle: Any, spec: AttemptSpec) -> None:
        executor.crash(handle)
