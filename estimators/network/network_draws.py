"""Exact random draws of a whole network's node values, at any size and without a dense matrix.

Owns sampling from `network_solution`. `ranking` uses the draws.

Drawing of one component is implemented in `elimination`; a draw costs as much as a solution.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .network_solution import NetworkSolution

__all__ = ["draw_deviations"]

FloatArray = NDArray[np.float64]


def draw_deviations(solution: NetworkSolution, n_draws: int, rng: np.random.Generator) -> FloatArray:
    """Draw deviations of node values from their estimates.

    Parameters
    ----------
    solution : NetworkSolution
        `NetworkEstimate.solution`.
    n_draws : int
        Number of draws.
    rng : numpy Generator
        Random generator.

    Returns
    -------
    ndarray, shape (n, n_draws)
        Normal with the covariance of the estimate, kcal/mol: relative to the mean of the component. NaN for a node
        without an edge.
    """
    result = np.zeros((len(solution.value), n_draws))
    for part in solution.parts:
        if part.elimination is not None:
            drawn = part.unit * part.elimination.draws(n_draws, rng)[part.group]
            result[part.nodes] = drawn - drawn.mean(axis=0)
    result[np.isnan(solution.value)] = np.nan
    return result
