"""Whole-network maximum likelihood with full covariance, against cinnabar's own `mle`.

Both get the same random connected network in the same process, cinnabar as the graph it asks for
(built outside its time), ours as plain labels and arrays (numbering and checks inside its time).
Run it with ``python -m benchmarks.bench_mle``.
"""

from __future__ import annotations

import time
from typing import Any

import networkx as nx
import numpy as np
from cinnabar import stats

from estimators.network_mle import solve_network

from . import _table

NAME = "mle"
TARGET = "at least 20 times faster than cinnabar's mle"

_TARGET_RATIO = 20.0
_AGREEMENT_KCAL_MOL = 1e-8


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time both on one network; the best of three for ours, of two for cinnabar (it takes seconds).

    Parameters
    ----------
    quick : bool
        Take 400 nodes and 1,000 edges instead of 2,000 and 5,000.

    Returns
    -------
    list of dict
        One row: name, ours_s, reference_s, ratio, target, ok and the largest disagreement.
    """
    n_nodes, n_edges = (400, 1_000) if quick else (2_000, 5_000)
    node_a, node_b, value, uncertainty = _network(n_nodes, n_edges)
    graph = nx.DiGraph()
    for a, b, f, df in zip(node_a, node_b, value, uncertainty, strict=True):
        graph.add_edge(a, b, f_ij=f, f_dij=df)
    ours_s, reference_s = [], []
    # Taken in turns, so that a busy machine slows both.
    for turn in range(3):
        start = time.perf_counter()
        estimate = solve_network(node_a, node_b, value, uncertainty)
        ours_s.append(time.perf_counter() - start)
        if turn < 2:
            start = time.perf_counter()
            reference, reference_covariance = stats.mle(graph)
            reference_s.append(time.perf_counter() - start)
    difference = max(
        float(np.abs(estimate.value_kcal_mol - reference).max()),
        float(np.abs(estimate.covariance - reference_covariance).max()),
    )
    if difference > _AGREEMENT_KCAL_MOL:
        message = f"the two estimates differ by {difference:.2g} kcal/mol; a ratio of times would mean nothing"
        raise ArithmeticError(message)
    ratio = min(reference_s) / min(ours_s)
    return [
        {
            "name": f"MLE with covariance, {n_nodes:,} nodes, {n_edges:,} edges",
            "ours_s": min(ours_s),
            "reference_s": min(reference_s),
            "reference": "cinnabar.stats.mle",
            "ratio": ratio,
            "target": "none at this size" if quick else f">= {_TARGET_RATIO:g}x",
            "ok": quick or ratio >= _TARGET_RATIO,
            "max_difference_kcal_mol": difference,
        }
    ]


def _network(n_nodes: int, n_edges: int) -> tuple[list[str], list[str], np.ndarray, np.ndarray]:
    """A random tree and random further pairs, no pair twice; uncertainties of 0.1 to 1 kcal/mol."""
    rng = np.random.default_rng(2026)
    pairs = {(int(rng.integers(node)), node) for node in range(1, n_nodes)}
    while len(pairs) < n_edges:
        a, b = sorted(rng.integers(n_nodes, size=2).tolist())
        if a != b:
            pairs.add((a, b))
    node_a, node_b = zip(*((f"lig{a}", f"lig{b}") for a, b in sorted(pairs)), strict=True)
    return list(node_a), list(node_b), rng.normal(size=n_edges), rng.uniform(0.1, 1.0, n_edges)


if __name__ == "__main__":
    _table.main(run)
