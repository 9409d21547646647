"""The continuous optimum: shares of a budget over edges, with a certificate.

Minimises ``tr(W C)`` over shares of a budget of GPU-hours, where edge e with B_e hours has variance ``k_e / B_e``, by
the multiplicative rule ``B_e <- B_e sqrt(h_e)`` with ``h_e = b_e^T C W C b_e / k_e``, the loss that one more hour on e
saves. The problem is convex, and the shares are optimal when no edge saves more per hour than the budget does on
average; `gap`, the largest h over the mean, minus one, bounds how far the loss is above the optimum, as a fraction.

The rule is exact for a tree in one step. It converges slowly where many edges end with nothing, so steps are
extrapolated (Varadhan & Roland 2008, SQUAREM) wherever that lowers the loss.

References
----------
Silvey, Titterington & Torsney 1978, doi:10.1080/03610927808827719; Yu 2010, "Monotonic convergence of a general
algorithm for computing optimal designs", doi:10.1214/09-AOS761; Varadhan & Roland 2008,
doi:10.1111/j.1467-9469.2007.00585.x.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import EstimatorInputError
from .design_covariance import Components, components_of, design_covariance
from .design_network import DesignNetwork

__all__ = ["ContinuousOptimum", "continuous_optimum"]

FloatArray = NDArray[np.float64]

#: Shares below this fraction of the mean stay there, so that the inverse exists; they are zero in the result.
_LEAST_SHARE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ContinuousOptimum:
    """Optimal shares of a budget over m edges.

    Attributes
    ----------
    share : ndarray, shape (m,)
        Share of the budget; sums to one.
    loss : float
        ``tr(W C)`` with these shares, (kcal/mol)^2 times the unit of W.
    gap : float
        Certificate: the loss is at most this fraction above the optimum.
    n_iterations : int
        Inverses computed.
    certified : bool
        Whether the gap is below the tolerance.
    """

    share: FloatArray
    loss: float
    gap: float
    n_iterations: int
    certified: bool


def continuous_optimum(
    network: DesignNetwork,
    weight: FloatArray,
    *,
    budget: float = 1.0,
    tolerance: float = 1e-3,
    most_iterations: int = 20_000,
) -> ContinuousOptimum:
    """Return the optimal shares of a budget; suited to networks of up to about 300 nodes.

    Parameters
    ----------
    network : DesignNetwork
        Prices of edges follow from the variances and costs of their legs.
    weight : ndarray, shape (n, n)
        The goal, W, from `goals`.
    budget : float
        GPU-hours. Without anchors, the shares do not depend on it.
    tolerance : float
        The certificate to reach.
    most_iterations : int
        Inverses to compute at most.

    Raises
    ------
    EstimatorInputError
        If there is no edge, or the goal has no weight.
    """
    useful = network.tail != network.head
    if not useful.any() or not weight.any():
        raise EstimatorInputError("an optimal allocation needs an edge between two nodes, and a goal with weight")
    rule = _Rule(network, weight, network.edge_price(), budget, components_of(network, useful), useful)
    state = rule.step(useful / useful.sum())
    while state.gap > tolerance and rule.n_iterations < most_iterations:
        state = rule.accelerated(state)
    return ContinuousOptimum(state.share, state.loss, state.gap, rule.n_iterations, state.gap <= tolerance)


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    share: FloatArray
    loss: float
    gap: float
    #: the shares after one multiplicative step from here
    after: FloatArray


class _Rule:
    """The multiplicative rule on one network."""

    def __init__(
        self,
        network: DesignNetwork,
        weight: FloatArray,
        price: FloatArray,
        budget: float,
        components: Components,
        useful: NDArray[np.bool_],
    ) -> None:
        self.network, self.weight, self.components = network, weight, components
        self.hours_to_precision = np.where(useful, budget / price, 0.0)
        self.useful = useful
        self.n_iterations = 0

    def step(self, share: FloatArray) -> _State:
        """Evaluate shares, and take one multiplicative step."""
        self.n_iterations += 1
        share = self._normal(share)
        covariance = design_covariance(self.network, share * self.hours_to_precision, self.components)
        inner = self.weight @ covariance
        saved = along(self.network, covariance @ inner) * self.hours_to_precision
        mean = float(share @ saved)
        # the largest is never below the mean, but for rounding
        gap = max(0.0, float(saved.max()) / mean - 1.0)
        return _State(share, float(np.trace(inner)), gap, self._normal(share * np.sqrt(saved)))

    def accelerated(self, state: _State) -> _State:
        """Take two steps and extrapolate, if that is better."""
        first = self.step(state.after)
        second = self.step(first.after)
        start, middle, end = (np.log(np.maximum(s.share, 1e-300)) for s in (state, first, second))
        held = self.useful & (state.share > 0)
        change, bend = (middle - start)[held], (end - 2.0 * middle + start)[held]
        # weighted by share, since it is the edges with budget that matter
        norm = float(np.sqrt((state.share[held] * bend**2).sum()))
        length = float(np.sqrt((state.share[held] * change**2).sum())) / norm if norm > 0 else 1.0
        if length <= 1.0:
            return second
        jump = np.zeros_like(start)
        jump[held] = np.clip(2.0 * length * change + length**2 * bend, -20.0, 20.0)
        far = self.step(np.where(self.useful, state.share * np.exp(jump), 0.0))
        return far if far.loss <= second.loss else second

    def _normal(self, share: FloatArray) -> FloatArray:
        floor = _LEAST_SHARE / self.useful.sum()
        kept = np.where(self.useful, np.maximum(share / share.sum(), floor), 0.0)
        return np.asarray(kept / kept.sum(), dtype=np.float64)


def along(network: DesignNetwork, matrix: FloatArray) -> FloatArray:
    """Return ``b_e^T M b_e`` of each edge for a symmetric matrix, shape (m,).

    Parameters
    ----------
    network : DesignNetwork
    matrix : ndarray, shape (n, n)
        M.
    """
    tail, head = network.tail, network.head
    diagonal = np.diag(matrix)
    pair = tail >= 0
    other = np.where(pair, tail, 0)
    result: FloatArray = diagonal[head] + np.where(pair, diagonal[other] - 2.0 * matrix[other, head], 0.0)
    return result
