"""Estimates of Transformations become edges, and edges the free energies of a network's ligands.

Reckons rows, writes none. Which legs make an edge is said in `estimators.edges`, the model of the
network in `estimators.network_mle`.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl

from estimators.edges import EdgeEstimate, Kind, Leg, Phase, assemble_edges, whole_edges
from estimators.network_mle import NetworkEstimate, solve_network
from estimators.notes import Note

from .transformation_estimates import none_if_nan

__all__ = ["MAX_COVARIANCE_LIGANDS", "Round", "reckon_round"]

#: Networks with more ligands (of one kind) keep uncertainties but no covariance: it grows with the square.
MAX_COVARIANCE_LIGANDS: Final = 1000

_KINDS: Final[tuple[Kind, ...]] = ("binding", "hydration", "direct")
#: Which legs belong to an edge of a kind; a direct edge has the one leg it is.
_PHASES: Final[Mapping[str, tuple[Phase, ...]]] = {
    "binding": ("complex", "solvent"),
    "hydration": ("solvent", "vacuum"),
}


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a network, less its number and time.

    Attributes
    ----------
    edges : list of dict
        Rows of `edge_estimates` without scope, network, round and estimated_at.
    nodes : list of dict
        Rows of `network_estimates` without these, as_of_seq and inputs_digest.
    inputs_digest : str
        SHA-256 of what the round was reckoned from.
    """

    edges: list[dict[str, Any]]
    nodes: list[dict[str, Any]]
    inputs_digest: str


def reckon_round(legs: pl.DataFrame, assays: pl.DataFrame) -> Round:
    """Reckon edges and nodes of a network.

    Parameters
    ----------
    legs : polars.DataFrame
        As the question `network_legs` answers for one network.
    assays : polars.DataFrame
        Columns ligand, kind, value_kcal_mol, uncertainty_kcal_mol: what counts of `assays`, one row
        per ligand and kind.
    """
    rows = legs.filter(pl.col("ligand_j").is_not_null() & (pl.col("qualname") != "NonTransformation"))
    rows = rows.sort("phase", "ligand_i", "ligand_j", "transformation")
    edges: list[EdgeEstimate] = []
    edge_rows: list[dict[str, Any]] = []
    for suffix, group in _by_environment(rows):
        given = [_leg(row, suffix) for row in group.iter_rows(named=True)]
        assembled = assemble_edges(given)
        edges += assembled
        edge_rows += _edge_rows(assembled, given, group)
    edge_rows.sort(key=lambda row: (row["kind"], row["ligand_i"], row["ligand_j"]))
    nodes: list[dict[str, Any]] = []
    for kind in _KINDS:
        of_kind = [edge for edge in edges if edge.kind == kind]
        if of_kind:
            estimate, experiment, notes = _solve(of_kind, kind, assays)
            nodes += _node_rows(kind, estimate, experiment, notes)
            _set_residuals(edge_rows, of_kind, kind, estimate)
    return Round(edge_rows, nodes, _digest(edge_rows, nodes))


