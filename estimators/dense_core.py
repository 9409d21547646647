"""Subtraction-free elimination of a dense graph Laplacian, in BLAS-sized blocks.

Owns the numerics of the part of a network in which nearly every node has met every other. Sparse
graphs, orderings and gauges are not its matter (`elimination`, `network_mle`).

Only off-diagonal weights are kept. The diagonal of a Laplacian, whose rounding is what loses small
weights beside large ones, is re-formed as a sum of positive numbers whenever it is needed (Grassmann,
Taksar & Heyman 1985, doi:10.1287/opre.33.5.1107), so every weight here is a sum of products of
non-negative numbers and keeps its full relative precision however far apart the weights lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import solve_triangular

__all__ = ["DenseCore", "eliminate_dense"]

#: Pivots gathered before they are applied to the rest in one matrix product.
_BLOCK = 32
#: Means closer together than this share of their spread are subtracted before they are squared.
_NEAR_SHARE = 1e-4

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DenseCore:
    """An eliminated dense graph of r nodes; the last one is the ground, where the potential is zero.

    Given the later nodes, node k is ``sum_i transfer[k, i] f[i] - offset[k]`` with variance ``variance[k]``.

    Attributes
    ----------
    transfer : ndarray, shape (r, r)
        Strictly upper triangular; rows but the last sum to one.
    variance : ndarray, shape (r,)
        Inverse of the sum of a node's weights when its turn came; zero for the ground.
    offset : ndarray, shape (r,)
        Weighted mean of the values of its edges then.
    """

    transfer: FloatArray
    variance: FloatArray
    offset: FloatArray

    def back_substitute(self, right: FloatArray) -> FloatArray:
        """Solve ``(1 - transfer) x = right``; right and x have shape (r,)."""
        return _unit_solve(self.transfer, right)

    def forward_substitute(self, right: FloatArray) -> FloatArray:
        """Solve ``(1 - transfer).T x = right``; right and x have shape (r,)."""
        return _unit_solve(self.transfer, right, transposed=True)

    def resistances(self) -> FloatArray:
        """Variance of the difference of every pair of potentials, shape (r, r), diagonal zero.

        From the last node to the first, a block of nodes at a time. Given the later ones a node is their
        mean by transfer plus noise, and variances of differences are squared distances, so only what lies
        between nodes enters: strong weights inside a group are not lost beside its distance to others.
        """
        size = len(self.variance)
        result = np.zeros((size, size))
        for start in reversed(range(0, size - 1, _BLOCK)):
            block, rest = slice(start, min(start + _BLOCK, size - 1)), slice(min(start + _BLOCK, size - 1), size)
            noise = _unit_inverse(self.transfer[block, block])
            mean = noise @ self.transfer[block, rest]
            noise *= np.sqrt(self.variance[block])
            far = mean @ result[rest, rest]
            spread = 0.5 * (mean * far).sum(axis=1)
            away = far + ((noise**2).sum(axis=1) - spread)[:, None]
            result[block, rest] = away
            result[rest, block] = away.T
            apart = ((noise[:, None, :] - noise[None, :, :]) ** 2).sum(axis=2)
            result[block, block] = apart + _between_means(mean, far, spread)
        return result


def eliminate_dense(weight: FloatArray, moment: FloatArray) -> DenseCore:
    """Eliminate all nodes but the last, in the order given.

    Parameters
    ----------
    weight : ndarray, shape (r, r)
        Symmetric, non-negative, connected, diagonal zero. Overwritten.
    moment : ndarray, shape (r, r)
        Antisymmetric, ``weight[i, j]`` times the value of the edge from i to j. Overwritten.

    Returns
    -------
    DenseCore
        The elimination.
    """
    size = len(weight)
    transfer = np.zeros((size, size))
    variance = np.zeros(size)
    offset = np.zeros(size)
    for start in range(0, size - 1, _BLOCK):
        stop = min(start + _BLOCK, size - 1)
        done, block, rest = slice(0, start), slice(start, stop), slice(stop, size)
        _apply_earlier(weight, moment, transfer, done, block)
        inner, inner_moment = weight[block, block], moment[block, block]
        shares, variances = _eliminate_block(inner, inner_moment, weight[block, rest].sum(axis=1))
        carry = _unit_inverse(shares).T
        weight[block, rest] = carry @ weight[block, rest]
        transfer[block, block] = shares
        transfer[block, rest] = weight[block, rest] * variances[:, None]
        exchanged = np.triu(inner_moment, 1)
        moment[block, rest] = carry @ (moment[block, rest] - exchanged.T @ transfer[block, rest])
        variance[block] = variances
        offset[block] = (exchanged.sum(axis=1) + moment[block, rest].sum(axis=1)) * variances
    return DenseCore(transfer, variance, offset)


def _apply_earlier(weight: FloatArray, moment: FloatArray, transfer: FloatArray, done: slice, block: slice) -> None:
    """Bring the rows of a block up to date with all pivots before it, in place."""
    columns = slice(block.start, len(weight))
    pulled = transfer[done, block].T
    weight[block, columns] += pulled @ weight[done, columns]
    moment[block, columns] += pulled @ moment[done, columns]
    moment[block, columns] -= moment[done, block].T @ transfer[done, columns]


def _eliminate_block(weight: FloatArray, moment: FloatArray, outside: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Shares (strictly upper) and variances of one diagonal block; edits the block in place.

    `outside` is each node's summed weight beyond the block, all that the block needs to know of it.
    """
    size = len(weight)
    shares = np.zeros((size, size))
    variances = np.empty(size)
    for k in range(size):
        later = slice(k + 1, size)
        row, row_moment = weight[k, later], moment[k, later]
        total = row.sum() + outside[k]
        share = row / total
        shares[k, later] = share
        variances[k] = 1.0 / total
        outside[later] += share * outside[k]
        column = share[:, None]
        weight[later, later] += column * row
        moment[later, later] += column * row_moment - row_moment[:, None] * share
    return shares, variances


def _between_means(mean: FloatArray, far: FloatArray, spread: FloatArray) -> FloatArray:
    """Squared distances of weighted means, shape (b, b); `far` is `mean` times the squared distances.

    Means that nearly coincide are told apart by the difference of their weights.
    """
    product = mean @ far.T
    squared: FloatArray = 0.5 * (product + product.T) - np.add.outer(spread, spread)
    one, other = np.nonzero(np.triu(squared < _NEAR_SHARE * np.add.outer(spread, spread), 1))
    if len(one):
        exact = -0.5 * ((mean[one] - mean[other]) * (far[one] - far[other])).sum(axis=1)
        squared[one, other] = squared[other, one] = np.maximum(exact, 0.0)
    np.fill_diagonal(squared, 0.0)
    return squared


def _unit_inverse(strict: FloatArray) -> FloatArray:
    """Inverse of ``1 - strict`` for a strictly upper triangular, non-negative matrix.

    The Neumann series ends, and factors into ``(1 + S)(1 + S^2)(1 + S^4)...``: no term is negative.
    """
    identity = np.eye(len(strict))
    inverse, power = identity + strict, strict
    for _ in range((len(strict) - 1).bit_length() - 1):
        power = power @ power
        inverse = inverse @ (identity + power)
    return inverse


def _unit_solve(strict: FloatArray, right: FloatArray, *, transposed: bool = False) -> FloatArray:
    """Solve ``(1 - strict) x = right`` for a strictly upper triangular matrix, or its transpose."""
    solution: FloatArray = solve_triangular(
        -strict, right, trans=int(transposed), unit_diagonal=True, check_finite=False
    )
    return solution
