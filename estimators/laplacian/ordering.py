"""Elimination order of the nodes of a sparse graph, and their grouping into fronts.

Owns the symbolic part, without weights. The order is minimum degree (Liu 1985, doi:10.1145/214392.214398), as
implemented in SuperLU; the elimination tree follows Liu 1990 (doi:10.1137/0611010). The numerics are in `fronts`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, eye_array
from scipy.sparse.linalg import spilu

__all__ = ["EliminationPlan", "plan_fronts"]

#: A graph this small is one front.
_SMALL = 64
#: If a node's later neighbours are this fraction of all later nodes, it starts the last, dense front.
_FILLED_SHARE = 0.8
#: Fronts are merged if they have at most this many nodes together,
_SMALL_FRONT = 24
#: or if the earlier one has at least this fraction of the later one's nodes as neighbours.
_FULL_SHARE = 0.85

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class EliminationPlan:
    """An order of n nodes, divided into fronts of nodes that are eliminated together.

    Attributes
    ----------
    order : ndarray of int, shape (n,)
        Nodes in the order of elimination. The last one, the ground, remains.
    start : ndarray of int, shape (number of fronts + 1,)
        Front k eliminates the positions ``start[k]`` to ``start[k + 1] - 1`` of that order.
    boundary : tuple of ndarray of int
        Later positions that are neighbours of each front's nodes at their elimination, ascending. The first of them
        belongs to the front that receives the remainder of this one.
    """

    order: IntArray
    start: IntArray
    boundary: tuple[IntArray, ...]


def plan_fronts(n_nodes: int, tail: IntArray, head: IntArray) -> EliminationPlan:
    """Plan the elimination of a connected graph.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    tail, head : ndarray of int, shape (m,)
        Ends of its edges, without duplicate pairs.

    Returns
    -------
    EliminationPlan
        Without fronts for a single node.
    """
    last = np.array([n_nodes - 1])
    if n_nodes == 1:
        return EliminationPlan(np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64), ())
    if n_nodes <= _SMALL:
        return EliminationPlan(np.arange(n_nodes), np.array([0, n_nodes - 1]), (last,))
    order = _minimum_degree(n_nodes, tail, head)
    parent = _elimination_tree(n_nodes, *_renumber(n_nodes, order, tail, head))
    order = order[_postorder(parent)]
    low, high = _renumber(n_nodes, order, tail, head)
    starts, boundaries = _join(*_fundamental(n_nodes, low, high))
    return EliminationPlan(order, np.array([*starts, n_nodes - 1]), tuple(boundaries))


def _minimum_degree(n_nodes: int, tail: IntArray, head: IntArray) -> IntArray:
    """Return the minimum degree order."""
    ends = (np.concatenate([tail, head]), np.concatenate([head, tail]))
    # SuperLU orders before it factorises, and does not offer ordering alone. The off-diagonal entries here are so
    # small that its incomplete factorisation drops them at once and costs nothing.
    pattern = coo_array((np.full(2 * len(tail), 1e-30), ends), shape=(n_nodes, n_nodes)).tocsc()
    factors = spilu(
        (pattern + eye_array(n_nodes, format="csc")).tocsc(),
        drop_tol=1.0,
        fill_factor=1.0,
        drop_rule="basic",
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    return np.argsort(factors.perm_c).astype(np.int64)


def _renumber(n_nodes: int, order: IntArray, tail: IntArray, head: IntArray) -> tuple[IntArray, IntArray]:
    """Return edges in positions of the order, the earlier end first, sorted by it."""
    rank = np.empty(n_nodes, dtype=np.int64)
    rank[order] = np.arange(n_nodes)
    low, high = np.minimum(rank[tail], rank[head]), np.maximum(rank[tail], rank[head])
    sequence = np.lexsort((high, low))
    return low[sequence], high[sequence]


def _elimination_tree(n_nodes: int, low: IntArray, high: IntArray) -> list[int]:
    """Return the first later neighbour of each node at its elimination; -1 for the last."""
    sequence = np.lexsort((low, high))
    stops = np.searchsorted(high[sequence], np.arange(n_nodes + 1)).tolist()
    earlier = low[sequence].tolist()
    parent, ancestor = [-1] * n_nodes, [-1] * n_nodes
    for node in range(n_nodes):
        for start in earlier[stops[node] : stops[node + 1]]:
            at = start
            while at not in (-1, node):
                above = ancestor[at]
                ancestor[at] = node
                if above == -1:
                    parent[at] = node
                at = above
    return parent


def _postorder(parent: list[int]) -> IntArray:
    """Return the nodes such that each subtree is contiguous, before its root."""
    children: list[list[int]] = [[] for _ in parent]
    for node, above in enumerate(parent):
        if above >= 0:
            children[above].append(node)
    # Parents first, reversed afterwards.
    found, waiting = [], [len(parent) - 1]
    while waiting:
        node = waiting.pop()
        found.append(node)
        waiting += children[node]
    return np.array(found[::-1], dtype=np.int64)


def _fundamental(n_nodes: int, low: IntArray, high: IntArray) -> tuple[list[int], list[IntArray]]:
    """Return runs of nodes with the same later neighbours: their starts, and these neighbours."""
    cuts = np.searchsorted(low, np.arange(n_nodes + 1))
    # Neighbours that each node receives from its eliminated neighbours.
    handed: dict[int, list[IntArray]] = {}
    starts: list[int] = []
    boundaries: list[IntArray] = []
    before = -1
    for node in range(n_nodes - 1):
        parts = [high[cuts[node] : cuts[node + 1]], *handed.pop(node, ())]
        later = np.unique(np.concatenate(parts)) if len(parts) > 1 else parts[0]
        later = later[np.searchsorted(later, node, side="right") :]
        if len(later) != before - 1 or boundaries[-1][0] != node:
            starts.append(node)
            boundaries.append(later)
        boundaries[-1] = later
        before = len(later)
        if before >= _FILLED_SHARE * (n_nodes - 1 - node):
            boundaries[-1] = np.array([n_nodes - 1])
            break
        handed.setdefault(int(later[0]), []).append(later)
    return starts, boundaries


def _join(starts: list[int], boundaries: list[IntArray]) -> tuple[list[int], list[IntArray]]:
    """Merge fronts with the one that follows and receives them, if few zeros are stored."""
    stops = [*starts[1:], int(boundaries[-1][-1])]
    joined: list[tuple[int, int, IntArray]] = []
    for start, stop, boundary in zip(starts, stops, boundaries, strict=True):
        first = start
        while joined and joined[-1][1] == first and joined[-1][2][0] < stop:
            before, _, narrow = joined[-1]
            wide = stop - first + len(boundary)
            if stop - before > _SMALL_FRONT and len(narrow) < _FULL_SHARE * wide:
                break
            joined.pop()
            first = before
        joined.append((first, stop, boundary))
    return [first for first, _, _ in joined], [boundary for _, _, boundary in joined]
