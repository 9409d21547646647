"""1,000 no-op ProtocolDAGs through `dispatch`, compared with bare Dask futures, and where their CPU time goes.

The reference creates and executes each ProtocolDAG inside the Dask worker, through gufe itself, and discards the
result: no process per unit, no logs, no receipt, no tables, no crash safety. The difference is the cost of safety and
records per Task. Both are measured without start and end, and the reference before and after, so that other load
on the machine shows. Run it with ``python -m benchmarks.bench_dispatch``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import distributed
import psutil

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake

from . import _table
from .accounting import PARTS, Accounting

NAME = "dispatch"
TARGET = "at most 8 times bare Dask futures, and at most 45 ms of CPU time per Task"

_SCOPE = "org-campaign-project"
_N_TRANSFORMATIONS = 20
_WORKERS = 2
#: Tasks that are not counted: the first ones wait for processes to start.
_SKIP = 20
_MOST_RATIO = 8.0
_MOST_CPU_MS = 45.0


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time both, and account for the CPU time of the parts of `dispatch`."""
    from tests.example_networks import noop_network

    n_tasks = 200 if quick else 1_000
    network = noop_network(_N_TRANSFORMATIONS)
    chains = [gufe_adapter.dumps_chain(edge) for edge in sorted(network.edges, key=lambda e: str(e.key))]
    bare = [_bare(chains, n_tasks)]
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.create(Path(folder) / "lake")
        stored = submit_network(lake, network, _SCOPE).network
        ensure_tasks(lake, stored, n_tasks // _N_TRANSFORMATIONS, caller=Caller("bench"))
        ours = _dispatch(lake)
        done = lake.table("results").scan().collect()
        assert len(done) == n_tasks
        assert done["ok"].all()
    bare.append(_bare(chains, n_tasks))
    reference = {kind: sum(one[kind] for one in bare) / len(bare) for kind in ("wall", "cpu")}
    ratio = ours["wall"] / reference["wall"]
    return [
        {
            "name": f"{n_tasks:,} no-op ProtocolDAGs on {_WORKERS} workers",
            "ours_ms_per_task": ours["wall"],
            "reference_ms_per_task": reference["wall"],
            "reference": "gufe inside bare Dask futures",
            "ratio": ratio,
            "load": os.getloadavg()[1],
            "ok": ratio <= _MOST_RATIO,
        },
        {
            "name": "CPU time per Task, ms",
            "ours": ours["cpu"],
            "reference": reference["cpu"],
            "ratio": ours["cpu"] / reference["cpu"],
            **{part: ours[part] for part in PARTS},
            "ok": ours["cpu"] <= _MOST_CPU_MS,
        },
    ]


def _dispatch(lake: Lake) -> dict[str, float]:
    """Return wall and CPU time per Task, ms."""
    command = [sys.executable, "-m", "alchemiscale_lake", "dispatch", "--lake", lake.url, "--workers", str(_WORKERS)]
    receipts = Path(lake.url.removeprefix("file://")) / "attempts" / _SCOPE
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        with Accounting(process.pid, lambda: sum(1 for _ in receipts.glob("*/receipt.arrow"))) as accounting:
            code = process.wait()
        assert code == 0
    return accounting.per_task(_SKIP)


def _bare(chains: list[bytes], n_tasks: int) -> dict[str, float]:
    """Return wall and CPU time per Task of the reference, ms."""
    with (
        distributed.LocalCluster(
            n_workers=_WORKERS, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.gather([client.submit(execute_bare, chains[0], -w, workers=[w]) for w in range(_WORKERS)])
        workers = [psutil.Process(nanny.process.pid) for nanny in cluster.workers.values()]

        def cpu_s() -> float:
            return time.process_time() + sum(sum(worker.cpu_times()[:2]) for worker in workers)

        began, used_s = time.perf_counter(), cpu_s()
        futures = [client.submit(execute_bare, chains[i % len(chains)], i, pure=False) for i in range(n_tasks)]
        assert all(client.gather(futures))
        wall_s = time.perf_counter() - began
        return {"wall": 1000 * wall_s / n_tasks, "cpu": 1000 * (cpu_s() - used_s) / n_tasks}


def execute_bare(chain: bytes, repeat: int) -> bool:
    """Create and execute one ProtocolDAG in this process."""
    transformation = gufe_adapter.loads_chain(chain)
    dag = gufe_adapter.create_protocol_dag(transformation)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for unit in gufe_adapter.units_in_order(dag):
            places = {name: Path(folder) / name for name in ("shared", "scratch", "stdout", "stderr")}
            for place in places.values():
                place.mkdir(exist_ok=True)
            results[str(unit.key)] = gufe_adapter.execute_unit(unit, results=results, **places)
    done = gufe_adapter.build_dag_result(dag, list(results.values()), transformation)
    return gufe_adapter.dag_ok(done)


if __name__ == "__main__":
    _table.main(run)
