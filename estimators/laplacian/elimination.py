"""Exact elimination of a network of measured differences, whatever the spread of its weights.

Owns the linear algebra of one connected network with finite positive weights: potentials, and variances of any
difference of potentials. Gauges, zero uncertainties, disconnected networks and labels are in `network_solution` and
`network_mle`.

It is Gaussian elimination of the weighted Laplacian, but nothing is ever subtracted from a weight and the Laplacian's
diagonal is never formed, so weights twenty decades apart do not lose one another, whereas a pseudo-inverse in double
precision loses everything below its cut-off. Nodes with few neighbours are eliminated first, many independent ones at
a time (`stars`); the rest by dense fronts (`fronts`).

No library replaces it. Sparse factorisations (CHOLMOD, SuperLU) form the diagonal and subtract from it, and lack the
selected inverse, which gives the standard errors of all nodes and edges without a dense matrix.

Variances are computed in reverse order, without the full covariance, as variances of differences. These are squared
distances: a node is the weighted mean of its later neighbours plus noise, and the distance of that mean from anything
follows from the distances of the neighbours.

References
----------
Grassmann, Taksar & Heyman 1985, doi:10.1287/opre.33.5.1107; Alfa, Xue & Ye 2002,
doi:10.1090/S0025-5718-01-01325-4 (entrywise accuracy); Erisman & Tinney 1975, doi:10.1145/360680.360704
(the recursion for variances); Fouss et al. 2007, doi:10.1109/TKDE.2007.46 (differences as distances).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .fronts import FrontTree, eliminate_by_fronts
from .stars import Stars, eliminate_stars, merge

__all__ = ["Elimination", "eliminate"]

#: With weights closer than this, contrasts of a few pairs are exact too: their relative error is a rounding times the
#: square root of that ratio.
_NARROW = 1e8
#: All pairs of more nodes are not computed at once (3.2 GB).
_MOST_PAIRED = 20_000
#: Number of contrasts at once.
_COLUMNS = 64

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Elimination:
    """A connected network of n nodes, eliminated. Everything is relative to the last node of the core, or to its mean.

    Attributes
    ----------
    n_nodes : int
        Number of nodes.
    stars : tuple
        The sparse part, in the order of elimination.
    core : FrontTree
        The rest.
    narrow : bool
        Whether its weights are within eight decades.
    """

    n_nodes: int
    stars: tuple[Stars, ...]
    core: FrontTree
    narrow: bool

    def potentials(self) -> FloatArray:
        """Return the maximum-likelihood potentials, shape (n,)."""
        result = np.zeros(self.n_nodes)
        result[self.core.order] = self.core.potentials()
        for star in reversed(self.stars):
            result[star.nodes] = (star.transfer * result[star.neighbours]).sum(axis=1) - star.offset
        return result

    def covariance_times(self, columns: FloatArray) -> FloatArray:
        """Return the product of the covariance with ``columns``, both of shape (n, c)."""
        result = np.array(columns, dtype=np.float64)
        for star in self.stars:
            result += star.matrix(self.n_nodes).T @ result[star.nodes]
        core = self.core.order
        result[core] = self.core.covariance_times(result[core])
        for star in reversed(self.stars):
            carried = star.matrix(self.n_nodes) @ result
            result[star.nodes] = star.variance[:, None] * result[star.nodes] + carried
        return result

    def contrast_variances(self, columns: FloatArray) -> FloatArray:
        """Return the variance of each contrast ``columns[:, c] @ potentials``, shape (c,); each column sums to zero.

        A sum of squares over the eliminated nodes. What arrives at a node from both ends of a strong edge may cancel:
        the relative error is up to ``1e-16 sqrt(max(weight) / min(weight))``. `pair_variances` loses nothing.
        """
        carried = np.array(columns, dtype=np.float64)
        result = np.zeros(carried.shape[1])
        for star in self.stars:
            here = carried[star.nodes]
            result += star.variance @ here**2
            carried += star.matrix(self.n_nodes).T @ here
        return result + self.core.contrast_variances(carried[self.core.order])

    def draws(self, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Return normal draws with the covariance of the potentials, shape (n, n_draws).

        Given its later neighbours a star is their weighted mean plus independent noise.

        Parameters
        ----------
        n_draws : int
            Number of draws.
        rng : numpy.random.Generator
            Source of random numbers.
        """
        result = np.zeros((self.n_nodes, n_draws))
        result[self.core.order] = self.core.draws(n_draws, rng)
        for star in reversed(self.stars):
            noise = np.sqrt(star.variance)[:, None] * rng.standard_normal((len(star.nodes), n_draws))
            result[star.nodes] = star.matrix(self.n_nodes) @ result + noise
        return result

    def pair_variances(self, one: IntArray, other: IntArray) -> FloatArray:
        """Return the variances of the differences of pairs of nodes, shape (k,).

        Parameters
        ----------
        one : ndarray, shape (k,)
            First nodes.
        other : ndarray, shape (k,)
            Second nodes.
        """
        needed = self._ancestors(np.concatenate([one, other]))
        n_needed = int(needed.sum())
        if n_needed <= _MOST_PAIRED and not (self.narrow and len(one) < n_needed):
            among, rank = self._among(needed)
            return among[rank[one], rank[other]]
        result = np.empty(len(one))
        for start in range(0, len(one), _COLUMNS):
            some = slice(start, start + _COLUMNS)
            columns = np.zeros((self.n_nodes, len(one[some])))
            every = np.arange(columns.shape[1])
            columns[one[some], every] += 1.0
            columns[other[some], every] -= 1.0
            result[some] = self.contrast_variances(columns)
        return result

    def resistances(self) -> FloatArray:
        """Return the variance of the difference of every pair of potentials, shape (n, n), diagonal zero."""
        among, rank = self._among(np.ones(self.n_nodes, dtype=np.bool_))
        return among[np.ix_(rank, rank)]

    def _among(self, needed: NDArray[np.bool_]) -> tuple[FloatArray, IntArray]:
        """Return variances of the differences of all pairs of some nodes, and the row of each node.

        Parameters
        ----------
        needed : ndarray of bool, shape (n,)
            The nodes, each with all that `_ancestors` adds.
        """
        # In the order of elimination, everything known so far is contiguous.
        order = np.concatenate([*(star.nodes for star in self.stars), self.core.order])
        order = order[needed[order]]
        rank = np.full(self.n_nodes, -1)
        rank[order] = np.arange(len(order))
        result = self.core.resistances(rank[self.core.order], len(order))
        stop = len(order) - int(needed[self.core.order].sum())
        for star in reversed(self.stars):
            some = star.take(needed[star.nodes])
            here, later = slice(stop - len(some.nodes), stop), slice(stop, None)
            transfer = some.matrix(len(order), rank)[:, stop:]
            rows = transfer @ result[later, later]
            mutual = transfer @ np.ascontiguousarray(rows.T)
            own = some.variance - 0.5 * np.diag(mutual)
            mutual = 0.5 * (mutual + mutual.T) + np.add.outer(own, own)
            np.fill_diagonal(mutual, 0.0)
            result[here, here] = mutual
            rows += own[:, None]
            result[here, later] = rows
            result[later, here] = rows.T
            stop = here.start
        return result, rank

    def _ancestors(self, nodes: IntArray) -> NDArray[np.bool_]:
        """Return which nodes the variances of differences of some nodes follow from, shape (n,)."""
        needed = np.zeros(self.n_nodes, dtype=np.bool_)
        needed[nodes] = True
        for star in self.stars:
            needed[star.neighbours[needed[star.nodes]]] = True
        core = self.core.order
        needed[core] = self.core.ancestors(needed[core])
        return needed

    def variances(self, tail: IntArray, head: IntArray) -> tuple[FloatArray, FloatArray]:
        """Return variances of the potentials, and of their differences along edges, from the sparse pattern alone.

        Parameters
        ----------
        tail, head : ndarray of int, shape (m,)
            Pairs that were connected by an edge in the eliminated network.

        Returns
        -------
        ndarray, shape (n,)
            Variances, with the same reference as `potentials` and `covariance_times`.
        ndarray, shape (m,)
            Variances of ``f[head] - f[tail]``.
        """
        result = np.empty(self.n_nodes)
        result[self.core.order], along = self.core.variances()
        pattern = _Pattern.of(self, along)
        for star in reversed(self.stars):
            # With y the mean of the neighbours by transfer, |k - j|^2 = variance + |y - j|^2, and in squared
            # distances |y - j|^2 = sum_i t_i |i - j|^2 - spread, where spread = sum_ij t_i t_j |i - j|^2 / 2.
            # The spread is at most (d^2 / 2) times the variance, so that the difference loses no digits.
            rows = np.einsum("kij,kj->ki", pattern.among(star.neighbours), star.transfer)
            own = star.variance - 0.5 * (star.transfer * rows).sum(axis=1)
            result[star.nodes] = own + (star.transfer * result[star.neighbours]).sum(axis=1)
            pattern.learn(star, rows + own[:, None])
        return result, pattern.pairs(tail, head)


