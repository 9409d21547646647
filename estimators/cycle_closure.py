"""What the cycles of a network say about its edges: differences around a cycle must add up to nothing.

Owns residuals of cycles, their significance, and how much too small the uncertainties of a network without
repeats are. Which cycles there are is found in `cycles`, errors that repeats share in `shared_error`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import special

from estimators.cycles import independent_cycles
from estimators.findings import Finding, deviate, ranked, two_sided
from estimators.network_mle import NetworkEstimate
from estimators.normal_mixture import mixture_sd

__all__ = ["ClosureTest", "close_cycles", "closure_of", "scale_from_cycles"]

#: Uncertainties are scaled up where the misfit, or more, would come by chance less often than this.
_SIGNIFICANT: Final = 0.1
#: Mean and standard deviation of the logarithm of the factor beforehand.
_KNOWN_PRIOR: Final = (0.0, 1.0)
_UNKNOWN_PRIOR: Final = (float(np.log(0.4)), 1.5)
#: How far around the Birge ratio the posterior is laid out, in logarithms, and at how many points.
_BESIDE: Final = 6.0
_POINTS: Final = 400
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

    What results state of themselves stands unless the cycles speak against it significantly. Then the factor has
    the posterior distribution that the cycles give with a prior, and what is returned is that mixture's
    97.5 % point over 1.96. With many cycles it is the Birge ratio ``sqrt(chi2 / dof)``; a few find only gross
    understatement, and a tree none at all.

    The prior of the factor's logarithm is normal: around zero with standard deviation 1 and cut off below zero if
    `known` (errors of single published results were 3.6 times what these stated, give or take a factor of 1.6);
    else around 0.4 kcal/mol, with standard deviation 1.5.

    Parameters
    ----------
    closure : ClosureTest
    known : bool
        False if the uncertainties are one arbitrary number, 1 kcal/mol: then cycles are all there is.

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
    if not closure.chi2:
        return 0.0
    seen = 0.5 * np.log(closure.chi2 / dof)
    log_factor = seen + np.linspace(-_BESIDE, _BESIDE, _POINTS)
    mean, sd = _KNOWN_PRIOR if known else _UNKNOWN_PRIOR
    # of a scale, given a sum of squares: chi-squared with its degrees of freedom
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
