"""Rows as a design: which Transformations are the legs of which edges, their variances, and what is known so far.

Owns the translation of a `NetworkRows` into the arrays of `estimators.design`. An edge is a pair of ligands in a
group: binding is complex minus solvent, hydration solvent minus vacuum, everything else is itself, as in
`estimators.network.edges`. Parallel Transformations of one pair and phase are calculations of one leg; each keeps its
own repeats. A link joins two nodes until their own edge has results of all legs, as in estimates.
"""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ..estimators.design.design_covariance import Components, solve_values
from ..estimators.design.design_network import DesignNetwork, design_network
from ..estimators.design.variance_model import VarianceModel, fit_variances
from .strategy_rows import LigandRow, LinkRow, NetworkRows, TransformationRow

__all__ = ["Answer", "EdgeDesign", "edge_design"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_CYCLES = {"binding": ("complex", "solvent"), "hydration": ("solvent", "vacuum")}
_COMPLETE = ("direct", "binding", "hydration")
#: An exact link counts as this uncertain, so that the inverse exists; kcal/mol.
_LEAST_UNCERTAINTY: Final = 1e-3

#: Kind of an edge, group, ligand.
_Node = tuple[str, str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """Values of the ligands from the results that exist.

    Attributes
    ----------
    value : ndarray, shape (n,)
        kcal/mol, relative to the mean of the component unless it is anchored.
    covariance : ndarray, shape (n, n)
        With variances inflated for the repeats that they are estimated from.
    components : Components
        Components through edges that have results of all legs.
    """

    value: FloatArray
    covariance: FloatArray
    components: Components


@dataclass(frozen=True, slots=True, eq=False)
class EdgeDesign:
    """The design of a network, and its rows.

    Attributes
    ----------
    network : DesignNetwork
        Its calculations are the rows that are legs of an edge.
    rows : tuple of TransformationRow
        The row of each calculation.
    others : tuple of TransformationRow
        Rows that contribute to no difference between ligands.
    nodes : tuple of (str, str, str)
        Kind of edge, group and ligand of each node.
    model : VarianceModel
        Variances of one Task.
    sign : ndarray, shape (q,)
        Sign with which the mean of a calculation enters its edge, for each membership.
    anchor_value : ndarray, shape (n,)
        Known values, kcal/mol.
    link_value : ndarray, shape (k,)
        Declared head minus tail of each link, kcal/mol.
    """

    network: DesignNetwork
    rows: tuple[TransformationRow, ...]
    others: tuple[TransformationRow, ...]
    nodes: tuple[_Node, ...]
    model: VarianceModel
    sign: FloatArray
    anchor_value: FloatArray
    link_value: FloatArray

    @property
    def finished(self) -> FloatArray:
        """Return the number of results with a value of each calculation, shape (t,)."""
        return np.array([len(row.values_kcal_mol) for row in self.rows], dtype=np.float64)

    @property
    def counted(self) -> FloatArray:
        """Return the number of results and Tasks in flight of each calculation, shape (t,)."""
        return np.array([row.n_counted for row in self.rows], dtype=np.float64)

    def answer(self) -> Answer:
        """Return values and covariance from the results that exist."""
        network, count = self.network, self.finished
        variance = self.model.inflated()
        mean = np.array([np.mean(row.values_kcal_mol) if row.values_kcal_mol else 0.0 for row in self.rows])
        precision = (count / variance)[network.member]
        n_legs = len(network.leg_edge)
        of_leg = np.bincount(network.member_leg, precision, n_legs)
        total = np.bincount(network.member_leg, precision * self.sign * mean[network.member], n_legs)
        leg_value = np.where(of_leg > 0, total / np.where(of_leg > 0, of_leg, 1.0), 0.0)
        edge_value = np.asarray(np.bincount(network.leg_edge, leg_value, network.n_edges), dtype=np.float64)
        edge_precision = 1.0 / network.edge_variance(count, variance)
        return Answer(*solve_values(network, edge_value, edge_precision, self.anchor_value, self.link_value))


class _Builder:
    """Collects nodes, edges, legs and memberships."""

    def __init__(self) -> None:
        self.nodes: dict[_Node, int] = {}
        self.ends: list[tuple[int, int]] = []
        self.leg_edge: list[int] = []
        self.members: list[tuple[str, int, float]] = []

    def add_edge(
        self, kind: str, group: str, ligands: tuple[str | None, str], legs: Sequence[Sequence[TransformationRow]]
    ) -> None:
        """Add an edge whose second leg, if any, is subtracted."""
        a, b = (-1 if ligand is None else self._node(kind, group, ligand) for ligand in ligands)
        self.ends.append((a, b))
        for position, rows in enumerate(legs):
            for row in rows:
                reverse = row.ligand_b != ligands[1]
                self.members.append((row.key, len(self.leg_edge), -1.0 if reverse != bool(position) else 1.0))
            self.leg_edge.append(len(self.ends) - 1)

    def _node(self, kind: str, group: str, ligand: str) -> int:
        return self.nodes.setdefault((kind, group, ligand), len(self.nodes))


def edge_design(network: NetworkRows) -> EdgeDesign | None:
    """Return the design of a network; None if no Transformation contributes to a difference between ligands.

    Parameters
    ----------
    network : NetworkRows
        Rows sorted by key.
    """
    builder = _Builder()
    usable = [row for row in network.transformations if row.ligand_b is not None and row.ligand_a != row.ligand_b]
    _add_edges(builder, usable)
    used = {key for key, _, _ in builder.members}
    rows = tuple(row for row in network.transformations if row.key in used)
    if not rows:
        return None
    number = {row.key: k for k, row in enumerate(rows)}
    model = _variances(rows)
    anchor, anchor_variance = _anchors(builder.nodes, network.ligands)
    ends = np.array(builder.ends, dtype=np.int64).reshape(-1, 2)
    links = _links(builder, {row.key for row in rows if row.values_kcal_mol}, network.links)
    design = design_network(
        len(builder.nodes),
        ends[:, 0],
        ends[:, 1],
        variance=model.variance,
        cost=_costs(rows),
        leg_edge=builder.leg_edge,
        member=[number[key] for key, _, _ in builder.members],
        member_leg=[leg for _, leg, _ in builder.members],
        anchor_variance=anchor_variance,
        link_tail=[tail for tail, _, _ in links],
        link_head=[head for _, head, _ in links],
        link_variance=[max(link.uncertainty_kcal_mol, _LEAST_UNCERTAINTY) ** 2 for _, _, link in links],
    )
    sign = np.array([sign for _, _, sign in builder.members])
    others = tuple(row for row in network.transformations if row.key not in used)
    link_value = np.array([link.value_kcal_mol for _, _, link in links], dtype=np.float64)
    return EdgeDesign(design, rows, others, tuple(builder.nodes), model, sign, anchor, link_value)


def _add_edges(builder: _Builder, rows: Sequence[TransformationRow]) -> None:
    phases = {row.phase for row in rows} - set(_COMPLETE)
    groups = sorted({row.group for row in rows if row.group is not None}) or [""]
    found: dict[tuple[str, frozenset[str | None]], dict[str, list[TransformationRow]]] = {}
    for row in rows:
        pair = frozenset((row.ligand_a, row.ligand_b))
        for group in groups if row.group is None else [row.group]:
            found.setdefault((group, pair), {}).setdefault(row.phase, []).append(row)
    for (group, _), by_phase in found.items():
        first = next(iter(by_phase.values()))[0]
        ligands = (first.ligand_a, str(first.ligand_b))
        for phase, of_phase in by_phase.items():
            if phase in _COMPLETE or len(phases) == 1:
                for row in of_phase:
                    kind = phase if phase in _COMPLETE else "direct"
                    builder.add_edge(kind, group, (row.ligand_a, str(row.ligand_b)), [[row]])
        for kind, cycle in _CYCLES.items():
            if len(phases) > 1 and all(phase in by_phase for phase in cycle):
                builder.add_edge(kind, group, ligands, [by_phase[phase] for phase in cycle])


def _variances(rows: Sequence[TransformationRow]) -> VarianceModel:
    size = max(len(row.features) for row in rows)
    groups = sorted({(row.protocol, row.phase) for row in rows})
    values = [np.array(row.values_kcal_mol) for row in rows]
    return fit_variances(
        [len(v) for v in values],
        [float(((v - v.mean()) ** 2).sum()) if len(v) else 0.0 for v in values],
        stated_variance=[
            np.nan if row.own_uncertainty_kcal_mol is None else row.own_uncertainty_kcal_mol**2 for row in rows
        ],
        group=[groups.index((row.protocol, row.phase)) for row in rows],
        features=np.array([row.features + (np.nan,) * (size - len(row.features)) for row in rows]) if size else None,
    )


def _costs(rows: Sequence[TransformationRow]) -> FloatArray:
    """Return GPU-hours per Task; where unknown, the median of the known ones, else one."""
    known = np.array([np.nan if row.gpu_hours is None else row.gpu_hours for row in rows])
    known = np.where(known > 0, known, np.nan)
    usual = float(np.nanmedian(known)) if np.isfinite(known).any() else 1.0
    return np.where(np.isfinite(known), known, usual)


def _anchors(nodes: dict[_Node, int], ligands: Sequence[LigandRow]) -> tuple[FloatArray, FloatArray]:
    precision, pull = np.zeros(len(nodes)), np.zeros(len(nodes))
    for (_, group, ligand), k in nodes.items():
        for row in ligands:
            if row.ligand == ligand and row.group in (None, group):
                precision[k] += row.uncertainty_kcal_mol**-2.0
                pull[k] += row.value_kcal_mol / row.uncertainty_kcal_mol**2
    known = precision > 0
    value = np.where(known, pull / np.where(known, precision, 1.0), 0.0)
    return value, np.where(known, 1.0 / np.where(known, precision, 1.0), np.inf)


def _links(builder: _Builder, measured: Set[str], links: Sequence[LinkRow]) -> list[tuple[int, int, LinkRow]]:
    """Return the nodes that each link joins, and the link; without those in whose place an edge has results."""
    if not links:
        return []
    seen = {leg for key, leg, _ in builder.members if key in measured}
    lacking = {edge for leg, edge in enumerate(builder.leg_edge) if leg not in seen}
    whole = {frozenset(ends) for edge, ends in enumerate(builder.ends) if edge not in lacking}
    groups = sorted({group for _, group, _ in builder.nodes})
    found = []
    for link in links:
        for of_a, of_b in link.pairs(groups):
            ends = (link.kind, of_a, link.ligand_a), (link.kind, of_b, link.ligand_b)
            a, b = (builder.nodes.get(end, -1) for end in ends)
            if min(a, b) >= 0 and a != b and frozenset((a, b)) not in whole:
                found.append((a, b, link))
    return found
