"""Repeats that an allocation makes in any case, so that every node is connected and no single result decides.

Owns which edges are required: all, or a tree of short paths where there are many candidates; and the bridges, without
which the network falls apart. Legs of a required edge get one repeat, legs of a bridge two. A link connects its nodes
as a measured edge does: an edge between linked nodes is not required, and what a link closes a cycle over is no bridge.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra

from ..network.partition import label_components, split
from .criticality import criticality
from .design_covariance import components_of
from .design_network import DesignNetwork

__all__ = ["FirstPass", "bridges", "connecting_edges", "required_repeats"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

#: `all`: every edge is measured; `tree`: only edges that connect the nodes; `auto`: all if edges are few.
FirstPass = Literal["auto", "all", "tree"]

#: Edges per node up to which `auto` measures all edges: planned networks have 1 to 2, lists of candidates more.
_FEW_EDGES = 2.0
#: Roots that are tried for a tree of short paths.
_MOST_ROOTS = 64


def required_repeats(
    network: DesignNetwork, count: FloatArray, *, first_pass: FirstPass = "auto", bridge_repeats: int = 2
) -> tuple[IntArray, IntArray]:
    """Return the repeats that each calculation lacks, shape (t,): for the first pass, and further ones for bridges.

    Parameters
    ----------
    network : DesignNetwork
    count : ndarray, shape (t,)
        Repeats that exist or are in flight.
    first_pass : {"auto", "all", "tree"}
        Edges that are measured in any case.
    bridge_repeats : int
        Least number of repeats of each leg of a bridge.
    """
    useful = (network.tail != network.head) & ~_linked(network)
    every = first_pass == "all" or (first_pass == "auto" and network.n_edges <= _FEW_EDGES * network.n_nodes)
    required = useful if every else connecting_edges(network, count)
    once = _lacking(network, count, required, 1)
    again = _lacking(network, count + once, required & bridges(network), bridge_repeats)
    return once, again


def _linked(network: DesignNetwork) -> BoolArray:
    """Return which edges join nodes that a link joins, shape (m,)."""
    n = network.n_nodes
    of_links = np.minimum(network.link_tail, network.link_head) * n + np.maximum(network.link_tail, network.link_head)
    of_edges = np.minimum(network.tail, network.head) * n + np.maximum(network.tail, network.head)
    return np.asarray(np.isin(of_edges, of_links) & (network.tail >= 0), dtype=np.bool_)


def _lacking(network: DesignNetwork, count: FloatArray, edges: BoolArray, least: int) -> IntArray:
    """Return what the cheapest calculation of each leg of some edges lacks for a number of repeats of the leg."""
    of_leg = np.bincount(network.member_leg, count[network.member], len(network.leg_edge))
    lacking = np.where(edges[network.leg_edge], np.maximum(least - of_leg, 0), 0).astype(np.int64)
    missing = np.zeros(network.n_calculations, dtype=np.int64)
    np.maximum.at(missing, network.member[network.best_member()], lacking)
    return missing


def connecting_edges(network: DesignNetwork, count: FloatArray) -> BoolArray:
    """Return edges that connect every component, shape (m,): trees of short paths, measured edges first.

    The length of an edge is its price; the mean variance of a tree is the mean length of its paths, so paths start at
    the node with the shortest ones. Linked nodes need no edge between them.

    Parameters
    ----------
    network : DesignNetwork
    count : ndarray, shape (t,)
        Repeats that exist or are in flight; edges with all legs are free.
    """
    length = network.edge_price()
    measured = np.isfinite(network.edge_variance(count))
    length = np.where(measured, 1e-9 * length.min(initial=1.0), length)
    chosen = np.zeros(network.n_edges, dtype=np.bool_)
    # any absolute edge puts a component on its scale: the cheapest of each
    components = components_of(network)
    for absolute in np.flatnonzero(network.tail < 0)[np.argsort(length[network.tail < 0], kind="stable")]:
        part = components.label[network.head[absolute]]
        if not (chosen & (network.tail < 0) & (components.label[network.head] == part)).any():
            chosen[absolute] = True
    # linked nodes are one place, which a path enters once
    linked = components_of(network, np.zeros(network.n_edges, dtype=np.bool_)).label
    chosen[_tree_edges(linked[network.tail], linked[network.head], length, network.tail >= 0)] = True
    return chosen


def _tree_edges(tail: IntArray, head: IntArray, length: FloatArray, pair: BoolArray) -> IntArray:
    """Return the edges of a tree of short paths of each component."""
    edges = _shortest_parallel(np.flatnonzero(pair & (tail != head)), tail, head, length)
    if not len(edges):
        return edges
    tail, head, n = tail[edges], head[edges], int(max(tail[edges].max(), head[edges].max())) + 1
    graph = coo_array((length[edges], (tail, head)), shape=(n, n)).tocsr()
    degree = np.bincount(tail, minlength=n) + np.bincount(head, minlength=n)
    at = {}
    for edge, a, b in zip(edges.tolist(), tail.tolist(), head.tolist(), strict=True):
        at[a, b] = at[b, a] = edge
    found: list[int] = []
    label = label_components(n, tail, head)
    for part in split(label, int(label.max()) + 1):
        if len(part) < 2:
            continue
        roots = part[np.argsort(-degree[part], kind="stable")[:_MOST_ROOTS]]
        distance, before = dijkstra(graph, directed=False, indices=roots, return_predecessors=True)
        root = int(np.argmin(distance[:, part].sum(axis=1)))
        found += [at[node, came] for node in part.tolist() if (came := int(before[root, node])) >= 0]
    return np.array(sorted(set(found)), dtype=np.int64)


def _shortest_parallel(pair: IntArray, tail: IntArray, head: IntArray, length: FloatArray) -> IntArray:
    low, high = np.minimum(tail, head)[pair], np.maximum(tail, head)[pair]
    order = np.lexsort((pair, length[pair], high, low))
    new = np.ones(len(order), dtype=np.bool_)
    new[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    return np.asarray(pair[order][new], dtype=np.int64)


def bridges(network: DesignNetwork, used: BoolArray | None = None) -> BoolArray:
    """Return which edges are bridges, shape (m,): without one of them, its component falls apart.

    Parallel edges are not bridges, and neither is what is in a cycle with links. Edges to anchored nodes and absolute
    edges meet in one common node.

    Parameters
    ----------
    network : DesignNetwork
    used : ndarray of bool, shape (m,), optional
        Edges that count; all by default.
    """
    n = network.n_nodes
    counted = np.flatnonzero((network.tail != network.head) & (True if used is None else used))
    anchored = np.flatnonzero(np.isfinite(network.anchor_variance))
    own = np.where(network.tail < 0, n, network.tail)[counted]
    tail = np.concatenate([own, np.full(len(anchored), n), network.link_tail])
    head = np.concatenate([network.head[counted], anchored, network.link_head])
    found = np.zeros(network.n_edges, dtype=np.bool_)
    found[counted] = criticality(n + 1, tail, head).bridge[: len(counted)]
    return found
