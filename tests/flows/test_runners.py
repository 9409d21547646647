from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from alchemiscale_lake.errors import SettingsError
from alchemiscale_lake.gufe_adapter import dump_network
from alchemiscale_lake.ledger.dispatcher import Dispatcher
from alchemiscale_lake.ledger.executor import DispatchSettings
from alchemiscale_lake.ledger.submit import submit_network
from alchemiscale_lake.ledger.tasks import ensure_tasks
from alchemiscale_lake.store import Lake
from flows._runners import DaskExecutor, PoolSettings, _processes, default_workers, open_pool
from tests.networks import harmonic_network


@pytest.fixture(scope="module")
def pool() -> Iterator[Any]:
    with open_pool(PoolSettings(workers=2)) as client:
        yield client


def worker_pids(client: Any) -> list[int]:
    return list(client.run(os.getpid).values())


@pytest.mark.parametrize("field", ["workers", "cores_per_task"])
def test_a_pool_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        PoolSettings(**{field: 0})


def test_cores_are_shared_out() -> None:
    cores = len(os.sched_getaffinity(0))

    assert default_workers() == cores
    assert default_workers(cores) == 1
    assert default_workers(10 * cores) == 1


@pytest.mark.parametrize(
    ("workers", "processes"), [(1, 1), (2, 1), (16, 1), (18, 2), (32, 2), (48, 3), (64, 4), (17, 17), (96, 6)]
)
def test_few_processes_and_never_more_threads_than_asked_for(workers: int, processes: int) -> None:
    assert _processes(workers) == processes
    assert workers % processes == 0


def test_workers_know_nothing_of_prefect(pool: Any) -> None:
    def engines() -> list[str]:
        import alchemiscale_lake.execution  # noqa: F401

        return sorted({name.partition(".")[0] for name in sys.modules} & {"prefect", "gufe", "flows"})

    assert list(pool.run(engines).values()) == [[]]


def test_everything_listens_on_loopback(pool: Any) -> None:
    processes = [psutil.Process(), *(psutil.Process(pid) for pid in worker_pids(pool))]
    listening = {c.laddr.ip for p in processes for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}

    assert listening <= {"127.0.0.1"}


def test_a_killed_worker_costs_time_and_nothing_else(pool: Any, lake: Lake, tmp_path: Path) -> None:
    dump_network(harmonic_network(3, 2, duration_s=1.0, n_windows=1, n_samples=20), tmp_path / "n.json")
    network = submit_network(lake, tmp_path / "n.json", "a-b-c").network
    ensure_tasks(lake, network, 1, creator="test")
    victim = worker_pids(pool)[0]
    killed = []

    def kill_once(progress: Any) -> None:
        units = psutil.Process(victim).children(recursive=True) if not killed else []
        if len(units) > 1:  # its zygote, and a unit that runs
            psutil.Process(victim).kill()
            killed.append(victim)

    settings = DispatchSettings(slots=2, poll_s=0.1)
    dispatcher = Dispatcher(lake, DaskExecutor(pool, lake), settings)
    dispatcher._tell = lambda: kill_once(None)  # type: ignore[method-assign]
    report = dispatcher.run()

    assert killed
    assert (report.completed, report.failed, report.released) == (2, 0, 0)
    assert lake.table("results").scan().collect()["ok"].to_list() == [True, True]


def test_a_cancelled_assignment_is_told_to_stop(pool: Any, lake: Lake, tmp_path: Path) -> None:
    dump_network(harmonic_network(2, 1, duration_s=60.0), tmp_path / "n.json")
    ensure_tasks(lake, submit_network(lake, tmp_path / "n.json", "a-b-c").network, 1, creator="test")
    dispatcher = Dispatcher(lake, DaskExecutor(pool, lake), DispatchSettings(slots=1))
    dispatcher.step()
    (flight,) = dispatcher._flights.values()

    flight.handle.cancel()

    assert flight.handle.done()
    assert flight.handle.exception() is None
    assert lake.objects.exists(f"attempts/a-b-c/{flight.claim.attempt}/stop")


def test_no_process_is_left() -> None:
    with open_pool(PoolSettings(workers=1)) as client:
        processes = [psutil.Process(pid) for pid in worker_pids(client)]
        began = time.monotonic()

    assert not any(process.is_running() for process in processes)
    assert time.monotonic() - began < 10.0
