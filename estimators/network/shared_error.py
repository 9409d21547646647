"""Errors shared by the repeats of an edge, which cycles detect and repeats do not.

Owns their prior, their posterior given the cycles of a network, and the error added to every edge. `pooling` estimates
the scatter of repeats; `cycle_closure` tests whether cycles close.

A slow degree of freedom that no run samples, or a poor atom mapping, shifts all results of an edge together. The
variance of an edge is modelled as

    s_k ** 2 + tau ** 2

with s_k from its repeats and tau the same for all edges. The sums around independent cycles provide the (restricted)
likelihood of tau, which is evaluated on a grid together with a prior. One or two cycles contain little information:
then the prior dominates, rather than the factor of a t distribution with one degree of freedom (6.5).

Prior: tau divided by the typical standard deviation of a *single* result of an edge follows a half-t distribution with
4 degrees of freedom and scale 0.65. That scale is the marginal maximum-likelihood estimate over the 36 networks with
cycles and three repeats per leg in openfe's 2024 industry benchmark; heavier tails (half-Cauchy) and lighter ones
(half-normal) fit these equally well, within 1.1 in log-likelihood, and a common tau of zero is 67 worse. It is
relative to a single result rather than in kcal/mol, so that precise Protocols are not widened by the errors of binding
calculations; the published networks prefer this by 1.5 to 2 in log-likelihood.

The reported value is one standard deviation: the 97.5 % point over 1.96 of the mixture over the posterior, as
everywhere with rule `pooled`.

References
----------
Gelman 2006, "Prior distributions for variance parameters in hierarchical models", doi:10.1214/06-BA117A;
DerSimonian & Kacker 2007, doi:10.1016/j.cct.2006.04.004 (two-step estimator, for networks of many cycles).
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..statistics.normal_mixture import mixture_sd
from .cycle_closure import closure_of
from .cycles import independent_cycles
from .network_mle import NetworkEstimate

__all__ = ["PRIOR_DOF", "PRIOR_SCALE", "SharedError", "estimate_shared_error", "with_shared_error"]

#: Scale of the half-t prior in standard deviations of one result of an edge, and its degrees of freedom.
PRIOR_SCALE: Final = 0.65
PRIOR_DOF: Final = 4.0
#: Networks with more cycles need no prior: moments of the residuals are as good, without a dense matrix.
_MOST_CYCLES: Final = 300
_POINTS: Final = 64
_LEAST_RATIO, _MOST_RATIO = 0.01, 60.0
#: Edges this many times less certain than the median carry no information; ones this much more certain are capped.
_DECADES: Final = 1e3
_STEPS: Final = 2

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SharedError:
    """Error of every edge that is shared by its repeats.

    Attributes
    ----------
    added_kcal_mol : float
        Added in quadrature to the uncertainty from repeats of every edge, so that intervals cover 95 %.
    median_kcal_mol, high_kcal_mol : float
        Posterior median of tau, and its upper limit with 95 % probability.
    degrees_of_freedom : int
        Number of independent cycles; without any, all numbers are from the prior.
    """

    added_kcal_mol: float
    median_kcal_mol: float
    high_kcal_mol: float
    degrees_of_freedom: int


def with_shared_error(
    estimate: NetworkEstimate,
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    repeats: FloatArray,
    solve: Callable[[FloatArray], NetworkEstimate],
    *,
    one_result_kcal_mol: float | None = None,
) -> tuple[SharedError, NetworkEstimate]:
    """Estimate again with an error shared by all repeats of an edge. Exact edges stay exact.

    Parameters
    ----------
    estimate : NetworkEstimate
        Solved with `repeats`.
    node_a, node_b : sequence of hashable, length m
        Ends of the edges.
    repeats : ndarray, shape (m,)
        Uncertainty of each edge from its repeats, kcal/mol.
    solve : callable
        Solves the same network with other uncertainties, shape (m,).
    one_result_kcal_mol : float, optional
        Typical standard deviation of an edge with one result per leg, which scales the prior; default: sqrt(3) times
        the median of `repeats`.

    Returns
    -------
    SharedError
        Posterior of the shared error.
    NetworkEstimate
        Solved with it; the given one if nothing is added.
    """
    there = repeats[np.isfinite(repeats) & (repeats > 0)]
    if not len(there):
        return SharedError(0.0, 0.0, 0.0, closure_of(estimate).degrees_of_freedom), estimate
    typical = one_result_kcal_mol or np.sqrt(3.0) * float(np.median(there))
    if closure_of(estimate).degrees_of_freedom > _MOST_CYCLES:
        return _by_moments(estimate, repeats, solve)
    found = estimate_shared_error(node_a, node_b, estimate.residual_kcal_mol, repeats, typical)
    return found, solve(np.where(repeats > 0, np.hypot(repeats, found.added_kcal_mol), 0.0))


def estimate_shared_error(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    residual: FloatArray,
    repeats: FloatArray,
    one_result_kcal_mol: float,
) -> SharedError:
    """Return the posterior of the error shared by the repeats of an edge.

    Parameters
    ----------
    node_a, node_b, repeats
        As in `with_shared_error`.
    residual : ndarray, shape (m,)
        Residual of each edge, in any estimate or relative to zero: only sums around cycles matter, kcal/mol.
    one_result_kcal_mol : float
        Typical standard deviation of an edge with one result per leg.
    """
    median = float(np.median(repeats[np.isfinite(repeats) & (repeats > 0)]))
    used = np.flatnonzero(np.isfinite(residual) & (repeats <= _DECADES * median))
    cycles = _cycle_matrix([node_a[k] for k in used], [node_b[k] for k in used])
    inside = cycles.any(axis=0)
    used, cycles = used[inside], cycles[:, inside]
    sums = cycles @ residual[used]
    sd = np.maximum(repeats[used], median / _DECADES)
    worst = float(np.abs(sums).max(initial=0.0)) / one_result_kcal_mol
    ratio = np.geomspace(_LEAST_RATIO, max(_MOST_RATIO, 10 * worst), _POINTS)
    tau = ratio * one_result_kcal_mol
    open_to = (repeats[used] > 0).astype(np.float64)
    log_likelihood = np.array([_log_likelihood(cycles, sums, sd**2 + open_to * t**2) for t in tau])
    # on a grid of logarithms, so the density is multiplied by the ratio itself
    log_weight = log_likelihood + np.log(ratio) - (PRIOR_DOF + 1) / 2 * np.log1p((ratio / PRIOR_SCALE) ** 2 / PRIOR_DOF)
    weight = np.exp(log_weight - log_weight.max())
    weight /= weight.sum()
    total = mixture_sd(np.hypot(median, tau), weight)
    median_tau, high = np.interp([0.5, 0.95], np.cumsum(weight) - 0.5 * weight, tau)
    added = float(np.sqrt(max(total**2 - median**2, 0.0)))
    return SharedError(added, float(median_tau), float(high), len(sums))


def _cycle_matrix(node_a: Sequence[Hashable], node_b: Sequence[Hashable]) -> FloatArray:
    """Return the signs of the edges of independent cycles, shape (cycles, edges)."""
    place = {node: index for index, node in enumerate(dict.fromkeys([*node_a, *node_b]))}
    tail, head = [place[node] for node in node_a], [place[node] for node in node_b]
    cycles = independent_cycles(len(place), tail, head)
    matrix = np.zeros((len(cycles), len(tail)))
    for row, cycle in enumerate(cycles):
        at = tail[cycle[0]]
        for k in cycle:
            forward = at == tail[k]
            matrix[row, k] = 1.0 if forward else -1.0
            at = head[k] if forward else tail[k]
    return matrix


def _log_likelihood(cycles: FloatArray, sums: FloatArray, variance: FloatArray) -> float:
    """Return the log density of the sums around cycles, for independent edges."""
    factor = np.linalg.cholesky((cycles * variance) @ cycles.T)
    standard = np.linalg.solve(factor, sums)
    return float(-np.log(np.diag(factor)).sum() - 0.5 * standard @ standard)


def _by_moments(
    estimate: NetworkEstimate, repeats: FloatArray, solve: Callable[[FloatArray], NetworkEstimate]
) -> tuple[SharedError, NetworkEstimate]:
    """Estimate by moments of the residuals beyond repeats, in two steps, the second with the first's weights."""
    used, shared = repeats, 0.0
    for _ in range(_STEPS):
        shared = _beyond_repeats(estimate, repeats, used)
        if not shared:
            break
        used = np.where(repeats > 0, np.hypot(repeats, shared), 0.0)
        estimate = solve(used)
    return SharedError(shared, shared, shared, closure_of(estimate).degrees_of_freedom), estimate


def _beyond_repeats(estimate: NetworkEstimate, repeats: FloatArray, used: FloatArray) -> float:
    """Return the spread of the residuals of a network solved with uncertainties `used` beyond that of the repeats."""
    there = (used > 0) & np.isfinite(estimate.edge_variance_kcal2_mol2)
    weight = used[there] ** -2.0
    # the fraction of its own error that an edge keeps as residual
    kept = weight - weight**2 * estimate.edge_variance_kcal2_mol2[there]
    excess = weight @ estimate.residual_kcal_mol[there] ** 2 - kept @ repeats[there] ** 2
    return float(np.sqrt(max(excess / kept.sum(), 0.0)))
