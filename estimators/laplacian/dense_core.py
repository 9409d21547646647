"""Subtraction-free elimination of a dense graph Laplacian, in BLAS-sized blocks.

Owns the numerics of one front: k nodes, eliminated in the given order, and the b remaining nodes. Sparse graphs,
orderings and gauges are in `fronts` and `elimination`.

Only off-diagonal weights are kept. The diagonal of a Laplacian, whose rounding loses small weights beside large ones,
is recomputed as a sum of positive numbers whenever needed (Grassmann, Taksar & Heyman 1985,
doi:10.1287/opre.33.5.1107), so every weight here is a sum of products of non-negative numbers and keeps its full
relative precision however far apart the weights are.

All matrices have the eliminated nodes first, and only the part right of the diagonal is used.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import lapack

__all__ = ["Front", "eliminate_front"]

#: Number of pivots processed one by one before they are applied to others in one matrix product.
_LEAF = 32
#: Number of pivots collected before they are applied to the rest of a large front.
_BLOCK = 256
#: Number of remaining rows updated at once.
_ROWS = 2048
#: Means closer than this fraction of their spread are subtracted before they are squared.
_NEAR_SHARE = 1e-3
#: Number of entries of the means subtracted at once.
_NEAR_ENTRIES = 2_000_000

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """k eliminated nodes before b others, in blocks.

    Given all nodes after its block, the nodes of a block are ``transfer[block, rest] @ f[rest]`` plus
    ``transfer[block, block] @ (noise - offset)``, where the noise of node i has ``variance[i]``.

    Attributes
    ----------
    transfer : ndarray, shape (k, k + b)
        Non-negative. Each block's square contains a triangle with ones on the diagonal: how noise of its nodes reaches
        earlier ones. Right of it are rows that sum to one. The part left of it is unused.
    variance : ndarray, shape (k,)
        Inverse of the sum of a node's weights at its elimination.
    offset : ndarray, shape (k,), or None
        Weighted mean of the values of its edges at that time, if values were eliminated too.
    """

    transfer: FloatArray
    variance: FloatArray
    offset: FloatArray | None

    def back_substitute(self, right: FloatArray, later: FloatArray) -> FloatArray:
        """Return values of the k nodes from those of the b later ones and ``right``, their noise minus offset.

        Parameters
        ----------
        right : ndarray, shape (k, c)
        later : ndarray, shape (b, c)
        """
        size = len(self.variance)
        result = np.concatenate([right, later])
        for block, rest in self.blocks():
            result[block] = self.transfer[block, block] @ result[block] + self.transfer[block, rest] @ result[rest]
        return result[:size]

    def forward_substitute(self, here: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Transpose of `back_substitute`: the part of ``here``, shape (k, c), that reaches the k nodes and the b."""
        size, width = self.transfer.shape
        result = np.zeros((width, here.shape[1]))
        result[:size] = here
        for block, rest in reversed(self.blocks()):
            result[rest] += self.transfer[block, rest].T @ result[block]
            result[block] = self.transfer[block, block].T @ result[block]
        return result[:size], result[size:]

    def resistances(self, later: FloatArray, grounded: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return variances of the differences of all k + b nodes, and to a ground, from those of the b later ones.

        From the last node to the first, one block at a time. Given the later ones, a node is their mean by transfer
        plus noise, and variances of differences are squared distances, so only differences between nodes enter: strong
        weights inside a group are not lost beside its distance to others.

        Parameters
        ----------
        later : ndarray, shape (b, b)
        grounded : ndarray, shape (b,)

        Returns
        -------
        ndarray, shape (k + b, k + b)
        ndarray, shape (k + b,)
        """
        size, width = self.transfer.shape
        result = np.zeros((width, width + 1))
        result[size:, size:-1] = later
        result[size:, -1] = grounded
        for block, rest in self.blocks():
            away, apart = self.separate(block, rest, result[rest, rest.start :], slice(0, -1))
            result[block, rest.start :] = away
            result[rest, block] = away[:, :-1].T
            result[block, block] = apart
        return result[:, :-1], result[:, -1]

    def blocks(self) -> list[tuple[slice, slice]]:
        """Return blocks of the eliminated nodes from last to first, each with everything after it."""
        return _blocks_backward(*self.transfer.shape)

    def separate(
        self, block: slice, rest: slice, later: FloatArray, columns: slice | IntArray
    ) -> tuple[FloatArray, FloatArray]:
        """Return variances of the differences of a block of nodes to others, and within the block.

        Parameters
        ----------
        block, rest : slice
            The block, and everything after it in the front.
        later : ndarray, shape (length of rest, q)
            Variances of the differences of `rest` to q nodes that are not earlier.
        columns : slice or ndarray of int
            Positions of `rest` among the q nodes.

        Returns
        -------
        ndarray, shape (length of block, q)
            From the block to the q nodes.
        ndarray, shape (length of block, length of block)
            Within the block.
        """
        noise = self.transfer[block, block] * np.sqrt(self.variance[block])
        mean = self.transfer[block, rest]
        far = mean @ later
        near = far[:, columns]
        spread = 0.5 * (mean * near).sum(axis=1)
        apart = _squared_distances(noise) + _between_means(mean, near, spread)
        far += ((noise**2).sum(axis=1) - spread)[:, None]
        return far, apart


def eliminate_front(
    weight: FloatArray, moment: FloatArray | None, n_eliminated: int
) -> tuple[Front, FloatArray, FloatArray | None]:
    """Eliminate the first nodes of a dense graph.

    Parameters
    ----------
    weight : ndarray, shape (r, r)
        Non-negative; right of the diagonal. Overwritten, and kept by the result.
    moment : ndarray, shape (r, r), or None
        ``weight[i, j]`` times the value of the edge from i to j, right of the diagonal. Overwritten.
    n_eliminated : int
        Number of nodes to eliminate; fewer than r, and each must have later neighbours.

    Returns
    -------
    Front
        The elimination.
    ndarray, shape (r - n_eliminated, r - n_eliminated)
        Remaining weights.
    ndarray or None
        Remaining moments.
    """
    gone, left = slice(0, n_eliminated), slice(n_eliminated, len(weight))
    rows = weight[gone]
    row_moments = None if moment is None else moment[gone]
    variance = _eliminate_rows(rows, row_moments)
    remaining = weight[left, left].copy()
    for some in _blocks(len(remaining), _ROWS):  # a whole product would be stored beside the sum
        share = rows[:, left][:, some] * variance[:, None]
        remaining[some] += share.T @ rows[:, left]
    offset = None
    if moment is not None and row_moments is not None:
        passed = (rows[:, left] * variance[:, None]).T @ row_moments[:, left]
        moment = moment[left, left] + passed - passed.T
        # Only sums to the right of the diagonal are meaningful.
        offset = variance * (np.triu(row_moments[:, gone], 1).sum(axis=1) + row_moments[:, left].sum(axis=1))
    rows *= variance[:, None]
    for block, rest in _blocks_backward(*rows.shape):
        rows[block, block] = _unit_inverse(np.triu(rows[block, block], 1))
        rows[block, rest] = rows[block, block] @ rows[block, rest]
    if n_eliminated < len(weight) // 2:
        rows = rows.copy()  # otherwise the whole square would be kept for its upper part
    return Front(rows, variance, offset), remaining, moment


def _eliminate_rows(weight: FloatArray, moment: FloatArray | None) -> FloatArray:
    """Eliminate one node per row, in place, and return their variances.

    `weight` has shape (k, c), c > k: each row becomes that of its node at its elimination.
    """
    size = len(weight)
    if size <= _LEAF:
        return _eliminate_leaf(weight, moment)
    variance = np.empty(size)
    step = _LEAF if size <= _BLOCK else _BLOCK
    for start in range(0, size, step):
        stop = min(start + step, size)
        done, block, rest = slice(0, start), slice(start, stop), slice(stop, None)
        if start:
            _apply_earlier(weight, moment, variance[done], block)
        # Beyond the block, only each node's summed weight matters.
        inner = np.column_stack([weight[block, block], weight[block, rest].sum(axis=1)])
        inner_moment = None
        if moment is not None:
            inner_moment = np.column_stack([moment[block, block], np.zeros(len(inner))])
        variance[block] = _eliminate_rows(inner, inner_moment)
        weight[block, block] = inner[:, :-1]
        carry = _unit_inverse(np.triu(inner[:, :-1], 1) * variance[block, None]).T
        weight[block, rest] = carry @ weight[block, rest]
        if moment is not None and inner_moment is not None:
            moment[block, block] = inner_moment[:, :-1]
            exchanged = np.triu(inner_moment[:, :-1], 1).T * variance[block]
            moment[block, rest] = carry @ (moment[block, rest] - exchanged @ weight[block, rest])
    return variance


def _apply_earlier(weight: FloatArray, moment: FloatArray | None, variance: FloatArray, block: slice) -> None:
    """Update the rows of a block with all nodes before it, in place."""
    done, columns = slice(0, block.start), slice(block.start, None)
    pulled = (weight[done, block] * variance[:, None]).T
    weight[block, columns] += pulled @ weight[done, columns]
    if moment is not None:
        moment[block, columns] += pulled @ moment[done, columns]
        moment[block, columns] -= (moment[done, block] * variance[:, None]).T @ weight[done, columns]


def _eliminate_leaf(weight: FloatArray, moment: FloatArray | None) -> FloatArray:
    """Like `_eliminate_rows`, one node at a time."""
    size = len(weight)
    variance = np.empty(size)
    for k in range(size):
        later = slice(k + 1, None)
        row = weight[k, later]
        variance[k] = 1.0 / row.sum()
        share = (row[: size - k - 1] * variance[k])[:, None]
        weight[later, later] += share * row
        if moment is not None:
            row_moment = moment[k, later]
            moment[later, later] += share * row_moment - row_moment[: size - k - 1, None] * (row * variance[k])
    return variance


def _blocks(size: int, step: int) -> list[slice]:
    return [slice(k, min(k + step, size)) for k in range(0, size, step)]


def _blocks_backward(size: int, width: int) -> list[tuple[slice, slice]]:
    """Return blocks of the eliminated nodes from last to first, each with everything after it."""
    return [(block, slice(block.stop, width)) for block in reversed(_blocks(size, _BLOCK))]


def _squared_distances(rows: FloatArray) -> FloatArray:
    """Return squared distances between the rows of a matrix, without cancellation for close ones."""
    product = rows @ rows.T
    size = np.add.outer(np.diag(product), np.diag(product))
    squared: FloatArray = size - (product + product.T)
    _tell_apart(squared, size, rows, rows, 1.0)
    return squared


def _between_means(mean: FloatArray, far: FloatArray, spread: FloatArray) -> FloatArray:
    """Return squared distances of weighted means, shape (b, b); `far` is `mean` times the squared distances.

    Means that nearly coincide are distinguished by the difference of their weights.
    """
    product = mean @ far.T
    size = np.add.outer(spread, spread)
    squared: FloatArray = 0.5 * (product + product.T) - size
    _tell_apart(squared, size, mean, far, -0.5)
    return squared


def _tell_apart(squared: FloatArray, size: FloatArray, one: FloatArray, other: FloatArray, factor: float) -> None:
    """Recompute small squared distances in place: ``factor * (one[i] - one[j]) @ (other[i] - other[j])``."""
    first, second = np.nonzero(np.triu(squared < _NEAR_SHARE * size, 1))
    at_once = max(_NEAR_ENTRIES // max(one.shape[1], 1), 1)
    for start in range(0, len(first), at_once):
        i, j = first[start : start + at_once], second[start : start + at_once]
        exact = factor * ((one[i] - one[j]) * (other[i] - other[j])).sum(axis=1)
        squared[i, j] = squared[j, i] = np.maximum(exact, 0.0)
    np.fill_diagonal(squared, 0.0)


def _unit_inverse(strict: FloatArray) -> FloatArray:
    """Return the inverse of ``1 - strict`` for a strictly upper triangular, non-negative matrix."""
    # There is no cancellation in the inverse of a triangular M-matrix: it is a sum of products of entries of `strict`.
    inverse, _ = lapack.dtrtri(-strict, lower=0, unitdiag=1)
    np.fill_diagonal(inverse, 1.0)
    result: FloatArray = np.ascontiguousarray(inverse)
    return result
