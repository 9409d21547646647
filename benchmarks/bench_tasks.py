"""Create and action 10,000 Tasks in one commit, compared with appending the same rows with deltalake alone.

The reference writes exactly the rows that end up in `tasks` and `task_log` to two bare Delta tables: no key lookup, no
rules, no protection against races. Run it with ``python -m benchmarks.bench_tasks``.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from deltalake import DeltaTable, write_deltalake

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, plain_chain

from . import _table

NAME = "tasks"
TARGET = "10,000 Tasks created and actioned in one commit, within 10 times of writing the bare rows"

_TARGET_RATIO = 10.0
_TABLES = ("tasks", "task_log")


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time both alternately, best of three."""
    n_tasks = 1_000 if quick else 10_000
    n_transformations = 100
    ours_s, reference_s = [], []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            lake = Lake.create(Path(folder) / "lake")
            pairs = [(f"l{i}", f"l{i + 1}") for i in range(n_transformations)]
            network = submit_network(lake, plain_chain(pairs), SCOPE).network
            began = time.perf_counter()
            created = ensure_tasks(lake, network, n_tasks // n_transformations, caller=Caller("bench"))
            ours_s.append(time.perf_counter() - began)
            assert len(created) == n_tasks
            assert lake.task_log.states().seq == 1, "not one commit"
            assert lake.task_log.states().claimable().height == n_tasks
            reference_s.append(_bare(lake, Path(folder) / "bare"))
    ratio = min(ours_s) / min(reference_s)
    return [
        {
            "name": f"create and action {n_tasks:,} Tasks in one commit",
            "ours_s": min(ours_s),
            "reference_s": min(reference_s),
            "reference": "deltalake appending the same rows to bare tables",
            "ratio": ratio,
            "target": f"<= {_TARGET_RATIO:g}x",
            "ok": quick or ratio <= _TARGET_RATIO,
        }
    ]


def _bare(lake: Lake, folder: Path) -> float:
    rows = {name: lake.table(name).scan().collect().to_arrow() for name in _TABLES}
    for name, table in rows.items():
        DeltaTable.create(folder / name, schema=table.schema, partition_by=["scope"])
    began = time.perf_counter()
    for name, table in rows.items():
        write_deltalake(folder / name, table, mode="append")
    return time.perf_counter() - began


if __name__ == "__main__":
    _table.main(run)
