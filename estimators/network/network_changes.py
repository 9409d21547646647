"""Differences between a solved network and its current state.

Owns the comparison: unchanged edges, pairs whose weight or moment changed, new nodes. `network_update` applies them to
the estimate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .network_input import MeasuredNetwork
from .network_solution import NetworkSolution, Part

__all__ = ["Changes", "Growth", "compare"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Growth:
    """New nodes, each attached to a known node by one of its edges; known nodes come first.

    Attributes
    ----------
    n_old, n_new : int
        Numbers of known and of new nodes.
    root : ndarray of int, shape (n_old + n_new,)
        The known node to which each is attached by a path of such edges; a known node is its own root.
    value : ndarray, shape (n_new,)
        Sum of these edges' values from the root.
    covariance : ndarray, shape (n_new, n_new)
        Contribution of these edges to the uncertainty relative to the root.
    part : ndarray of int, shape (n_new,)
        Component of each new node.
    """

    n_old: int
    n_new: int
    root: IntArray
    value: FloatArray
    covariance: FloatArray
    part: IntArray

    def covariance_times(self, part: Part, columns: FloatArray) -> FloatArray:
        """Return the product of one component's covariance with ``columns``, both of shape (n_old + n_new, c).

        Parameters
        ----------
        part : Part
            Component of the solution before the change.
        columns : ndarray, shape (n_old + n_new, c)
            Right-hand sides.
        """
        gathered = np.zeros((self.n_old, columns.shape[1]))
        np.add.at(gathered, self.root, columns)
        result = np.zeros_like(columns)
        result[part.nodes] = part.covariance_times(gathered[part.nodes])
        new = slice(self.n_old, None)
        result[new] = result[self.root[new]] + self.covariance @ columns[new]
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Changes of k pairs of nodes, in the numbering of `growth`.

    Attributes
    ----------
    growth : Growth
        New nodes; their anchoring edges are not changes.
    number : ndarray of int, shape (n,)
        Number of each node of the current network.
    kept, kept_as : ndarray of int
        Unchanged edges, and their former indices.
    part : ndarray of int, shape (k,)
        Component of each pair.
    tail, head : ndarray of int, shape (k,)
        The pairs.
    weight, moment : ndarray, shape (k,)
        Change of the pair's inverse variance, and of this times the value from tail to head.
    """

    growth: Growth
    number: IntArray
    kept: IntArray
    kept_as: IntArray
    part: IntArray
    tail: IntArray
    head: IntArray
    weight: FloatArray
    moment: FloatArray


def compare(base: NetworkSolution, network: MeasuredNetwork) -> Changes | None:
    """Determine what changed since a network was solved.

    Parameters
    ----------
    base : NetworkSolution
        The solved network.
    network : MeasuredNetwork
        The current network.

    Returns
    -------
    Changes or None
        None if more has changed than numbers, edges and added nodes: removed or isolated nodes, exact edges, merged
        components.
    """
    old = base.network
    known = {label: k for k, label in enumerate(old.nodes)}
    n_old = len(known)
    for label in network.nodes:
        known.setdefault(label, len(known))
    number = np.array([known[label] for label in network.nodes], dtype=np.int64)
    if len(number) < len(known):
        return None
    tail, head = number[network.tail], number[network.head]
    added, removed, kept, kept_as = _match(old, network, tail, head)
    if np.isin(added, network.exact).any() or np.isin(removed, old.exact).any():
        return None
    if len(network.exact) != len(old.exact):
        return None
    grown = _grow(base, network, tail, head, added, len(known) - n_old)
    if grown is None:
        return None
    growth, added = grown
    tails = np.concatenate([tail[added], old.tail[removed]])
    heads = np.concatenate([head[added], old.head[removed]])
    home = base.component[growth.root]
    parts = home[tails]
    if (parts != home[heads]).any() or any(base.parts[k].elimination is None for k in np.unique(parts)):
        return None
    weight = np.concatenate([network.uncertainty[added] ** -2.0, -(old.uncertainty[removed] ** -2.0)])
    moment = weight * np.concatenate([network.value[added], old.value[removed]])
    low, high = np.minimum(tails, heads), np.maximum(tails, heads)
    _, first, pair = np.unique(low * len(known) + high, return_index=True, return_inverse=True)
    return Changes(
        growth=growth,
        number=number,
        kept=kept,
        kept_as=kept_as,
        part=parts[first],
        tail=low[first],
        head=high[first],
        weight=_sums(pair, weight, len(first)),
        moment=_sums(pair, np.where(tails < heads, moment, -moment), len(first)),
    )


