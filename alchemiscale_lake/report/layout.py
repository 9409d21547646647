"""Positions of a network's nodes in the plane, so that distances in the plane match distances in the network.

Each connected component is laid out separately: classical scaling, then stress minimization over distances
to neighbours and to pivots, then nodes that would touch are moved apart, and a rotation to its widest orientation.
Components are placed side by side. The layout is deterministic. Drawing is in `network_view`.

References
----------
Ortmann, Klimenta, Brandes 2017, A sparse stress model, doi:10.7155/jgaa.00440
Gansner, Koren, North 2004, Graph drawing by stress majorization, doi:10.1007/978-3-540-31843-9_25
Brandes, Pich 2006, Eigensolver methods for progressive multidimensional scaling of large data,
doi:10.1007/978-3-540-70904-6_6
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

__all__ = ["place_nodes"]

#: Nodes that every node keeps its distance to, besides its neighbours: all of them in most networks.
_N_PIVOTS: Final = 200
#: Beyond this many distances, fewer pivots are used, but at least `_MIN_PIVOTS`.
_MAX_DISTANCES: Final = 200_000
_MIN_PIVOTS: Final = 50
_N_ROUNDS: Final = 150
#: Fraction of the computed displacement applied per iteration, to avoid overshoot.
_STEP: Final = 0.7
#: Convergence: largest displacement of a node in the last iteration, in mean edge lengths.
_SETTLED: Final = 2e-3
#: Smallest distance of two nodes; the page draws them with a radius of 0.17.
_CLOSEST: Final = 0.5
#: Number of times that close nodes are moved apart, at most.
_N_PUSHES: Final = 60
#: Margin around a component, in mean edge lengths.
_MARGIN: Final = 1.0

Positions = NDArray[np.float64]


def place_nodes(n_nodes: int, edges: Sequence[tuple[int, int]]) -> Positions:
    """Lay out a network.

    Parameters
    ----------
    n_nodes : int
    edges : sequence of (int, int)
        Pairs of node indices; duplicates and self-loops are ignored.

    Returns
    -------
    ndarray, shape (n_nodes, 2)
        In units of about one edge length, centred on the origin.
    """
    if not n_nodes:
        return np.zeros((0, 2))
    lengths = _edge_lengths(n_nodes, edges)
    n_parts, part = connected_components(lengths, directed=False)
    members = sorted((np.flatnonzero(part == k) for k in range(n_parts)), key=lambda m: (-len(m), m[0]))
    laid = [_lay_flat(_place_component(lengths[m][:, m])) for m in members]
    places = np.zeros((n_nodes, 2))
    for nodes, origin, own in zip(members, _side_by_side([np.ptp(p, axis=0) for p in laid]), laid, strict=True):
        places[nodes] = own - own.min(axis=0) + origin
    centred: Positions = places - (places.min(axis=0) + places.max(axis=0)) / 2
    return centred


def _edge_lengths(n_nodes: int, edges: Sequence[tuple[int, int]]) -> Any:
    """Return the sparse symmetric matrix of edge lengths; edges between high-degree nodes are longer."""
    pairs = np.array(sorted({(min(e), max(e)) for e in edges if e[0] != e[1]}), dtype=np.int64).reshape(-1, 2)
    tail, head = pairs.T
    ones = coo_array((np.ones(len(pairs)), (tail, head)), shape=(n_nodes, n_nodes)).tocsr()
    adjacent = ones + ones.T
    degree = np.asarray(adjacent.sum(axis=1)).ravel()
    common = np.asarray((adjacent @ adjacent)[tail, head]).ravel() if len(pairs) else 0.0
    length = np.sqrt(np.maximum(degree[tail] + degree[head] - 2 * common, 1.0))
    length = length / length.mean() if len(pairs) else length
    half = coo_array((length, (tail, head)), shape=(n_nodes, n_nodes)).tocsr()
    return half + half.T


def _place_component(lengths: Any) -> Positions:
    n = lengths.shape[0]
    if n == 1:
        return np.zeros((1, 2))
    if n == 2:
        return np.array([[0.0, 0.0], [float(lengths[0, 1]), 0.0]])
    pivots, wanted = _distances_to_pivots(lengths)
    return _moved_apart(_lower_stress(_scale(wanted), lengths.tocoo(), pivots, wanted))


def _distances_to_pivots(lengths: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Choose pivots, each the farthest from the earlier ones; distances have shape (n, pivots)."""
    n = lengths.shape[0]
    n_pivots = min(n, _N_PIVOTS, max(_MIN_PIVOTS, _MAX_DISTANCES // n))
    pivots = np.zeros(n_pivots, dtype=np.int64)
    distances = np.empty((n, n_pivots))
    nearest = np.full(n, np.inf)
    for k in range(n_pivots):
        pivots[k] = nearest.argmax()
        distances[:, k] = dijkstra(lengths, indices=pivots[k])
        nearest = np.minimum(nearest, distances[:, k])
    return pivots, distances


def _scale(distances: NDArray[np.float64]) -> Positions:
    """Return positions by classical scaling of the distances to pivots."""
    squared = distances**2
    centred = squared.mean(axis=0) + squared.mean(axis=1, keepdims=True) - squared - squared.mean()
    _, vectors = np.linalg.eigh(centred.T @ centred)
    places = centred @ vectors[:, [-1, -2]]
    places *= distances.max() / max(float(np.ptp(places[:, 0])), 1e-12)
    # nodes with equal distances to every pivot must not start at the same position: nothing would separate them
    angle = np.arange(len(places)) * 2.399963
    apart: Positions = places + 0.05 * np.column_stack([np.cos(angle), np.sin(angle)])
    return apart


def _lower_stress(places: Positions, edges: Any, pivots: NDArray[np.int64], wanted: NDArray[np.float64]) -> Positions:
    """Minimize the stress over pivots and neighbours: sum of (distance - wanted)^2 / wanted^2."""
    tail, head, length = edges.row, edges.col, edges.data
    # a pivot represents all nodes nearest to it
    represented = np.bincount(wanted.argmin(axis=1), minlength=len(pivots))
    weight = np.where(wanted > 0, represented / np.where(wanted > 0, wanted, 1.0) ** 2, 0.0)
    weight_edge = length**-2
    total = weight.sum(axis=1) + np.bincount(tail, weight_edge, minlength=len(places))
    for _ in range(_N_ROUNDS):
        votes = np.empty_like(places)
        pull = weight * wanted / np.maximum(_distances(places, places[pivots]), 1e-9)
        away = places[tail] - places[head]
        pull_edge = weight_edge * length / np.maximum(np.hypot(*away.T), 1e-9)
        for axis in (0, 1):
            own = places[:, axis]
            votes[:, axis] = (weight - pull) @ own[pivots] + own * pull.sum(axis=1)
            by_edge = weight_edge * own[head] + pull_edge * away[:, axis]
            votes[:, axis] += np.bincount(tail, by_edge, minlength=len(places))
        moved = _STEP * (votes / total[:, None] - places)
        places = places + moved
        if np.abs(moved).max() < _SETTLED:
            break
    return places


def _moved_apart(places: Positions) -> Positions:
    """Move nodes that are too close away from each other, both equally, until none are; few nodes leave their place."""
    for _ in range(_N_PUSHES):
        pairs = cKDTree(places).query_pairs(_CLOSEST, output_type="ndarray")
        if not len(pairs):
            break
        one, other = pairs[np.lexsort(pairs.T)].T
        away = places[one] - places[other]
        distance = np.maximum(np.hypot(*away.T), 1e-9)[:, None]
        # a little more than needed, or pairs in a crowd approach the limit and never reach it
        push = away / distance * (0.5 * (_CLOSEST - distance) + 0.02)
        moved = np.zeros_like(places)
        np.add.at(moved, one, push)
        np.add.at(moved, other, -push)
        places = places + moved
    return places


def _distances(nodes: Positions, others: Positions) -> NDArray[np.float64]:
    """Return the distance of every node to every other, shape (nodes, others)."""
    x, y = (nodes[:, None, axis] - others[None, :, axis] for axis in (0, 1))
    # numpy's hypot guards against overflow and takes several times as long
    distances: NDArray[np.float64] = np.sqrt(x * x + y * y)
    return distances


def _lay_flat(places: Positions) -> Positions:
    """Rotate the longest axis to the horizontal, with the first node on the left."""
    centred: Positions = places - places.mean(axis=0)
    if len(centred) < 2:
        return centred
    _, vectors = np.linalg.eigh(centred.T @ centred)
    turned: Positions = centred @ vectors[:, ::-1]
    facing: Positions = turned * np.where(turned[0] > 0, -1.0, 1.0)
    return facing


def _side_by_side(sizes: Sequence[NDArray[np.float64]]) -> list[NDArray[np.float64]]:
    """Return the lower corners of boxes placed in rows, with about the aspect ratio of a screen."""
    padded = [size + _MARGIN for size in sizes]
    width = max(max(box[0] for box in padded), 1.6 * float(np.sqrt(sum(box.prod() for box in padded) / 1.6)))
    corners, x, y, height = [], 0.0, 0.0, 0.0
    for box in padded:
        if x and x + box[0] > width:
            x, y, height = 0.0, y + height, 0.0
        corners.append(np.array([x, y]))
        x, height = x + float(box[0]), max(height, float(box[1]))
    return corners
