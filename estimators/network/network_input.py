"""Validation and numbering of labels and arrays, the input of `network_mle`.

Owns validation of edges and the order of nodes. Every error names the edge.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import EstimatorInputError

__all__ = ["MeasuredNetwork", "read_network"]

#: An uncertainty below this fraction of the largest one counts as zero, since its weight would overflow.
_EXACT_SHARE = 1e-100

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredNetwork:
    """n numbered nodes and m checked edges.

    Attributes
    ----------
    nodes : tuple of hashable, length n
        Labels: the requested ones first, then in order of first appearance.
    tail, head : ndarray of int, shape (m,)
        Ends of the edges.
    value, uncertainty : ndarray, shape (m,)
        Finite; uncertainties are non-negative.
    used : ndarray of int
        Edges used in the estimate: all except self-loops.
    exact : ndarray of int
        Those of `used` whose uncertainty is zero, or negligible relative to the largest.
    """

    nodes: tuple[Hashable, ...]
    tail: IntArray
    head: IntArray
    value: FloatArray
    uncertainty: FloatArray
    used: IntArray
    exact: IntArray

    @property
    def n_nodes(self) -> int:
        """Return the number of nodes."""
        return len(self.nodes)

    def parallel(self) -> tuple[IntArray, int]:
        """Return the edges of pairs measured more than once, and how many are opposite to the first of their pair."""
        tail, head = self.tail[self.used], self.head[self.used]
        forward = tail < head
        pair = np.where(forward, tail, head) * self.n_nodes + np.where(forward, head, tail)
        _, first, inverse, count = np.unique(pair, return_index=True, return_inverse=True, return_counts=True)
        against = int(np.sum(forward != forward[first][inverse]))
        return self.used[count[inverse] > 1], against


def read_network(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    value: ArrayLike,
    uncertainty: ArrayLike,
    nodes: Sequence[Hashable] | None,
) -> MeasuredNetwork:
    """Validate and number a network.

    Parameters
    ----------
    node_a, node_b, value, uncertainty, nodes
        As in `estimators.network.network_mle.solve_network`.

    Returns
    -------
    MeasuredNetwork
        Ready to solve.

    Raises
    ------
    EstimatorInputError
        If lengths differ, numbers are unusable, or `nodes` repeats a label.
    """
    values = np.array(value, dtype=np.float64)
    sds = np.array(uncertainty, dtype=np.float64)
    lengths = {"node_a": len(node_a), "node_b": len(node_b), "value": values.size, "uncertainty": sds.size}
    if len(set(lengths.values())) > 1 or values.ndim != 1 or sds.ndim != 1:
        message = f"each edge needs an entry in each of four flat arrays, but their lengths are {lengths}"
        raise EstimatorInputError(message, **lengths)
    _check_numbers(node_a, node_b, values, sds)
    position = _number_nodes(node_a, node_b, nodes)
    tail = np.array([position[label] for label in node_a], dtype=np.int64)
    head = np.array([position[label] for label in node_b], dtype=np.int64)
    used = np.flatnonzero(tail != head)
    exact = used[sds[used] <= _EXACT_SHARE * sds[used].max(initial=0.0)]
    return MeasuredNetwork(tuple(position), tail, head, values, sds, used, exact)


def _check_numbers(node_a: Sequence[Hashable], node_b: Sequence[Hashable], values: FloatArray, sds: FloatArray) -> None:
    """Raise for the first unusable edge, naming it."""
    bad = np.flatnonzero(~np.isfinite(values) | ~np.isfinite(sds) | (sds < 0))
    if not len(bad):
        return
    edge = int(bad[0])
    raise EstimatorInputError(
        f"edge {edge} ({node_a[edge]} -> {node_b[edge]}) has value {values[edge]} and uncertainty {sds[edge]}, "
        f"one of {len(bad)} such edges: values must be finite, uncertainties finite and not negative; "
        "omit edges without a result, or give a realistic uncertainty",
        edge=edge,
        edges=bad.tolist(),
    )


def _number_nodes(
    node_a: Sequence[Hashable], node_b: Sequence[Hashable], nodes: Sequence[Hashable] | None
) -> dict[Hashable, int]:
    """Return the position of each label: requested ones first, then in order of first appearance."""
    position: dict[Hashable, int] = {}
    for label in nodes or ():
        if label in position:
            raise EstimatorInputError(f"node {label!r} is given twice; give each label once", node=label)
        position[label] = len(position)
    for a, b in zip(node_a, node_b, strict=True):
        position.setdefault(a, len(position))
        position.setdefault(b, len(position))
    return position
