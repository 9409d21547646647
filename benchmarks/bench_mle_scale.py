"""100,000 ligands and 250,000 edges: values, all standard errors, and selected pairs, without a dense matrix.

Programmes of series; and a random network, which is far more costly and therefore smaller (one of 100,000 ligands would
fill 25 GB). Each in a process of its own; memory is that process's peak, including imports and input. Run it with
``python -m benchmarks.bench_mle_scale``.
"""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from alchemiscale_lake.estimators.network.network_mle import solve_network

from . import _table
from .networks import Network, programme, random_network

NAME = "mle-scale"
TARGET = "100,000 ligands and 250,000 edges with all standard errors within a minute on two cores"

_TARGET_S = 60.0
_N_PAIRS = 100
_RANDOM_NODES = 20_000


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Solve one network of each shape.

    Parameters
    ----------
    quick : bool
        Use 4,000 ligands instead of 100,000 and 20,000.

    Returns
    -------
    list of dict
        Per network: seconds for values and all standard errors, for standard errors of 100 random pairs after that,
        and peak memory.
    """
    shapes = [(40, 100), (4, 1_000)] if quick else [(1_000, 100), (100, 1_000), (20, 5_000)]
    rows = [_alone(f"{n} series of {size:,}", (n, size)) for n, size in shapes]
    return [*rows, _alone("random", (4_000 if quick else _RANDOM_NODES,))]


def _alone(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, name, shape).result()


def _measure(name: str, shape: tuple[int, ...]) -> dict[str, Any]:
    network: Network = programme(*shape) if len(shape) == 2 else random_network(shape[0], int(2.5 * shape[0]))
    rows = network.rows()
    start = time.perf_counter()
    estimate = solve_network(*rows, covariance=False)
    solved_s = time.perf_counter() - start
    ends = np.random.default_rng(0).integers(network.n_nodes, size=(_N_PAIRS, 2))
    start = time.perf_counter()
    pairs = estimate.difference([(f"lig{a}", f"lig{b}") for a, b in ends.tolist()])
    pairs_s = time.perf_counter() - start
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    peak = 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))
    known = bool(np.isfinite(estimate.uncertainty_kcal_mol).all() and np.isfinite(pairs.uncertainty_kcal_mol).all())
    return {
        "name": f"{network.n_nodes:,} nodes, {len(network.value):,} edges, {name}",
        "all_s": solved_s,
        "pairs_s": pairs_s,
        "peak_mb": peak / 1e6,
        "target": f"<= {_TARGET_S:g} s",
        "ok": known and solved_s <= _TARGET_S,
    }


if __name__ == "__main__":
    _table.main(run)
