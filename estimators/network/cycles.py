"""Short independent cycles of a graph.

Owns only the graph theory; `cycle_closure` sums the edges of a cycle. Candidates are those of Horton: a shortest path
from a root to each end of an edge, closed by the edge. They are accepted shortest first if independent of those
accepted before. With every node as root this gives a minimum cycle basis; if nodes times edges exceed
`_MOST_CANDIDATES`, only some nodes are roots, and the shortest cycle through every edge is added: then the cycles are
short, but not proven shortest.

References
----------
Horton 1987, "A polynomial-time algorithm to find the shortest cycle basis of a graph", doi:10.1137/0216026.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from .partition import label_components

__all__ = ["independent_cycles"]

_MOST_CANDIDATES: Final = 40_000

#: Neighbours of each node, with the connecting edge.
_Neighbours = list[list[tuple[int, int]]]


def independent_cycles(n_nodes: int, tail: Sequence[int], head: Sequence[int]) -> list[list[int]]:
    """Return a basis of independent cycles, short ones first.

    Parameters
    ----------
    n_nodes : int
    tail, head : sequence of int, length m
        Ends of the edges; parallel edges make cycles of two, loops are ignored.

    Returns
    -------
    list of list of int
        Each cycle as indices of its edges, in order around it.
    """
    near: _Neighbours = [[] for _ in range(n_nodes)]
    edges = [k for k, (a, b) in enumerate(zip(tail, head, strict=True)) if a != b]
    for k in edges:
        near[tail[k]].append((head[k], k))
        near[head[k]].append((tail[k], k))
    ends = (np.asarray(tail, dtype=np.int64), np.asarray(head, dtype=np.int64))
    n_wanted = len(edges) - n_nodes + int(label_components(n_nodes, *ends).max(initial=-1)) + 1
    candidates = set(_candidates(near, edges, tail, head))
    chosen = _independent(sorted(candidates, key=lambda mask: (mask.bit_count(), mask)), n_wanted)
    return [_around(_members(mask), tail, head) for mask in chosen]


def _candidates(near: _Neighbours, edges: Sequence[int], tail: Sequence[int], head: Sequence[int]) -> Iterator[int]:
    """Yield sets of edges, as bits; first those that certainly span all cycles."""
    everywhere = len(near) * len(edges) <= _MOST_CANDIDATES
    visited = [False] * len(near)
    for root in range(len(near)):
        if not everywhere and visited[root]:
            continue
        path = _paths(near, root)
        for node in path:
            visited[node] = True
        for k in edges:
            if tail[k] in path and path[tail[k]] ^ path[head[k]] != 1 << k:
                yield path[tail[k]] ^ path[head[k]] ^ (1 << k)
    if not everywhere:
        yield from (mask for k in edges if (mask := _shortest_around(near, k, tail[k], head[k])))


def _paths(near: _Neighbours, root: int) -> dict[int, int]:
    """Return the edges, as bits, of a shortest path from the root to every node it reaches."""
    path = {root: 0}
    queue = deque([root])
    while queue:
        node = queue.popleft()
        for other, k in near[node]:
            if other not in path:
                path[other] = path[node] | (1 << k)
                queue.append(other)
    return path


def _shortest_around(near: _Neighbours, edge: int, start: int, end: int) -> int:
    """Return the edges, as bits, of a shortest cycle through one edge, searched from both ends; 0 if there is none."""
    came: tuple[dict[int, tuple[int, int]], ...] = ({start: (-1, -1)}, {end: (-1, -1)})
    fronts = [[start], [end]]
    while fronts[0] and fronts[1]:
        side = 0 if len(fronts[0]) <= len(fronts[1]) else 1
        front = []
        for node in fronts[side]:
            for other, k in near[node]:
                if k == edge or other in came[side]:
                    continue
                came[side][other] = (node, k)
                if other in came[1 - side]:
                    return 1 << edge | _trace(came[0], other) | _trace(came[1], other)
                front.append(other)
        fronts[side] = front
    return 0


def _trace(came: dict[int, tuple[int, int]], node: int) -> int:
    mask = 0
    while came[node][1] >= 0:
        node, k = came[node][0], came[node][1]
        mask |= 1 << k
    return mask


def _independent(candidates: Sequence[int], n_wanted: int) -> list[int]:
    """Return those that are not a sum (symmetric difference) of earlier ones."""
    chosen: list[int] = []
    by_highest: dict[int, int] = {}
    for mask in candidates:
        if len(chosen) == n_wanted:
            break
        left = mask
        while left and (highest := left.bit_length()) in by_highest:
            left ^= by_highest[highest]
        if left:
            by_highest[left.bit_length()] = left
            chosen.append(mask)
    return chosen


def _members(mask: int) -> list[int]:
    members = []
    while mask:
        lowest = mask & -mask
        members.append(lowest.bit_length() - 1)
        mask ^= lowest
    return members


def _around(edges: Sequence[int], tail: Sequence[int], head: Sequence[int]) -> list[int]:
    """Sort the edges of a cycle, starting with the first given, from its tail to its head."""
    at: dict[int, list[int]] = {}
    for k in edges:
        at.setdefault(tail[k], []).append(k)
        at.setdefault(head[k], []).append(k)
    current, node = edges[0], head[edges[0]]
    order = [current]
    while len(order) < len(edges):
        current = next(k for k in at[node] if k != current)
        node = head[current] if tail[current] == node else tail[current]
        order.append(current)
    return order
