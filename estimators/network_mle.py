"""Maximum-likelihood free energies of a whole network, from its edges.

Owns the model: how edges enter, gauge, experiment, goodness of fit. Legs become edges in `edges`; labels
and numbers are checked in `network_input`; exact edges are `rigid`'s, the linear algebra `elimination`'s,
and what is said about it all `network_notes`'.

Given edges a -> b with values d ~ N(f_b - f_a, s^2), the estimate maximises the likelihood of f, as in
Xu 2019 (doi:10.1021/acs.jcim.9b00528). Conventions are those of cinnabar: the mean of f over a connected
component is zero, the covariance is the pseudo-inverse of the weighted Laplacian (so relative to that
mean, not to a reference ligand), nodes stand in order of first appearance.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from estimators.elimination import eliminate
from estimators.network_input import MeasuredNetwork, read_network
from estimators.network_notes import describe
from estimators.notes import Note
from estimators.partition import label_components, rank_within, split
from estimators.rigid import RigidGroups, contract

__all__ = ["MAX_COVARIANCE_NODES", "ComponentEstimate", "NetworkEstimate", "solve_network"]

#: A full covariance is formed up to this many nodes (3.2 GB); beyond it only the uncertainties are.
MAX_COVARIANCE_NODES = 20_000

#: Exact edges may miss closure by this share of the values around them (rounding, not contradiction).
_CLOSURE_SHARE = 1e-9
#: A residual below this share of the values it is the difference of is rounding.
_ROUNDING_SHARE = 1e-14

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ComponentEstimate:
    """One connected component of a network.

    Attributes
    ----------
    n_nodes, n_edges : int
        Size; self-loops are not counted.
    chi2 : float
        Sum over edges of ``(residual / uncertainty) ** 2``; infinite where exact edges contradict.
    degrees_of_freedom : int
        Edges minus nodes plus one: the independent cycles. Zero for a tree, which always fits.
    n_experimental : int
        Nodes with an experimental value.
    shift_kcal_mol : float
        What was added to values of mean zero to meet experiment; zero if there is none.
    """

    n_nodes: int
    n_edges: int
    chi2: float
    degrees_of_freedom: int
    n_experimental: int
    shift_kcal_mol: float


@dataclass(frozen=True, slots=True, eq=False)
class NetworkEstimate:
    """Free energies of the n nodes of a network of m edges.

    Attributes
    ----------
    nodes : tuple of hashable, length n
        Labels, in the order of all node arrays.
    value_kcal_mol : ndarray, shape (n,)
        Free energies; per component of mean zero, or on the scale of experiment. NaN for a node without
        an edge.
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
        Measured minus estimated difference of every edge, in input order; zero where it is below what
        rounding of the values leaves to see.
    notes : tuple of Note
        What was done beyond the formula; codes in `estimators.network_notes`.
    """

    nodes: tuple[Hashable, ...]
    value_kcal_mol: FloatArray
    uncertainty_kcal_mol: FloatArray
    covariance: FloatArray | None
    component: IntArray
    components: tuple[ComponentEstimate, ...]
    residual_kcal_mol: FloatArray
    notes: tuple[Note, ...]


def solve_network(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    value: ArrayLike,
    uncertainty: ArrayLike,
    *,
    nodes: Sequence[Hashable] | None = None,
    experimental: Mapping[Hashable, float] | None = None,
    covariance: bool = True,
) -> NetworkEstimate:
    """Estimate node free energies from measured differences.

    Parameters
    ----------
    node_a, node_b : sequence of hashable, length m
        Labels of the edges' ends.
    value : array_like, shape (m,)
        Measured ``f[b] - f[a]``, kcal/mol.
    uncertainty : array_like, shape (m,)
        Standard errors, kcal/mol; zero means exact (say, identical ligands).
    nodes : sequence of hashable, optional
        Labels that come first in the result, whether or not an edge reaches them.
    experimental : mapping of label to float, optional
        Experimental free energies, kcal/mol; NaN counts as absent. Each component is shifted so that the
        mean of its estimates over the nodes with experiment is the mean of their experiments: where all
        have one, ``MLE + mean(experiment)``, the convention of published tables. The shift enters
        neither uncertainties nor covariance, which stay relative to the component's mean.
    covariance : bool
        Whether to form the full covariance (up to `MAX_COVARIANCE_NODES` nodes). Without it the
        uncertainties cost no dense n by n matrix.

    Returns
    -------
    NetworkEstimate
        Values, uncertainties, fit and notes.

    Raises
    ------
    EstimatorInputError
        If arrays disagree in length, a value is not finite, an uncertainty is negative or not finite
        (the message names the edge), or a label is given twice in `nodes`.

    References
    ----------
    Xu 2019, "Optimal measurement network of pairwise differences", doi:10.1021/acs.jcim.9b00528.

    Examples
    --------
    >>> solve_network(["a", "b"], ["b", "c"], [1.0, 2.0], [0.1, 0.1]).value_kcal_mol.round(6).tolist()
    [-1.333333, -0.333333, 1.666667]
    """
    network = read_network(node_a, node_b, value, uncertainty, nodes)
    full = covariance and network.n_nodes <= MAX_COVARIANCE_NODES
    component = label_components(network.n_nodes, network.tail[network.used], network.head[network.used])
    values, variances, matrix = _solve_all(network, component, full=full)
    residual = _residuals(network, values)
    contradicted = _contradictions(network, residual)
    shifts, n_pinned = _shifts(network, values, component, experimental or {})
    return NetworkEstimate(
        nodes=network.nodes,
        value_kcal_mol=values + shifts[component],
        uncertainty_kcal_mol=np.sqrt(variances),
        covariance=matrix,
        component=component,
        components=_components(network, component, _chi2(network, residual, contradicted), shifts, n_pinned),
        residual_kcal_mol=residual,
        notes=describe(
            network,
            component,
            contradicted=contradicted,
            worst_kcal_mol=float(np.abs(residual[contradicted]).max(initial=0.0)),
            pinned=None if experimental is None else n_pinned > 0,
            experimental=experimental or {},
            covariance_omitted=covariance and not full,
        ),
    )


def _solve_all(
    network: MeasuredNetwork, component: IntArray, *, full: bool
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Values (mean zero per component), variances and covariance of all nodes; NaN for isolated ones."""
    exact, used, n_nodes = network.exact, network.used, network.n_nodes
    groups = contract(n_nodes, network.tail[exact], network.head[exact], network.value[exact])
    members = split(component, int(component.max(initial=-1)) + 1)
    edges = split(component[network.tail[used]], len(members))
    place = rank_within(members, n_nodes)
    values, variances = np.full(n_nodes, np.nan), np.full(n_nodes, np.nan)
    matrix = np.zeros((n_nodes, n_nodes)) if full and len(members) != 1 else None
    for rows, inside in zip(members, edges, strict=True):
        if not len(inside):
            block: FloatArray | None = np.full((1, 1), np.nan)
        else:
            values[rows], variances[rows], block = _solve_component(
                network, groups, place, rows, used[inside], full=full
            )
        if matrix is not None:
            matrix[np.ix_(rows, rows)] = block
        elif full:
            matrix = block
    return values, variances, matrix