def _sums(kind: IntArray, numbers: FloatArray, n_kinds: int) -> FloatArray:
    result = np.zeros(n_kinds)
    np.add.at(result, kind, numbers)
    return result


def _match(
    old: MeasuredNetwork, network: MeasuredNetwork, tail: IntArray, head: IntArray
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    """Return added, removed and kept edges, and the former indices of the kept ones; without self-loops."""
    now, then = network.used, old.used
    columns = (
        np.concatenate([network.uncertainty[now], old.uncertainty[then]]),
        np.concatenate([network.value[now], old.value[then]]),
        np.concatenate([head[now], old.head[then]]),
        np.concatenate([tail[now], old.tail[then]]),
    )
    is_old = np.repeat([False, True], [len(now), len(then)])
    order = np.lexsort(columns)
    differs = np.zeros(len(order), dtype=bool)
    for column in columns:
        differs[1:] |= column[order][1:] != column[order][:-1]
    kind = np.empty(len(order), dtype=np.int64)
    kind[order] = np.cumsum(differs)
    # The i-th of equal edges now corresponds to the i-th of them before.
    kind_now, kind_then = kind[~is_old], kind[is_old]
    key_now, key_then = _numbered(kind_now, len(kind)), _numbered(kind_then, len(kind))
    _, at_now, at_then = np.intersect1d(key_now, key_then, assume_unique=True, return_indices=True)
    added, removed = np.delete(now, at_now), np.delete(then, at_then)
    return added, removed, now[at_now], then[at_then]


def _numbered(kind: IntArray, most: int) -> IntArray:
    """Return unique keys: equal kinds, of which there are at most `most`, are numbered."""
    order = np.argsort(kind, kind="stable")
    starts = np.searchsorted(kind[order], kind[order])
    count = np.empty(len(kind), dtype=np.int64)
    count[order] = np.arange(len(kind)) - starts
    keys: IntArray = kind * (most + 1) + count
    return keys


def _grow(
    base: NetworkSolution, network: MeasuredNetwork, tail: IntArray, head: IntArray, added: IntArray, n_new: int
) -> tuple[Growth, IntArray] | None:
    """Attach new nodes to known ones; also return the remaining added edges. None if a new node stays isolated."""
    n_old = len(base.component)
    root = np.concatenate([np.arange(n_old), np.full(n_new, -1)])
    value = np.zeros(n_old + n_new)
    path = np.zeros((n_new, n_new))  # standard errors of the edges on each new node's path
    waiting = added.tolist()
    anchoring: list[int] = []
    found = True
    while found and (root < 0).any():
        found = False
        for edge in waiting:
            a, b, step = int(tail[edge]), int(head[edge]), float(network.value[edge])
            if (root[a] < 0) == (root[b] < 0):
                continue
            known, fresh, step = (a, b, step) if root[b] < 0 else (b, a, -step)
            root[fresh], value[fresh] = root[known], value[known] + step
            if known >= n_old:
                path[fresh - n_old] = path[known - n_old]
            path[fresh - n_old, fresh - n_old] = network.uncertainty[edge]
            anchoring.append(edge)
            found = True
    if (root < 0).any() or np.isnan(base.value[root[n_old:]]).any():
        return None
    growth = Growth(n_old, n_new, root, value[n_old:], path @ path.T, base.component[root[n_old:]])
    return growth, np.setdiff1d(added, np.array(anchoring, dtype=np.int64))
