"""Computation of an estimate version: edges from Transformations, and free energies of ligands from edges.

Computes rows, writes none. `estimators.network.edges` defines which legs make an edge,
`estimators.network.leg_uncertainties` the uncertainty of a leg, `estimators.network.edge_network` the estimate of the
network. `network_findings` describes inconsistencies.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..estimators.network.edge_network import Declared, Evidence, estimate_edges
from ..estimators.network.edges import EdgeEstimate, Kind
from ..estimators.network.leg_uncertainties import LegRule, LegUncertainties, leg_uncertainties
from ..estimators.network.network_mle import NetworkEstimate
from ..estimators.notes import Note
from ..networks.measures import is_absent
from .assay_conflicts import conflicting_assays
from .assembled_edges import AssembledEdge, assemble, evidence_of
from .linked_edges import linked_edges
from .network_findings import SolvedKind, finding_rows
from .transformation_estimates import none_if_nan

__all__ = ["MAX_COVARIANCE_LIGANDS", "Round", "compute_version"]

#: For networks with more ligands (of one kind) the covariance is not stored, since it grows quadratically.
MAX_COVARIANCE_LIGANDS: Final = 1000
_KINDS: Final[tuple[Kind, ...]] = ("binding", "hydration", "direct")


FloatArray = NDArray[np.float64]
#: Experimental value and uncertainty by ligand.
_Known = Mapping[str, tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Round:
    """One estimate version of a network, without its number and time.

    Attributes
    ----------
    edges : list of dict
        Rows of `edge_estimates` without scope, network, round and estimated_at.
    findings : list of dict
        Rows of `network_findings` without scope, network, round and found_at.
    nodes : list of dict
        Rows of `network_estimates` without these, as_of_seq and inputs_digest.
    """

    edges: list[dict[str, Any]]
    findings: list[dict[str, Any]]
    nodes: list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class _Solved:
    """Edges of one kind and their network estimate.

    `checked` is the same before an error shared by repeats was added, which would hide inconsistencies.
    """

    edges: list[AssembledEdge]
    estimate: NetworkEstimate
    checked: SolvedKind
    scale: float
    unknown: bool
    notes: list[Note]
    experiment: _Known


def compute_version(
    legs: pl.DataFrame, assays: pl.DataFrame, rule: LegRule = "pooled", links: pl.DataFrame | None = None
) -> Round:
    """Compute edges, findings and nodes of a network.

    Parameters
    ----------
    legs : polars.DataFrame
        From `legs_to_compute.sql` for one network.
    assays : polars.DataFrame
        Columns ligand, kind, value_kcal_mol, uncertainty_kcal_mol: the current assays, one row per ligand and kind.
    rule : {"pooled", "larger", "own", "sem", "sd"}
        Uncertainty used for a leg, see `estimators.network.leg_uncertainties`.
    links : polars.DataFrame, optional
        Rows of `current_links` for its Scope.
    """
    rows = legs.filter(pl.col("ligand_j").is_not_null() & (pl.col("qualname") != "NonTransformation"))
    rows = rows.sort("phase", "ligand_i", "ligand_j", "transformation").with_row_index("place")
    chosen = leg_uncertainties(evidence_of(rows), rule)
    # openfe, whose convention is `sd`, lists both directions of a pair
    edges = assemble(rows, chosen, by_direction=rule == "sd")
    solved = {}
    for kind in _KINDS:
        of_kind = [edge for edge in edges if edge.estimate.kind == kind]
        if of_kind:
            linked = [] if links is None else linked_edges(links, kind, of_kind)
            solved[kind] = _solve(of_kind, linked, kind, assays, chosen, pooled=rule == "pooled")
    edge_rows = [row for kind, s in solved.items() for row in _edge_rows(kind, s, rows, chosen, rule)]
    edge_rows.sort(key=lambda row: (row["kind"], row["ligand_i"], row["ligand_j"]))
    node_rows = [row for kind, s in solved.items() for row in _node_rows(kind, s)]
    return Round(edge_rows, finding_rows(rows, chosen, [s.checked for s in solved.values()]), node_rows)


# --- networks ---------------------------------------------------------------------------------------


def _solve(
    edges: list[AssembledEdge],
    linked: list[AssembledEdge],
    kind: Kind,
    assays: pl.DataFrame,
    chosen: LegUncertainties,
    *,
    pooled: bool,
) -> _Solved:
    """Estimate the network of one kind, and give each edge, links last, the uncertainty that was used."""
    ligands = list(
        dict.fromkeys(str(ligand) for edge in edges for ligand in (edge.estimate.ligand_a, edge.estimate.ligand_b))
    )
    experiment, notes = _experiment(ligands, kind, assays)
    whole = [edge.estimate for edge in edges if edge.estimate.whole]
    network = estimate_edges(
        *_arrays(whole),
        Evidence(pooled, chosen.replicated, _of_one_result(edges, chosen)),
        nodes=ligands,
        experimental={ligand: known for ligand, (known, _) in experiment.items()} or None,
        references=[ligand for ligand in ligands if is_absent(ligand)],
        covariance=len(ligands) <= MAX_COVARIANCE_LIGANDS,
        declared=Declared(*_arrays([edge.estimate for edge in linked])) if linked else None,
    )
    edges = [*edges, *linked]
    notes += network.notes
    if len(ligands) > MAX_COVARIANCE_LIGANDS:
        message = f"{len(ligands)} ligands exceed the limit of {MAX_COVARIANCE_LIGANDS}: no covariance is stored"
        notes.append(Note("covariance-omitted", message))
    checked = [edge.estimate for edge in _with_uncertainties(edges, network.checked_uncertainty_kcal_mol)]
    return _Solved(
        _with_uncertainties(edges, network.uncertainty_kcal_mol),
        network.estimate,
        SolvedKind(kind, network.checked, checked, network.closure),
        network.scale,
        network.unknown,
        notes,
        experiment,
    )


def _arrays(
    edges: Sequence[EdgeEstimate],
) -> tuple[list[Hashable], list[Hashable], FloatArray, FloatArray]:
    """Return the ends, values and uncertainties of edges."""
    return (
        [edge.ligand_a for edge in edges],
        [edge.ligand_b for edge in edges],
        np.array([edge.value_kcal_mol for edge in edges], dtype=np.float64),
        np.array([edge.uncertainty_kcal_mol for edge in edges], dtype=np.float64),
    )


def _with_uncertainties(edges: Sequence[AssembledEdge], uncertainty: FloatArray) -> list[AssembledEdge]:
    """Return the edges with the uncertainties of the whole ones among them."""
    of_whole = iter(uncertainty.tolist())
    return [edge.with_uncertainty(next(of_whole)) if edge.estimate.whole else edge for edge in edges]


def _of_one_result(edges: Sequence[AssembledEdge], chosen: LegUncertainties) -> float | None:
    """Return the typical uncertainty of an edge with one result per leg; None if none is uncertain."""
    variance = chosen.uncertainty_kcal_mol**2 * chosen.n
    of_edges = np.array([variance[list(edge.members)].sum() for edge in edges if edge.estimate.whole])
    uncertain = of_edges[np.isfinite(of_edges) & (of_edges > 0)]
    return float(np.sqrt(np.median(uncertain))) if len(uncertain) else None


def _experiment(
    ligands: Sequence[str], kind: Kind, assays: pl.DataFrame
) -> tuple[dict[str, tuple[float, float | None]], list[Note]]:
    """Return value and uncertainty of each measured ligand.

    Only its Protocol knows what a direct edge measures, so without assays of that kind a single other kind is used.
    """
    of_ligands = assays.filter(pl.col("ligand").is_in(list(ligands)))
    kinds = sorted(of_ligands["kind"].unique())
    chosen: str = kind
    notes = []
    if kind == "direct" and kind not in kinds and len(kinds) == 1:
        chosen = kinds[0]
        notes.append(Note("experiment-kind", f"compared with experimental values of kind {chosen}"))
    rows = of_ligands.filter(pl.col("kind") == chosen).sort("ligand")
    notes += conflicting_assays(rows)
    columns = rows.select("ligand", "value_kcal_mol", "uncertainty_kcal_mol")
    return {ligand: (value, uncertainty) for ligand, value, uncertainty in columns.iter_rows()}, notes


# --- rows -------------------------------------------------------------------------------------------


def _edge_rows(
    kind: str, solved: _Solved, rows: pl.DataFrame, chosen: LegUncertainties, rule: str
) -> list[dict[str, Any]]:
    keys = rows["transformation"].to_list()
    # in the order of the solved edges: those with an uncertainty
    residuals = iter([] if solved.unknown else solved.estimate.residual_kcal_mol.tolist())
    scale = 1.0 if math.isnan(solved.scale) else solved.scale
    found = []
    for edge in solved.edges:
        estimate = edge.estimate
        members = sorted(edge.members, key=lambda k: keys[k])
        used = estimate.whole and not math.isnan(estimate.uncertainty_kcal_mol)
        said = dict.fromkeys(note.message for note in estimate.notes)
        found.append(
            {
                "kind": kind,
                "ligand_i": estimate.ligand_a,
                "ligand_j": estimate.ligand_b,
                "value_kcal_mol": none_if_nan(estimate.value_kcal_mol),
                "uncertainty_kcal_mol": none_if_nan(estimate.uncertainty_kcal_mol),
                "legs": [keys[k] for k in members],
                "leg_uncertainties_kcal_mol": [
                    none_if_nan(scale * float(chosen.uncertainty_kcal_mol[k])) for k in members
                ],
                "rule": rule,
                "missing_legs": list(estimate.missing),
                "residual_kcal_mol": next(residuals) if used else None,
                "status": "ok" if estimate.whole else "error" if edge.failed else "incomplete",
                "note": "; ".join(said) or None,
            }
        )
    return found


def _node_rows(kind: str, solved: _Solved) -> list[dict[str, Any]]:
    estimate = solved.estimate
    said = _notes_by_ligand(estimate.nodes, [*estimate.notes, *solved.notes])
    component = estimate.component.tolist()
    absent = np.array([is_absent(str(ligand)) for ligand in estimate.nodes], dtype=bool)
    mates = {k: np.flatnonzero((estimate.component == k) & ~absent) for k in set(component)}
    place = {int(node): index for members in mates.values() for index, node in enumerate(members)}
    rows = []
    for index, ligand in enumerate(estimate.nodes):
        if absent[index]:
            continue
        of_component = estimate.components[component[index]]
        value = none_if_nan(float(estimate.value_kcal_mol[index]))
        known = solved.experiment.get(str(ligand))
        blank = solved.unknown or value is None
        rows.append(
            {
                "kind": kind,
                "component": component[index],
                "node": place[index],
                "ligand": ligand,
                "value_kcal_mol": value,
                "uncertainty_kcal_mol": None if blank else none_if_nan(float(estimate.uncertainty_kcal_mol[index])),
                "absolute": value is not None and (of_component.absolute or of_component.n_experimental > 0),
                "covariance_kcal2_mol2": None
                if estimate.covariance is None or blank
                else estimate.covariance[index, mates[component[index]]].tolist(),
                "experiment_kcal_mol": known[0] if known else None,
                "experiment_uncertainty_kcal_mol": known[1] if known else None,
                "notes": said[str(ligand)],
            }
        )
    return rows


def _notes_by_ligand(ligands: Sequence[Any], notes: Iterable[Note]) -> dict[str, list[str]]:
    """Return the notes for each ligand: those that name it, and those that concern all."""
    said: dict[str, list[str]] = {str(ligand): [] for ligand in ligands}
    for note in notes:
        concerned = [str(node) for node in note.nodes if str(node) in said] if note.nodes else list(said)
        for ligand in concerned:
            said[ligand].append(f"{note.code}: {note.message}")
    return said
