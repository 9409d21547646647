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

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Front:
    """k eliminated nodes before b others.

    Given all nodes after it, node i is ``transfer[i, later] @ f[later]`` plus noise of ``variance[i]``, minus
    ``offset[i]``.

    Attributes
    ----------
    transfer : ndarray, shape (k, k + b)
        Non-negative; right of the diagonal, rows sum to one. The rest is unused.
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
        size, width = self.transfer.shape
        result = np.concatenate([right, later])
        for block in reversed(_blocks(size, _BLOCK)):
            rest = slice(block.stop, width)
            pulled = result[block] + self.transfer[block, rest] @ result[rest]
            result[block] = _solve(self.transfer[block, block], pulled, transposed=False)
        return result[:size]

    def forward_substitute(self, here: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Transpose of `back_substitute`: the part of ``here``, shape (k, c), that reaches the k nodes and the b."""
        size, width = self.transfer.shape
        result = np.zeros((width, here.shape[1]))
        result[:size] = here
        for block in _blocks(size, _BLOCK):
            rest = slice(block.stop, width)
            result[block] = _solve(self.transfer[block, block], result[block], transposed=True)
            result[rest] += self.transfer[block, rest].T @ result[block]
        return result[:size], result[size:]

    def resistances(self, later: FloatArray, grounded: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return variances of the differences of all k + b nodes, and to a ground, from those of the b later ones.

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
        for block in self.blocks():
            rest = slice(block.stop, width)
            away, apart = self.separate(block, result[rest, rest.start :], slice(0, -1))
            result[block, rest.start :] = away
            result[rest, block] = away[:, :-1].T
            result[block, block] = apart
        return result[:, :-1], result[:, -1]

    def blocks(self) -> list[slice]:
        """Return blocks of the eliminated nodes, from last to first."""
        return _blocks(len(self.variance), _LEAF)[::-1]

    def separate(self, block: slice, later: FloatArray, columns: slice | IntArray) -> tuple[FloatArray, FloatArray]:
        """Return variances of the differences of a block of nodes to others, and within the block.

        From the last node to the first. Given the later ones, a node is their mean by transfer plus noise, and
        variances of differences are squared distances r: with t the transfer, the distance to j is ``variance + sum_i
        t_i r_ij - spread``, where ``spread = sum_ij t_i t_j r_ij / 2``. A node of d later neighbours has a spread of
        at most d - 1 times its variance (the path through it bounds r_ij), so the difference loses no digits, however
        far apart the weights are.

        Parameters
        ----------
        block : slice
            Some eliminated nodes.
        later : ndarray, shape (k + b - block.stop, q)
            Variances of the differences of everything after the block in this front to q nodes that are not earlier.
        columns : slice or ndarray of int
            Positions of the former among the q nodes.

        Returns
        -------
        ndarray, shape (length of block, q)
            From the block to the q nodes.
        ndarray, shape (length of block, length of block)
            Within the block.
        """
        size = block.stop - block.start
        own, rest = self.transfer[block, block], self.transfer[block, block.stop :]
        far = rest @ later
        near = far[:, columns]
        apart = np.zeros((size, size))
        for k in reversed(range(size)):
            after = slice(k + 1, size)
            share = own[k, after]
            within = near[after] @ rest[k] + apart[after, after] @ share
            far[k] += share @ far[after]
            spread = 0.5 * (share @ within + rest[k] @ far[k, columns])
            beyond = self.variance[block.start + k] - spread
            far[k] += beyond
            near[k] = far[k, columns]
            apart[k, after] = apart[after, k] = within + beyond
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


def _solve(transfer: FloatArray, right: FloatArray, *, transposed: bool) -> FloatArray:
    """Solve ``x = transfer x + right`` for the part of a transfer right of the diagonal, or for its transpose."""
    solved, _ = lapack.dtrtrs(-transfer.T, right, lower=1, trans=int(not transposed), unitdiag=1)
    return np.asarray(solved)


def _unit_inverse(strict: FloatArray) -> FloatArray:
    """Return the inverse of ``1 - strict`` for a strictly upper triangular, non-negative matrix."""
    # There is no cancellation in the inverse of a triangular M-matrix: it is a sum of products of entries of `strict`.
    inverse, _ = lapack.dtrtri(-strict, lower=0, unitdiag=1)
    np.fill_diagonal(inverse, 1.0)
    result: FloatArray = np.ascontiguousarray(inverse)
    return result