def _solve_component(
    network: MeasuredNetwork,
    groups: RigidGroups,
    place: IntArray,
    rows: IntArray,
    edges: IntArray,
    *,
    full: bool,
) -> tuple[FloatArray, FloatArray, FloatArray | None]:
    """Values, variances and covariance of one component's nodes `rows`, relative to their mean."""
    _, group, size = np.unique(groups.group[rows], return_inverse=True, return_counts=True)
    offset = groups.offset[rows]
    if len(size) == 1:  # all tied together: exact, and nothing left to estimate
        exact = np.zeros(len(rows))
        return offset - offset.mean(), exact, np.zeros((len(rows), len(rows))) if full else None
    tail, head = place[network.tail[edges]], place[network.head[edges]]
    between = group[tail] != group[head]
    tail, head, edges = tail[between], head[between], edges[between]
    # Weights are relative to the weakest edge, so that they start at one and cannot underflow.
    unit = network.uncertainty[edges].max()
    weight = (unit / network.uncertainty[edges]) ** 2
    step = network.value[edges] - (offset[head] - offset[tail])
    solved = eliminate(len(size), group[tail], group[head], weight, step)
    values = solved.potentials()[group] + offset
    values -= values.mean()
    share = size / len(rows)
    drift = solved.covariance_times(share)
    if not full:
        variances = np.maximum(solved.variances() - 2.0 * drift + share @ drift, 0.0)
        return values, unit**2 * variances[group], None
    block = solved.covariance()
    half = drift - 0.5 * (share @ drift)
    block -= np.add.outer(half, half)
    block *= unit**2
    if len(size) < len(rows):
        block = block[np.ix_(group, group)]
    return values, np.maximum(np.diag(block), 0.0), block


def _residuals(network: MeasuredNetwork, values: FloatArray) -> FloatArray:
    """Measured minus estimated differences, shape (m,)."""
    loop = network.tail == network.head
    start = np.where(loop, 0.0, values[network.tail])
    end = np.where(loop, 0.0, values[network.head])
    residual: FloatArray = network.value - (end - start)
    size = np.maximum(np.abs(network.value), np.maximum(np.abs(start), np.abs(end)))
    residual[np.abs(residual) <= _ROUNDING_SHARE * size] = 0.0
    return residual


def _contradictions(network: MeasuredNetwork, residual: FloatArray) -> IntArray:
    """Exact edges that the estimate misses by more than rounding."""
    exact = network.exact
    scale = np.abs(network.value[exact]).max(initial=1.0)
    missed: IntArray = exact[np.abs(residual[exact]) > _CLOSURE_SHARE * scale]
    return missed


def _chi2(network: MeasuredNetwork, residual: FloatArray, contradicted: IntArray) -> FloatArray:
    """Contribution of every edge to chi-square, shape (m,); none from self-loops."""
    contribution = np.zeros(len(residual))
    inexact = np.setdiff1d(network.used, network.exact)
    contribution[inexact] = (residual[inexact] / network.uncertainty[inexact]) ** 2
    contribution[contradicted] = np.inf
    return contribution


def _shifts(
    network: MeasuredNetwork, values: FloatArray, component: IntArray, experimental: Mapping[Hashable, float]
) -> tuple[FloatArray, IntArray]:
    """What brings each component to the scale of experiment, and how many of its nodes say so."""
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
    """Size, goodness of fit and shift of each component."""
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
