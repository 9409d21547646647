"""Networks drawn from a known truth, with repeats of every leg: what a rule's intervals are held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from estimators.cycle_closure import closure_of, scale_from_cycles, with_shared_error
from estimators.leg_uncertainties import LegEvidence, LegRule, leg_uncertainties
from estimators.network_mle import solve_network
from estimators.replicates import combine

#: How stated uncertainties relate to the true ones: equal, half, equal but for a factor of each leg's own
#: (lognormal, 0.5), one and the same for legs whose true ones differ (lognormal, 0.6, around thrice that); or
#: truthful of what repeats differ by, while they share an error of 0.3 kcal/mol per edge.
World = Literal["truthful", "half", "uneven", "blind", "shared"]

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
    world: World, n_repeats: int, rule: LegRule, *, n_networks: int, n_nodes: int = 12, n_edges: int = 19, seed: int = 5
) -> Coverage:
    """Simulate networks of binding edges and count how often intervals hold the truth."""
    rng = np.random.default_rng(seed)
    hits = np.array([_one_network(rng, world, n_repeats, rule, n_nodes, n_edges) for _ in range(n_networks)])
    return Coverage(*(100 * hits.mean(axis=0)).tolist())


def _one_network(
    rng: np.random.Generator, world: World, n_repeats: int, rule: LegRule, n_nodes: int, n_edges: int
) -> tuple[float, float, float]:
    ends = _connected(rng, n_nodes, n_edges)
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
    if world == "shared":
        error_of_edge = error_of_edge + SHARED_KCAL_MOL * rng.standard_normal(n_edges)
    spread = np.hypot(chosen.uncertainty_kcal_mol[:n_edges], chosen.uncertainty_kcal_mol[n_edges:])
    labels = (ends[:, 0].tolist(), ends[:, 1].tolist())
    estimate = solve_network(*labels, error_of_edge, spread)
    scale = scale_from_cycles(closure_of(estimate)) if rule == "pooled" and not chosen.replicated else 1.0
    if rule == "pooled" and chosen.replicated:
        shared, estimate = with_shared_error(estimate, spread, lambda used: solve_network(*labels, error_of_edge, used))
        spread = np.hypot(spread, shared)
    pairs = [(a, b) for a in range(n_nodes) for b in range(a)]
    found = estimate.difference(pairs)
    return (
        float((np.abs(leg_error) < 1.96 * scale * chosen.uncertainty_kcal_mol).mean()),
        float((np.abs(error_of_edge) < 1.96 * scale * spread).mean()),
        float((np.abs(found.value_kcal_mol) < 1.96 * scale * found.uncertainty_kcal_mol).mean()),
    )


def _connected(rng: np.random.Generator, n_nodes: int, n_edges: int) -> NDArray[np.int64]:
    """Random spanning tree, and more pairs."""
    pairs = {(int(rng.integers(0, node)), node) for node in range(1, n_nodes)}
    while len(pairs) < n_edges:
        a, b = sorted(rng.choice(n_nodes, 2, replace=False).tolist())
        pairs.add((a, b))
    return np.array(sorted(pairs), dtype=np.int64)


def _uncertainties(rng: np.random.Generator, world: World, n_legs: int) -> tuple[FloatArray, FloatArray]:
    """True standard deviation of one result of each leg, and the stated one."""
    if world == "blind":
        return 0.3 * np.exp(rng.normal(0, 0.6, n_legs)), np.full(n_legs, 0.1)
    stated = rng.uniform(0.1, 0.4, n_legs)
    if world == "half":
        return 2 * stated, stated
    return (stated * np.exp(rng.normal(0, 0.5, n_legs)), stated) if world == "uneven" else (stated, stated)
