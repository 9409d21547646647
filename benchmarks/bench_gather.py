"""Gathering of one network in a lake of 300 networks, compared with the same network alone; and of all of them.

Every network is a ring of 100 ligands with three results per Transformation; half share a Scope. Each call is a
process of its own, from one new result to a new estimate version; its time is that of the call without imports, its
memory the peak of the process. Run it with ``python -m benchmarks.bench_gather``.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from alchemiscale_lake.caller import Caller
from alchemiscale_lake.statestore.claims import claim_tasks
from alchemiscale_lake.statestore.result_recording import record_receipts
from alchemiscale_lake.statestore.submit import submit_network
from alchemiscale_lake.statestore.task_operations import ensure_tasks
from alchemiscale_lake.store import Lake, maintain
from tests.plain import plain_chain, plain_receipt

from . import _table

NAME = "gather"
TARGET = "gather one of 300 networks within 1.5 times of the time and memory of that network alone"

_TARGET_RATIO = 1.5
_MEMORY_TARGET_MB = 1000.0
_RESULTS = 3
_LIGANDS = 100
_TURNS = 3

#: A fresh process: gathers some networks, prints its seconds and its peak memory.
_GATHER = """
import json, resource, sys, time
from alchemiscale_lake.estimates import estimate_versions
from alchemiscale_lake.estimates.gathering import gather_networks, gather_scope
from alchemiscale_lake.store import Lake
start = time.perf_counter()
lake = Lake.open(sys.argv[1])
done = gather_scope(lake, sys.argv[2]) if "*" in sys.argv[2] else gather_networks(lake, [sys.argv[2]])
seconds = time.perf_counter() - start
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
new = sum(one.new_round for one in done)
print(json.dumps({"seconds": seconds, "peak_mb": peak_mb, "new": new, "n": sum(one.n_estimated for one in done)}))
"""


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Gather one network in both lakes in turn, then all networks."""
    n_networks, n_ligands = (10, 20) if quick else (300, _LIGANDS)
    with tempfile.TemporaryDirectory() as folder:
        many, networks = make_lake(Path(folder, "many"), n_networks, n_ligands)
        alone, (network,) = make_lake(Path(folder, "alone"), 1, n_ligands)
        everything = _gather(many, "*-*-*")
        assert everything["new"] == n_networks
        _gather(alone, network)
        rows = []
        for what, one in {"of a small Scope": networks[-1], "of a Scope of half of them": networks[0]}.items():
            turns = [_turn(many, one, alone, network) for _ in range(_TURNS)]
            rows += [
                _row(f"gather one of {n_networks} networks, {what}: {x}", turns, x, quick=quick) for x in _MEASURED
            ]
    n = n_networks * n_ligands * _RESULTS
    name = f"gather {n:,} results of {n_networks} networks"
    target = f"<= {_MEMORY_TARGET_MB:g} MB"
    ok = quick or everything["peak_mb"] <= _MEMORY_TARGET_MB
    return [
        *rows,
        {"name": name, "s": everything["seconds"], "peak_mb": everything["peak_mb"], "target": target, "ok": ok},
    ]


_MEASURED = ("seconds", "peak_mb")


def _turn(many: Lake, one: str, alone: Lake, network: str) -> tuple[dict[str, float], dict[str, float]]:
    measured = []
    for lake, which in ((many, one), (alone, network)):
        _add_result(lake, which)
        measured.append(_gather(lake, which))
        assert measured[-1]["new"] == 1
    return measured[0], measured[1]


def _row(
    name: str, turns: Sequence[tuple[dict[str, float], dict[str, float]]], x: str, *, quick: bool
) -> dict[str, Any]:
    ratios = sorted(ours[x] / reference[x] for ours, reference in turns)
    ratio = statistics.median(ratios)
    return {
        "name": name,
        "ours": statistics.median(ours[x] for ours, _ in turns),
        "reference": statistics.median(reference[x] for _, reference in turns),
        "ratio": ratio,
        "ratio_min": ratios[0],
        "ratio_max": ratios[-1],
        "target": f"<= {_TARGET_RATIO:g}x",
        "ok": quick or ratio <= _TARGET_RATIO,
    }


def _gather(lake: Lake, what: str) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-c", _GATHER, lake.url, what], capture_output=True, check=True)
    measured: dict[str, float] = json.loads(done.stdout)
    return measured


def _add_result(lake: Lake, network: str) -> None:
    """Add a result of a new Task to one Transformation of a network."""
    members = lake.table("network_members").scan().collect().filter(network=network, kind="transformation")
    results = lake.table("results").scan().collect()
    row = results.filter(transformation=members["member"].sort()[0]).to_dicts()[0]
    added = {"attempt": uuid.uuid4().hex, "task": f"Task-{uuid.uuid4().hex}-{row['scope']}"}
    lake.table("results").append_new([row | added | {"estimate_kcal_mol": 1.5}])


def make_lake(folder: Path, n_networks: int, n_ligands: int) -> tuple[Lake, list[str]]:
    """Create a maintained lake with networks and their results; the first half of the networks shares a Scope."""
    lake = Lake.create(folder)
    networks, caller = [], Caller("bench")
    for number in range(n_networks):
        scope = "org-campaign-shared" if number < n_networks // 2 else f"org-campaign-own{number}"
        ring = [(f"n{number}l{i}", f"n{number}l{(i + 1) % n_ligands}") for i in range(n_ligands)]
        network = submit_network(lake, plain_chain(ring), scope).network
        ensure_tasks(lake, network, _RESULTS, caller=caller)
        networks.append(network)
    claims = claim_tasks(lake, "pool", n_networks * n_ligands * _RESULTS, lease_s=86400, caller=caller)
    record_receipts(lake, [plain_receipt(claim) for claim in claims], caller=caller)
    maintain(lake)
    return lake, networks


if __name__ == "__main__":
    _table.main(run)
