"""Strategies on replayed campaigns: GPU-hours for the accuracy of uniform repeats, with 90 % intervals.

Three families of networks: published maps (if their data are found: `ALCHEMISCALE_LAKE_TEST_DATA`), random sparse maps
with 1.3 edges per ligand, and random dense lists of candidates with 5. For each Strategy and baseline, the cost at
which its answer is as good as that of 3 and 6 results of every leg, over their cost: of the mean variance, of the share
of the top fifth that is missed, and of the mean square error of all ligands. An oracle knows all variances and
values, and its estimate weights edges by them. `oracle mean, own weights` allocates like it, but estimates variances
from its own results, as everybody else must: the difference is what knowing them is worth to the estimate alone.

The mixture of the default goal comes from earlier simulations of the published maps, so only the random families
confirm it. A row with a target passes if its ratio meets it; an interval across the target is unresolved.

Run it with ``python -m benchmarks.bench_strategies``; ``--quick`` plays a few small campaigns.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from alchemiscale_lake.strategies import Strategy, make_strategy

from . import _table
from .replay import Outcome, curve, matched_cost, play, play_static, play_uniform
from .replay_baselines import KnowledgeGradient, Rage, oracle_counts
from .replay_networks import ReplayNetwork, data_folder, published_networks, random_networks

NAME = "strategies"
TARGET = (
    "mean uncertainty within 15 % of the oracle's cost and not above uniform's; top fifth at most 0.70 of uniform's "
    "cost at 3 repeats and 0.55 at 6 on published maps, 0.60 on dense ones, the error of all ligands not worse"
)

FloatArray = NDArray[np.float64]
_MOST = 60
_METRICS = ("mean_variance", "missed", "square_error")

_MEAN = {"goals": [{"kind": "mean"}], "max_repeats": _MOST}
METHODS: dict[str, Callable[[], Strategy[Any]]] = {
    "optimal-design": lambda: make_strategy("optimal-design", {"max_repeats": _MOST}),
    "optimal-design mean": lambda: make_strategy("optimal-design", _MEAN),
    "net-bfe": lambda: make_strategy("net-bfe", {"max_repeats": _MOST}),
    "connectivity": lambda: make_strategy("connectivity", {"max_runs": _MOST}),
    "radial-growth": lambda: make_strategy("radial-growth", {"max_runs": _MOST}),
    "knowledge gradient": KnowledgeGradient,
    "rage": Rage,
}


def campaigns(
    networks: Sequence[ReplayNetwork], methods: Mapping[str, Callable[[], Strategy[Any]]], n: int, *, talk: bool = False
) -> dict[str, dict[str, FloatArray]]:
    """Return curves of each metric for uniform repeats, both oracles and all methods; campaigns are paired.

    Parameters
    ----------
    networks : sequence of ReplayNetwork
    methods : mapping of str to callable
        Strategies by name.
    n : int
        Campaigns per network.
    talk : bool
        Whether to report progress on stderr.
    """
    found: dict[str, dict[str, list[FloatArray]]] = {}
    for network in networks:
        counts = {"oracle mean": oracle_counts(network, top=False), "oracle top": oracle_counts(network, top=True)}
        for seed in range(n):
            played: dict[str, list[Outcome]] = {"uniform": play_uniform(network, seed)}
            for name, of_oracle in counts.items():
                played[name] = play_static(network, seed, of_oracle, network.sd**2)
            played["oracle mean, own weights"] = play_static(network, seed, counts["oracle mean"], None)
            for name, make in methods.items():
                played[name] = play(network, make(), seed)
            scale = curve(played["uniform"], "mean_variance").mean(), curve(played["uniform"], "square_error").mean()
            for name, outcomes in played.items():
                for metric in _METRICS:
                    line = curve(outcomes, metric)
                    # networks differ in their scale; each counts by its own
                    line = line / (
                        scale[0] if metric == "mean_variance" else scale[1] if metric == "square_error" else 1
                    )
                    found.setdefault(metric, {}).setdefault(name, []).append(line)
        if talk:
            print(f"played {network.name}", file=sys.stderr, flush=True)
    return {metric: {name: np.array(lines) for name, lines in of.items()} for metric, of in found.items()}


def compare(family: str, curves: dict[str, dict[str, FloatArray]], *, judged: bool = True) -> list[dict[str, Any]]:
    """Return a row per method, metric and number of uniform repeats.

    Parameters
    ----------
    family : str
        Name of the networks.
    curves : dict
        From `campaigns`.
    judged : bool, default True
        False for too few campaigns to tell.
    """
    rows = []
    for metric, by_name in curves.items():
        for at in (3.0, 6.0):
            oracle = matched_cost(by_name["oracle mean"], by_name["uniform"], at, n_boot=1)[0]
            for name, lines in by_name.items():
                if name == "uniform":
                    continue
                ratio, low, high = matched_cost(lines, by_name["uniform"], at)
                limit = _limit(family, metric, at, name, oracle)
                rows.append(
                    {
                        "name": f"{family}, {metric} of {at:g} repeats, {name}",
                        "campaigns": len(lines),
                        "cost_ratio": ratio,
                        "low": low,
                        "high": high,
                        "target": limit,
                        # a ratio that is never reached is NaN, and misses its target
                        "ok": bool(not judged or np.isnan(limit) or ratio <= limit),
                    }
                )
    return rows


def _limit(family: str, metric: str, at: float, name: str, oracle: float) -> float:
    """Return the largest cost ratio of a method that has a target; NaN for the others."""
    if name == "optimal-design mean" and metric == "mean_variance":
        return min(0.5 if family == "dense" else 1.0, 1.15 * oracle)
    if name == "optimal-design" and metric == "missed":
        return 0.60 if family == "dense" else 0.70 if at == 3 else 0.55
    if name == "optimal-design" and metric == "square_error" and at == 6:
        return 1.0
    return float("nan")


def run(quick: bool = False) -> list[dict[str, Any]]:
    """Play the campaigns of every family."""
    folder = data_folder()
    few = {name: METHODS[name] for name in ("optimal-design", "optimal-design mean")}
    if quick:
        networks = list(random_networks(2, (12,), edges_per_ligand=1.3))
        return compare("sparse", campaigns(networks, few, 3), judged=False)
    rows: list[dict[str, Any]] = []
    if folder is not None:
        published = [network for network in published_networks(folder) if network.n_ligands >= 16]
        rows += compare("published", campaigns(published, METHODS, 24, talk=True))
    else:
        print("# published networks are not found: set ALCHEMISCALE_LAKE_TEST_DATA", file=sys.stderr)
    rows += compare(
        "sparse", campaigns(list(random_networks(8, (20, 40, 80), edges_per_ligand=1.3)), METHODS, 12, talk=True)
    )
    rows += compare(
        "dense", campaigns(list(random_networks(6, (20, 40), edges_per_ligand=5.0)), METHODS, 12, talk=True)
    )
    return rows


if __name__ == "__main__":
    _table.main(run)
