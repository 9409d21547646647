"""Maximum likelihood of a whole network with full covariance, compared with cinnabar's `mle`.

Both get the same random connected network, each in a process of its own; cinnabar as the graph it requires (built
outside its time), ours as plain labels and arrays (numbering and checks inside its time). Memory is the peak of the
process above its memory after imports and input. Run it with ``python -m benchmarks.bench_mle``.
"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from . import _table
from .networks import random_network

NAME = "mle"
TARGET = "at least 50 times faster than cinnabar's mle at 4,000 nodes, with all standard errors"

_TARGET_RATIO = 50.0
_TARGET_NODES = 4_000
_AGREEMENT_KCAL_MOL = 1e-8


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time both on networks of 2.5 edges per node.

    Parameters
    ----------
    quick : bool
        Use 50 and 200 nodes instead of 50 to 4,000.

    Returns
    -------
    list of dict
        Two rows per size: one with the full covariance, which cinnabar also computes, and one with only the standard
        errors.
    """
    sizes = (50, 200) if quick else (50, 200, 1_000, 2_000, 4_000)
    return [row for n_nodes in sizes for row in _rows(n_nodes, int(2.5 * n_nodes))]


def _rows(n_nodes: int, n_edges: int) -> list[dict[str, Any]]:
    reference = _alone("cinnabar", n_nodes, n_edges)
    rows = []
    for kind in ("covariance", "standard errors"):
        ours = _alone(kind, n_nodes, n_edges)
        difference = float(np.abs(ours["values"] - reference["values"]).max())
        difference = max(difference, float(np.abs(ours["errors"] - reference["errors"]).max()))
        if difference > _AGREEMENT_KCAL_MOL:
            message = f"the two estimates differ by {difference:.2g} kcal/mol; a ratio of times would mean nothing"
            raise ArithmeticError(message)
        ratio = reference["seconds"] / ours["seconds"]
        counts = kind == "standard errors" and n_nodes >= _TARGET_NODES
        rows.append(
            {
                "name": f"MLE with {kind}, {n_nodes:,} nodes, {n_edges:,} edges",
                "ours_s": ours["seconds"],
                "reference_s": reference["seconds"],
                "reference": "cinnabar.stats.mle",
                "ratio": ratio,
                "target": f">= {_TARGET_RATIO:g}x" if counts else "none",
                "ok": not counts or ratio >= _TARGET_RATIO,
                "ours_mb": ours["peak_bytes"] / 1e6,
                "reference_mb": reference["peak_bytes"] / 1e6,
                "max_difference_kcal_mol": difference,
            }
        )
    return rows


def _alone(kind: str, n_nodes: int, n_edges: int) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, kind, n_nodes, n_edges).result()


def _measure(kind: str, n_nodes: int, n_edges: int) -> dict[str, Any]:
    """Return the best time of three (cinnabar: two, or one if slow), peak memory, values and standard errors."""
    solve = _cinnabar(n_nodes, n_edges) if kind == "cinnabar" else _ours(n_nodes, n_edges, full=kind == "covariance")
    before = _memory_bytes("VmRSS")
    seconds: list[float] = []
    while not seconds or (len(seconds) < 3 and sum(seconds) < 5.0):
        start = time.perf_counter()
        values, errors = solve()
        seconds.append(time.perf_counter() - start)
    peak = _memory_bytes("VmHWM")
    return {"seconds": min(seconds), "peak_bytes": max(peak - before, 0), "values": values, "errors": errors}


def _memory_bytes(name: str) -> int:
    """Return the memory of this process from /proc; `getrusage` would include the peak of its parent."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def _ours(n_nodes: int, n_edges: int, *, full: bool) -> Any:
    from alchemiscale_lake.estimators.network.network_mle import solve_network

    rows = random_network(n_nodes, n_edges).rows()

    def solve() -> tuple[Any, Any]:
        estimate = solve_network(*rows, covariance=full)
        return estimate.value_kcal_mol, estimate.uncertainty_kcal_mol

    return solve


def _cinnabar(n_nodes: int, n_edges: int) -> Any:
    import networkx as nx
    from cinnabar import stats

    graph = nx.DiGraph()
    for a, b, f, df in zip(*random_network(n_nodes, n_edges).rows(), strict=True):
        graph.add_edge(a, b, f_ij=f, f_dij=df)

    def solve() -> tuple[Any, Any]:
        values, covariance = stats.mle(graph)
        return values, np.sqrt(np.diag(covariance))

    return solve


if __name__ == "__main__":
    _table.main(run)
