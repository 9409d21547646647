"""Overhead per Task on a real Slurm, and the time until a cancelled Task is gone.

Slurm runs on this machine, with two nodes of one core each (`tests/slurm.py`). ProtocolDAGs do nothing, so only
overhead is measured:

- daemon: a dispatcher (without Prefect) and its workers in two queue jobs, compared with gufe inside bare futures of
  the same number of dask-jobqueue workers. Both are warm before the clock starts.
- batch mode: `dispatch --once` until all is recorded, four jobs of many Tasks each, compared with four sbatch jobs
  that each run as many ProtocolDAGs in one process through gufe, and with one sbatch job per ProtocolDAG. Both start
  cold.
- cancel: from the call of `cancel_tasks` until no process of the Task is left, on Slurm and in a local pool.

The references keep nothing: no process per unit, no logs, no receipt, no tables. Needs root and Debian's Slurm. Run it
with ``python -m benchmarks.bench_slurm``.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import polars as pl
import psutil

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.engines.job_scripts import JobRequest, cluster_class, job_options
from alchemiscale_lake.settings import Pool
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import cancel_tasks, ensure_tasks
from alchemiscale_lake.store import Lake
from tests.slurm import Slurm, slurm

from . import _table
from .bench_dispatch import execute_bare

NAME = "slurm"
TARGET = "overhead per Task and latency of cancelling are reported; a cancelled Task is gone within 10 s"

_NODES = 2
_N_TRANSFORMATIONS = 10
_JOBS = 4
_CANCELLED_WITHIN_S = 10.0
_SCOPE = "org-campaign-project"
_POOLS = """\
pools:
  cluster:
    kind: slurm
    queue: gpu
    cores: 1
    memory: 1GB
    walltime: 1h
    interface: lo
    log_folder: {folder}/logs
    environment: ["export PYTHONPATH={code}"]
    limits: {{maximum: {maximum}}}
    tasks_per_job: {tasks_per_job}
  here:
    kind: local
    cores: 1
    limits: {{maximum: 1}}
"""


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Measure each once, cancelling five times."""
    n_daemon, n_once, n_alone, tries = (50, 8, 2, 2) if quick else (1_000, 100, 20, 5)
    with tempfile.TemporaryDirectory() as name, slurm(Path(name) / "slurm", nodes=_NODES, cores_per_node=1) as cluster:
        folder = Path(name)
        rows = [_daemon_row(folder, n_daemon), _once_row(cluster, folder, n_once, n_alone)]
        return [*rows, *(_cancel_row(folder, pool, tries) for pool in ("cluster", "here"))]


# --- overhead -------------------------------------------------------------------------------------


