"""The full path through a process work pool: real server, worker and flow runs; killed, restarted, cancelled."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import psutil

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.dispatch.dispatch_report import DispatchReport
from alchemiscale_lake.dispatch.dispatch_settings import DispatchSettings
from alchemiscale_lake.dispatch.dispatcher import Dispatcher
from alchemiscale_lake.execution.heartbeat import read_beat
from alchemiscale_lake.execution.release import read_release
from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.prefect_api.local_api import Api
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.settings import Pool
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import cancel_tasks, ensure_tasks
from alchemiscale_lake.store import Lake
from tests.engines.work_pools import make_work_pool, wait_until, worker
from tests.example_networks import harmonic_network
from tests.prefect_requests import get, post

# a flow run takes several seconds to start, and minutes on a busy machine


class Background:
    """A dispatcher in a thread."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher, self.stop = dispatcher, threading.Event()
        self.report: DispatchReport | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self.report = self.dispatcher.run(stop=self.stop)

    def join(self) -> DispatchReport:
        self._thread.join(timeout=600.0)
        assert self.report is not None, "the dispatcher did not come to an end"
        return self.report


@contextlib.contextmanager
def dispatching(lake: Lake, work_pool: str, *, tasks_per_job: int = 1, **patience: float) -> Iterator[Background]:
    from alchemiscale_lake.engines.overdue_runs import Patience
    from alchemiscale_lake.engines.work_pool import open_work_pool

    pool = Pool(kind="work-pool", work_pool=work_pool, tasks_per_job=tasks_per_job)
    settings = DispatchSettings(
        pool="pods", resources=Resources(), heartbeat_s=1.0, lease_s=3600.0, maximum_workers=pool.limits.maximum
    )
    with open_work_pool("pods-" + work_pool, pool, lake, patience=Patience(look_s=0.5, **patience)) as executor:
        running = Background(Dispatcher(lake, executor, settings))
        try:
            yield running
        finally:
            running.stop.set()
            running.join()


def submit(lake: Lake, folder: Path, n: int, **settings: Any) -> str:
    """Return `n` Tasks of `n` Transformations."""
    dump_network(harmonic_network(n + 1, n, n_samples=20, n_windows=1, **settings), folder / "network.json")
    network = submit_network(lake, folder / "network.json", "a-b-c").network
    ensure_tasks(lake, network, 1, caller=Caller("test"))
    return network


def statuses(lake: Lake) -> list[str]:
    return sorted(lake.task_log.states().tasks["status"])


def running_attempts(lake: Lake) -> list[str]:
    """Return the attempts of Tasks that are really running, with heartbeats."""
    held = [state.attempt for state in lake.task_log.states().running().values() if state.attempt]
    return [attempt for attempt in held if read_beat(lake, "a-b-c", attempt) is not None]


def flow_runs(api: Api, work_pool: str) -> list[dict[str, Any]]:
    only: dict[str, Any] = {"work_pools": {"name": {"any_": [work_pool]}}}

    def ask() -> list[dict[str, Any]] | None:
        with contextlib.suppress(httpx.TransportError):  # a server that is just starting
            return list(post(api, "flow_runs/filter", **only))
        return None

    return list(wait_until(ask))


def test_batches_complete_although_the_server_is_restarted(api: Api, lake: Lake, tmp_path: Path) -> None:
    make_work_pool("restarted")
    submit(lake, tmp_path, 4, duration_s=3.0)
    (server,) = [
        p
        for p in psutil.Process(os.getpid()).children()
        if "alchemiscale_lake.prefect_api.server_process" in p.cmdline()
    ]

    with worker("restarted", tmp_path), dispatching(lake, "restarted", tasks_per_job=2) as dispatcher:
        # a flow run that has not started yet may crash while there is no server, and be created again
        wait_until(lambda: [bool(run["start_time"]) for run in flow_runs(api, "restarted")] == [True, True])
        wait_until(lambda: running_attempts(lake))
        server.kill()
        report = dispatcher.join()

    assert (report.completed, report.failed, report.released) == (4, 0, 0)
    assert statuses(lake) == ["complete"] * 4
    assert lake.table("results").scan().collect().height == 4
    runs = flow_runs(api, "restarted")
    assert len(runs) == 2, "one per batch"
    assert all(run["name"].endswith(" and 1 more") for run in runs)


