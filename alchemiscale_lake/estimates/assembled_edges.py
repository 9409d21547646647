"""Assembly of a network's legs, given as rows, into evidence and edges.

`estimators.network.edges` defines which legs make an edge; here they are grouped by environment and pair.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from ..estimators.network.edges import EdgeEstimate, Leg, Phase, assemble_edges
from ..estimators.network.leg_uncertainties import LegEvidence, LegUncertainties
from ..networks.measures import MEASURES, is_absent

__all__ = ["AssembledEdge", "assemble", "evidence_of", "node_name"]


@dataclass(frozen=True, slots=True)
class AssembledEdge:
    """An edge with the indices of all legs of its pair and kind, including those without a value.

    Attributes
    ----------
    estimate : EdgeEstimate
        Value and uncertainty, kcal/mol.
    members : tuple of int
        Indices of its legs among the rows.
    failed : bool
        Whether a leg has failed.
    """

    estimate: EdgeEstimate
    members: tuple[int, ...]
    failed: bool

    def with_uncertainty(self, uncertainty: float) -> AssembledEdge:
        """Return a copy with another uncertainty, if it has a value."""
        if not self.estimate.whole:
            return self
        return replace(self, estimate=replace(self.estimate, uncertainty_kcal_mol=uncertainty))


def evidence_of(rows: pl.DataFrame) -> list[LegEvidence]:
    """Return the evidence on each individual leg, in the order of the rows."""
    columns = ("value_kcal_mol", "values_kcal_mol", "sd_kcal_mol", "own_uncertainty_kcal_mol", "protocol", "phase")
    return [
        LegEvidence(_nan(value), len(values or (0,)), _nan(sd), _nan(own), (protocol, phase))
        for value, values, sd, own, protocol, phase in rows.select(columns).iter_rows()
    ]


def _nan(value: float | None) -> float:
    return math.nan if value is None else value


def assemble(rows: pl.DataFrame, chosen: LegUncertainties, *, by_direction: bool = False) -> list[AssembledEdge]:
    """Edges of every environment, with what belongs to them; `by_direction` as in `estimators.network.edges`.

    Parameters
    ----------
    rows : polars.DataFrame
        One row per leg, as in `transformation_estimates`.
    chosen : LegUncertainties
        Uncertainties of the legs, in the order of the rows.
    by_direction : bool, default False
        Keep the two directions of an edge apart, as in `estimators.network.edges`.
    """
    failed = rows["failed"].to_list()
    edges: list[AssembledEdge] = []
    for suffix, group in _by_environment(rows):
        places = group["place"].to_list()
        given = [
            _leg(row, suffix, float(chosen.uncertainty_kcal_mol[row["place"]])) for row in group.iter_rows(named=True)
        ]
        at: dict[frozenset[Any], dict[str, list[int]]] = {}
        for position, leg in enumerate(given):
            of_pair = at.setdefault(frozenset((leg.ligand_a, leg.ligand_b)), {})
            of_pair.setdefault(leg.phase, []).append(position)
        made = assemble_edges(given, by_direction=by_direction)
        both_ways = {(e.kind, e.ligand_a, e.ligand_b) for e in made} & {(e.kind, e.ligand_b, e.ligand_a) for e in made}
        for edge in made:
            of_pair = at[frozenset((edge.ligand_a, edge.ligand_b))]
            members = [position for phase in edge.phases for position in of_pair.get(phase, [])]
            if edge.ligand_a != edge.ligand_b and (edge.kind, edge.ligand_a, edge.ligand_b) in both_ways:
                members = [position for position in members if given[position].ligand_a == edge.ligand_a]
            broken = any(failed[places[k]] for k in members if math.isnan(given[k].value_kcal_mol))
            edges.append(AssembledEdge(edge, tuple(places[k] for k in members), broken))
    return edges


def _by_environment(rows: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Split legs of several proteins, since a ligand has one binding free energy per protein.

    Returns
    -------
    list of (str, polars.DataFrame)
        Suffix for the names of ligands, and the legs. Usually one environment: the suffix is empty.
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
        one_environment = (pl.col("phase") == "solvent") & ~pl.col("protocol").is_in(list(MEASURES))
        solvent = around.filter(of_pairs.cast(pl.Boolean) & one_environment)
        groups.append((node_name("", environment), pl.concat([bound, solvent])))
    if (around["phase"] == "vacuum").any() or around["protocol"].is_in(list(MEASURES)).any():
        groups.append(("", around))
    return groups


def node_name(ligand: str, environment: str) -> str:
    """Return the name of the node of a ligand in one of several environments.

    Parameters
    ----------
    ligand : str
    environment : str
        As in `network_legs`.
    """
    parts = (key.partition("-") for key in environment.split("+"))
    return f"{ligand} in " + "+".join(f"{qualname}-{token[:8]}" for qualname, _, token in parts)


def _leg(row: Mapping[str, Any], suffix: str, uncertainty: float) -> Leg:
    measure = MEASURES.get(row["protocol"])
    phase: Phase = row["phase"] if row["phase"] in ("complex", "solvent", "vacuum") else "direct"
    ends = [row["ligand_i"], row["ligand_j"]]
    if measure is not None:
        phase = measure.kind
        if measure.absolute:
            # from nothing to the ligand, whichever state contains the ligand
            ends = sorted(ends, key=lambda ligand: not is_absent(ligand))
    return Leg(f"{ends[0]}{suffix}", f"{ends[1]}{suffix}", phase, _nan(row["value_kcal_mol"]), uncertainty)
