"""What the cycles of a network say about its edges: differences around a cycle must add up to nothing.

Owns residuals of cycles, their significance, how much too small the uncertainties of a network without
repeats are, and how large errors are that repeats share. Which cycles there are is found in `cycles`.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from estimators.cycles import independent_cycles
from estimators.findings import Finding, deviate, ranked, two_sided
from estimators.network_mle import NetworkEstimate
from estimators.pooling import NORMAL_95

__all__ = ["ClosureTest", "close_cycles", "closure_of", "scale_from_cycles", "with_shared_error"]

#: Uncertainties are scaled up where the misfit, or more, would come by chance less often than this.
_SIGNIFICANT: Final = 0.1
#: Errors that repeats share are believed in where the misfit, or more, would come by chance less often than this.
_SHARED: Final = 0.05
_STEPS: Final = 2
#: A sum below this share of its terms is rounding.
_ROUNDING_SHARE: Final = 1e-14

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClosureTest:
    """All cycles of a network at once.

    Attributes
    ----------
    chi2 : float
        Sum over edges of ``(residual / uncertainty) ** 2``.
    degrees_of_freedom : int
        Independent cycles.
    p_value : float
        Probability of at least as much; 1 without cycles.
    """

    chi2: float
    degrees_of_freedom: int
    p_value: float


def closure_of(estimate: NetworkEstimate) -> ClosureTest:
    """Test whether the edges of a network agree within their uncertainties.

    Parameters
    ----------
    estimate : NetworkEstimate
        Components whose exact edges contradict each other are left out.
    """
    fits = [part for part in estimate.components if np.isfinite(part.chi2)]
    chi2 = float(sum(part.chi2 for part in fits))
    dof = sum(part.degrees_of_freedom for part in fits)
    return ClosureTest(chi2, dof, float(special.chdtrc(dof, chi2)) if dof else 1.0)


def scale_from_cycles(closure: ClosureTest, *, known: bool = True) -> float:
    """Factor for all uncertainties of a network that has no repeats.

    What results state of themselves stands unless the cycles speak against it significantly. Then it is
    the Birge ratio ``sqrt(chi2 / dof)``, times what a t distribution is wider than a normal one. Few
    cycles find only gross understatement, and a tree none at all.

    Parameters
    ----------
    closure : ClosureTest
    known : bool
        False if the uncertainties are one arbitrary number: then cycles are all there is.

    Returns
    -------
    float
        At least 1 if `known`; NaN if nothing can be said.

    References
    ----------
    Birge 1932, doi:10.1103/PhysRev.40.207.
    """
    dof = closure.degrees_of_freedom
    if known and closure.p_value >= _SIGNIFICANT:
        return 1.0
    if not dof:
        return float("nan")
    return float(np.sqrt(closure.chi2 / dof) * special.stdtrit(dof, 0.975) / NORMAL_95)


def with_shared_error(
    estimate: NetworkEstimate, repeats: FloatArray, solve: Callable[[FloatArray], NetworkEstimate]
) -> tuple[float, NetworkEstimate]:
    """Estimate again with an error that all repeats of an edge share, which cycles see and repeats do not.

    A slow degree of freedom that no run samples, or a poor atom mapping, moves all results of an edge
    together. How much is estimated by moments: what the residuals add up to beyond what the repeats let
    expect, as in a random-effects meta-analysis, twice, the second time with the weights that the first
    gave. It is widened for the few cycles that tell of it, as a t distribution is. Exact edges stay exact.

    Parameters
    ----------
    estimate : NetworkEstimate
        Solved with `repeats`.
    repeats : ndarray, shape (m,)
        Uncertainty of each edge as repeats show it, kcal/mol.
    solve : callable
        Solves the same network with other uncertainties, shape (m,).

    Returns
    -------
    float
        Standard deviation of the shared error, kcal/mol; zero where the cycles close as well as chance lets
        expect.
    NetworkEstimate
        Solved with that added to the repeats in quadrature; the one given where it is zero.

    References
    ----------
    DerSimonian & Kacker 2007, doi:10.1016/j.cct.2006.04.004 (two-step estimator).
    """
    closure = closure_of(estimate)
    if closure.p_value >= _SHARED:
        return 0.0, estimate
    widening = float(special.stdtrit(closure.degrees_of_freedom, 0.975) / NORMAL_95)
    used, shared = repeats, 0.0
    for _ in range(_STEPS):
        shared = widening * _beyond_repeats(estimate, repeats, used)
        used = np.where(repeats > 0, np.hypot(repeats, shared), 0.0)
        estimate = solve(used)
    return shared, estimate


def _beyond_repeats(estimate: NetworkEstimate, repeats: FloatArray, used: FloatArray) -> float:
    """Spread of the residuals of a network solved with uncertainties `used` beyond that of the repeats."""
    there = (used > 0) & np.isfinite(estimate.edge_variance_kcal2_mol2)
    weight = used[there] ** -2.0
    # how much of its own error an edge keeps as residual
    kept = weight - weight**2 * estimate.edge_variance_kcal2_mol2[there]
    excess = weight @ estimate.residual_kcal_mol[there] ** 2 - kept @ repeats[there] ** 2
    return float(np.sqrt(max(excess / kept.sum(), 0.0)))


def close_cycles(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    value: FloatArray,
    uncertainty: FloatArray,
) -> list[Finding]:
    """Residual of every independent cycle, least probable first.

    Parameters
    ----------
    node_a, node_b : sequence of hashable, length m
        Ends of the edges.
    value, uncertainty : ndarray, shape (m,)
        Measured ``f[b] - f[a]`` and its standard error, kcal/mol.

    Returns
    -------
    list of Finding
        The subject is the nodes in order around the cycle, beginning with the first edge's; the value
        is the sum of the differences that way.
    """
    place = {node: index for index, node in enumerate(dict.fromkeys([*node_a, *node_b]))}
    tail, head = [place[node] for node in node_a], [place[node] for node in node_b]
    findings = []
    for cycle in independent_cycles(len(place), tail, head):
        nodes, signs = _walk(cycle, node_a, node_b)
        residual = float(signs @ value[cycle])
        if abs(residual) <= _ROUNDING_SHARE * float(np.abs(value[cycle]).sum()):
            residual = 0.0
        sd = float(np.sqrt(np.sum(uncertainty[cycle] ** 2)))
        z = deviate(residual, sd)
        findings.append(Finding(nodes, residual, sd, z, two_sided(z)))
    return ranked(findings)


def _walk(
    cycle: Sequence[int], node_a: Sequence[Hashable], node_b: Sequence[Hashable]
) -> tuple[tuple[Hashable, ...], FloatArray]:
    """Nodes around a cycle, and in which direction each edge is passed."""
    at = node_a[cycle[0]]
    nodes, signs = [], []
    for k in cycle:
        nodes.append(at)
        forward = at == node_a[k]
        signs.append(1.0 if forward else -1.0)
        at = node_b[k] if forward else node_a[k]
    return tuple(nodes), np.array(signs)
