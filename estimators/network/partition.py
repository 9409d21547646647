"""Connected components and grouping by label.

Owns the numbering: components and groups are numbered from zero by first appearance.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

__all__ = ["label_components", "rank_within", "split"]

IntArray = NDArray[np.int64]


def label_components(n_nodes: int, tail: IntArray, head: IntArray) -> IntArray:
    """Return the connected component of each node.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    tail, head : ndarray of int, shape (m,)
        Ends of the edges.

    Returns
    -------
    ndarray of int, shape (n_nodes,)
        Labels from zero, numbered by first appearance.
    """
    graph = coo_array((np.ones(len(tail)), (tail, head)), shape=(n_nodes, n_nodes))
    _, label = connected_components(graph, directed=False)
    _, first, inverse = np.unique(label, return_index=True, return_inverse=True)
    renumbered: IntArray = np.argsort(np.argsort(first))[inverse].astype(np.int64)
    return renumbered


def split(label: IntArray, n_labels: int) -> list[IntArray]:
    """Return the positions of each label 0 ... n_labels - 1 in `label`, ascending; empty if it does not occur.

    Parameters
    ----------
    label : ndarray
        Label of each position.
    n_labels : int
        Number of labels.
    """
    if not n_labels:
        return []
    order = np.argsort(label, kind="stable")
    return np.split(order, np.searchsorted(label[order], np.arange(1, n_labels)))


def rank_within(parts: list[IntArray], n_positions: int) -> IntArray:
    """Return the index of each position in the part that contains it, shape (n_positions,); the inverse of `split`.

    Parameters
    ----------
    parts : list of ndarray
        Positions of each part; together, all of them once.
    n_positions : int
        Number of positions.
    """
    rank = np.zeros(n_positions, dtype=np.int64)
    for part in parts:
        rank[part] = np.arange(len(part))
    return rank
