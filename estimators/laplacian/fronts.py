"""Elimination of a sparse graph by dense fronts: small ones at the leaves of a tree, large ones at its root.

Owns the passing of weights from front to front, and of variances back. A single front is in `dense_core`, the order
and the division into fronts in `ordering`.

References
----------
Duff & Reid 1983, doi:10.1145/356044.356047 (multifrontal elimination); Erisman & Tinney 1975,
doi:10.1145/360680.360704 (the entries of an inverse on the pattern of its factors).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import EstimatorInputError
from .dense_core import Front, eliminate_front
from .ordering import EliminationPlan, plan_fronts

__all__ = ["FrontTree", "eliminate_by_fronts"]

#: With weights further apart than this, values from a right-hand side lose digits; then the moments of all edges are
#: eliminated too, at twice the cost.
_NARROW = 1e8
#: Number of refinement steps for values from a right-hand side.
_REFINEMENTS = 2

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class FrontTree:
    """An eliminated graph of r nodes, numbered in the order of elimination; the last one is the ground.

    Attributes
    ----------
    plan : EliminationPlan
        The order and the fronts.
    fronts : tuple of Front
        Their elimination.
    tail, head : ndarray of int, shape (m,)
        Eliminated edges, ``tail < head`` in the order of elimination, sorted.
    weight, moment : ndarray, shape (m,)
        Their weights, and weights times values.
    """

    plan: EliminationPlan
    fronts: tuple[Front, ...]
    tail: IntArray
    head: IntArray
    weight: FloatArray
    moment: FloatArray

    @property
    def n_nodes(self) -> int:
        """Return the number of nodes, including the ground."""
        return len(self.plan.order)

    @property
    def order(self) -> IntArray:
        """Return the labels of the nodes in the order of elimination."""
        return self.plan.order

    def spans(self) -> Iterator[tuple[Front, slice, IntArray]]:
        """Yield each front with the positions it eliminates and those of its boundary."""
        cuts = self.plan.start.tolist()
        for front, start, stop, boundary in zip(self.fronts, cuts[:-1], cuts[1:], self.plan.boundary, strict=True):
            yield front, slice(start, stop), boundary

    def potentials(self) -> FloatArray:
        """Return the maximum-likelihood potentials, shape (r,), zero at the ground."""
        result = np.zeros((self.n_nodes, 1))
        if all(front.offset is not None for front in self.fronts):
            for front, here, boundary in reversed(list(self.spans())):
                assert front.offset is not None
                result[here] = front.back_substitute(-front.offset[:, None], result[boundary])
            return result[:, 0]
        for _ in range(1 + _REFINEMENTS):
            left_over = self.moment - self.weight * (result[self.head, 0] - result[self.tail, 0])
            pull = np.zeros((self.n_nodes, 1))
            np.add.at(pull[:, 0], self.head, left_over)
            np.subtract.at(pull[:, 0], self.tail, left_over)
            result += self.covariance_times(pull)
        return result[:, 0]

    def covariance_times(self, columns: FloatArray) -> FloatArray:
        """Return the product of the grounded covariance with ``columns``, both of shape (r, c)."""
        result = self.forward(columns)
        result[-1] = 0.0
        for front, here, boundary in reversed(list(self.spans())):
            result[here] = front.back_substitute(result[here] * front.variance[:, None], result[boundary])
        return result

    def contrast_variances(self, columns: FloatArray) -> FloatArray:
        """Return the variance of each contrast of the potentials, shape (c,)."""
        arrived = self.forward(columns)
        result = np.zeros(columns.shape[1])
        for front, here, _ in self.spans():
            result += front.variance @ arrived[here] ** 2
        return result

    def draws(self, n_draws: int, rng: np.random.Generator) -> FloatArray:
        """Return normal draws with the covariance of the potentials, shape (r, n_draws), zero at the ground.

        Parameters
        ----------
        n_draws : int
            Number of draws.
        rng : numpy.random.Generator
            Source of random numbers.
        """
        result = np.zeros((self.n_nodes, n_draws))
        for front, here, boundary in reversed(list(self.spans())):
            noise = np.sqrt(front.variance)[:, None] * rng.standard_normal((len(front.variance), n_draws))
            result[here] = front.back_substitute(noise, result[boundary])
        return result

    def forward(self, columns: FloatArray) -> FloatArray:
        """Return what reaches each node when ``columns``, shape (r, c), are carried along the transfers."""
        result = np.array(columns, dtype=np.float64)
        for front, here, boundary in self.spans():
            if result[here].any():  # a few columns reach only the fronts between them and the ground
                result[here], carried = front.forward_substitute(result[here])
                result[boundary] += carried
        return result

    def ancestors(self, chosen: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return which nodes the variances of differences of the chosen ones follow from, shape (r,)."""
        result = chosen.copy()
        for _, here, boundary in self.spans():
            if result[here].any():
                result[here] = result[boundary] = True
        return result

    def variances(self) -> tuple[FloatArray, FloatArray]:
        """Return variances relative to the ground, shape (r,), and of the differences along the edges, shape (m,)."""
        grounded = np.zeros(self.n_nodes)
        along = np.empty(len(self.tail))
        takers = _takers(self.plan)
        # Variances among the boundary of each front, stored by the front that receives it, or by the ground.
        ground = self.n_nodes - 1
        waiting = {k: np.zeros((1, 1)) for k, boundary in enumerate(self.plan.boundary) if boundary[0] == ground}
        cuts = np.searchsorted(self.tail, self.plan.start)
        for number, (front, here, boundary) in reversed(list(enumerate(self.spans()))):
            apart, to_ground = front.resistances(waiting.pop(number), grounded[boundary])
            grounded[here] = to_ground[: here.stop - here.start]
            edges = slice(cuts[number], cuts[number + 1])
            along[edges] = apart[self.tail[edges] - here.start, _places(here, boundary, self.head[edges])]
            for taken in takers[number]:
                inside = _places(here, boundary, self.plan.boundary[taken])
                waiting[taken] = apart[np.ix_(inside, inside)]
        return grounded, along

    def resistances(self, rank: IntArray, size: int) -> FloatArray:
        """Return variances of the differences of all pairs of chosen nodes.

        Parameters
        ----------
        rank : ndarray of int, shape (r,)
            Row of each node, ascending; -1 for one that is not chosen. Whole fronts are chosen, each with its boundary.
        size : int
            Number of rows. Those of no node stay zero.

        Returns
        -------
        ndarray, shape (size, size)
        """
        result = np.zeros((size, size))
        for front, here, boundary in reversed(list(self.spans())):
            if rank[here.start] < 0:
                continue
            start, around = int(rank[here.start]), rank[boundary]
            for block in front.blocks():
                first = start + block.stop
                rows = np.concatenate([np.arange(first, start + len(front.variance)), around])
                whole = len(rows) == size - first
                known = result[first:, first:] if whole else result[rows, first:]
                at = slice(start + block.start, first)
                far, apart = front.separate(block, known, slice(None) if whole else rows - first)
                result[at, first:], result[at, at] = far, apart
                result[first:, at] = far.T
        return result