def _daemon_row(folder: Path, n_tasks: int) -> dict[str, Any]:
    from tests.example_networks import noop_network

    network = noop_network(_N_TRANSFORMATIONS)
    lake, stored = _lake(folder / "daemon", network)
    began = time.perf_counter()
    with _dispatching(lake, "cluster", folder):
        ensure_tasks(lake, stored, 1, caller=Caller("bench"))
        _wait_for(lake, _N_TRANSFORMATIONS)
        start_up_s = time.perf_counter() - began
        seq = lake.task_log.states().seq
        ensure_tasks(lake, stored, 1 + n_tasks // _N_TRANSFORMATIONS, caller=Caller("bench"))
        _wait_for(lake, _N_TRANSFORMATIONS + n_tasks)
    log = lake.table("task_log").scan().filter(pl.col("seq") > seq)
    first = log.filter(pl.col("event") == "claimed").select(pl.col("at").min()).collect().item()
    last = log.filter(pl.col("event") == "completed").select(pl.col("at").max()).collect().item()
    ours_s = (last - first).total_seconds()
    hosts = lake.table("results").scan().select(pl.col("queue_job").n_unique()).collect().item()
    reference_s, reference_start_s = _bare_futures(folder, _chains(network), n_tasks)
    return {
        "name": f"{n_tasks:,} no-op Tasks, daemon, {hosts} jobs",
        "ours_s": ours_s,
        "reference_s": reference_s,
        "reference": "gufe inside futures of bare dask-jobqueue workers",
        "ratio": ours_s / reference_s,
        "ours_ms_per_task": 1000 * ours_s / n_tasks,
        "overhead_ms_per_task": 1000 * (ours_s - reference_s) / n_tasks,
        "start_up_s": start_up_s,
        "reference_start_up_s": reference_start_s,
    }


def _bare_futures(folder: Path, chains: list[bytes], n_tasks: int) -> tuple[float, float]:
    """Return seconds for all, and seconds until all workers had executed one."""
    pool = _pool(folder)
    options = job_options(JobRequest(pool, folder / "logs"))
    began = time.perf_counter()
    with (
        cluster_class("slurm")(n_workers=_NODES, scheduler_options={"dashboard_address": None}, **options) as workers,
        distributed.Client(workers, set_as_default=False) as client,
    ):
        client.wait_for_workers(_NODES, timeout=120)
        addresses = client.scheduler_info(n_workers=-1)["workers"]
        client.gather([client.submit(execute_bare, chains[0], -i, workers=[a]) for i, a in enumerate(addresses)])
        start_up_s = time.perf_counter() - began
        began = time.perf_counter()
        futures = [client.submit(execute_bare, chains[i % len(chains)], i, pure=False) for i in range(n_tasks)]
        assert all(client.gather(futures))
        return time.perf_counter() - began, start_up_s


def _once_row(cluster: Slurm, folder: Path, n_tasks: int, n_alone: int) -> dict[str, Any]:
    from tests.example_networks import noop_network

    network = noop_network(4)
    lake, stored = _lake(folder / "once", network)
    ensure_tasks(lake, stored, n_tasks // 4, caller=Caller("bench"))
    command = [sys.executable, "-m", "alchemiscale_lake", "dispatch", "cluster", "--once", "--lake", lake.url]
    command += ["--pools", str(_pools_file(folder, maximum=_JOBS, tasks_per_job=n_tasks // _JOBS))]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    submit_s = time.perf_counter() - began
    cluster.wait_for(lambda s: not s.jobs(), 600.0)
    ran = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    collect_s = time.perf_counter() - ran
    ours_s = time.perf_counter() - began
    results = lake.table("results").scan().collect()
    assert len(results) == n_tasks
    assert results["ok"].all()
    assert results["queue_job"].n_unique() == _JOBS
    (chain, *_) = _chains(network)
    reference_s = _bare_jobs(cluster, folder, chain, jobs=_JOBS, each=n_tasks // _JOBS)
    alone_s = _bare_jobs(cluster, folder, chain, jobs=n_alone, each=1) / n_alone
    return {
        "name": f"{n_tasks:,} no-op Tasks, single shot, {_JOBS} jobs on {_NODES} nodes",
        "ours_s": ours_s,
        "reference_s": reference_s,
        "reference": f"gufe in {_JOBS} sbatch jobs",
        "ratio": ours_s / reference_s,
        "ours_ms_per_task": 1000 * ours_s / n_tasks,
        "overhead_ms_per_task": 1000 * (ours_s - reference_s) / n_tasks,
        "submit_s": submit_s,
        "collect_s": collect_s,
        "one_sbatch_each_ms_per_task": 1000 * alone_s,
    }


def _bare_jobs(cluster: Slurm, folder: Path, chain: bytes, *, jobs: int, each: int) -> float:
    """Return seconds from the first sbatch until the last job is gone, with this many ProtocolDAGs in each."""
    (folder / "chain.json").write_bytes(chain)
    command = f"{sys.executable} -m benchmarks.bench_slurm bare {folder}/chain.json {each}"
    began = time.perf_counter()
    for _ in range(jobs):
        cluster.run(
            "sbatch", "--partition=gpu", "--mem=1G", f"--chdir={Path.cwd()}", "--output=/dev/null", f"--wrap={command}"
        )
    cluster.wait_for(lambda s: not s.jobs(), 600.0)
    return time.perf_counter() - began


# --- cancelling -----------------------------------------------------------------------------------


def _cancel_row(folder: Path, pool: str, tries: int) -> dict[str, Any]:
    from tests.example_networks import harmonic_network

    network = harmonic_network(4, n_samples=10, n_windows=1, duration_s=600.0)
    lake, stored = _lake(folder / f"cancel-{pool}", network)
    ensure_tasks(lake, stored, 1 + tries // 4, caller=Caller("bench"))
    times = []
    with _dispatching(lake, pool, folder, maximum=1):
        for _ in range(tries):
            _wait(lambda: len(_steps(lake)) == 1)
            time.sleep(1.5)  # running for some time
            processes = _steps(lake)
            running = list(lake.task_log.states().running())
            began = time.perf_counter()
            cancel_tasks(lake, running, stored, caller=Caller("bench"))
            _wait(lambda: not any(psutil.pid_exists(pid) for pid in processes), every_s=0.01)  # noqa: B023
            times.append(time.perf_counter() - began)
    return {
        "name": f"from cancel_tasks to the process gone, {'Slurm' if pool == 'cluster' else 'local'}, {tries} times",
        "ours_s": statistics.median(times),
        "max_s": max(times),
        "target": f"<= {_CANCELLED_WITHIN_S:g} s",
        "ok": max(times) <= _CANCELLED_WITHIN_S,
    }


def _steps(lake: Lake) -> set[int]:
    """Return the processes that run ProtocolUnits of a lake."""
    work = f"{lake.local_path}/work"
    found = ((process.pid, process.info["cwd"] or "") for process in psutil.process_iter(["cwd"]))
    return {pid for pid, folder in found if folder.startswith(work)}


# --- common ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def _dispatching(lake: Lake, pool: str, folder: Path, **settings: Any) -> Iterator[None]:
    """Run a dispatcher in a thread during the block."""
    from tests.engines.pools import daemon

    with daemon(lake, pool, _pools_file(folder, **settings), until="stopped") as running:
        yield
        assert running.error is None


def _lake(folder: Path, network: Any) -> tuple[Lake, str]:
    lake = Lake.create(folder)
    return lake, submit_network(lake, network, _SCOPE).network


def _chains(network: Any) -> list[bytes]:
    return [gufe_adapter.dumps_chain(edge) for edge in sorted(network.edges, key=lambda e: str(e.key))]


def _pools_file(folder: Path, *, maximum: int = _NODES, tasks_per_job: int = 1) -> Path:
    (folder / "logs").mkdir(exist_ok=True)
    path = folder / "pools.yaml"
    path.write_text(_POOLS.format(folder=folder, code=Path.cwd(), maximum=maximum, tasks_per_job=tasks_per_job))
    return path


def _pool(folder: Path) -> Pool:
    from alchemiscale_lake.pools_file import load_pools

    return load_pools(_pools_file(folder)).pools["cluster"]


def _wait_for(lake: Lake, complete: int) -> None:
    _wait(lambda: (lake.task_log.states().tasks["status"] == "complete").sum() >= complete, every_s=0.2)


def _wait(what: Any, *, every_s: float = 0.05, timeout_s: float = 900.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not what():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout_s:g} s")
        time.sleep(every_s)


def _execute_bare(path: str, n: str) -> int:
    chain = Path(path).read_bytes()
    return 0 if all(execute_bare(chain, i) for i in range(int(n))) else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["bare"]:
        os._exit(_execute_bare(*sys.argv[2:]))
    _table.main(run)
