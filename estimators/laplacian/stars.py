"""Star-mesh transforms: elimination of nodes with few neighbours, many independent ones at a time.

Owns the sparse beginning of an elimination. Once every node has many neighbours, `fronts` eliminates the rest;
`elimination` combines both.

A node with weights w_i to its neighbours is removed by the star-mesh transform: each pair of neighbours gains an edge
of weight ``w_i w_j / sum(w)`` and value ``d_j - d_i``, and parallel edges merge by weighted mean. This is Gaussian
elimination of the weighted Laplacian, but nothing is ever subtracted from a weight.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

__all__ = ["Graph", "Stars", "eliminate_stars", "merge"]

#: Maximum number of neighbours of a node eliminated as a star: with more, it leaves too many edges.
_MOST_RAYS = 8
#: In smaller graphs, stars bring no advantage.
_SMALL = 64

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Stars:
    """c independent nodes of d neighbours each, eliminated together.

    Given its neighbours, node k is ``transfer[k] @ f[neighbours[k]] - offset[k]``, with ``variance[k]``.

    Attributes
    ----------
    nodes : ndarray, shape (c,)
        Eliminated nodes.
    neighbours : ndarray, shape (c, d)
        Their neighbours.
    transfer : ndarray, shape (c, d)
        Weights of the neighbours.
    variance : ndarray, shape (c,)
        Variance given the neighbours.
    offset : ndarray, shape (c,)
        Shift given the neighbours.
    """

    nodes: IntArray  # (c,)
    neighbours: IntArray  # (c, d)
    transfer: FloatArray  # (c, d)
    variance: FloatArray  # (c,)
    offset: FloatArray  # (c,)

    def take(self, chosen: NDArray[np.bool_]) -> Stars:
        """Return the chosen nodes, shape (c,)."""
        if chosen.all():
            return self
        nodes, neighbours, transfer = self.nodes[chosen], self.neighbours[chosen], self.transfer[chosen]
        return Stars(nodes, neighbours, transfer, self.variance[chosen], self.offset[chosen])

    def matrix(self, n_nodes: int, place: IntArray | None = None) -> csr_array:
        """Return the transfers as a sparse matrix, shape (c, n_nodes); `place` renumbers the neighbours.

        Parameters
        ----------
        n_nodes : int
            Number of columns.
        place : ndarray, shape (n,), optional
            Column of each node; by default, its own number.
        """
        starts = np.arange(0, self.neighbours.size + 1, self.neighbours.shape[1])
        columns = self.neighbours.ravel() if place is None else place[self.neighbours.ravel()]
        return csr_array((self.transfer.ravel(), columns, starts), shape=(len(self.nodes), n_nodes))


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """Merged edges between remaining nodes, ``tail < head``, sorted by (tail, head).

    Attributes
    ----------
    tail : ndarray, shape (m,)
        Lower node of each edge.
    head : ndarray, shape (m,)
        Higher node of each edge.
    weight : ndarray, shape (m,)
        Sum of the weights of the merged edges, inverse variances.
    moment : ndarray, shape (m,)
        Weight times the value from tail to head.
    """

    tail: IntArray
    head: IntArray
    weight: FloatArray
    moment: FloatArray  # weight times the value from tail to head


def eliminate_stars(n_nodes: int, graph: Graph) -> tuple[tuple[Stars, ...], Graph, IntArray]:
    """Eliminate nodes with few neighbours while there are any.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    graph : Graph
        Its edges, which connect every node.

    Returns
    -------
    tuple of Stars
        In the order of elimination.
    Graph
        The remaining graph, with the same numbers.
    ndarray of int
        Remaining nodes, ascending; at least one.
    """
    # Ties between equal degrees are broken by a fixed shuffle: neighbours with consecutive numbers, as in a chain,
    # would otherwise be eliminated one at a time.
    tie_break = np.random.default_rng(0).permutation(n_nodes)
    remaining = np.ones(n_nodes, dtype=bool)
    stars: list[Stars] = []
    while int(remaining.sum()) > _SMALL:
        degree = np.bincount(graph.tail, minlength=n_nodes) + np.bincount(graph.head, minlength=n_nodes)
        chosen = _independent(graph, degree, tie_break) & remaining
        if not chosen.any():
            break
        batch, graph = _remove(n_nodes, graph, chosen, degree)
        stars += batch
        remaining &= ~chosen
    return tuple(stars), graph, np.flatnonzero(remaining)


def merge(n_nodes: int, tail: IntArray, head: IntArray, weight: FloatArray, moment: FloatArray) -> Graph:
    """Orient all edges as ``tail < head`` and merge parallel ones.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    tail : ndarray, shape (m,)
        Nodes where the edges start.
    head : ndarray, shape (m,)
        Nodes where the edges end.
    weight : ndarray, shape (m,)
        Inverse variances.
    moment : ndarray, shape (m,)
        Weight times the value from tail to head.
    """
    forward = tail < head
    keys = np.where(forward, tail, head) * n_nodes + np.where(forward, head, tail)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    starts = np.flatnonzero(np.diff(keys, prepend=-1))
    merged = keys[starts]
    return Graph(
        tail=merged // n_nodes,
        head=merged % n_nodes,
        weight=np.add.reduceat(weight[order], starts),
        moment=np.add.reduceat(np.where(forward, moment, -moment)[order], starts),
    )


def _independent(graph: Graph, degree: IntArray, tie_break: IntArray) -> NDArray[np.bool_]:
    """Mark nodes with few neighbours that precede all their neighbours."""
    n_nodes = len(degree)
    priority = degree * n_nodes + tie_break
    foremost = np.full(n_nodes, np.iinfo(np.int64).max)
    np.minimum.at(foremost, graph.tail, priority[graph.head])
    np.minimum.at(foremost, graph.head, priority[graph.tail])
    chosen: NDArray[np.bool_] = (priority < foremost) & (degree <= _MOST_RAYS)
    return chosen


def _remove(n_nodes: int, graph: Graph, chosen: NDArray[np.bool_], degree: IntArray) -> tuple[list[Stars], Graph]:
    """Return the star-mesh transform of independent nodes, and the graph without them."""
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
    merged = merge(
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
    """Yield rays of nodes of equal degree; the input is sorted by degree, then node."""
    sizes, starts = np.unique(degree, return_index=True)
    stops = [*starts[1:], len(degree)]
    for size, start, stop in zip(sizes.tolist(), starts, stops, strict=True):
        part = slice(start, stop)
        yield size, (source[part], target[part], weight[part], moment[part])


def _star_to_mesh(
    size: int, source: IntArray, target: IntArray, weight: FloatArray, moment: FloatArray
) -> tuple[Stars, _Rays]:
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
    return Stars(source[::size], neighbours, transfer, 1.0 / total, moments.sum(axis=1) / total), mesh