def eliminate_by_fronts(
    nodes: IntArray, tail: IntArray, head: IntArray, weight: FloatArray, moment: FloatArray
) -> FrontTree:
    """Eliminate a connected graph.

    Parameters
    ----------
    nodes : ndarray of int, shape (r,)
        Labels of the nodes, ascending.
    tail, head : ndarray of int, shape (m,)
        Ends of the edges as labels, without duplicate pairs.
    weight, moment : ndarray, shape (m,)
        Positive weights, and weights times the values from tail to head.

    Returns
    -------
    FrontTree
        The order in its plan is in labels.

    Raises
    ------
    EstimatorInputError
        If the fronts need more memory than this machine has.
    """
    low, high = np.searchsorted(nodes, tail), np.searchsorted(nodes, head)
    plan = plan_fronts(len(nodes), low, high)
    _check_memory(plan)
    rank = np.empty(len(nodes), dtype=np.int64)
    rank[plan.order] = np.arange(len(nodes))
    low, high = rank[low], rank[high]
    signed = np.where(low < high, moment, -moment)
    low, high = np.minimum(low, high), np.maximum(low, high)
    sequence = np.lexsort((high, low))
    low, high, weight, signed = low[sequence], high[sequence], weight[sequence], signed[sequence]
    narrow = not len(weight) or float(weight.max()) <= _NARROW * float(weight.min())
    fronts = _eliminate(plan, low, high, weight, None if narrow else signed)
    labelled = EliminationPlan(nodes[plan.order], plan.start, plan.boundary)
    return FrontTree(labelled, fronts, low, high, weight, signed)


