"""Networks drawn from known true values, with repeats of every leg, to test the coverage of intervals.

Run as a module to print the tables of docs/estimates.md:
`python -m tests.estimators.replicated_networks [NETWORKS]`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from alchemiscale_lake.estimators.network.edge_network import EdgeNetwork, Evidence, estimate_edges
from alchemiscale_lake.estimators.network.leg_uncertainties import (
    LegEvidence,
    LegRule,
    LegUncertainties,
    leg_uncertainties,
)
from alchemiscale_lake.estimators.network.replicates import combine
from alchemiscale_lake.estimators.network.shared_error import PRIOR_DOF, PRIOR_SCALE

#: Relation of stated uncertainties to the true ones: equal, half, equal up to a factor per leg (lognormal, 0.5), one
#: constant for legs with different true ones (lognormal, 0.6, around thrice that); or correct for the differences of
#: repeats, which share an error per edge: of 0.3 kcal/mol (about 0.8 standard deviations of one result of an edge), or
#: of a size that is drawn for each network from the prior of `shared_error`.
World = Literal["truthful", "half", "uneven", "blind", "shared", "drawn"]

#: Shape of the network; `cyclic` is a random tree with more edges.
Shape = Literal["cyclic", "star", "ring", "dense"]

SHARED_KCAL_MOL = 0.3

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Coverage:
    """Per cent of true values within 1.96 uncertainties of the estimate."""

    legs: float
    edges: float
    differences: float

    def __iter__(self):  # type: ignore[no-untyped-def]
        return iter((self.legs, self.edges, self.differences))


def coverage(
    world: World,
    n_repeats: int,
    rule: LegRule,
    *,
    n_networks: int,
    n_nodes: int = 12,
    n_edges: int = 19,
    shape: Shape = "cyclic",
    seed: int = 5,
) -> Coverage:
    """Simulate networks of binding edges and count how often intervals contain the true values."""
    rng = np.random.default_rng(seed)
    hits = []
    for _ in range(n_networks):
        ends = _connected(rng, n_nodes, n_edges) if shape == "cyclic" else _regular(shape, n_nodes)
        hits.append(_one_network(rng, world, n_repeats, rule, ends))
    return Coverage(*(100 * np.mean(hits, axis=0)).tolist())


def _one_network(
    rng: np.random.Generator, world: World, n_repeats: int, rule: LegRule, ends: NDArray[np.int64]
) -> tuple[float, float, float]:
    n_edges = len(ends)
    sd, stated = _uncertainties(rng, world, 2 * n_edges)
    error = sd[:, None] * rng.standard_normal((2 * n_edges, n_repeats))
    stated_each = stated[:, None] * rng.uniform(0.9, 1.1, error.shape)
    combined = [combine(x, u) for x, u in zip(error.tolist(), stated_each.tolist(), strict=True)]
    phases = ["complex"] * n_edges + ["solvent"] * n_edges
    evidence = [
        LegEvidence(leg.value, leg.n, leg.sd, leg.own_uncertainty, phase)
        for leg, phase in zip(combined, phases, strict=True)
    ]
    chosen = leg_uncertainties(evidence, rule)
    leg_error = np.array([leg.value for leg in combined])
    error_of_edge = leg_error[:n_edges] - leg_error[n_edges:]
    if world in ("shared", "drawn"):
        one_result = np.sqrt(np.median(sd[:n_edges] ** 2 + sd[n_edges:] ** 2))
        drawn = PRIOR_SCALE * abs(float(rng.standard_t(PRIOR_DOF))) * one_result
        tau = SHARED_KCAL_MOL if world == "shared" else drawn
        error_of_edge = error_of_edge + tau * rng.standard_normal(n_edges)
    scale, network = _estimated(ends, error_of_edge, chosen, rule)
    pairs = [(a, b) for a in range(int(ends.max()) + 1) for b in range(a)]
    found = network.estimate.difference(pairs)
    return (
        float((np.abs(leg_error) < 1.96 * scale * chosen.uncertainty_kcal_mol).mean()),
        float((np.abs(error_of_edge) < 1.96 * network.uncertainty_kcal_mol).mean()),
        float((np.abs(found.value_kcal_mol) < 1.96 * found.uncertainty_kcal_mol).mean()),
    )


def _estimated(
    ends: NDArray[np.int64], value: FloatArray, chosen: LegUncertainties, rule: LegRule
) -> tuple[float, EdgeNetwork]:
    """Return the factor of all uncertainties and the network, as in an estimate version."""
    n_edges = len(ends)
    spread = np.hypot(chosen.uncertainty_kcal_mol[:n_edges], chosen.uncertainty_kcal_mol[n_edges:])
    one = float(np.median(spread) * np.sqrt(chosen.n[0]))
    evidence = Evidence(rule == "pooled", chosen.replicated, one)
    labels = (ends[:, 0].tolist(), ends[:, 1].tolist())
    network = estimate_edges(*labels, value, spread, evidence, nodes=list(range(int(ends.max()) + 1)))
    return network.scale, network


def _regular(shape: Shape, n_nodes: int) -> NDArray[np.int64]:
    """Return edges of a star, a ring, or a ring with every node also connected to the next two."""
    if shape == "star":
        return np.array([(0, node) for node in range(1, n_nodes)], dtype=np.int64)
    steps = (1,) if shape == "ring" else (1, 2, 3)
    return np.array([(k, (k + step) % n_nodes) for step in steps for k in range(n_nodes)], dtype=np.int64)


def _connected(rng: np.random.Generator, n_nodes: int, n_edges: int) -> NDArray[np.int64]:
    """Return a random spanning tree, and more pairs."""
    pairs = {(int(rng.integers(0, node)), node) for node in range(1, n_nodes)}
    while len(pairs) < n_edges:
        a, b = sorted(rng.choice(n_nodes, 2, replace=False).tolist())
        pairs.add((a, b))
    return np.array(sorted(pairs), dtype=np.int64)


def _uncertainties(rng: np.random.Generator, world: World, n_legs: int) -> tuple[FloatArray, FloatArray]:
    """Return the true standard deviation of one result of each leg, and the stated one."""
    if world == "blind":
        return 0.3 * np.exp(rng.normal(0, 0.6, n_legs)), np.full(n_legs, 0.1)
    stated = rng.uniform(0.1, 0.4, n_legs)
    if world == "half":
        return 2 * stated, stated
    return (stated * np.exp(rng.normal(0, 0.5, n_legs)), stated) if world == "uneven" else (stated, stated)


def _print_tables(n_networks: int) -> None:
    """Return the coverage by shape of the network, and by rule, in Markdown."""
    print("| network of 12 ligands | results of a leg | repeats share nothing | 0.3 kcal/mol | drawn |")
    print("| --- | --- | --- | --- | --- |")
    forms: dict[Shape, str] = {"star": "star", "ring": "ring", "cyclic": "19 edges", "dense": "36 edges"}
    worlds: tuple[World, ...] = ("truthful", "shared", "drawn")
    for shape, name in forms.items():
        for n in (1, 2, 3, 5):
            found = [coverage(world, n, "pooled", n_networks=n_networks, shape=shape) for world in worlds]
            cells = [f"{one.edges:.1f} / {one.differences:.1f}" for one in found]
            print(f"| {name} | {n} | {' | '.join(cells)} |", flush=True)
    print("\n| stated uncertainties are | results of a leg | `pooled` | `larger` |\n| --- | --- | --- | --- |")
    stated: dict[World, str] = {
        "truthful": "as large as the truth",
        "half": "half of it",
        "uneven": "off by a factor of each leg's own (lognormal, 0.5)",
        "blind": "0.1 everywhere, truth around 0.3 (lognormal, 0.6)",
    }
    rules: tuple[LegRule, LegRule] = ("pooled", "larger")
    for world, name in stated.items():
        for n in (1, 2, 3, 5):
            found = [coverage(world, n, rule, n_networks=n_networks) for rule in rules]
            cells = [" / ".join(f"{number:.1f}" for number in one) for one in found]  # type: ignore[attr-defined]
            print(f"| {name} | {n} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    _print_tables(int(sys.argv[1]) if len(sys.argv) > 1 else 400)
