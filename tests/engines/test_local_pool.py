from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from alchemiscale_lake.engines.dask_executor import DaskExecutor
from alchemiscale_lake.engines.local_pool import default_workers, local_pool, open_local_executor
from alchemiscale_lake.engines.registry import open_executor
from alchemiscale_lake.errors import NotStartedError, SettingsError
from alchemiscale_lake.execution import Assignment, AttemptSpec
from alchemiscale_lake.resources import Resources
from alchemiscale_lake.schemas.receipt import unpack_receipt
from alchemiscale_lake.settings import Limits, Pool
from alchemiscale_lake.store import Lake, attempt_folder
from tests.example_networks import harmonic_transformation
from tests.execution.bench import SCOPE, Bench


@pytest.fixture(scope="module")
def module_lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return Lake.create(tmp_path_factory.mktemp("runners") / "lake")


@pytest.fixture(scope="module")
def executor(module_lake: Lake) -> Iterator[DaskExecutor]:
    with open_local_executor("local", local_pool(workers=2), module_lake) as opened:
        yield opened


@pytest.fixture
def bench(module_lake: Lake, tmp_path: Path) -> Bench:
    return Bench(module_lake, tmp_path / "work")


def worker_pids(executor: DaskExecutor) -> list[int]:
    return list(executor._client.run(os.getpid).values())


def small(bench: Bench, **settings: Any) -> AttemptSpec:
    spec = bench.spec(harmonic_transformation(n_samples=20, n_windows=1, **settings))
    return replace(spec, resources=Resources(1))


def left_receipt(lake: Lake, spec: AttemptSpec) -> bool:
    path = f"{attempt_folder(SCOPE, spec.attempt)}/receipt.arrow"
    return lake.objects.exists(path) and bool(unpack_receipt(lake.objects.get(path)).result["ok"])


def wait_for(what: Callable[[], bool], timeout_s: float = 600.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


@pytest.mark.parametrize("field", ["workers", "cores_per_task"])
def test_a_pool_of_nothing_is_refused(field: str) -> None:
    with pytest.raises(SettingsError, match=field):
        local_pool(**{field: 0})


def test_cores_are_shared_out() -> None:
    cores = len(os.sched_getaffinity(0))

    assert default_workers() == cores
    assert default_workers(cores) == 1
    assert default_workers(10 * cores) == 1
    assert local_pool(3, 4).capacity == Resources(12)


def test_workers_know_nothing_of_prefect(executor: DaskExecutor) -> None:
    def engines() -> list[str]:
        import alchemiscale_lake.execution  # noqa: F401

        return sorted({name.partition(".")[0] for name in sys.modules} & {"prefect", "gufe"})

    assert list(executor._client.run(engines).values()) == [[]]


def test_everything_listens_on_loopback(executor: DaskExecutor) -> None:
    processes = [psutil.Process(), *(psutil.Process(pid) for pid in worker_pids(executor))]
    listening = {c.laddr.ip for p in processes for c in p.net_connections("inet") if c.status == psutil.CONN_LISTEN}

    assert listening <= {"127.0.0.1"}


def test_places_state_the_free_capacity_of_a_worker(executor: DaskExecutor, bench: Bench) -> None:
    (before,) = executor.places(1)
    first, second = small(bench, duration_s=1.5), small(bench, duration_s=1.5)

    handles = [
        executor.submit(bench.assignment(spec, cores=2), name="some Task", place=before.name)
        for spec in (first, second)
    ]
    (during,) = executor.places(1)
    wait_for(lambda: all(handle.done() for handle in handles))
    (after,) = executor.places(1)

    assert (before.capacity, before.free, before.ends_in_s) == (Resources(2), Resources(2), None)
    assert (during.free, during.slots) == (Resources(0), before.slots - 2)
    assert after == before
    assert [handle.exception() for handle in handles] == [None, None]
    assert left_receipt(bench.lake, first)
    assert left_receipt(bench.lake, second)


def test_queued_assignments_do_not_make_capacity_negative(executor: DaskExecutor, bench: Bench) -> None:
    (place,) = executor.places(1)
    whole = [replace(small(bench), resources=None) for _ in range(2)]
    handles = [executor.submit(bench.assignment(s, cores=2), name="x", place=place.name) for s in whole]

    (during,) = executor.places(1)

    assert during.free == Resources(0)
    wait_for(lambda: all(handle.done() for handle in handles))


def test_a_retired_host_is_not_a_place(executor: DaskExecutor) -> None:
    (place,) = executor.places(1)
    assert place.hostname is not None

    executor.retire([place.hostname, "elsewhere"])
    during = executor.places(1)
    executor.retire(["elsewhere"])

    assert during == []
    assert executor.places(1) == [place]


def test_an_assignment_that_cannot_be_run_states_the_reason(
    executor: DaskExecutor, bench: Bench, tmp_path: Path
) -> None:
    (place,) = executor.places(1)
    nowhere = Assignment(str(tmp_path / "no-lake"), "pool", (small(bench),), Resources(2))

    handle = executor.submit(nowhere, name="x", place=place.name)

    wait_for(handle.done)
    assert "no-lake" in str(handle.exception())


def test_a_worker_that_dies_gives_its_attempts_back(executor: DaskExecutor, bench: Bench) -> None:
    (place,) = executor.places(1)
    running, behind = small(bench, duration_s=60.0), small(bench)
    handles = [executor.submit(bench.assignment(s, cores=2), name="x", place=place.name) for s in (running, behind)]
    wait_for(lambda: left_receipt(bench.lake, behind))
    (victim,) = worker_pids(executor)

    psutil.Process(victim).kill()

    wait_for(lambda: all(handle.done() for handle in handles))
    assert [handle.exception() for handle in handles] == [None, None]
    assert not left_receipt(bench.lake, running)
    wait_for(lambda: len(executor.places(1)) == 1)
    (another,) = executor.places(1)
    assert another.name != place.name
    assert another.free == another.capacity
    gone = executor.submit(bench.assignment(small(bench), cores=2), name="x", place=place.name)
    assert gone.done()
    assert isinstance(gone.exception(), NotStartedError)


def test_a_task_may_have_all_that_a_pool_of_many_has(lake: Lake) -> None:
    pool = Pool(kind="local", cores=48, memory_bytes=72 * 10**9, limits=Limits(maximum=48))

    with open_local_executor("local", pool, lake) as executor:
        places = executor.places(48)

    assert [place.capacity for place in places] == [Resources(48, 72 * 10**9)]


def test_no_process_is_left(lake: Lake) -> None:
    with open_executor("local", local_pool(1), lake) as executor:
        assert isinstance(executor, DaskExecutor)
        processes = [psutil.Process(pid) for pid in worker_pids(executor)]
        began = time.monotonic()

    assert not any(process.is_running() for process in processes)
    assert time.monotonic() - began < 120.0