def test_a_node_that_is_lost_costs_time_and_nothing_else(api: Api, lake: Lake, tmp_path: Path) -> None:
    make_work_pool("lost")
    submit(lake, tmp_path, 1, duration_s=6.0)

    with worker("lost", tmp_path) as first, dispatching(lake, "lost", silent_s=3.0, confirm_s=1.0) as dispatcher:
        wait_until(lambda: running_attempts(lake))
        first.kill(with_runs=True)
        wait_until(lambda: dispatcher.dispatcher.report.claimed == 2, patience_s=60.0)
    states = [run["state"]["type"] for run in flow_runs(api, "lost")]
    with worker("lost", tmp_path), dispatching(lake, "lost") as second:
        report = second.join()

    # the second dispatcher claimed nothing: it found the waiting flow run of the first
    assert (report.claimed, report.completed) == (0, 1)
    assert statuses(lake) == ["complete"]
    assert sorted(states) == ["CRASHED", "SCHEDULED"]
    released = lake.table("task_log").scan().filter(pl.col("event") == "released").collect()
    assert ["no heartbeat" in reason for reason in released["reason"]] == [True]


def test_cancelling_reaches_the_process(api: Api, lake: Lake, tmp_path: Path) -> None:
    make_work_pool("cancelled")
    network = submit(lake, tmp_path, 1, duration_s=300.0)
    task = lake.task_log.states().tasks["task"].item()

    with worker("cancelled", tmp_path) as started, dispatching(lake, "cancelled") as dispatcher:
        (attempt,) = wait_until(lambda: running_attempts(lake))
        wait_until(lambda: len(started.tree()) > 3)  # the flow run, where steps start, and the unit
        units = started.tree()[2:]
        began = time.monotonic()
        cancel_tasks(lake, [task], network, caller=Caller("test"))
        psutil.wait_procs(units, timeout=300.0)
        took_s = time.monotonic() - began
        left = [process for process in units if process.is_running()]
        report = dispatcher.join()

    assert not left
    assert took_s < 30.0
    assert (report.completed, report.failed) == (0, 0)
    assert statuses(lake) == ["waiting"]
    release = read_release(lake, "a-b-c", attempt)
    assert release is not None
    assert release.kind == "stopped"


def test_single_shot_from_the_command_line(api: Api, warm_path: str, lake: Lake, tmp_path: Path) -> None:
    make_work_pool("shots")
    submit(lake, tmp_path, 2)
    (tmp_path / "pools.yaml").write_text("pools: {pods: {kind: work-pool, work_pool: shots, tasks_per_job: 2}}")
    command = ["alchemiscale-lake", "dispatch", "pods", "--once"]

    def shoot() -> str:
        told = subprocess.run(
            [*command, "--lake", str(lake.local_path), "--pools", str(tmp_path / "pools.yaml")],
            cwd=tmp_path,
            env={**os.environ, "PATH": warm_path},
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        assert told.returncode == 0, told.stderr
        return told.stderr

    with worker("shots", tmp_path):
        wait_until(lambda: serves(api, "shots"))
        first = shoot()
        wait_until(lambda: [run["state"]["type"] for run in flow_runs(api, "shots")] == ["COMPLETED"])
        second = shoot()

    assert "0 complete, 0 failed, 0 released" in first
    assert "2 complete" in second
    assert statuses(lake) == ["complete"] * 2


def serves(api: Api, work_pool: str) -> bool:
    return str(get(api, f"work_pools/{work_pool}")["status"]) == "READY"
