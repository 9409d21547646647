"""Direct solution of a small network whose weights are alike: a dense inverse of the grounded Laplacian.

Owns the numerics for networks of up to a few hundred nodes, where LAPACK is faster than `elimination`. It is used only
where it is as good as that: a rounding of the Laplacian's entries changes the variance of any difference by at most
``sum_i L_ii C_ii`` roundings, with C the inverse, so that product decides. All other networks are eliminated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

__all__ = ["DenseSolution", "solve_dense"]

#: Larger networks are eliminated, which is faster.
_MOST_NODES = 300
#: Weights further apart are eliminated at once.
_NARROW = 1e4
#: Maximum of ``L_ii C_ii``, the factor by which roundings grow.
_MOST_GROWTH = 1e3

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class DenseSolution:
    """A connected network of n nodes, relative to the last one; methods as those of `elimination.Elimination`.

    Attributes
    ----------
    value : ndarray, shape (n,)
        Maximum-likelihood potentials.
    covariance : ndarray, shape (n, n)
        Their covariance; zero for the last node.
    """

    value: FloatArray
    covariance: FloatArray

    @property
    def n_nodes(self) -> int:
        """Return the number of nodes."""
        return len(self.value)

    def potentials(self) -> FloatArray:
        """Return the maximum-likelihood potentials, shape (n,)."""
        return self.value

    def covariance_times(self, columns: FloatArray) -> FloatArray:
        """Return the product of the covariance with ``columns``, both of shape (n, c)."""
        return self.covariance @ columns

    def contrast_variances(self, columns: FloatArray) -> FloatArray:
        """Return the variance of each contrast ``columns[:, c] @ potentials``, shape (c,)."""
        result: FloatArray = np.einsum("ic,ic->c", columns, self.covariance @ columns)
        return result

    def draws(self, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Return normal draws with the covariance of the potentials, shape (n, n_draws).

        Parameters
        ----------
        n_draws : int
            Number of draws.
        rng : numpy.random.Generator
            Source of random numbers.
        """
        result = np.zeros((self.n_nodes, n_draws))
        root = np.linalg.cholesky(self.covariance[:-1, :-1])
        result[:-1] = root @ rng.standard_normal((self.n_nodes - 1, n_draws))
        return result

    def resistances(self) -> FloatArray:
        """Return the variance of the difference of every pair of potentials, shape (n, n), diagonal zero."""
        variance = np.diag(self.covariance)
        result: FloatArray = np.add.outer(variance, variance) - 2.0 * self.covariance
        return result

    def pair_variances(self, one: IntArray, other: IntArray) -> FloatArray:
        """Return the variances of the differences of pairs, shape (k,).

        Parameters
        ----------
        one : ndarray, shape (k,)
            First nodes.
        other : ndarray, shape (k,)
            Second nodes.
        """
        variance = np.diag(self.covariance)
        result: FloatArray = variance[one] + variance[other] - 2.0 * self.covariance[one, other]
        return result

    def variances(self, tail: IntArray, head: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return variances of the potentials, shape (n,), and of their differences along edges, shape (m,).

        Parameters
        ----------
        tail : ndarray, shape (m,)
            Nodes where the edges start.
        head : ndarray, shape (m,)
            Nodes where the edges end.
        """
        return np.diag(self.covariance), self.pair_variances(tail, head)


def solve_dense(
    n_nodes: int, tail: IntArray, head: IntArray, weight: FloatArray, value: FloatArray
) -> DenseSolution | None:
    """Solve a connected network of measured differences.

    Parameters
    ----------
    n_nodes, tail, head, weight, value
        As in `elimination.eliminate`, for at least two nodes.

    Returns
    -------
    DenseSolution or None
        None if the network is too large, or its numbers would lose digits.
    """
    if n_nodes > _MOST_NODES or weight.max() > _NARROW * weight.min():
        return None
    flat = np.bincount(np.concatenate([tail * n_nodes + head, head * n_nodes + tail]), np.tile(weight, 2), n_nodes**2)
    laplacian = -flat.reshape(n_nodes, n_nodes)
    total = -laplacian.sum(axis=1)
    np.fill_diagonal(laplacian, total)
    # not dpotri, which shares even the smallest matrix among threads that wait for each other on a busy machine
    factor, pivots, failed = lapack.dsytrf(laplacian[:-1, :-1], lower=0)
    upper, singular = lapack.dsytri(factor, pivots, lower=0)
    if failed or singular or (np.diag(upper) <= 0.0).any():
        return None
    covariance = np.zeros((n_nodes, n_nodes))
    inner = covariance[:-1, :-1]
    inner[:] = np.triu(upper)
    inner += np.triu(upper, 1).T
    if (np.diag(covariance) * total).max() > _MOST_GROWTH:
        return None
    potentials = np.zeros(n_nodes)
    for _ in range(2):  # the second time refines
        flow = weight * (value - (potentials[head] - potentials[tail]))
        pull = np.bincount(head, flow, n_nodes) - np.bincount(tail, flow, n_nodes)
        potentials += covariance @ pull
    return DenseSolution(potentials, covariance)
