"""Spread of node values where edges are heavy-tailed, from draws of the posterior.

Owns the sampler. The estimate itself, and when it is drawn from, is `robust`'s.

With a flat prior on the node values, Student's likelihood is a normal one whose edges have unknown weights:
given the weights all nodes are normal, given the nodes every weight is gamma distributed (Gibbs sampling). What is
averaged are conditional means and covariances, not draws: with many degrees of freedom that is exact.

Where edges contradict each other, each may be the one that is wrong, and no chain gets from one answer to the other.
So many short chains begin where all errors are ten times as large and there is one answer only. While the errors
shrink, chains are weighted by how likely their nodes become, and chains of little weight continue from others: as many
end at an answer as it is probable.

References
----------
Geweke 1993, "Bayesian treatment of the independent Student-t linear model", doi:10.1002/jae.3950080504.
Del Moral, Doucet & Jasra 2006, "Sequential Monte Carlo samplers", doi:10.1111/j.1467-9868.2006.00553.x.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["spread_around"]

_CHAINS, _CHAINS_OF_MANY = 64, 16
_MANY_NODES: Final = 60
_DISCARDED, _KEPT = 20, 30
#: Factor of all errors at first, and steps until it is 1.
_HOT: Final = 10.0
_COOLING: Final = 15
_SEED: Final = 2019
#: Of a weight, so that an edge far off does not make a matrix singular.
_LEAST_WEIGHT: Final = 1e-9

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def spread_around(
    centre: FloatArray, tail: IntArray, head: IntArray, value: FloatArray, sd: FloatArray, freedom: float
) -> FloatArray:
    """Return the mean square of node values around given ones, over the posterior.

    Parameters
    ----------
    centre : ndarray, shape (n,)
        Values of the nodes of one connected component, kcal/mol.
    tail, head : ndarray of int, shape (m,)
        Ends of the edges.
    value, sd : ndarray, shape (m,)
        Measured differences and the scale of their errors, kcal/mol.
    freedom : float
        Degrees of freedom of the edges, above 2: with fewer a spread need not exist.

    Returns
    -------
    ndarray, shape (n, n)
        In the gauge where the last node is at `centre`, (kcal/mol)^2.
    """
    size = len(centre) - 1
    result = np.zeros((size + 1, size + 1))
    if not size:
        return result
    rng = np.random.default_rng(_SEED)
    chains = _CHAINS if size < _MANY_NODES else _CHAINS_OF_MANY
    # residuals and nodes relative to the centre, so that nothing large is subtracted
    residual = value - (centre[head] - centre[tail])
    incidence = np.zeros((len(value), size + 1))
    np.add.at(incidence, (np.arange(len(value)), head), 1.0)
    np.add.at(incidence, (np.arange(len(value)), tail), -1.0)
    incidence = incidence[:, :-1]
    weight = rng.gamma(freedom / 2, 2 / freedom, (chains, len(value)))
    heats = np.append(np.geomspace(_HOT, 1.0, _COOLING), np.ones(_DISCARDED + _KEPT - _COOLING))
    log_share = np.zeros(chains)
    for step, heat in enumerate(heats):
        precision = np.maximum(weight, _LEAST_WEIGHT) / (heat * sd) ** 2
        inverse = np.linalg.inv(np.linalg.cholesky(_laplacians(tail, head, precision, size)))
        mean = _applied(inverse, _applied(inverse, (precision * residual) @ incidence), transposed=True)
        if step >= _DISCARDED:
            for one in inverse:
                result[:-1, :-1] += one.T @ one / chains
            result[:-1, :-1] += mean.T @ mean / chains
        drawn = mean + _applied(inverse, rng.standard_normal((chains, size)), transposed=True)
        pulls = (residual - drawn @ incidence.T) / sd
        following = heats[min(step + 1, len(heats) - 1)]
        if following < heat:
            log_share += _log_density(pulls / following, freedom) - _log_density(pulls / heat, freedom)
            pulls, log_share = _survivors(pulls, log_share, rng, evenly=following == 1.0)
        weight = rng.gamma((freedom + 1) / 2, 2 / (freedom + (pulls / following) ** 2))
    return result / _KEPT


def _log_density(pulls: FloatArray, freedom: float) -> FloatArray:
    """Return the logarithm of Student's density of each chain's pulls, up to a constant."""
    return np.asarray(-(freedom + 1) / 2 * np.log1p(pulls**2 / freedom).sum(axis=1), dtype=np.float64)


def _survivors(
    pulls: FloatArray, log_share: FloatArray, rng: np.random.Generator, *, evenly: bool
) -> tuple[FloatArray, FloatArray]:
    """Draw chains in proportion to their shares if these are unequal, or `evenly`: then all have equal shares again."""
    share = np.exp(log_share - log_share.max())
    n_effective = share.sum() ** 2 / (share @ share)
    if n_effective >= len(share) / 2 and not evenly:
        return pulls, log_share
    # every chain is drawn as often as its share says, to the next integer
    at = (np.arange(len(share)) + rng.random()) / len(share) * share.sum()
    chosen = np.minimum(np.searchsorted(np.cumsum(share), at), len(share) - 1)
    return pulls[chosen], np.zeros(len(share))


def _laplacians(tail: IntArray, head: IntArray, precision: FloatArray, size: int) -> FloatArray:
    """Information of the nodes in each chain, the last node left out."""
    full = np.zeros((len(precision), size + 1, size + 1))
    for k, (a, b) in enumerate(zip(tail.tolist(), head.tolist(), strict=True)):
        full[:, [a, b], [b, a]] -= precision[:, k, None]
        full[:, [a, b], [a, b]] += precision[:, k, None]
    return full[:, :-1, :-1]


def _applied(matrices: FloatArray, vectors: FloatArray, *, transposed: bool = False) -> FloatArray:
    """Product of each chain's matrix with its vector."""
    turned = np.swapaxes(matrices, 1, 2) if transposed else matrices
    return np.asarray((turned @ vectors[:, :, None])[:, :, 0], dtype=np.float64)