def _by_environment(rows: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Split legs of several proteins, for a ligand has as many binding free energies as it has proteins.

    Returns
    -------
    list of (str, polars.DataFrame)
        What is added to the names of ligands, and the legs. Usually one environment: nothing is added.
    """
    environments = sorted(rows["environment"].drop_nulls().unique().to_list())
    if len(environments) < 2:
        return [("", rows)]
    around = rows.filter(pl.col("environment").is_null())
    groups = []
    for environment in environments:
        bound = rows.filter(pl.col("environment") == environment)
        pairs = {frozenset(pair) for pair in bound.select("ligand_i", "ligand_j").iter_rows()}
        of_pairs = pl.Series([frozenset(p) in pairs for p in around.select("ligand_i", "ligand_j").iter_rows()])
        solvent = around.filter(of_pairs.cast(pl.Boolean) & (pl.col("phase") == "solvent"))
        groups.append((f" in {_short(environment)}", pl.concat([bound, solvent])))
    if (around["phase"] == "vacuum").any():
        groups.append(("", around))
    return groups


def _short(environment: str) -> str:
    parts = (key.partition("-") for key in environment.split("+"))
    return "+".join(f"{qualname}-{token[:8]}" for qualname, _, token in parts)


def _leg(row: Mapping[str, Any], suffix: str) -> Leg:
    phase: Phase = row["phase"] if row["phase"] in ("complex", "solvent", "vacuum") else "direct"
    value, uncertainty = row["value_kcal_mol"], row["uncertainty_kcal_mol"]
    return Leg(
        f"{row['ligand_i']}{suffix}",
        f"{row['ligand_j']}{suffix}",
        phase,
        math.nan if value is None else value,
        math.nan if uncertainty is None else uncertainty,
    )


def _edge_rows(edges: Sequence[EdgeEstimate], legs: Sequence[Leg], rows: pl.DataFrame) -> list[dict[str, Any]]:
    """Rows with every leg of the edge's pair and kind, those without a value too."""
    keys, states = rows["transformation"].to_list(), rows["state"].to_list()
    at: dict[frozenset[Any], dict[str, list[int]]] = {}
    for position, leg in enumerate(legs):
        of_pair = at.setdefault(frozenset((leg.ligand_a, leg.ligand_b)), {})
        of_pair.setdefault(leg.phase, []).append(position)
    found = []
    for edge in edges:
        of_pair = at[frozenset((edge.ligand_a, edge.ligand_b))]
        phases = _PHASES.get(edge.kind) or _direct_phases(edge, legs, of_pair)
        members = [position for phase in phases for position in of_pair.get(phase, [])]
        failed = any(states[k] == "error" for k in members if math.isnan(legs[k].value_kcal_mol))
        found.append(
            {
                "kind": edge.kind,
                "ligand_i": edge.ligand_a,
                "ligand_j": edge.ligand_b,
                "value_kcal_mol": none_if_nan(edge.value_kcal_mol),
                "uncertainty_kcal_mol": none_if_nan(edge.uncertainty_kcal_mol),
                "legs": sorted(keys[k] for k in members),
                "missing_legs": list(edge.missing),
                "residual_kcal_mol": None,
                "status": "ok" if edge.whole else "error" if failed else "incomplete",
                "note": "; ".join(dict.fromkeys(note.message for note in edge.notes)) or None,
            }
        )
    return found


def _direct_phases(edge: EdgeEstimate, legs: Sequence[Leg], of_pair: Mapping[str, Sequence[int]]) -> tuple[str, ...]:
    if edge.legs:
        return (legs[edge.legs[0]].phase,)
    return tuple(edge.missing) or tuple(of_pair)


def _solve(
    edges: Sequence[EdgeEstimate], kind: Kind, assays: pl.DataFrame
) -> tuple[NetworkEstimate, dict[str, tuple[float, float | None]], list[Note]]:
    ligands = list(dict.fromkeys(str(ligand) for edge in edges for ligand in (edge.ligand_a, edge.ligand_b)))
    experiment, notes = _experiment(ligands, kind, assays)
    estimate = solve_network(
        *whole_edges(edges, kind),
        nodes=ligands,
        experimental={ligand: value for ligand, (value, _) in experiment.items()} or None,
        covariance=len(ligands) <= MAX_COVARIANCE_LIGANDS,
    )
    if len(ligands) > MAX_COVARIANCE_LIGANDS:
        message = f"{len(ligands)} ligands are more than {MAX_COVARIANCE_LIGANDS}: no covariance is kept"
        notes.append(Note("covariance-omitted", message))
    return estimate, experiment, notes


def _experiment(
    ligands: Sequence[str], kind: Kind, assays: pl.DataFrame
) -> tuple[dict[str, tuple[float, float | None]], list[Note]]:
    """Value and uncertainty of each ligand that was measured.

    What a direct edge measures only its Protocol knows, so without assays of that kind a single
    other kind is taken.
    """
    of_ligands = assays.filter(pl.col("ligand").is_in(list(ligands)))
    kinds = sorted(of_ligands["kind"].unique())
    chosen: str = kind
    notes = []
    if kind == "direct" and kind not in kinds and len(kinds) == 1:
        chosen = kinds[0]
        notes.append(Note("experiment-kind", f"compared with experimental values of kind {chosen}"))
    rows = of_ligands.filter(pl.col("kind") == chosen).sort("ligand")
    columns = rows.select("ligand", "value_kcal_mol", "uncertainty_kcal_mol")
    return {ligand: (value, uncertainty) for ligand, value, uncertainty in columns.iter_rows()}, notes


def _node_rows(
    kind: str,
    estimate: NetworkEstimate,
    experiment: Mapping[str, tuple[float, float | None]],
    notes: Iterable[Note],
) -> list[dict[str, Any]]:
    said = _notes_by_ligand(estimate.nodes, [*estimate.notes, *notes])
    component = estimate.component.tolist()
    place = {k: np.flatnonzero(estimate.component == k) for k in set(component)}
    rows = []
    for index, ligand in enumerate(estimate.nodes):
        mates = place[component[index]]
        value = none_if_nan(float(estimate.value_kcal_mol[index]))
        known = experiment.get(str(ligand))
        rows.append(
            {
                "kind": kind,
                "component": component[index],
                "node": int(np.flatnonzero(mates == index)[0]),
                "ligand": ligand,
                "value_kcal_mol": value,
                "uncertainty_kcal_mol": none_if_nan(float(estimate.uncertainty_kcal_mol[index])),
                "absolute": value is not None and estimate.components[component[index]].n_experimental > 0,
                "covariance_kcal2_mol2": None
                if estimate.covariance is None or value is None
                else estimate.covariance[index, mates].tolist(),
                "experiment_kcal_mol": known[0] if known else None,
                "experiment_uncertainty_kcal_mol": known[1] if known else None,
                "notes": said[str(ligand)],
            }
        )
    return rows


def _notes_by_ligand(ligands: Sequence[Any], notes: Iterable[Note]) -> dict[str, list[str]]:
    """What is to be said at each ligand: what names it, and what concerns all."""
    said: dict[str, list[str]] = {str(ligand): [] for ligand in ligands}
    for note in notes:
        concerned = [str(node) for node in note.nodes if str(node) in said] if note.nodes else list(said)
        for ligand in concerned:
            said[ligand].append(f"{note.code}: {note.message}")
    return said


def _set_residuals(
    rows: Sequence[dict[str, Any]], edges: Sequence[EdgeEstimate], kind: str, estimate: NetworkEstimate
) -> None:
    """Write into each row how far its edge is from the network's own difference."""
    tail, head, _, _ = whole_edges(edges, edges[0].kind)
    residuals = dict(zip(zip(tail, head, strict=True), estimate.residual_kcal_mol.tolist(), strict=True))
    for row in rows:
        if row["kind"] == kind:
            row["residual_kcal_mol"] = residuals.get((row["ligand_i"], row["ligand_j"]))


def _digest(edges: Sequence[Mapping[str, Any]], nodes: Sequence[Mapping[str, Any]]) -> str:
    """SHA-256 of the edges' numbers and states and the experiments: with these equal, all is equal."""
    names = ("kind", "ligand_i", "ligand_j", "value_kcal_mol", "uncertainty_kcal_mol", "legs", "status", "note")
    measured = ("kind", "ligand", "experiment_kcal_mol", "experiment_uncertainty_kcal_mol")
    content = [[[row[n] for n in names] for row in edges], [[row[n] for n in measured] for row in nodes]]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()
