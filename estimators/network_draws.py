"""Exact random draws of a whole network's node values, at any size and without a dense matrix.

Owns sampling from what `network_solution` holds. What is counted over the draws is `ranking`'s matter.

In an eliminated network every node is, given those eliminated after it, their weighted mean plus
independent noise; so noise carried from the last node to the first has exactly the covariance of the
estimate. A draw costs as much as one back-substitution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from estimators.elimination import Elimination
from estimators.network_solution import NetworkSolution

__all__ = ["draw_deviations"]

FloatArray = NDArray[np.float64]


def draw_deviations(solution: NetworkSolution, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Draw deviations of node values from their estimates.

    Parameters
    ----------
    solution : NetworkSolution
        `NetworkEstimate.solution`.
    n_draws : int
        How many.
    rng : numpy Generator
        Source of chance.

    Returns
    -------
    ndarray, shape (n, n_draws)
        Normal with the covariance of the estimate, kcal/mol: relative to the mean of the component. NaN for a
        node without an edge.
    """
    result = np.zeros((len(solution.value), n_draws))
    for part in solution.parts:
        if part.elimination is not None:
            drawn = part.unit * _draw(part.elimination, n_draws, rng)[part.group]
            result[part.nodes] = drawn - drawn.mean(axis=0)
    result[np.isnan(solution.value)] = np.nan
    return result


def _draw(elimination: Elimination, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Deviations relative to the ground, shape (nodes, n_draws)."""
    core = np.zeros((elimination.core.n_nodes, n_draws))
    for front, here, boundary in reversed(list(elimination.core.spans())):
        core[here] = front.back_substitute(_noise(front.variance, n_draws, rng), core[boundary])
    result = np.zeros((elimination.n_nodes, n_draws))
    result[elimination.core.plan.order] = core
    for star in reversed(elimination.stars):
        result[star.nodes] = star.matrix(elimination.n_nodes) @ result + _noise(star.variance, n_draws, rng)
    return result


def _noise(variance: FloatArray, n_draws: int, rng: np.random.Generator) -> FloatArray:
    result: FloatArray = np.sqrt(variance)[:, None] * rng.standard_normal((len(variance), n_draws))
    return result
