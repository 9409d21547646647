"""The network that an allocation is about: edges, their legs, and the calculations that measure each leg.

Owns the arrays, their checks, and the variance of edges for given numbers of repeats. Covariances are in
`design_covariance`.

An *edge* is a difference between two nodes, or the value of one node if its tail is -1. It is the sum of its *legs*
(complex minus solvent: signs do not matter for variances); its variance is the sum of theirs. A leg is the
inverse-variance mean of its *calculations*, usually one; parallel calculations stay distinct. A calculation may be a
member of several legs: a solvent leg serves the edges in several proteins.

What is known without any calculation costs nothing: an *anchor* is independent knowledge of a node, a *link* that of
the difference between two nodes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..errors import EstimatorInputError

__all__ = ["DesignNetwork", "design_network"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class DesignNetwork:
    """n nodes, m edges, l legs, t calculations, q memberships of calculations in legs.

    Attributes
    ----------
    n_nodes : int
        Number of nodes.
    tail, head : ndarray of int, shape (m,)
        Ends of each edge; the tail of an absolute edge is -1.
    leg_edge : ndarray of int, shape (l,)
        The edge of each leg.
    member, member_leg : ndarray of int, shape (q,)
        A calculation, and a leg that it measures.
    variance : ndarray, shape (t,)
        Variance of one repeat of each calculation, (kcal/mol)^2.
    cost : ndarray, shape (t,)
        Cost of one repeat, GPU-hours.
    anchor_variance : ndarray, shape (n,)
        Variance of the independent knowledge of each node, such as an experimental value; infinite if there is none.
    link_tail, link_head : ndarray of int, shape (k,)
        Ends of each link.
    link_variance : ndarray, shape (k,)
        Variance of each link, (kcal/mol)^2.
    """

    n_nodes: int
    tail: IntArray
    head: IntArray
    leg_edge: IntArray
    member: IntArray
    member_leg: IntArray
    variance: FloatArray
    cost: FloatArray
    anchor_variance: FloatArray
    link_tail: IntArray
    link_head: IntArray
    link_variance: FloatArray

    @property
    def n_edges(self) -> int:
        """Return the number of edges."""
        return len(self.tail)

    @property
    def n_calculations(self) -> int:
        """Return the number of calculations."""
        return len(self.variance)

    def leg_precision(self, count: FloatArray, variance: FloatArray | None = None) -> FloatArray:
        """Return the inverse variance of each leg, shape (l,).

        Parameters
        ----------
        count : ndarray, shape (t,)
            Number of repeats.
        variance : ndarray, shape (t,), optional
            Variances of one repeat to use instead of the network's.
        """
        per_repeat = 1.0 / (self.variance if variance is None else variance)
        return _sums(self.member_leg, (count * per_repeat)[self.member], len(self.leg_edge))

    def edge_variance(self, count: FloatArray, variance: FloatArray | None = None) -> FloatArray:
        """Return the variance of each edge, shape (m,); infinite if one of its legs has no repeat.

        Parameters
        ----------
        count : ndarray, shape (t,)
            Number of repeats.
        variance : ndarray, shape (t,), optional
            Variances of one repeat to use instead of the network's.
        """
        precision = self.leg_precision(count, variance)
        with np.errstate(divide="ignore"):
            return _sums(self.leg_edge, 1.0 / precision, self.n_edges)

    def best_member(self) -> IntArray:
        """Return for each leg the membership whose calculation reaches a precision at the lowest cost, shape (l,)."""
        price = (self.variance * self.cost)[self.member]
        order = np.lexsort((self.member, price, self.member_leg))
        legs, first = np.unique(self.member_leg[order], return_index=True)
        best = np.full(len(self.leg_edge), -1, dtype=np.int64)
        best[legs] = order[first]
        return best

    def edge_price(self) -> FloatArray:
        """Return the price k of each edge: with B GPU-hours, split optimally over its legs, its variance is k / B.

        The optimal split gives each leg repeats in proportion to its standard deviation over the square root of its
        cost; k is then ``(sum_l s_l sqrt(c_l)) ** 2``.
        """
        calculation = self.member[self.best_member()]
        root = np.sqrt(self.variance[calculation] * self.cost[calculation])
        return np.square(_sums(self.leg_edge, root, self.n_edges))


def design_network(
    n_nodes: int,
    tail: ArrayLike,
    head: ArrayLike,
    *,
    variance: ArrayLike,
    cost: ArrayLike | None = None,
    leg_edge: ArrayLike | None = None,
    member: ArrayLike | None = None,
    member_leg: ArrayLike | None = None,
    anchor_variance: ArrayLike | None = None,
    link_tail: ArrayLike = (),
    link_head: ArrayLike = (),
    link_variance: ArrayLike = (),
) -> DesignNetwork:
    """Check arrays, and return the network.

    Parameters
    ----------
    n_nodes : int
        Number of nodes.
    tail, head : array_like of int, shape (m,)
        Ends of each edge; the tail of an absolute edge is -1.
    variance : array_like, shape (t,)
        Variance of one repeat of each calculation, (kcal/mol)^2.
    cost : array_like, shape (t,), optional
        GPU-hours of one repeat; one each by default.
    leg_edge : array_like of int, shape (l,), optional
        The edge of each leg; by default each edge has one leg.
    member, member_leg : array_like of int, shape (q,), optional
        Memberships of calculations in legs; by default the calculations are the legs.
    anchor_variance : array_like, shape (n,), optional
        Variance of independent knowledge of each node; infinite by default.
    link_tail, link_head : array_like of int, shape (k,), optional
        Ends of each link; no links by default.
    link_variance : array_like, shape (k,), optional
        Variance of each link, (kcal/mol)^2; of an exact one, a small number.

    Raises
    ------
    EstimatorInputError
        If shapes or indices do not fit together, a variance or cost is not positive, or an edge has no leg or a leg no
        calculation.
    """
    tails, heads = (np.asarray(ends, dtype=np.int64).reshape(-1) for ends in (tail, head))
    spread = np.asarray(variance, dtype=np.float64).reshape(-1)
    edges = np.arange(len(tails)) if leg_edge is None else np.asarray(leg_edge, dtype=np.int64).reshape(-1)
    members = np.arange(len(spread)) if member is None else np.asarray(member, dtype=np.int64).reshape(-1)
    legs = np.arange(len(members)) if member_leg is None else np.asarray(member_leg, dtype=np.int64).reshape(-1)
    price = np.ones(len(spread)) if cost is None else np.asarray(cost, dtype=np.float64).reshape(-1)
    anchor = np.full(n_nodes, np.inf) if anchor_variance is None else np.asarray(anchor_variance, dtype=np.float64)
    link_tails, link_heads = (np.asarray(ends, dtype=np.int64).reshape(-1) for ends in (link_tail, link_head))
    links = (link_tails, link_heads, np.asarray(link_variance, dtype=np.float64).reshape(-1))
    network = DesignNetwork(n_nodes, tails, heads, edges, members, legs, spread, price, anchor, *links)
    _check(network)
    return network


def _sums(index: IntArray, values: FloatArray, size: int) -> FloatArray:
    return np.asarray(np.bincount(index, values, size), dtype=np.float64)


def _check(network: DesignNetwork) -> None:
    n_legs = len(network.leg_edge)
    _same(len(network.tail), len(network.head), "tail and head")
    _same(len(network.variance), len(network.cost), "variance and cost")
    _same(len(network.member), len(network.member_leg), "member and member_leg")
    _same(len(network.anchor_variance), network.n_nodes, "anchor_variance and nodes")
    _within(network.head, 0, network.n_nodes, "head")
    _within(network.tail, -1, network.n_nodes, "tail")
    _covers(network.leg_edge, network.n_edges, "leg_edge")
    _covers(network.member_leg, n_legs, "member_leg")
    _within(network.member, 0, network.n_calculations, "member")
    for name, values in (("variance", network.variance), ("cost", network.cost)):
        _positive(values, name, "calculation")
    _check_links(network)
    bad = np.flatnonzero(~(network.anchor_variance > 0))
    if len(bad):
        message = f"anchor_variance of node {bad[0]} is {network.anchor_variance[bad[0]]}; give a number above zero"
        raise EstimatorInputError(message, node=int(bad[0]))


def _check_links(network: DesignNetwork) -> None:
    _same(len(network.link_tail), len(network.link_head), "link_tail and link_head")
    _same(len(network.link_tail), len(network.link_variance), "link_tail and link_variance")
    _within(network.link_tail, 0, network.n_nodes, "link_tail")
    _within(network.link_head, 0, network.n_nodes, "link_head")
    _positive(network.link_variance, "link_variance", "link")


def _positive(values: FloatArray, name: str, of: str) -> None:
    bad = np.flatnonzero(~(np.isfinite(values) & (values > 0)))
    if len(bad):
        message = f"{name} of {of} {bad[0]} is {values[bad[0]]}; give a finite number above zero"
        raise EstimatorInputError(message, **{of: int(bad[0])})


def _same(one: int, other: int, names: str) -> None:
    if one != other:
        raise EstimatorInputError(f"{names} have {one} and {other} entries; give as many of each")


def _within(index: IntArray, low: int, high: int, name: str) -> None:
    bad = np.flatnonzero((index < low) | (index >= high))
    if len(bad):
        message = f"{name} of entry {bad[0]} is {index[bad[0]]}; indices are {low} to {high - 1}"
        raise EstimatorInputError(message, entry=int(bad[0]))


def _covers(index: IntArray, n: int, name: str) -> None:
    _within(index, 0, n, name)
    missing = np.flatnonzero(np.bincount(index, minlength=n) == 0)
    if len(missing):
        raise EstimatorInputError(f"{name} lacks {missing[0]}; every edge has a leg, every leg a calculation")
