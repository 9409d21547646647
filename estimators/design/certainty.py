"""Certainty of the top k: the probability that the nodes which seem lowest are the lowest.

Owns the draws. Which variances they have, and when a probability is high enough, is the caller's choice.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .design_covariance import Components
from .goals import lowest

__all__ = ["probability_top_is_right"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def probability_top_is_right(
    value: FloatArray,
    covariance: FloatArray,
    components: Components,
    k: IntArray,
    *,
    n_draws: int = 2000,
    seed: int = 2019,
) -> float:
    """Return the probability that in every component the k lowest estimates are the k lowest values.

    Parameters
    ----------
    value : ndarray, shape (n,)
        Estimates, kcal/mol; low is best.
    covariance : ndarray, shape (n, n)
        Their covariance, (kcal/mol)^2.
    components : Components
        The components that values are comparable in.
    k : ndarray of int, shape (number of components,)
        How many of each.
    n_draws : int
        Draws; the standard error of the probability is at most ``0.5 / sqrt(n_draws)``.
    seed : int
        Seed of the draws: the same numbers give the same probability.
    """
    rng = np.random.default_rng(seed)
    chosen = lowest(value, components, k)
    right = np.ones(n_draws, dtype=np.bool_)
    for part in components.parts:
        inside, outside = part[chosen[part]], part[~chosen[part]]
        if not len(inside) or not len(outside):
            continue
        eigenvalue, vector = np.linalg.eigh(covariance[np.ix_(part, part)])
        # the symmetric root: of equal eigenvalues, the vectors depend on the last bits of the covariance
        root = (vector * np.sqrt(np.maximum(eigenvalue, 0.0))) @ vector.T
        drawn = np.empty((len(value), n_draws))
        drawn[part] = value[part, None] + root @ rng.standard_normal((len(part), n_draws))
        right &= drawn[inside].max(axis=0) < drawn[outside].min(axis=0)
    return float(right.mean())
