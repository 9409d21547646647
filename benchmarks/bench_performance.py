"""Six statistics of 100 networks with bootstrap intervals, compared with cinnabar's `bootstrap_statistic`.

Both resample the same pairs 1,000 times. cinnabar computes one statistic at a time, here the four it has in common
with us, for two of the networks, and its time is multiplied by 50; ours are all six, for ligands and edges, and their
pool. The values must agree exactly, and the intervals within sampling error. Run it with ``python -m
benchmarks.bench_performance``.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from cinnabar.stats import bootstrap_statistic
from numpy.typing import NDArray

from alchemiscale_lake.estimators.statistics.performance import Resampled, pool, resample

from . import _table

NAME = "performance"
TARGET = "100 networks with intervals at least 50 times faster than cinnabar"

_TARGET_RATIO = 50.0
_SHARED = {"RMSE": "RMSE", "MUE": "MUE", "R2": "R2", "kendall_tau": "KTAU"}
_N_BOOTSTRAP = 1000
_REFERENCE_NETWORKS = 2
#: Tolerance between the ends of two intervals, 1,000 resamples each, as a fraction of the width.
_CHANCE_SHARE = 0.3


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Time both.

    Parameters
    ----------
    quick : bool
        Use 10 networks of 12 ligands instead of 100 of 30.

    Returns
    -------
    list of dict
        Rows with name, ours_s, reference_s, ratio, target and ok.
    """
    n_networks, n_ligands = (10, 12) if quick else (100, 30)
    rng = np.random.default_rng(3)
    experiments = rng.normal(-8.0, 1.5, (n_networks, n_ligands))
    estimates = experiments + rng.normal(0.0, 0.8, (n_networks, n_ligands))
    resample(estimates[0], experiments[0], relative=True)
    start = time.perf_counter()
    ligands = [resample(y, x, relative=True) for y, x in zip(estimates, experiments, strict=True)]
    pool(ligands)
    ours_s = time.perf_counter() - start
    reference_s = _reference_s(estimates, experiments, ligands) * n_networks / _REFERENCE_NETWORKS
    ratio = reference_s / ours_s
    required = not quick
    target = f">= {_TARGET_RATIO:g}x" if required else "none at this size"
    return [
        {
            "name": f"ligands of {n_networks} networks of {n_ligands}, and their pool",
            "ours_s": ours_s,
            "reference_s": reference_s,
            "reference": "cinnabar, four of the six statistics, no pool",
            "ratio": ratio,
            "target": target,
            "ok": not required or ratio >= _TARGET_RATIO,
        },
        _edges(n_networks, n_ligands, rng),
    ]


def _reference_s(estimates: NDArray[np.float64], experiments: NDArray[np.float64], ligands: list[Resampled]) -> float:
    """Return cinnabar's seconds for the first networks; raise if its results differ."""
    start = time.perf_counter()
    found = []
    for y, x in zip(estimates[:_REFERENCE_NETWORKS], experiments[:_REFERENCE_NETWORKS], strict=True):
        y, x = y - y.mean(), x - x.mean()
        found.append({ours: bootstrap_statistic(x, y, statistic=s) for ours, s in _SHARED.items()})
    seconds = time.perf_counter() - start
    for theirs, ours in zip(found, ligands, strict=False):
        performance = ours.performance()
        for name, statistic in theirs.items():
            width = statistic["high"] - statistic["low"]
            mine = performance[name]
            away = max(abs(mine.low - statistic["low"]), abs(mine.high - statistic["high"])) / width
            if abs(mine.value - statistic["mle"]) > 1e-9 or away > _CHANCE_SHARE:
                raise ArithmeticError(f"{name}: {mine} here and {statistic} there; a ratio of times would mean nothing")
    return seconds


def _edges(n_networks: int, n_ligands: int, rng: np.random.Generator) -> dict[str, Any]:
    """Return statistics of edges in both directions, for which cinnabar has no single call."""
    n_edges = int(1.6 * n_ligands)
    experiments = rng.normal(0.0, 1.5, (n_networks, n_edges))
    estimates = experiments + rng.normal(0.0, 1.0, (n_networks, n_edges))
    start = time.perf_counter()
    for y, x in zip(estimates, experiments, strict=True):
        resample(y, x, relative=False, both_directions=True, n_bootstrap=_N_BOOTSTRAP)
    return {
        "name": f"edges of {n_networks} networks of {n_edges}, both directions",
        "ours_s": time.perf_counter() - start,
        "reference_s": None,
        "reference": "",
        "ratio": None,
        "target": "none",
        "ok": True,
    }


if __name__ == "__main__":
    _table.main(run)
