"""Update of a network after ten of its edges changed, compared with solving it again.

Run it with ``python -m benchmarks.bench_mle_update``.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from alchemiscale_lake.estimators.network.network_estimate import NetworkEstimate
from alchemiscale_lake.estimators.network.network_mle import solve_network
from alchemiscale_lake.estimators.network.network_update import UpdatedSolution, update_network

from . import _table
from .networks import Network, programme, random_network

NAME = "mle-update"
TARGET = "ten changed edges in less time than a full solution, with all standard errors, the same to 1e-9"

_AGREEMENT_KCAL_MOL = 1e-9
_N_CHANGED = 10


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time both on random networks and on programmes of series.

    Parameters
    ----------
    quick : bool
        Use only small networks.

    Returns
    -------
    list of dict
        One row per network; best of three.
    """
    networks = {"400 nodes, random": random_network(400, 1_000), "50 series of 40": programme(50, 40)}
    if not quick:
        networks |= {
            "4,000 nodes, random": random_network(4_000, 10_000),
            "10,000 nodes, random": random_network(10_000, 25_000),
            "1,000 series of 100": programme(1_000, 100),
            "100 series of 1,000": programme(100, 1_000),
        }
    return [_row(name, network, quick=quick) for name, network in networks.items()]


def _row(name: str, network: Network, *, quick: bool) -> dict[str, Any]:
    node_a, node_b, value, uncertainty = network.rows()
    before = solve_network(node_a, node_b, value, uncertainty, covariance=False)
    full_s, update_s, difference = [], [], 0.0
    for turn in range(3):
        rng = np.random.default_rng(turn)
        changed = rng.choice(len(value), _N_CHANGED, replace=False)
        value, uncertainty = value.copy(), uncertainty.copy()
        value[changed] = rng.normal(size=_N_CHANGED)
        uncertainty[changed] = rng.uniform(0.1, 1.0, _N_CHANGED)
        start = time.perf_counter()
        full = solve_network(node_a, node_b, value, uncertainty, covariance=False)
        middle = time.perf_counter()
        updated = update_network(before, node_a, node_b, value, uncertainty)
        full_s.append(middle - start)
        update_s.append(time.perf_counter() - middle)
        if not isinstance(updated.solution, UpdatedSolution):
            raise RuntimeError("the network was solved anew; there is no update to time")  # noqa: TRY004
        difference = max(difference, _difference(full, updated))
    if difference > _AGREEMENT_KCAL_MOL:
        raise ArithmeticError(f"update and full solution differ by {difference:.2g} kcal/mol")
    ratio = min(full_s) / min(update_s)
    return {
        "name": f"{_N_CHANGED} changed edges, {name}, {len(value):,} edges",
        "update_s": min(update_s),
        "full_s": min(full_s),
        "ratio": ratio,
        "target": "none at this size" if quick else "> 1x",
        "ok": quick or ratio > 1.0,
        "max_difference_kcal_mol": difference,
    }


def _difference(one: NetworkEstimate, other: NetworkEstimate) -> float:
    values = np.abs(one.value_kcal_mol - other.value_kcal_mol).max()
    return float(max(values, np.abs(one.uncertainty_kcal_mol - other.uncertainty_kcal_mol).max()))


if __name__ == "__main__":
    _table.main(run)
