"""1,000 no-op ProtocolDAGs through `dispatch`, compared with bare Dask futures.

The reference creates and executes each ProtocolDAG inside the Dask worker, through gufe itself, and discards the
result: no process per unit, no logs, no receipt, no tables, no crash safety. The difference is the cost of safety and
records per Task. Run it with ``python -m benchmarks.bench_dispatch``.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import distributed

from alchemiscale_lake import gufe_adapter
from alchemiscale_lake.caller import Caller
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake

from . import _table

NAME = "dispatch"
TARGET = "the ratio and the overhead per Task are reported; no target"

_SCOPE = "org-campaign-project"
_N_TRANSFORMATIONS = 20
_WORKERS = 2


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time both once, without start-up."""
    from tests.networks import noop_network

    n_tasks = 100 if quick else 1_000
    network = noop_network(_N_TRANSFORMATIONS)
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.create(Path(folder) / "lake")
        stored = submit_network(lake, network, _SCOPE).network
        start_up_s = _dispatch(lake)
        ensure_tasks(lake, stored, n_tasks // _N_TRANSFORMATIONS, caller=Caller("bench"))
        ours_s = _dispatch(lake) - start_up_s
        done = lake.table("results").scan().collect()
        assert len(done) == n_tasks
        assert done["ok"].all()
    chains = [gufe_adapter.dumps_chain(edge) for edge in sorted(network.edges, key=lambda e: str(e.key))]
    reference_s = _bare(chains, n_tasks)
    return [
        {
            "name": f"{n_tasks:,} no-op ProtocolDAGs on {_WORKERS} workers",
            "ours_s": ours_s,
            "reference_s": reference_s,
            "reference": "gufe inside bare Dask futures",
            "ratio": ours_s / reference_s,
            "overhead_ms_per_task": 1000 * (ours_s - reference_s) / n_tasks,
            "start_up_s": start_up_s,
        }
    ]


def _dispatch(lake: Lake) -> float:
    command = [sys.executable, "-m", "alchemiscale_lake", "dispatch", "--lake", lake.url, "--workers", str(_WORKERS)]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - began


def _bare(chains: list[bytes], n_tasks: int) -> float:
    with (
        distributed.LocalCluster(
            n_workers=_WORKERS, threads_per_worker=1, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.gather([client.submit(execute_bare, chains[0], -w, workers=[w]) for w in range(_WORKERS)])
        began = time.perf_counter()
        futures = [client.submit(execute_bare, chains[i % len(chains)], i, pure=False) for i in range(n_tasks)]
        assert all(client.gather(futures))
        return time.perf_counter() - began


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