def _eliminate(
    plan: EliminationPlan, tail: IntArray, head: IntArray, weight: FloatArray, moment: FloatArray | None
) -> tuple[Front, ...]:
    """Eliminate fronts in order; the remainder of each waits for the front that receives it."""
    takers = _takers(plan)
    left: dict[int, tuple[FloatArray, FloatArray | None]] = {}
    fronts = []
    cuts = np.searchsorted(tail, plan.start)
    for number, boundary in enumerate(plan.boundary):
        here = slice(int(plan.start[number]), int(plan.start[number + 1]))
        edges = slice(cuts[number], cuts[number + 1])
        size = here.stop - here.start
        at = (tail[edges] - here.start, _places(here, boundary, head[edges]))
        weights = np.zeros((size + len(boundary), size + len(boundary)))
        weights[at] = weight[edges]
        moments = None
        if moment is not None:
            moments = np.zeros_like(weights)
            moments[at] = moment[edges]
        for taken in takers[number]:
            inside = _places(here, boundary, plan.boundary[taken])
            square = np.ix_(inside, inside)
            given, given_moment = left.pop(taken)
            weights[square] += given
            if moments is not None and given_moment is not None:
                moments[square] += given_moment
        front, given, given_moment = eliminate_front(weights, moments, size)
        left[number] = (given, given_moment)
        fronts.append(front)
    return tuple(fronts)


def _check_memory(plan: EliminationPlan) -> None:
    """Refuse a graph whose fronts do not fit into the memory of this machine."""
    sizes = np.diff(plan.start)
    widths = sizes + [len(boundary) for boundary in plan.boundary]
    # each front is kept; the largest is also a square while it is eliminated, and once more for its variances
    needed = 8.0 * (float(sizes @ widths) + 2.0 * float(np.max(widths, initial=0)) ** 2)
    present = _memory_bytes()
    if needed > present:
        message = (
            f"a network of {len(plan.order):,} nodes without clusters needs {needed / 1e9:.0f} GB to be solved, and "
            f"this machine has {present / 1e9:.0f} GB; use a larger one, or solve parts of the network separately"
        )
        raise EstimatorInputError(message, n_nodes=len(plan.order), needed_bytes=needed)


def _memory_bytes() -> float:
    """Return the memory of this machine."""
    return float(os.sysconf("SC_PAGE_SIZE")) * os.sysconf("SC_PHYS_PAGES")


def _takers(plan: EliminationPlan) -> list[list[int]]:
    """Return the fronts whose remainder each front receives: it eliminates the first node of their boundary."""
    takers: list[list[int]] = [[] for _ in plan.boundary]
    first = np.array([boundary[0] for boundary in plan.boundary], dtype=np.int64)
    homes = np.searchsorted(plan.start, first, side="right") - 1
    for number, home in enumerate(homes.tolist()):
        if home < len(takers):  # otherwise its boundary is only the ground
            takers[home].append(number)
    return takers


def _places(here: slice, boundary: IntArray, positions: IntArray) -> IntArray:
    """Return indices of positions in a front that eliminates `here` and leaves `boundary`."""
    outside = here.stop - here.start + np.searchsorted(boundary, positions)
    places: IntArray = np.where(positions < here.stop, positions - here.start, outside)
    return places
