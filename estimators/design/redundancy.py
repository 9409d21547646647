"""Redundant edges: which further pairs to calculate, so that cycles check the network and its values become certain.

An edge without which a network falls apart (a bridge) is in no cycle: nothing shows its error, which is that of every
difference across it. So edges that close a cycle over bridges come first, the most useful of them at each step; when no
candidate covers another bridge, those that lower the mean variance most. A further edge of variance v lowers ``tr C``
by ``b^T C^2 b / (v + b^T C b)``.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import EstimatorInputError
from ..network.partition import label_components
from .criticality import criticality
from .design_covariance import components_of, design_covariance
from .design_network import design_network

__all__ = ["RedundantEdge", "redundant_edges"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RedundantEdge:
    """A proposed edge, given that those before it are made.

    Attributes
    ----------
    candidate : int
        Index among the candidates.
    n_bridges : int
        Bridges that are in a cycle with it.
    joins : bool
        Whether it joins two components, which have no scale in common without it.
    mean_before, mean_after : float
        Root mean square standard error of the nodes without and with it, kcal/mol, each component relative to its mean;
        after joining components, relative to a larger one.
    """

    candidate: int
    n_bridges: int
    joins: bool
    mean_before: float
    mean_after: float


def redundant_edges(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    variance: ArrayLike,
    *,
    candidate_tail: ArrayLike,
    candidate_head: ArrayLike,
    candidate_variance: ArrayLike,
    most: int,
) -> list[RedundantEdge]:
    """Return proposals one after the other, fewer than `most` if candidates run out.

    Parameters
    ----------
    n_nodes : int
    tail, head : array_like of int, shape (m,)
        Ends of the edges; tail -1 for an absolute one.
    variance : array_like, shape (m,)
        Their variances, (kcal/mol)^2; positive.
    candidate_tail, candidate_head : array_like of int, shape (c,)
        Pairs that may be calculated.
    candidate_variance : array_like, shape (c,)
        Variances that their edges would have, (kcal/mol)^2; positive.
    most : int
        Edges to propose at most.

    Raises
    ------
    EstimatorInputError
        If a variance is not positive.

    Examples
    --------
    >>> chain = {"tail": [0, 1, 2], "head": [1, 2, 3], "variance": [0.01, 0.01, 0.01]}
    >>> pairs = {"candidate_tail": [0, 0], "candidate_head": [2, 3], "candidate_variance": [0.01, 0.01]}
    >>> [edge.n_bridges for edge in redundant_edges(4, **chain, **pairs, most=1)]
    [3]
    """
    ends = np.asarray(tail, dtype=np.int64).reshape(-1), np.asarray(head, dtype=np.int64).reshape(-1)
    new = np.asarray(candidate_tail, dtype=np.int64).reshape(-1), np.asarray(candidate_head, dtype=np.int64).reshape(-1)
    widths = np.asarray(variance, dtype=np.float64).reshape(-1)
    new_widths = np.asarray(candidate_variance, dtype=np.float64).reshape(-1)
    if not ((widths > 0).all() and (new_widths > 0).all()):
        raise EstimatorInputError("edges and candidates need positive variances; omit edges that are exact")
    left = list(range(len(new_widths)))
    found: list[RedundantEdge] = []
    while left and len(found) < most:
        covariance, label = _solved(n_nodes, *ends, widths)
        gain = _gains(covariance, label, new[0][left], new[1][left], new_widths[left])
        covered = _bridges_between(n_nodes, *ends, new[0][left], new[1][left])
        joins = label[new[0][left]] != label[new[1][left]]
        # what joins components first, then what covers bridges, then the rest; each by its gain
        rank = np.lexsort((np.array(left), -gain, ~(joins | (covered > 0)), ~joins))
        best = int(rank[0])
        k = left.pop(best)
        before = float(np.sqrt(np.diag(covariance).mean()))
        ends, widths = _with(ends, new, k), np.append(widths, new_widths[k])
        after, _ = _solved(n_nodes, *ends, widths)
        n_bridges = 0 if joins[best] else int(covered[best])
        found.append(RedundantEdge(k, n_bridges, bool(joins[best]), before, float(np.sqrt(np.diag(after).mean()))))
    return found


def _with(ends: tuple[IntArray, IntArray], new: tuple[IntArray, IntArray], k: int) -> tuple[IntArray, IntArray]:
    return np.append(ends[0], new[0][k]), np.append(ends[1], new[1][k])


def _solved(n_nodes: int, tail: IntArray, head: IntArray, variance: FloatArray) -> tuple[FloatArray, IntArray]:
    """Return the covariance, and a label of each node that those with a common scale share."""
    network = design_network(n_nodes, tail, head, variance=variance, cost=np.ones(len(variance)))
    components = components_of(network)
    absolute = np.array(components.anchored, dtype=np.bool_)[components.label]
    return design_covariance(network, 1.0 / variance, components), np.where(absolute, -1, components.label)


def _gains(covariance: FloatArray, label: IntArray, tail: IntArray, head: IntArray, variance: FloatArray) -> FloatArray:
    """Return by how much each candidate within a component lowers the trace of the covariance."""
    columns = covariance[:, head] - covariance[:, tail]
    at = np.arange(len(head))
    gain = (columns**2).sum(axis=0) / (variance + columns[head, at] - columns[tail, at])
    # between components only the variance of the candidate tells them apart
    return np.asarray(np.where(label[tail] == label[head], gain, -variance), dtype=np.float64)


def _bridges_between(n_nodes: int, tail: IntArray, head: IntArray, one: IntArray, other: IntArray) -> IntArray:
    """Return the number of bridges between two nodes, for each pair; zero for nodes of different components.

    Without its bridges the graph falls into blocks, which bridges join to a forest: those between two nodes are the
    path between their blocks. Absolute edges meet in a common node.
    """
    tail = np.where(tail < 0, n_nodes, tail)
    bridge = criticality(n_nodes + 1, tail, head).bridge
    block = label_components(n_nodes + 1, tail[~bridge], head[~bridge])
    near: dict[int, list[int]] = {}
    for a, b in zip(block[tail[bridge]].tolist(), block[head[bridge]].tolist(), strict=True):
        near.setdefault(a, []).append(b)
        near.setdefault(b, []).append(a)
    above, depth = _forest(near)
    found = np.zeros(len(one), dtype=np.int64)
    for k, (a, b) in enumerate(zip(block[one].tolist(), block[other].tolist(), strict=True)):
        length = 0
        while a != b and (a in above or b in above):
            deeper = depth.get(a, 0) >= depth.get(b, 0) and a in above
            a, b = (above[a], b) if deeper or b not in above else (a, above[b])
            length += 1
        found[k] = length if a == b else 0
    return found


def _forest(near: dict[int, list[int]]) -> tuple[dict[int, int], dict[int, int]]:
    """Return the parent of each node of a forest that is no root, and the depth of every node."""
    above: dict[int, int] = {}
    depth: dict[int, int] = {}
    for root in near:
        if root in depth:
            continue
        depth[root], waiting = 0, [root]
        while waiting:
            node = waiting.pop()
            for child in near[node]:
                if child not in depth:
                    above[child], depth[child] = node, depth[node] + 1
                    waiting.append(child)
    return above, depth
