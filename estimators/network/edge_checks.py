"""Edges that disagree with the rest of their network, and pairs measured more than once.

Owns the deleted residual of an edge and the hysteresis between directions. Cycles are in `cycle_closure`, repeats of
one leg in `replicate_checks`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..statistics.findings import Finding, deviate, ranked, two_sided
from .edges import Leg
from .network_mle import NetworkEstimate

__all__ = ["compare_parallel_legs", "disagreeing_edges"]

#: An edge with less than this fraction of its variance of its own is connected to the network only by rounding.
_LEAST_SHARE: Final = 1e-9

FloatArray = NDArray[np.float64]


def disagreeing_edges(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    uncertainty: FloatArray,
    estimate: NetworkEstimate,
) -> list[Finding]:
    """Rank edges by their distance from the prediction of all other edges.

    The variance of a residual is that of the edge minus that of the network's own difference, and the prediction of
    the others follows without solving again. Edges in no cycle cannot be compared and are left out. In a cycle that
    shares no edge with another, all edges are equally far: it is impossible to determine which one is wrong.

    Parameters
    ----------
    node_a, node_b : sequence of hashable, length m
        Ends of the edges, in the order in which they were solved.
    uncertainty : ndarray, shape (m,)
        Their standard errors, kcal/mol.
    estimate : NetworkEstimate

    Returns
    -------
    list of Finding
        Subject (a, b); the value is the edge minus the prediction of all others, kcal/mol.
    """
    variance = uncertainty**2
    left = variance - estimate.edge_variance_kcal2_mol2
    loop = np.array([a == b for a, b in zip(node_a, node_b, strict=True)], dtype=bool)
    free = np.flatnonzero((left > _LEAST_SHARE * variance) & ~loop)
    findings = []
    for k in free.tolist():
        share = variance[k] / left[k]
        deleted = float(estimate.residual_kcal_mol[k] * share)
        sd = float(uncertainty[k] * np.sqrt(share))
        findings.append(Finding((node_a[k], node_b[k]), deleted, sd, deleted / sd, two_sided(deleted / sd)))
    return ranked(findings)


def compare_parallel_legs(legs: Sequence[Leg]) -> tuple[list[Finding], list[Finding]]:
    """Compare legs of the same pair, phase and group: forward with backward, and parallel ones with each other.

    Parameters
    ----------
    legs : sequence of Leg
        Those without a value or an uncertainty are ignored.

    Returns
    -------
    hysteresis, parallel : list of Finding
        Subjects are two positions in `legs`. For hysteresis the value is the sum of both (forward and backward should
        cancel), for parallel legs their difference, second minus first; kcal/mol.
    """
    of_pair: dict[Hashable, list[int]] = {}
    for position, leg in enumerate(legs):
        if leg.ligand_a != leg.ligand_b and np.isfinite(leg.value_kcal_mol + leg.uncertainty_kcal_mol):
            pair = frozenset((leg.ligand_a, leg.ligand_b))
            of_pair.setdefault((leg.group, leg.phase, pair), []).append(position)
    hysteresis: list[Finding] = []
    parallel: list[Finding] = []
    for positions in of_pair.values():
        first = legs[positions[0]]
        for position in positions[1:]:
            other = legs[position]
            backward = other.ligand_a != first.ligand_a
            sign = 1.0 if backward else -1.0
            value = sign * first.value_kcal_mol + other.value_kcal_mol
            sd = float(np.hypot(first.uncertainty_kcal_mol, other.uncertainty_kcal_mol))
            z = deviate(value, sd)
            found = Finding((positions[0], position), value, sd, z, two_sided(z))
            (hysteresis if backward else parallel).append(found)
    return ranked(hysteresis), ranked(parallel)