@dataclass(frozen=True, slots=True, eq=False)
class _Pattern:
    """Variances of the differences of neighbours, which are all that the recursion needs.

    The neighbours of an eliminated node have become neighbours of each other, so a pair of them is either an edge of
    the core or among the neighbours of the one that was eliminated first.
    """

    rank: IntArray  # (n,) order of elimination
    keys: IntArray  # sorted rank pairs, one per edge of the pattern
    values: FloatArray  # variances of their differences, filled as the recursion goes

    @classmethod
    def of(cls, elimination: Elimination, along_core: FloatArray) -> _Pattern:
        """Return the pattern of an elimination, with the values of the core's edges."""
        stars, core = elimination.stars, elimination.core
        rank = _inverse(np.concatenate([*(star.nodes for star in stars), core.order]))
        keys = [cls._keys(rank, star.nodes[:, None], star.neighbours).ravel() for star in stars]
        of_core = cls._keys(rank, core.order[core.tail], core.order[core.head])
        known = np.sort(np.concatenate([*keys, of_core]))
        values = np.empty(len(known))
        values[np.searchsorted(known, of_core)] = along_core
        return cls(rank, known, values)

    @staticmethod
    def _keys(rank: IntArray, one: IntArray, other: IntArray) -> IntArray:
        low, high = np.minimum(rank[one], rank[other]), np.maximum(rank[one], rank[other])
        keys: IntArray = low * len(rank) + high
        return keys

    def learn(self, star: Stars, rows: FloatArray) -> None:
        """Store the variances between eliminated nodes and their neighbours."""
        keys = self._keys(self.rank, star.nodes[:, None], star.neighbours)
        self.values[np.searchsorted(self.keys, keys)] = rows

    def among(self, neighbours: IntArray) -> FloatArray:
        """Return variances of differences among each row of mutual neighbours, shape (c, d, d)."""
        n_rows, degree = neighbours.shape
        block = np.zeros((n_rows, degree, degree))
        left, right = np.triu_indices(degree, 1)
        pairs = self.pairs(neighbours[:, left], neighbours[:, right])
        block[:, left, right] = pairs
        block[:, right, left] = pairs
        return block

    def pairs(self, one: IntArray, other: IntArray) -> FloatArray:
        """Return variances of the differences of neighbours, in the shape of `one` and `other`."""
        return self.values[np.searchsorted(self.keys, self._keys(self.rank, one, other))]


def eliminate(n_nodes: int, tail: IntArray, head: IntArray, weight: FloatArray, value: FloatArray) -> Elimination:
    """Eliminate a connected network of measured differences.

    Parameters
    ----------
    n_nodes : int
        Number of nodes, all of them connected by the edges.
    tail, head : ndarray of int, shape (m,)
        Ends of the edges, ``tail != head``. Parallel and reverse edges are allowed.
    weight : ndarray, shape (m,)
        Inverse variances, positive and finite.
    value : ndarray, shape (m,)
        Measured ``f[head] - f[tail]``.

    Returns
    -------
    Elimination
        Provides potentials and variances.

    Raises
    ------
    EstimatorInputError
        If the network needs more memory than this machine has.
    """
    stars, graph, nodes = eliminate_stars(n_nodes, merge(n_nodes, tail, head, weight, weight * value))
    narrow = not len(weight) or float(weight.max()) <= _NARROW * float(weight.min())
    core = eliminate_by_fronts(nodes, graph.tail, graph.head, graph.weight, graph.moment)
    return Elimination(n_nodes, stars, core, narrow)


def _inverse(order: IntArray) -> IntArray:
    """Return the position of each number 0 ... n - 1 in `order`."""
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))
    return place
