"""The network of the edges of one kind: which uncertainties its edges get, and the estimate that follows.

Owns the decisions: edges without any stated uncertainty get equal weight, or the one that cycles imply; stated
uncertainties that nothing repeats are scaled by the misfit of cycles; repeats get the error they may share. The steps
themselves are in `cycle_closure` and `shared_error`, and each decision leaves a note.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..notes import Note
from .cycle_closure import ClosureTest, closure_of, scale_from_cycles, too_few_to_check
from .cycle_notes import scaled_by_cycles, shared_error, unchecked
from .network_mle import NetworkEstimate, solve_network
from .shared_error import with_shared_error

__all__ = ["Declared", "EdgeNetwork", "Evidence", "estimate_edges"]

FloatArray = NDArray[np.float64]

_UNKNOWN: Final = "no result has an uncertainty, and neither repeats nor cycles provide one: edges have equal weight"


@dataclass(frozen=True, slots=True)
class Evidence:
    """Information on the uncertainties of a network's edges, besides their values.

    Attributes
    ----------
    pooled : bool
        Whether cycles may correct the uncertainties (rule `pooled`); otherwise they are used as they are.
    replicated : bool
        Whether any leg has repeats. Without repeats, cycles are the only check of stated uncertainties.
    one_result_kcal_mol : float or None
        Typical standard deviation of an edge with one result per leg, which scales the prior of a shared error.
    """

    pooled: bool
    replicated: bool
    one_result_kcal_mol: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Declared:
    """Differences that were declared, not computed: they join the network with the uncertainties that they state.

    They neither tell how far off computed edges are, nor are they scaled by what cycles say about those.

    Attributes
    ----------
    node_a, node_b : sequence of hashable, length q
    value_kcal_mol, uncertainty_kcal_mol : ndarray, shape (q,)
        Differences b - a, and their standard deviations.
    """

    node_a: Sequence[Hashable]
    node_b: Sequence[Hashable]
    value_kcal_mol: FloatArray
    uncertainty_kcal_mol: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class EdgeNetwork:
    """Estimate of a network, and the uncertainties of its edges that led to it.

    Attributes
    ----------
    estimate : NetworkEstimate
        Values and uncertainties of the nodes.
    uncertainty_kcal_mol : ndarray, shape (m + q,)
        Of each given edge, then of each declared difference, as used; NaN where unknown.
    checked : NetworkEstimate
        The estimate before an error shared by repeats was added, which would hide inconsistencies.
    checked_uncertainty_kcal_mol : ndarray, shape (m + q,)
        Of each edge and declared difference in `checked`.
    closure : ClosureTest
        Closure of the cycles in `checked`; by the given uncertainties, where a factor scales them.
    scale : float
        Factor from cycles on the given uncertainties; 1 if they are used as given, NaN if cycles do not determine it.
    unknown : bool
        Whether no uncertainty is known; edges then have equal weight and nodes have no uncertainty.
    notes : list of Note
    """

    estimate: NetworkEstimate
    uncertainty_kcal_mol: FloatArray
    checked: NetworkEstimate
    checked_uncertainty_kcal_mol: FloatArray
    closure: ClosureTest
    scale: float
    unknown: bool
    notes: list[Note]


@dataclass(frozen=True, slots=True, eq=False)
class _Edges:
    """Edges with values, and how their network is solved."""

    node_a: Sequence[Hashable]
    node_b: Sequence[Hashable]
    value: FloatArray
    nodes: Sequence[Hashable]
    experimental: Mapping[Hashable, float] | None
    references: Sequence[Hashable]
    covariance: bool

    def solve(self, uncertainty: FloatArray) -> NetworkEstimate:
        """Solve with the edges of known uncertainty."""
        used = np.flatnonzero(~np.isnan(uncertainty))
        return solve_network(
            [self.node_a[k] for k in used],
            [self.node_b[k] for k in used],
            self.value[used],
            uncertainty[used],
            nodes=self.nodes,
            experimental=self.experimental,
            covariance=self.covariance,
            references=self.references,
        )


def estimate_edges(
    node_a: Sequence[Hashable],
    node_b: Sequence[Hashable],
    value_kcal_mol: FloatArray,
    uncertainty_kcal_mol: FloatArray,
    evidence: Evidence,
    *,
    nodes: Sequence[Hashable],
    experimental: Mapping[Hashable, float] | None = None,
    references: Sequence[Hashable] = (),
    covariance: bool = True,
    declared: Declared | None = None,
) -> EdgeNetwork:
    """Estimate the network of some edges, and the uncertainties its cycles leave them.

    Parameters
    ----------
    node_a, node_b : sequence of hashable, length m
        Ends of the edges, which have values.
    value_kcal_mol : ndarray, shape (m,)
        Differences b - a.
    uncertainty_kcal_mol : ndarray, shape (m,)
        Standard deviations; 0 for an exact edge, NaN where none is known. Edges without one are left out, unless no
        edge has one.
    evidence : Evidence
        What the uncertainties are based on.
    nodes, experimental, references, covariance
        As in `estimators.network.network_mle.solve_network`.
    declared : Declared, optional
        Further differences, which are used as they are.

    Returns
    -------
    EdgeNetwork
    """
    edges = _Edges(node_a, node_b, value_kcal_mol, nodes, experimental, references, covariance)
    unknown = bool(len(value_kcal_mol)) and bool(np.isnan(uncertainty_kcal_mol).all())
    stated = np.ones_like(uncertainty_kcal_mol) if unknown else uncertainty_kcal_mol
    checked, used, notes = edges.solve(stated), stated, []
    closure, stated_by_results = closure_of(checked), None if unknown else stated
    alone = evidence.pooled and not evidence.replicated
    scale = scale_from_cycles(closure, known=not unknown) if unknown or alone else 1.0
    if scale not in (0.0, 1.0) and not math.isnan(scale):
        used = stated * scale
        checked = edges.solve(used)
        notes.append(scaled_by_cycles(scale, closure, unknown=unknown))
        if unknown:  # otherwise, cycles that do not close are those of the stated uncertainties
            closure, unknown = closure_of(checked), False
    elif unknown:
        used = np.full_like(stated, np.nan)
        notes.append(Note("uncertainty-unknown", _UNKNOWN))
    elif alone and len(stated) and too_few_to_check(closure):
        notes.append(unchecked(closure))
    before, estimate, widened = used, checked, used
    if evidence.pooled and not alone and not unknown:
        estimate, widened, note = _with_shared_error(edges, checked, used, closure, evidence.one_result_kcal_mol)
        notes += note
    network = EdgeNetwork(estimate, widened, checked, before, closure, scale, unknown, notes)
    return network if declared is None else _with_declared(network, edges, declared, stated_by_results)


def _with_declared(
    network: EdgeNetwork, edges: _Edges, declared: Declared, stated_by_results: FloatArray | None
) -> EdgeNetwork:
    """Solve a network again with declared differences; of equal weight where nothing else has an uncertainty."""
    every = replace(
        edges,
        node_a=[*edges.node_a, *declared.node_a],
        node_b=[*edges.node_b, *declared.node_b],
        value=np.concatenate([edges.value, declared.value_kcal_mol]),
    )
    stated = declared.uncertainty_kcal_mol
    if network.unknown:
        widths = np.full(len(every.value), np.nan)
        estimate = every.solve(np.ones_like(widths))
        return replace(
            network, estimate=estimate, checked=estimate, uncertainty_kcal_mol=widths,
            checked_uncertainty_kcal_mol=widths, closure=closure_of(estimate),
        )  # fmt: skip
    used, checked = (
        np.concatenate([of_edges, stated])
        for of_edges in (network.uncertainty_kcal_mol, network.checked_uncertainty_kcal_mol)
    )
    before = every.solve(checked)
    as_stated = before
    if stated_by_results is not None and network.scale != 1.0:
        as_stated = every.solve(np.concatenate([stated_by_results, stated]))
    return replace(
        network, estimate=every.solve(used), checked=before, uncertainty_kcal_mol=used,
        checked_uncertainty_kcal_mol=checked, closure=closure_of(as_stated),
    )  # fmt: skip


def _with_shared_error(
    edges: _Edges, checked: NetworkEstimate, used: FloatArray, closure: ClosureTest, one_result_kcal_mol: float | None
) -> tuple[NetworkEstimate, FloatArray, list[Note]]:
    """Add the error that the repeats of an edge may share, to all edges that are not exact."""
    known = np.flatnonzero(~np.isnan(used))

    def solve(uncertainty: FloatArray) -> NetworkEstimate:
        of_all = np.full_like(used, np.nan)
        of_all[known] = uncertainty
        return edges.solve(of_all)

    shared, estimate = with_shared_error(
        checked,
        [edges.node_a[k] for k in known],
        [edges.node_b[k] for k in known],
        used[known],
        solve,
        one_result_kcal_mol=one_result_kcal_mol,
    )
    if not shared.added_kcal_mol:
        return estimate, used, []
    return estimate, np.where(used > 0, np.hypot(used, shared.added_kcal_mol), used), [shared_error(shared, closure)]
