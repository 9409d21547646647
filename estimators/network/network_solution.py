"""The solution of a whole network: values, uncertainties, and variances of contrasts on demand.

Owns the treatment of each connected component: rigid groups, scaling of weights, the gauge of mean zero. The linear
algebra is in `elimination`, exact edges are in `rigid`; input and output in `network_mle`. Nodes are numbers here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..laplacian.dense_solution import DenseSolution, solve_dense
from ..laplacian.elimination import Elimination, eliminate
from .network_input import MeasuredNetwork
from .partition import rank_within, split
from .rigid import RigidGroups, contract

__all__ = ["NetworkSolution", "Part", "solve_components"]

#: Number of contrasts per block, which limits memory to this many columns of n numbers.
_COLUMNS = 64

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One component: its nodes, the group of each, and the elimination of these groups.

    Weights were multiplied by ``unit ** 2``, so variances of the elimination are in that unit.

    Attributes
    ----------
    nodes : ndarray
        Numbers of the nodes in the network.
    group : ndarray
        Group of each node; nodes tied by exact edges share one.
    unit : float
        Unit of the elimination's deviations, kcal/mol.
    elimination : Elimination or DenseSolution or None
        None if nothing remains to be estimated.
    """

    nodes: IntArray
    group: IntArray
    unit: float
    elimination: Elimination | DenseSolution | None  # None if nothing remains to be estimated

    def covariance_times(self, columns: FloatArray) -> FloatArray:
        """Return the product of the nodes' covariance, relative to their mean, with ``columns``, shape (nodes, c)."""
        if self.elimination is None:
            return np.zeros_like(columns)
        n_groups = self.elimination.n_nodes
        grouped = np.zeros((n_groups, columns.shape[1]))
        np.add.at(grouped, self.group, columns)
        share = np.bincount(self.group, minlength=n_groups) / len(self.group)
        grouped -= np.outer(share, columns.sum(axis=0))
        result = self.unit**2 * self.elimination.covariance_times(grouped)[self.group]
        result -= result.mean(axis=0)
        return result


@dataclass(frozen=True, slots=True, eq=False)
class NetworkSolution:
    """A solved network of n nodes and m edges.

    Attributes
    ----------
    network : MeasuredNetwork
        The input network.
    component : ndarray of int, shape (n,)
        Component of each node.
    value : ndarray, shape (n,)
        Values with mean zero per component; NaN for a node without an edge.
    variance : ndarray, shape (n,)
        Relative to the component's mean; NaN for a node without an edge.
    edge_variance : ndarray, shape (m,)
        Variance of the estimated difference along each edge; zero for self-loops.
    covariance : ndarray, shape (n, n), or None
        Relative to the mean of the component, if requested.
    parts : tuple
        The eliminated components, from which variances of contrasts are computed.
    """

    network: MeasuredNetwork
    component: IntArray
    value: FloatArray
    variance: FloatArray
    edge_variance: FloatArray
    covariance: FloatArray | None
    parts: tuple[Part, ...]

    def pair_variances(self, tail: IntArray, head: IntArray) -> FloatArray:
        """Return variances of the differences of pairs of nodes, without cancellation.

        Parameters
        ----------
        tail, head : ndarray of int, shape (k,)
            Pairs.

        Returns
        -------
        ndarray, shape (k,)
            NaN for nodes without an edge or in different components.
        """
        result = np.where(self.component[tail] == self.component[head], 0.0, np.nan)
        place = rank_within([part.nodes for part in self.parts], len(self.value))
        home = self.component[tail]
        for number, part in enumerate(self.parts):
            inside = np.flatnonzero((home == number) & ~np.isnan(result))
            if part.elimination is not None and len(inside):
                one, other = part.group[place[tail[inside]]], part.group[place[head[inside]]]
                result[inside] = part.unit**2 * part.elimination.pair_variances(one, other)
            elif len(part.nodes) == 1:
                result[inside] = np.nan
        return result

    def contrast_variances(
        self, column: IntArray, node: IntArray, coefficient: FloatArray, n_columns: int
    ) -> FloatArray:
        """Return variances of contrasts given as sparse columns.

        Parameters
        ----------
        column, node : ndarray of int, shape (k,)
            Position of each coefficient.
        coefficient : ndarray, shape (k,)
            Coefficients, which sum to zero in every column and component.
        n_columns : int
            Number of contrasts.

        Returns
        -------
        ndarray, shape (n_columns,)
            NaN if a node without an edge is included.
        """
        result = np.zeros(n_columns)
        order = np.argsort(column, kind="stable")
        column, node, coefficient = column[order], node[order], coefficient[order]
        place = rank_within([part.nodes for part in self.parts], len(self.value))
        home = self.component[node]
        for number, part in enumerate(self.parts):
            inside = np.flatnonzero((home == number) & (coefficient != 0.0))
            if part.elimination is not None:
                rows = part.group[place[node[inside]]]
                result += part.unit**2 * _in_blocks(
                    part.elimination, column[inside], rows, coefficient[inside], n_columns
                )
            elif len(part.nodes) == 1:
                result[column[inside]] = np.nan
        return result


