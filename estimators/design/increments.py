"""Whole repeats, one after the other, each where it lowers the loss most per GPU-hour.

A repeat of a calculation raises the precision of its legs' edges by dw, and saves ``dw g / (1 + dw r)`` of the loss
``tr(W C)``, with ``g = b^T C W C b`` and ``r = b^T C b`` of the edge. C and CWC are updated by rank one: only g and r
of every edge are kept up to date, together with the columns of the updates, so that a step costs one product of C with
a vector. An edge that lacks legs is one move: a repeat of each missing leg.

Repeats are not continuous amounts, so this is not the rounding of `continuous`; it counts what exists and is in flight,
and stops at a budget anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .continuous import along
from .design_covariance import components_of, design_covariance
from .design_network import DesignNetwork

__all__ = ["Increments", "add_repeats"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Increments:
    """Further repeats.

    Attributes
    ----------
    repeats : ndarray of int, shape (t,)
        Repeats to add to each calculation.
    moves : list of tuple of int
        The calculations that each step repeats, in order.
    saved : list of float
        What each step saves of ``tr(W C)``.
    spent : list of float
        What each step costs, GPU-hours.
    loss_before, loss_after : float
        ``tr(W C)`` without and with them; infinite before if components were not connected.
    next_gain : float
        What the best next step would save per GPU-hour; zero if there is none.
    """

    repeats: IntArray
    moves: list[tuple[int, ...]]
    saved: list[float]
    spent: list[float]
    loss_before: float
    loss_after: float
    next_gain: float


def add_repeats(
    network: DesignNetwork,
    count: FloatArray,
    weight: FloatArray,
    *,
    budget: float = np.inf,
    most_tasks: int | None = None,
    most_repeats: IntArray | None = None,
) -> Increments:
    """Add repeats until a budget or number of Tasks is reached; the last step may not exceed either.

    Parameters
    ----------
    network : DesignNetwork
    count : ndarray, shape (t,)
        Repeats that exist or are in flight. Every component must be connected by edges with all their legs: see
        `floors`.
    weight : ndarray, shape (n, n)
        The goal, W, from `goals`.
    budget : float
        GPU-hours to spend at most.
    most_tasks : int, optional
        Repeats to add at most.
    most_repeats : ndarray of int, shape (t,), optional
        Repeats that each calculation may have in total.
    """
    greedy = _Greedy(network, count, weight, most_repeats)
    before, hours, tasks = greedy.loss, float(budget), np.inf if most_tasks is None else float(most_tasks)
    moves: list[tuple[int, ...]] = []
    saved: list[float] = []
    spent: list[float] = []
    while True:
        rate, move = greedy.best(hours, tasks)
        if move is None:
            break
        cost = float(network.cost[list(move)].sum())
        moves.append(move)
        saved.append(greedy.take(move))
        spent.append(cost)
        hours, tasks = hours - cost, tasks - len(move)
    repeats = np.bincount(np.array([k for move in moves for k in move], dtype=np.int64), minlength=len(count))
    rate, move = greedy.best(np.inf, np.inf)
    return Increments(repeats, moves, saved, spent, before, greedy.loss, rate if move is not None else 0.0)


class _Greedy:
    """g and r of every edge, and the updates since the first covariance."""

    def __init__(
        self, network: DesignNetwork, count: FloatArray, weight: FloatArray, most_repeats: IntArray | None
    ) -> None:
        self.network, self.weight = network, weight
        self.count = count.astype(np.float64)
        self.most = np.full(len(count), np.inf) if most_repeats is None else most_repeats.astype(np.float64)
        self.precision = network.leg_precision(self.count)
        self.variance = network.edge_variance(self.count)
        edge_precision = 1.0 / self.variance
        covariance = design_covariance(network, edge_precision, components_of(network, edge_precision > 0))
        self.covariance = covariance
        inner = weight @ covariance
        self.loss = float(np.trace(inner))
        self.g, self.r = along(network, covariance @ inner), along(network, covariance)
        self.n_updates = 0
        self.columns, self.factors = np.empty((16, network.n_nodes)), np.empty(16)
        self.best_member = network.best_member()
        self.edge_of = network.leg_edge[network.member_leg]
        self.one_more = 1.0 / network.variance[network.member]

    def best(self, hours: float, tasks: float) -> tuple[float, tuple[int, ...] | None]:
        """Return the gain per GPU-hour and the calculations of the best move that fits; None if there is none."""
        rate, calculation = self._best_repeat(hours, tasks)
        bundle_rate, bundle = self._best_bundle(hours, tasks)
        if bundle is not None and bundle_rate > rate:
            return bundle_rate, bundle
        return (rate, (calculation,)) if calculation >= 0 else (0.0, None)

    def _best_repeat(self, hours: float, tasks: float) -> tuple[float, int]:
        network = self.network
        if tasks < 1:
            return 0.0, -1
        precision = self.precision[network.member_leg]
        whole = np.isfinite(self.variance)[self.edge_of]
        with np.errstate(divide="ignore", invalid="ignore"):
            after = self.variance[self.edge_of] - 1.0 / precision + 1.0 / (precision + self.one_more)
            added = np.where(whole, 1.0 / after - 1.0 / self.variance[self.edge_of], 0.0)
        gain = added * self.g[self.edge_of] / (1.0 + added * self.r[self.edge_of])
        total = np.bincount(network.member, gain, network.n_calculations)
        allowed = (self.count < self.most) & (network.cost <= hours) & (total > 0)
        if not allowed.any():
            return 0.0, -1
        rate = np.where(allowed, total / network.cost, -1.0)
        chosen = int(np.argmax(rate))
        return float(rate[chosen]), chosen

    def _best_bundle(self, hours: float, tasks: float) -> tuple[float, tuple[int, ...] | None]:
        """Return the best edge that lacks legs, as one repeat of each missing leg."""
        network = self.network
        missing = self.precision == 0
        if not missing.any():
            return 0.0, None
        legs = np.flatnonzero(missing)
        calculation = network.member[self.best_member[legs]]
        edge, m = network.leg_edge[legs], network.n_edges
        cost = np.bincount(edge, network.cost[calculation], m)
        size = np.bincount(edge, minlength=m)
        own = np.where(missing, network.variance[network.member[self.best_member]], 0.0)
        with np.errstate(divide="ignore"):
            own += np.where(missing, 0.0, 1.0 / self.precision)
        added = 1.0 / np.bincount(network.leg_edge, own, m)
        gain = added * self.g / (1.0 + added * self.r)
        blocked = np.bincount(edge, self.count[calculation] >= self.most[calculation], m) > 0
        allowed = (size > 0) & (cost <= hours) & (size <= tasks) & ~blocked & (gain > 0)
        if not allowed.any():
            return 0.0, None
        rate = np.where(allowed, gain / np.where(cost > 0, cost, 1.0), -1.0)
        chosen = int(np.argmax(rate))
        return float(rate[chosen]), tuple(np.unique(calculation[edge == chosen]).tolist())

    def take(self, move: tuple[int, ...]) -> float:
        """Add one repeat to each calculation of a move, and return what that saves."""
        network, before = self.network, self.loss
        for calculation in move:
            self.count[calculation] += 1.0
            of = np.flatnonzero(network.member == calculation)
            self.precision[network.member_leg[of]] += self.one_more[of]
        touched = np.unique(self.edge_of[np.isin(network.member, move)])
        for edge in touched.tolist():
            with np.errstate(divide="ignore"):
                after = float((1.0 / self.precision[network.leg_edge == edge]).sum())
            added = 1.0 / after - 1.0 / self.variance[edge]
            self.variance[edge] = after
            if added > 0:
                self._update(edge, added)
        return before - self.loss

    def _update(self, edge: int, added: float) -> None:
        """Raise the precision of an edge: C loses ``f u u^T`` with u = C b."""
        g, r = self.g[edge], self.r[edge]
        factor = added / (1.0 + added * r)
        column = self._times(self._incidence(edge))
        goal = self._times(self.weight @ column)
        along_column, along_goal = self._differences(column), self._differences(goal)
        self.g += -2.0 * factor * along_column * along_goal + factor**2 * g * along_column**2
        self.r -= factor * along_column**2
        np.maximum(self.g, 0.0, out=self.g)
        self.loss -= factor * g
        if self.n_updates == len(self.factors):
            self.columns = np.concatenate([self.columns, np.empty_like(self.columns)])
            self.factors = np.concatenate([self.factors, np.empty_like(self.factors)])
        self.columns[self.n_updates], self.factors[self.n_updates] = column, factor
        self.n_updates += 1

    def _incidence(self, edge: int) -> FloatArray:
        b = np.zeros(self.network.n_nodes)
        b[self.network.head[edge]] = 1.0
        if self.network.tail[edge] >= 0:
            b[self.network.tail[edge]] -= 1.0
        return b

    def _times(self, vector: FloatArray) -> FloatArray:
        product = self.covariance @ vector
        if self.n_updates:
            columns = self.columns[: self.n_updates]
            product -= (self.factors[: self.n_updates] * (columns @ vector)) @ columns
        return product

    def _differences(self, vector: FloatArray) -> FloatArray:
        tail = self.network.tail
        difference: FloatArray = vector[self.network.head] - np.where(tail >= 0, vector[np.maximum(tail, 0)], 0.0)
        return difference
