"""Cycle closure: the differences around a cycle of a network must sum to zero.

Owns residuals of cycles, their significance, and the factor by which the uncertainties of a network without repeats
are too small. `cycles` finds the cycles, `shared_error` estimates errors shared by repeats.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..statistics.findings import Finding, deviate, ranked, two_sided
from ..statistics.normal_mixture import mixture_sd
from .cycles import independent_cycles
from .network_mle import NetworkEstimate

__all__ = ["ClosureTest", "close_cycles", "closure_of", "scale_from_cycles", "too_few_to_check"]

#: Uncertainties are scaled up if the p-value of the misfit is below this.
_SIGNIFICANT: Final = 0.1
#: Ratio of the errors of single published results to their stated uncertainties, and the largest probability that
#: cycles of such errors close nevertheless.
_TYPICAL_RATIO: Final = 3.6
_MISSED: Final = 0.05
#: Prior mean and standard deviation of the logarithm of the factor.
_KNOWN_PRIOR: Final = (0.0, 1.0)
_UNKNOWN_PRIOR: Final = (float(np.log(0.4)), 1.5)
#: Range of the posterior grid around the Birge ratio, in logarithms, and its number of points.
_BESIDE: Final = 6.0
_POINTS: Final = 400
#: A sum below this fraction of its terms is rounding.
_ROUNDING_SHARE: Final = 1e-14

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ClosureTest:
    """Test of all cycles of a network at once.

    Attributes
    ----------
    chi2 : float
        Sum over edges of ``(residual / uncertainty) ** 2``.
    degrees_of_freedom : int
        Number of independent cycles.
    p_value : float
        Probability of a chi2 at least this large; 1 without cycles.
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


def too_few_to_check(closure: ClosureTest) -> bool:
    """Return whether cycles are too few to show that stated uncertainties are too small.

    They are if errors of the size that is typical of published results, 3.6 times the stated uncertainties, would
    pass the test of `scale_from_cycles` in more than 5 % of cases: by chance, one cycle closes in 35 %, two in 16 %,
    three in 8 %, four in 4 %.
    """
    dof = closure.degrees_of_freedom
    if not dof:
        return True
    limit = float(special.chdtri(dof, _SIGNIFICANT))
    return float(special.chdtr(dof, limit / _TYPICAL_RATIO**2)) > _MISSED


def scale_from_cycles(closure: ClosureTest, *, known: bool = True) -> float:
    """Return the factor for all uncertainties of a network without repeats.

    Uncertainties stated by results are kept unless the cycles contradict them significantly. Then the factor has the
    posterior distribution given by the cycles and a prior, and the 97.5 % point of that mixture over 1.96 is returned.
    With many cycles it is the Birge ratio ``sqrt(chi2 / dof)``; a few detect only gross underestimates, and a tree
    none at all.

    The prior of the factor's logarithm is normal: around zero with standard deviation 1 and truncated below zero if
    `known` (errors of single published results were 3.6 times the stated ones, within a factor of 1.6); otherwise
    around 0.4 kcal/mol, with standard deviation 1.5.

    Parameters
    ----------
    closure : ClosureTest
    known : bool
        False if the uncertainties are one arbitrary number, 1 kcal/mol: then cycles are the only information.

    Returns
    -------
    float
        At least 1 if `known`; NaN without information.

    References
    ----------
    Birge 1932, doi:10.1103/PhysRev.40.207.
    """
    dof = closure.degrees_of_freedom
    if known and closure.p_value >= _SIGNIFICANT:
        return 1.0
    if not dof:
        return float("nan")
    if not closure.chi2:
        return 0.0
    seen = 0.5 * np.log(closure.chi2 / dof)
    log_factor = seen + np.linspace(-_BESIDE, _BESIDE, _POINTS)
    mean, sd = _KNOWN_PRIOR if known else _UNKNOWN_PRIOR
    # likelihood of a scale given a sum of squares: chi-squared with its degrees of freedom
    log_weight = -dof * (log_factor - seen) - 0.5 * dof * np.exp(2 * (seen - log_factor))
    log_weight -= 0.5 * ((log_factor - mean) / sd) ** 2
    if known:
        log_weight[log_factor < 0] = -np.inf
    weight = np.exp(log_weight - log_weight.max())
    return mixture_sd(np.exp(log_factor), weight / weight.sum())


def close_cycles(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    value: FloatArray,
    uncertainty: FloatArray,
) -> list[Finding]:
    """Return the residual of every independent cycle, least probable first.

    Parameters
    ----------
    node_a, node_b : sequence of hashable, length m
        Ends of the edges.
    value, uncertainty : ndarray, shape (m,)
        Measured ``f[b] - f[a]`` and its standard error, kcal/mol.

    Returns
    -------
    list of Finding
        The subject is the nodes in order around the cycle, starting with the first edge's; the value is the sum of the
        differences in that direction.
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
    """Return the nodes around a cycle, and the direction in which each edge is traversed."""
    at = node_a[cycle[0]]
    nodes, signs = [], []
    for k in cycle:
        nodes.append(at)
        forward = at == node_a[k]
        signs.append(1.0 if forward else -1.0)
        at = node_b[k] if forward else node_a[k]
    return tuple(nodes), np.array(signs)