def _in_blocks(
    elimination: Elimination | DenseSolution, column: IntArray, row: IntArray, coefficient: FloatArray, n_columns: int
) -> FloatArray:
    """Return variances of sparse columns, sorted by column, a block of columns at a time."""
    result = np.zeros(n_columns)
    present = np.unique(column)
    for start in range(0, len(present), _COLUMNS):
        some = present[start : start + _COLUMNS]
        entries = slice(*np.searchsorted(column, [some[0], some[-1] + 1]))
        dense = np.zeros((elimination.n_nodes, len(some)))
        np.add.at(dense, (row[entries], np.searchsorted(some, column[entries])), coefficient[entries])
        result[some] = elimination.contrast_variances(dense)
    return result


def solve_components(
    network: MeasuredNetwork, component: IntArray, *, full: bool, only_values: bool = False
) -> NetworkSolution:
    """Solve every component of a network.

    Parameters
    ----------
    network : MeasuredNetwork
        Checked edges.
    component : ndarray of int, shape (n,)
        Component of each node.
    full : bool
        Whether to compute the covariance.
    only_values : bool
        Whether to omit all variances (NaN), which cost more than the values.

    Returns
    -------
    NetworkSolution
        In the units of the edges.
    """
    tied, used, n_nodes = network.exact, network.used, network.n_nodes
    groups = contract(n_nodes, network.tail[tied], network.head[tied], network.value[tied])
    members = split(component, int(component.max(initial=-1)) + 1)
    edges = split(component[network.tail[used]], len(members))
    place = rank_within(members, n_nodes)
    values, variances = np.full(n_nodes, np.nan), np.full(n_nodes, np.nan)
    edge_variance = np.zeros(len(network.value))
    matrix = np.zeros((n_nodes, n_nodes)) if full and len(members) != 1 else None
    parts = []
    for rows, inside in zip(members, edges, strict=True):
        if not len(inside):
            block: FloatArray | None = np.full((1, 1), np.nan)
            parts.append(Part(rows, np.zeros(1, dtype=np.int64), 1.0, None))
        else:
            along = used[inside]
            values[rows], variances[rows], edge_variance[along], block, part = _solve_component(
                network, groups, place, rows, along, full=full, only_values=only_values
            )
            parts.append(part)
        if matrix is not None:
            matrix[np.ix_(rows, rows)] = block
        elif full:
            matrix = block
    return NetworkSolution(network, component, values, variances, edge_variance, matrix, tuple(parts))


def _solve_component(
    network: MeasuredNetwork,
    groups: RigidGroups,
    place: IntArray,
    rows: IntArray,
    edges: IntArray,
    *,
    full: bool,
    only_values: bool,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray | None, Part]:
    """Return values, variances, edge variances, covariance and solution of one component's nodes `rows`."""
    _, group, size = np.unique(groups.group[rows], return_inverse=True, return_counts=True)
    offset = groups.offset[rows]
    if len(size) == 1:  # all rigidly tied: exact, with nothing to estimate
        nothing = np.zeros(len(rows))
        block = np.zeros((len(rows), len(rows))) if full else None
        return offset - offset.mean(), nothing, np.zeros(len(edges)), block, Part(rows, group, 1.0, None)
    tail, head = place[network.tail[edges]], place[network.head[edges]]
    between = group[tail] != group[head]
    apart = edges[between]
    # Weights are relative to the weakest edge, so that the smallest is one and none can underflow.
    unit = float(network.uncertainty[apart].max())
    weight = (unit / network.uncertainty[apart]) ** 2
    step = network.value[apart] - (offset[head] - offset[tail])[between]
    tail, head = group[tail[between]], group[head[between]]
    graph = (len(size), tail, head, weight, step)
    solved = solve_dense(*graph) or eliminate(*graph)
    values = solved.potentials()[group] + offset
    values -= values.mean()
    along = np.zeros(len(edges))
    part = Part(rows, group, unit, solved)
    if only_values:
        return values, np.full(len(rows), np.nan), np.full(len(edges), np.nan), None, part
    if full:
        block = solved.resistances()
        along[between] = block[tail, head]
        _centre(block, size / len(rows))
        block *= unit**2
        if len(size) < len(rows):
            block = block[np.ix_(group, group)]
        return values, np.maximum(np.diag(block), 0.0), unit**2 * along, block, part
    grounded, along[between] = solved.variances(tail, head)
    share = size / len(rows)
    drift = solved.covariance_times(share[:, None])[:, 0]
    variances = np.maximum(grounded - 2.0 * drift + share @ drift, 0.0)
    return values, unit**2 * variances[group], unit**2 * along, None, part


def _centre(squared: FloatArray, share: FloatArray) -> None:
    """Convert squared distances to covariances relative to the mean weighted by `share`, in place."""
    mean = squared @ share
    half = mean - 0.5 * (share @ mean)
    np.subtract(np.add.outer(half, half), squared, out=squared)
    squared *= 0.5
