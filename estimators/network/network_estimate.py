"""Free energies of a whole network as one result: values, uncertainties, fit, and contrasts on demand.

Owns the result and everything that follows from values alone: residuals, chi-square, the scale of experiment. The
values are computed in `network_mle`, `network_update` and others.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import EstimatorInputError
from ..notes import Note
from .network_input import MeasuredNetwork
from .network_notes import describe

__all__ = ["ComponentEstimate", "Contrasts", "NetworkEstimate", "Solution", "assemble"]

#: Tolerance for the closure of exact edges, as a fraction of the values around them (rounding, not contradiction).
_CLOSURE_SHARE = 1e-9
#: A residual below this fraction of the values it is the difference of is rounding.
_ROUNDING_SHARE = 1e-14
#: Tolerance for the sum of the weights of a contrast, as a fraction of their size.
_BALANCE_SHARE = 1e-9

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


class Solution(Protocol):
    """A solved network of n nodes and m edges, numbered as its input."""

    @property
    def component(self) -> IntArray:
        """Return the component of each node, shape (n,)."""

    @property
    def value(self) -> FloatArray:
        """Return values, shape (n,), with mean zero per component; NaN for a node without an edge."""

    @property
    def variance(self) -> FloatArray:
        """Return variances of the values, shape (n,)."""

    @property
    def edge_variance(self) -> FloatArray:
        """Return the variance of the estimated difference along each edge, shape (m,); zero for self-loops."""

    @property
    def covariance(self) -> FloatArray | None:
        """Return the covariance of the values, shape (n, n), if requested."""

    def pair_variances(self, tail: IntArray, head: IntArray) -> FloatArray:
        """Return variances of the differences of pairs of nodes, shape (k,); see `network_solution.NetworkSolution`.

        Parameters
        ----------
        tail : ndarray, shape (k,)
            First nodes.
        head : ndarray, shape (k,)
            Second nodes.
        """

    def contrast_variances(
        self, column: IntArray, node: IntArray, coefficient: FloatArray, n_columns: int
    ) -> FloatArray:
        """Return variances of contrasts given as sparse columns; see `network_solution.NetworkSolution`.

        Parameters
        ----------
        column : ndarray, shape (k,)
            Contrast of each entry.
        node : ndarray, shape (k,)
            Node of each entry.
        coefficient : ndarray, shape (k,)
            Coefficient of each entry.
        n_columns : int
            Number of contrasts.
        """


@dataclass(frozen=True, slots=True)
class ComponentEstimate:
    """One connected component of a network.

    Attributes
    ----------
    n_nodes, n_edges : int
        Size; self-loops are not counted.
    chi2 : float
        Sum over edges of ``(residual / uncertainty) ** 2``; infinite if exact edges contradict each other.
    degrees_of_freedom : int
        Edges minus nodes plus one: the independent cycles. Zero for a tree, which always fits.
    n_experimental : int
        Nodes with an experimental value.
    shift_kcal_mol : float
        Shift added to values of mean zero to match experiment; zero without experiment.
    absolute : bool
        Whether absolute results fix its zero, see `estimators.network.absolute_scale`.
    """

    n_nodes: int
    n_edges: int
    chi2: float
    degrees_of_freedom: int
    n_experimental: int
    shift_kcal_mol: float
    absolute: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """Estimated contrasts of node values.

    Attributes
    ----------
    value_kcal_mol : ndarray, shape (c,)
        Weighted sums of node values; NaN where the network does not determine them.
    uncertainty_kcal_mol : ndarray, shape (c,)
        Their standard errors.
    """

    value_kcal_mol: FloatArray
    uncertainty_kcal_mol: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class NetworkEstimate:
    """Free energies of the n nodes of a network of m edges.

    Attributes
    ----------
    nodes : tuple of hashable, length n
        Labels, in the order of all node arrays.
    value_kcal_mol : ndarray, shape (n,)
        Free energies; with mean zero per component, or on the scale of experiment. NaN for a node without an edge.
    uncertainty_kcal_mol : ndarray, shape (n,)
        Standard errors, the square root of the covariance's diagonal.
    covariance : ndarray, shape (n, n), or None
        Covariance of the values in (kcal/mol)^2, relative to the mean of the component; zero between
        components, whose scales are independent.
    component : ndarray of int, shape (n,)
        Index into `components`.
    components : tuple of ComponentEstimate
        In order of first appearance.
    residual_kcal_mol : ndarray, shape (m,)
        Measured minus estimated difference of every edge, in input order; zero if it is below the rounding of the
        values.
    edge_variance_kcal2_mol2 : ndarray, shape (m,)
        Variance of the estimated difference ``f[b] - f[a]`` of every edge, in input order, (kcal/mol)^2; never more
        than the edge's own. Zero for self-loops and between rigidly tied nodes.
    notes : tuple of Note
        Deviations from the formula; codes in `estimators.network.network_notes`.
    solution : Solution
        The eliminated form, from which `difference` and `contrast` are computed.
    """

    nodes: tuple[Hashable, ...]
    value_kcal_mol: FloatArray
    uncertainty_kcal_mol: FloatArray
    covariance: FloatArray | None
    component: IntArray
    components: tuple[ComponentEstimate, ...]
    residual_kcal_mol: FloatArray
    edge_variance_kcal2_mol2: FloatArray
    notes: tuple[Note, ...]
    solution: Solution = field(repr=False)

    def difference(self, pairs: Sequence[tuple[Hashable, Hashable]]) -> Contrasts:
        """Return the estimated ``f[b] - f[a]`` of any pairs of nodes, at any size of the network.

        Parameters
        ----------
        pairs : sequence of (label, label)
            Pairs (a, b), not necessarily connected by an edge.

        Returns
        -------
        Contrasts
            One entry per pair; NaN if no path of edges connects the two. Standard errors lose no digits, however many
            decades those of the edges span.

        Raises
        ------
        EstimatorInputError
            If a label is not in the network.
        """
        ends = np.array(self._positions([label for pair in pairs for label in pair]), dtype=np.int64).reshape(-1, 2)
        tail, head = ends[:, 0], ends[:, 1]
        joined = self.component[tail] == self.component[head]
        variance = self.solution.pair_variances(tail, head)
        value = self.value_kcal_mol[head] - self.value_kcal_mol[tail]
        return Contrasts(np.where(joined, value, np.nan), np.where(joined, np.sqrt(variance), np.nan))

    def contrast(self, weights: Sequence[Mapping[Hashable, float]]) -> Contrasts:
        """Return estimated weighted sums of node values whose weights sum to zero, at any size of the network.

        Parameters
        ----------
        weights : sequence of mapping of label to float
            One mapping per contrast, such as ``{"a": 1, "b": -0.5, "c": -0.5}``.

        Returns
        -------
        Contrasts
            One entry per contrast; NaN if the weights do not sum to zero in every component, whose scales are
            independent, or if a node without an edge is included.

        Raises
        ------
        EstimatorInputError
            If a label is not in the network, or the weights of a contrast do not sum to zero.
        """
        column = np.repeat(np.arange(len(weights)), [len(one) for one in weights])
        node = np.array(self._positions([label for one in weights for label in one]), dtype=np.int64)
        coefficient = np.array([weight for one in weights for weight in one.values()], dtype=np.float64)
        size = np.bincount(column, np.abs(coefficient), len(weights))
        total = np.bincount(column, coefficient, len(weights))
        unbalanced = np.flatnonzero(~(np.abs(total) <= _BALANCE_SHARE * size))
        if len(unbalanced):
            first = int(unbalanced[0])
            message = (
                f"the weights of contrast {first} add up to {total[first]:.6g}; those of a contrast add up to zero"
            )
            raise EstimatorInputError(message, contrast=first)
        key = column * len(self.components) + self.component[node]
        cells, home = np.unique(key, return_inverse=True)
        across = np.abs(np.bincount(home, coefficient)) > _BALANCE_SHARE * np.bincount(home, np.abs(coefficient))
        joined = np.ones(len(weights), dtype=bool)
        joined[cells[across] // max(len(self.components), 1)] = False
        some = coefficient != 0.0
        column, node, coefficient = column[some], node[some], coefficient[some]
        value = np.bincount(column, coefficient * self.value_kcal_mol[node], len(weights))
        variance = self.solution.contrast_variances(column, node, coefficient, len(weights))
        return Contrasts(np.where(joined, value, np.nan), np.where(joined, np.sqrt(variance), np.nan))

    def _positions(self, labels: Sequence[Hashable]) -> list[int]:
        position = {label: k for k, label in enumerate(self.nodes)}
        unknown = [label for label in labels if label not in position]
        if unknown:
            message = f"{unknown[0]!r} is not a node of this network of {len(self.nodes)} nodes"
            raise EstimatorInputError(message, node=unknown[0])
        return [position[label] for label in labels]


def assemble(
    network: MeasuredNetwork,
    solution: Solution,
    experimental: Mapping[Hashable, float] | None,
    *,
    covariance_omitted: bool,
) -> NetworkEstimate:
    """Assemble a result from a solved network.

    Parameters
    ----------
    network : MeasuredNetwork
        The input network.
    solution : Solution
        Its solution.
    experimental : mapping of label to float, or None
        As in `estimators.network.network_mle.solve_network`.
    covariance_omitted : bool
        Whether a covariance was requested but not computed.
    """
    values = solution.value
    residual = _residuals(network, values)
    contradicted = _contradictions(network, residual)
    shifts, n_pinned = _shifts(network, values, solution.component, experimental or {})
    return NetworkEstimate(
        nodes=network.nodes,
        value_kcal_mol=values + shifts[solution.component],
        uncertainty_kcal_mol=np.sqrt(solution.variance),
        covariance=solution.covariance,
        component=solution.component,
        components=_components(network, solution.component, _chi2(network, residual, contradicted), shifts, n_pinned),
        residual_kcal_mol=residual,
        edge_variance_kcal2_mol2=solution.edge_variance,
        notes=describe(
            network,
            solution.component,
            contradicted=contradicted,
            worst_kcal_mol=float(np.abs(residual[contradicted]).max(initial=0.0)),
            pinned=None if experimental is None else n_pinned > 0,
            experimental=experimental or {},
            covariance_omitted=covariance_omitted,
        ),
        solution=solution,
    )


def _residuals(network: MeasuredNetwork, values: FloatArray) -> FloatArray:
    """Return measured minus estimated differences, shape (m,)."""
    loop = network.tail == network.head
    start = np.where(loop, 0.0, values[network.tail])
    end = np.where(loop, 0.0, values[network.head])
    residual: FloatArray = network.value - (end - start)
    size = np.maximum(np.abs(network.value), np.maximum(np.abs(start), np.abs(end)))
    residual[np.abs(residual) <= _ROUNDING_SHARE * size] = 0.0
    return residual


def _contradictions(network: MeasuredNetwork, residual: FloatArray) -> IntArray:
    """Return the exact edges that the estimate misses by more than rounding."""
    exact = network.exact
    scale = np.abs(network.value[exact]).max(initial=1.0)
    missed: IntArray = exact[np.abs(residual[exact]) > _CLOSURE_SHARE * scale]
    return missed


def _chi2(network: MeasuredNetwork, residual: FloatArray, contradicted: IntArray) -> FloatArray:
    """Return the contribution of every edge to chi-square, shape (m,); zero for self-loops."""
    contribution = np.zeros(len(residual))
    inexact = np.setdiff1d(network.used, network.exact)
    contribution[inexact] = (residual[inexact] / network.uncertainty[inexact]) ** 2
    contribution[contradicted] = np.inf
    return contribution


def _shifts(
    network: MeasuredNetwork, values: FloatArray, component: IntArray, experimental: Mapping[Hashable, float]
) -> tuple[FloatArray, IntArray]:
    """Return the shift of each component to the scale of experiment, and the number of nodes that determine it."""
    n_components = int(component.max(initial=-1)) + 1
    measured = np.array([experimental.get(node, np.nan) for node in network.nodes], dtype=np.float64)
    known = np.isfinite(measured) & np.isfinite(values)
    count = np.bincount(component[known], minlength=n_components)
    total = np.bincount(component[known], weights=(measured - values)[known], minlength=n_components)
    shifts: FloatArray = total / np.maximum(count, 1)
    return shifts, count.astype(np.int64)


def _components(
    network: MeasuredNetwork, component: IntArray, chi2: FloatArray, shifts: FloatArray, n_pinned: IntArray
) -> tuple[ComponentEstimate, ...]:
    """Return size, goodness of fit and shift of each component."""
    home = component[network.tail[network.used]]
    n_components = len(shifts)
    totals = np.bincount(home, weights=chi2[network.used], minlength=n_components)
    n_edges = np.bincount(home, minlength=n_components)
    n_nodes = np.bincount(component, minlength=n_components)
    rows = zip(n_nodes, n_edges, totals, n_pinned, shifts, strict=True)
    return tuple(
        ComponentEstimate(int(n), int(m), float(total), max(int(m - n + 1), 0), int(pinned), float(shift))
        for n, m, total, pinned, shift in rows
    )
