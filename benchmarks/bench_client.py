"""Every bulk method of `LakeClient` on 10,000 Tasks, compared with one call per Task.

The reference makes 20 calls about one Task each; its time is that of 10,000 at this rate. Methods that list Tasks are
compared with reading the rows of the log with polars. Run it with ``python -m benchmarks.bench_client``.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from alchemiscale_lake.client import LakeClient
from alchemiscale_lake.ids import ScopedKey
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.store import Lake
from tests.plain import SCOPE, plain_chain

from . import _table

NAME = "client"
TARGET = "every bulk method on 10,000 Tasks in 3 seconds, and a hundredth of the time of one call per Task"

_LIMIT_S = 3.0
_TARGET_RATIO = 0.01
_N_TRANSFORMATIONS = 100
_SINGLE = 20

Keys = list[ScopedKey]


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time each method once on all Tasks, between two halves of its reference."""
    n_tasks = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as folder:
        lake = Lake.create(Path(folder) / "lake")
        pairs = [(f"l{i}", f"l{i + 1}") for i in range(_N_TRANSFORMATIONS)]
        network = ScopedKey.from_str(submit_network(lake, plain_chain(pairs), SCOPE).network)
        client = LakeClient(lake)
        transformations = client.get_network_transformations(network) * (n_tasks // _N_TRANSFORMATIONS)
        created: list[Keys] = []
        rows = [
            _row(
                f"create {n_tasks:,} Tasks",
                lambda keys: created.append(client.create_transformations_tasks(keys)),
                transformations,
                quick,
            )
        ]
        tasks = max(created, key=len)
        for name, call in _methods(client, network).items():
            rows.append(_row(f"{name} of {n_tasks:,} Tasks", call, tasks, quick))
        for name, listing in _listings(client, network).items():
            rows.append(_listing_row(f"{name}, {n_tasks:,} Tasks", listing, lake, quick))
        return rows


def _methods(client: LakeClient, network: ScopedKey) -> dict[str, Callable[[Keys], object]]:
    return {
        "action": lambda tasks: client.action_tasks(tasks, network),
        "set the weight": lambda tasks: client.action_tasks(tasks, network, weight=[0.3] * len(tasks)),
        "set the priority": lambda tasks: client.set_tasks_priority(tasks, 3),
        "get the status": client.get_tasks_status,
        "get the priority": client.get_tasks_priority,
        "get the progress": client.get_tasks_progress,
        "get the details": client.get_tasks_details,
        "cancel": lambda tasks: client.cancel_tasks(tasks, network),
        "set the status": lambda tasks: client.set_tasks_status(tasks, "invalid", reason="bench"),
    }


def _listings(client: LakeClient, network: ScopedKey) -> dict[str, Callable[[], object]]:
    return {
        "list Tasks of a network": lambda: client.get_network_tasks(network),
        "list actioned Tasks": lambda: client.get_network_actioned_tasks(network, task_weights=True),
        "query Tasks by status": lambda: client.query_tasks(SCOPE, "invalid"),
        "count Tasks of a network": lambda: client.get_network_status(network, visualize=False),
        "results of a network without one": lambda: client.get_network_results(network, visualize=False),
    }


def _row(name: str, call: Callable[[Keys], object], tasks: Keys, quick: bool) -> dict[str, Any]:
    some = tasks[: len(tasks) : len(tasks) // _SINGLE][:_SINGLE]
    single_s = _time(lambda: [call([task]) for task in some[::2]])
    ours_s = _time(lambda: call(tasks))
    single_s += _time(lambda: [call([task]) for task in some[1::2]])
    reference_s = single_s / len(some) * len(tasks)
    ratio = ours_s / reference_s
    return {
        "name": name,
        "ours_s": ours_s,
        "reference_s": reference_s,
        "reference": "one call per Task",
        "ratio": ratio,
        "target": f"<= {_TARGET_RATIO:g}x, <= {_LIMIT_S:g} s",
        "ok": quick or (ratio <= _TARGET_RATIO and ours_s <= _LIMIT_S),
    }


def _listing_row(name: str, call: Callable[[], object], lake: Lake, quick: bool) -> dict[str, Any]:
    ours_s = _time(call)
    reference_s = _time(lambda: lake.table("task_log").scan().collect())
    return {
        "name": name,
        "ours_s": ours_s,
        "reference_s": reference_s,
        "reference": "polars reading the rows of the log",
        "ratio": ours_s / reference_s,
        "target": f"<= {_LIMIT_S:g} s",
        "ok": quick or ours_s <= _LIMIT_S,
    }


def _time(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


if __name__ == "__main__":
    _table.main(run)
