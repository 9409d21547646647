"""Goals of an allocation, as weight matrices: the loss of a design with covariance C is ``tr(W C)``.

================= ================================================================================================
goal              W of a component with n nodes
================= ================================================================================================
mean uncertainty  the identity / n: the mean variance of a node
all differences   the mean variance of a difference: ``2 (n I - J) / (n (n - 1))``
contrast          ``z z^T``: the variance of ``z @ values``; a few nodes are the mean over their contrasts
ranking           sum over pairs of ``w_ij (e_i - e_j)(e_i - e_j)^T``: minus the derivative of the expected
                  number of misordered pairs
top k             the same over pairs of one node among the k lowest and one outside
================= ================================================================================================

For a pair with gap D and variance ``s^2`` of its difference, ``w = phi(D / s) D / (2 s^3)``. Gaps are softened,
``D^2 + soften s^2``, because an estimated gap near zero says little. Values of different components have different
zeros, so pairs are of one component. Low values are best.

References
----------
Xu 2019, "Optimal measurement network of pairwise differences", doi:10.1021/acs.jcim.9b00528 (A-, D- and E-optimal);
Fiez et al. 2019, "Sequential experimental design for transductive linear bandits", arXiv:1906.08399 (elimination).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import EstimatorInputError
from .design_covariance import Components

__all__ = [
    "SOFTEN",
    "all_differences",
    "contrast",
    "expected_misplacements",
    "lowest",
    "mean_uncertainty",
    "mix",
    "ranking",
    "some_nodes",
    "top_k",
]

#: Share of the variance of a gap that is added to its square.
SOFTEN = 0.25

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


def mean_uncertainty(n_nodes: int) -> FloatArray:
    """Return W of the mean variance of a node, shape (n, n)."""
    return np.asarray(np.eye(n_nodes) / n_nodes, dtype=np.float64)


def all_differences(components: Components) -> FloatArray:
    """Return W of the mean variance of the difference of two nodes of one component, shape (n, n)."""
    same = components.label[:, None] == components.label[None, :]
    weight: FloatArray = -same.astype(np.float64)
    np.fill_diagonal(weight, 0.0)
    np.fill_diagonal(weight, -weight.sum(axis=1))
    pairs = -float(np.triu(weight, 1).sum())
    return np.asarray(weight / pairs if pairs else weight, dtype=np.float64)


def contrast(coefficients: ArrayLike) -> FloatArray:
    """Return W of the variance of one combination of values, shape (n, n).

    Parameters
    ----------
    coefficients : array_like, shape (n,)
        Coefficients, such as 1 and -1 for a difference of two nodes.
    """
    z = np.asarray(coefficients, dtype=np.float64)
    if not np.isfinite(z).all() or not z.any():
        raise EstimatorInputError("a contrast needs finite coefficients, of which one is not zero")
    return np.asarray(np.outer(z, z), dtype=np.float64)


def some_nodes(n_nodes: int, nodes: Sequence[int]) -> FloatArray:
    """Return W of the mean variance of some nodes, shape (n, n).

    Parameters
    ----------
    n_nodes : int
        Number of all nodes.
    nodes : sequence of int
        The nodes that count.
    """
    if not len(nodes):
        raise EstimatorInputError("name the nodes that count; none was given")
    weight = np.zeros((n_nodes, n_nodes))
    weight[nodes, nodes] = 1.0 / len(nodes)
    return weight


def ranking(value: FloatArray, covariance: FloatArray, components: Components, *, soften: float = SOFTEN) -> FloatArray:
    """Return W of the expected number of misordered pairs, shape (n, n).

    Parameters
    ----------
    value : ndarray, shape (n,)
        Current estimates, kcal/mol.
    covariance : ndarray, shape (n, n)
        Their covariance.
    components : Components
        The components that values are comparable in.
    soften : float
        Share of a gap's variance that is added to its square.
    """
    counted = components.label[:, None] == components.label[None, :]
    return _pairs(value, covariance, counted, soften)


def top_k(
    value: FloatArray, covariance: FloatArray, components: Components, k: IntArray, *, soften: float = SOFTEN
) -> FloatArray:
    """Return W of the expected number of misordered pairs across the border of the top k, shape (n, n).

    Parameters
    ----------
    value : ndarray, shape (n,)
        Current estimates, kcal/mol; low is best.
    covariance : ndarray, shape (n, n)
        Their covariance.
    components : Components
        The components that values are comparable in.
    k : ndarray of int, shape (number of components,)
        How many of each component are wanted.
    soften : float
        Share of a gap's variance that is added to its square.
    """
    return _pairs(value, covariance, _across(value, components, k), soften)


def lowest(value: FloatArray, components: Components, k: IntArray) -> BoolArray:
    """Return which nodes are among the k lowest of their component, shape (n,); ties go to the first.

    Parameters
    ----------
    value : ndarray, shape (n,)
        Values.
    components : Components
    k : ndarray of int, shape (number of components,)
        How many of each component.
    """
    chosen = np.zeros(len(value), dtype=np.bool_)
    for part, wanted in zip(components.parts, k.tolist(), strict=True):
        chosen[part[np.argsort(value[part], kind="stable")[:wanted]]] = True
    return chosen


def expected_misplacements(value: FloatArray, covariance: FloatArray, components: Components, k: IntArray) -> float:
    """Return the expected number of pairs across the border of the top k that are in the wrong order.

    Parameters
    ----------
    value : ndarray, shape (n,)
        Estimates, kcal/mol; low is best.
    covariance : ndarray, shape (n, n)
        Their covariance.
    components : Components
    k : ndarray of int, shape (number of components,)
        How many of each component are wanted.
    """
    from scipy.special import ndtr

    across = np.triu(_across(value, components, k), 1)
    gap, spread = _gaps(value, covariance, across)
    return float(ndtr(-gap / spread).sum())


def mix(parts: Sequence[tuple[float, FloatArray]]) -> FloatArray:
    """Return the weighted sum of goals, each scaled to trace one; goals without weight are left out.

    Parameters
    ----------
    parts : sequence of (float, ndarray of shape (n, n))
        Share and W of each goal.
    """
    total = np.zeros_like(parts[0][1])
    for share, weight in parts:
        trace = float(np.trace(weight))
        if share > 0 and trace > 0:
            total += (share / trace) * weight
    if not total.any():
        raise EstimatorInputError("the goals together have no weight; give one a share above zero")
    return total


def _across(value: FloatArray, components: Components, k: IntArray) -> BoolArray:
    chosen = lowest(value, components, k)
    same = components.label[:, None] == components.label[None, :]
    return np.asarray(same & (chosen[:, None] != chosen[None, :]), dtype=np.bool_)


def _gaps(value: FloatArray, covariance: FloatArray, counted: BoolArray) -> tuple[FloatArray, FloatArray]:
    one, other = np.nonzero(counted)
    variance = np.diag(covariance)
    square = variance[one] + variance[other] - 2.0 * covariance[one, other]
    return np.abs(value[one] - value[other]), np.sqrt(np.maximum(square, 1e-300))


def _pairs(value: FloatArray, covariance: FloatArray, counted: BoolArray, soften: float) -> FloatArray:
    upper = np.triu(counted, 1)
    gap, spread = _gaps(value, covariance, upper)
    distance = np.sqrt((gap / spread) ** 2 + soften)
    density = np.exp(-0.5 * distance**2) / np.sqrt(2.0 * np.pi)
    # where two values are all but certain to be different, or known exactly, nothing is to be gained
    rate = np.where(spread > 1e-9, density * distance / (2.0 * np.maximum(spread, 1e-9) ** 2), 0.0)
    weight = np.zeros(counted.shape)
    weight[upper] = -rate
    weight += weight.T
    np.fill_diagonal(weight, -weight.sum(axis=1))
    return weight
