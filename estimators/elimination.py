"""Exact elimination of a network of measured differences, whatever the spread of its weights.

Owns the linear algebra of one connected network with finite positive weights: potentials relative to a
ground node, their covariance, or their variances alone. Gauges, zero uncertainties, disconnected
networks and everything with a name are `network_mle`'s.

A node with weights w_i to its neighbours is removed by the star-mesh transform: each pair of neighbours
gains an edge of weight ``w_i w_j / sum(w)`` and value ``d_j - d_i``, and parallel edges merge by weighted
mean. That is Gaussian elimination of the weighted Laplacian, but nothing is ever subtracted from a weight
and the Laplacian's diagonal is never formed, so weights that lie twenty decades apart cannot drown one
another, where a pseudo-inverse in double precision loses everything below its cut-off.

Nodes with few neighbours go first, many independent ones at a time, at a cost that follows the edges;
when the remaining graph has filled up it is finished as one dense core. Variances without the full
covariance come from Takahashi's recursion on the sparse pattern.

References
----------
Grassmann, Taksar & Heyman 1985, doi:10.1287/opre.33.5.1107; Alfa, Xue & Ye 2002,
doi:10.1090/S0025-5718-01-01325-4 (entrywise accuracy); Erisman & Tinney 1975, doi:10.1145/360680.360704
(Takahashi's recursion).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from estimators.dense_core import DenseCore, eliminate_dense

__all__ = ["Elimination", "eliminate"]

#: A graph this small goes straight to the dense core.
_SMALL = 64
#: Once every remaining node has this many neighbours, and this share of the other remaining nodes among
#: them, a dense matrix is faster.
_FILLED_DEGREE = 12
_FILLED_SHARE = 0.02

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class _Stars:
    """c independent nodes of d neighbours each, eliminated together.

    Given its neighbours, node k is ``transfer[k] @ f[neighbours[k]] - offset[k]``, with ``variance[k]``.
    """

    nodes: IntArray  # (c,)
    neighbours: IntArray  # (c, d)
    transfer: FloatArray  # (c, d)
    variance: FloatArray  # (c,)
    offset: FloatArray  # (c,)


@dataclass(frozen=True, slots=True, eq=False)
class _Graph:
    """Merged edges between remaining nodes, ``tail < head``, sorted by (tail, head)."""

    tail: IntArray
    head: IntArray
    weight: FloatArray
    moment: FloatArray  # weight times the value from tail to head


@dataclass(frozen=True, slots=True, eq=False)
class Elimination:
    """A connected network of n nodes, eliminated. All results are relative to one node, the ground.

    Attributes
    ----------
    n_nodes : int
        Number of nodes.
    stars : tuple
        The sparse part, in the order of elimination.
    core_nodes : ndarray of int, shape (r,)
        Nodes of the dense rest; the last is the ground.
    core : DenseCore
        The dense rest.
    """

    n_nodes: int
    stars: tuple[_Stars, ...]
    core_nodes: IntArray
    core: DenseCore

    def potentials(self) -> FloatArray:
        """Maximum-likelihood potentials, shape (n,), zero at the ground."""
        result = np.zeros(self.n_nodes)
        result[self.core_nodes] = self.core.back_substitute(-self.core.offset)
        for star in reversed(self.stars):
            result[star.nodes] = (star.transfer * result[star.neighbours]).sum(axis=1) - star.offset
        return result

    def resistances(self) -> FloatArray:
        """Variance of the difference of every pair of potentials, shape (n, n), diagonal zero."""
        result = np.zeros((self.n_nodes, self.n_nodes))
        result[np.ix_(self.core_nodes, self.core_nodes)] = self.core.resistances()
        for star in reversed(self.stars):
            starts = np.arange(0, star.neighbours.size + 1, star.neighbours.shape[1])
            shape = (len(star.nodes), self.n_nodes)
            transfer = csr_array((star.transfer.ravel(), star.neighbours.ravel(), starts), shape=shape)
            rows = transfer @ result
            mutual = transfer @ np.ascontiguousarray(rows.T)
            own = star.variance - 0.5 * np.diag(mutual)
            mutual += np.add.outer(own, own)
            np.fill_diagonal(mutual, 0.0)
            rows += own[:, None]
            rows[:, star.nodes] = 0.5 * (mutual + mutual.T)
            result[star.nodes] = rows
            result[:, star.nodes] = rows.T
        return result

    def covariance_times(self, vector: FloatArray) -> FloatArray:
        """Product of the covariance with a vector, both of shape (n,), without forming the covariance."""
        result = np.array(vector, dtype=np.float64)
        for star in self.stars:
            np.add.at(result, star.neighbours, star.transfer * result[star.nodes][:, None])
        forward = self.core.forward_substitute(result[self.core_nodes])
        result[self.core_nodes] = self.core.back_substitute(forward * self.core.variance)
        for star in reversed(self.stars):
            carried = (star.transfer * result[star.neighbours]).sum(axis=1)
            result[star.nodes] = star.variance * result[star.nodes] + carried
        return result

    def contrast_variances(self, columns: FloatArray) -> FloatArray:
        """Variance of each contrast ``columns[:, c] @ potentials``, shape (c,); each column adds up to zero.

        A sum of squares over the eliminated nodes: nothing large is subtracted from anything large.
        """
        carried = np.array(columns, dtype=np.float64)
        result = np.zeros(carried.shape[1])
        for star in self.stars:
            here = carried[star.nodes]
            result += star.variance @ here**2
            starts = np.arange(0, star.neighbours.size + 1, star.neighbours.shape[1])
            transfer = csr_array(
                (star.transfer.ravel(), star.neighbours.ravel(), starts), shape=(len(star.nodes), self.n_nodes)
            )
            carried += transfer.T @ here
        result += self.core.variance @ self.core.forward_substitute(carried[self.core_nodes]) ** 2
        return result

    def variances(self, tail: IntArray, head: IntArray) -> tuple[FloatArray, FloatArray]:
        """Variances of the potentials, and of their differences along edges, from the sparse pattern alone.

        Parameters
        ----------
        tail, head : ndarray of int, shape (m,)
            Pairs that were joined by an edge in the network eliminated.

        Returns
        -------
        ndarray, shape (n,)
            Variances relative to the ground.
        ndarray, shape (m,)
            Variances of ``f[head] - f[tail]``.
        """
        core = self.core.resistances()
        result = np.empty(self.n_nodes)
        result[self.core_nodes] = core[-1]
        pattern = _Pattern.of(self, core)
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
    """Variances of differences of eliminated nodes to their neighbours: all that the recursion asks for.

    The neighbours of an eliminated node have become neighbours of each other, so a pair of them is either
    inside the dense core or among the neighbours of whichever of the two went first.
    """

    rank: IntArray  # (n,) when a node went; nodes of the core last, in the core's order
    first_core_rank: int
    keys: IntArray  # sorted rank pairs, one per edge of the pattern
    values: FloatArray  # variances of their differences, filled as the recursion goes
    core: FloatArray

    @classmethod
    def of(cls, elimination: Elimination, core: FloatArray) -> _Pattern:
        """Pattern of an elimination, still without values."""
        order = [*(star.nodes for star in elimination.stars), elimination.core_nodes]
        rank = np.empty(elimination.n_nodes, dtype=np.int64)
        rank[np.concatenate(order)] = np.arange(elimination.n_nodes)
        keys = [cls._keys(rank, star.nodes[:, None], star.neighbours).ravel() for star in elimination.stars]
        known = np.sort(np.concatenate(keys)) if keys else np.empty(0, dtype=np.int64)
        first_core_rank = elimination.n_nodes - len(elimination.core_nodes)
        return cls(rank, first_core_rank, known, np.empty(len(known)), core)

    @staticmethod
    def _keys(rank: IntArray, one: IntArray, other: IntArray) -> IntArray:
        low, high = np.minimum(rank[one], rank[other]), np.maximum(rank[one], rank[other])
        keys: IntArray = low * len(rank) + high
        return keys

    def learn(self, star: _Stars, rows: FloatArray) -> None:
        """Keep what separates eliminated nodes from their neighbours."""
        keys = self._keys(self.rank, star.nodes[:, None], star.neighbours)
        self.values[np.searchsorted(self.keys, keys)] = rows

    def among(self, neighbours: IntArray) -> FloatArray:
        """Variances of differences among each row of mutual neighbours, shape (c, d, d)."""
        n_rows, degree = neighbours.shape
        block = np.zeros((n_rows, degree, degree))
        left, right = np.triu_indices(degree, 1)
        pairs = self.pairs(neighbours[:, left], neighbours[:, right])
        block[:, left, right] = pairs
        block[:, right, left] = pairs
        return block

    def pairs(self, one: IntArray, other: IntArray) -> FloatArray:
        """Variances of the differences of neighbours, in the shape of `one` and `other`."""
        found = np.empty(one.shape)
        inside = np.minimum(self.rank[one], self.rank[other]) >= self.first_core_rank
        in_core = (
            self.rank[one][inside] - self.first_core_rank,
            self.rank[other][inside] - self.first_core_rank,
        )
        found[inside] = self.core[in_core]
        keys = self._keys(self.rank, one[~inside], other[~inside])
        found[~inside] = self.values[np.searchsorted(self.keys, keys)]
        return found


def eliminate(n_nodes: int, tail: IntArray, head: IntArray, weight: FloatArray, value: FloatArray) -> Elimination:
    """Eliminate a connected network of measured differences.

    Parameters
    ----------
    n_nodes : int
        Number of nodes, all of them reached by the edges.
    tail, head : ndarray of int, shape (m,)
        Ends of the edges, ``tail != head``. Parallel and reverse edges are welcome.
    weight : ndarray, shape (m,)
        Inverse variances, positive and finite.
    value : ndarray, shape (m,)
        Measured ``f[head] - f[tail]``.

    Returns
    -------
    Elimination
        From which potentials, covariance and variances come.
    """
    graph = _merge(n_nodes, tail, head, weight, weight * value)
    # Ties between equal degrees are broken by a fixed shuffle: neighbours with running numbers, as in a
    # chain, would otherwise go one at a time.
    tie_break = np.random.default_rng(0).permutation(n_nodes)
    remaining = np.ones(n_nodes, dtype=bool)
    stars: list[_Stars] = []
    while (n_remaining := int(remaining.sum())) > _SMALL:
        degree = np.bincount(graph.tail, minlength=n_nodes) + np.bincount(graph.head, minlength=n_nodes)
        least = int(degree[remaining].min())
        if least >= max(_FILLED_DEGREE, int(_FILLED_SHARE * n_remaining)):
            break
        chosen = _independent(graph, degree, tie_break, most=least + least // 2) & remaining
        batch, graph = _remove(n_nodes, graph, chosen, degree)
        stars += batch
        remaining &= ~chosen
    core_nodes = np.flatnonzero(remaining)
    return Elimination(n_nodes, tuple(stars), core_nodes, eliminate_dense(*_as_matrices(core_nodes, graph)))


def _merge(n_nodes: int, tail: IntArray, head: IntArray, weight: FloatArray, moment: FloatArray) -> _Graph:
    """Turn all edges to ``tail < head`` and add up parallel ones."""
    forward = tail < head
    keys = np.where(forward, tail, head) * n_nodes + np.where(forward, head, tail)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    merged = keys[starts]
    return _Graph(
        tail=merged // n_nodes,
        head=merged % n_nodes,
        weight=np.add.reduceat(weight[order], starts),
        moment=np.add.reduceat(np.where(forward, moment, -moment)[order], starts),
    )


def _independent(graph: _Graph, degree: IntArray, tie_break: IntArray, *, most: int) -> NDArray[np.bool_]:
    """Mark nodes of at most `most` neighbours that come before all their neighbours."""
    n_nodes = len(degree)
    priority = degree * n_nodes + tie_break
    foremost = np.full(n_nodes, np.iinfo(np.int64).max)
    np.minimum.at(foremost, graph.tail, priority[graph.head])
    np.minimum.at(foremost, graph.head, priority[graph.tail])
    chosen: NDArray[np.bool_] = (priority < foremost) & (degree <= most)
    return chosen


def _remove(n_nodes: int, graph: _Graph, chosen: NDArray[np.bool_], degree: IntArray) -> tuple[list[_Stars], _Graph]:
    """Star-mesh transform of independent nodes: what they leave behind, and the graph without them."""
    from_tail, from_head = chosen[graph.tail], chosen[graph.head]
    source = np.concatenate([graph.tail[from_tail], graph.head[from_head]])
    target = np.concatenate([graph.head[from_tail], graph.tail[from_head]])
    weight = np.concatenate([graph.weight[from_tail], graph.weight[from_head]])
    moment = np.concatenate([graph.moment[from_tail], -graph.moment[from_head]])
    order = np.lexsort((source, degree[source]))
    parts = source[order], target[order], weight[order], moment[order]
    kept = ~(from_tail | from_head)
    edges = [(graph.tail[kept], graph.head[kept], graph.weight[kept], graph.moment[kept])]
    batch = []
    for size, rays in _by_degree(degree[parts[0]], *parts):
        star, mesh = _star_to_mesh(size, *rays)
        batch.append(star)
        edges.append(mesh)
    tails, heads, weights, moments = zip(*edges, strict=True)
    merged = _merge(
        n_nodes,
        np.concatenate(tails),
        np.concatenate(heads),
        np.concatenate(weights),
        np.concatenate(moments),
    )
    return batch, merged


_Rays = tuple[IntArray, IntArray, FloatArray, FloatArray]


def _by_degree(
    degree: IntArray, source: IntArray, target: IntArray, weight: FloatArray, moment: FloatArray
) -> Iterator[tuple[int, _Rays]]:
    """Rays of nodes of equal degree; the input is sorted by degree, then node."""
    sizes, starts = np.unique(degree, return_index=True)
    stops = [*starts[1:], len(degree)]
    for size, start, stop in zip(sizes.tolist(), starts, stops, strict=True):
        part = slice(start, stop)
        yield size, (source[part], target[part], weight[part], moment[part])


def _star_to_mesh(
    size: int, source: IntArray, target: IntArray, weight: FloatArray, moment: FloatArray
) -> tuple[_Stars, _Rays]:
    """Transform stars of `size` rays each into edges between their neighbours."""
    neighbours, weights, moments = (
        target.reshape(-1, size),
        weight.reshape(-1, size),
        moment.reshape(-1, size),
    )
    total = weights.sum(axis=1)
    transfer = weights / total[:, None]
    left, right = np.triu_indices(size, 1)
    mesh = (
        neighbours[:, left].ravel(),
        neighbours[:, right].ravel(),
        (transfer[:, left] * weights[:, right]).ravel(),
        (transfer[:, left] * moments[:, right] - transfer[:, right] * moments[:, left]).ravel(),
    )
    return _Stars(source[::size], neighbours, transfer, 1.0 / total, moments.sum(axis=1) / total), mesh


def _as_matrices(nodes: IntArray, graph: _Graph) -> tuple[FloatArray, FloatArray]:
    """Weights and moments of the remaining graph as two dense matrices in the order of `nodes`."""
    tail, head = np.searchsorted(nodes, graph.tail), np.searchsorted(nodes, graph.head)
    weight = np.zeros((len(nodes), len(nodes)))
    moment = np.zeros_like(weight)
    weight[tail, head] = weight[head, tail] = graph.weight
    moment[tail, head] = graph.moment
    moment[head, tail] = -graph.moment
    return weight, moment
