"""Bridges and cut vertices of a graph, by one depth-first search.

References
----------
Tarjan 1974, "A note on finding the bridges of a graph", doi:10.1016/0020-0190(74)90003-9.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Criticality", "criticality"]

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Criticality:
    """Bridges and cut vertices of a graph with n nodes and m edges.

    Attributes
    ----------
    bridge : ndarray of bool, shape (m,)
        Edges without which a component falls apart; never one of parallel edges, never a loop.
    beyond : ndarray of int, shape (m,)
        Number of nodes on one side of each bridge; 0 for other edges.
    cut : ndarray of bool, shape (n,)
        Nodes without which a component falls apart.
    """

    bridge: BoolArray
    beyond: IntArray
    cut: BoolArray


def criticality(n_nodes: int, tail: IntArray, head: IntArray) -> Criticality:
    """Find bridges and cut vertices.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    tail, head : ndarray of int, shape (m,)
        Ends of the edges.
    """
    near: list[list[tuple[int, int]]] = [[] for _ in range(n_nodes)]
    for edge, (a, b) in enumerate(zip(tail.tolist(), head.tolist(), strict=True)):
        if a != b:
            near[a].append((b, edge))
            near[b].append((a, edge))
    beyond, cut = np.zeros(len(tail), dtype=np.int64), np.zeros(n_nodes, dtype=np.bool_)
    order, low = [-1] * n_nodes, [0] * n_nodes
    clock = 0
    for start in range(n_nodes):
        if order[start] < 0:
            clock = _search(start, clock, near, order, low, beyond, cut)
    return Criticality(beyond > 0, beyond, cut)


def _search(
    start: int,
    clock: int,
    near: list[list[tuple[int, int]]],
    order: list[int],
    low: list[int],
    beyond: IntArray,
    cut: BoolArray,
) -> int:
    """Search one component without recursion; marks bridges and cut vertices, and returns the clock."""
    order[start] = low[start] = clock
    children = 0
    stack = [(start, -1, iter(near[start]))]
    while stack:
        node, came, rest = stack[-1]
        step = next(((other, edge) for other, edge in rest if edge != came), None)
        if step is None:
            stack.pop()
            if stack:
                parent = stack[-1][0]
                low[parent] = min(low[parent], low[node])
                if low[node] > order[parent]:
                    # what was found since the node is what lies beyond
                    beyond[came] = clock - order[node] + 1
                cut[parent] |= parent != start and low[node] >= order[parent]
        elif order[step[0]] >= 0:
            low[node] = min(low[node], order[step[0]])
        else:
            clock += 1
            children += node == start
            order[step[0]] = low[step[0]] = clock
            stack.append((step[0], step[1], iter(near[step[0]])))
    cut[start] = children > 1
    return clock + 1
