"""A network of ligands as plain data for drawing: nodes, edges and legs, with positions and estimates.

Reads the newest estimates, or the legs themselves if the network was never gathered. The page decides on the
appearance, see `network_view`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from ..errors import EstimationError
from ..estimates.experiment_pairs import FEWEST_PAIRS, dg_pairs, pair_performance
from ..ids import ScopedKey
from ..networks.measures import ABSENT, is_absent
from ..query import Connection, ask, ask_edges, connect_for, read_sql
from ..store import Lake
from .layout import place_nodes
from .ligand_structures import add_structures
from .note_texts import without_codes
from .structures import Structure

__all__ = ["EDGE_STATUSES", "NetworkGraph", "Row", "network_graph"]

#: Statuses of an edge or ligand, most urgent first: an edge has the first that applies.
EDGE_STATUSES: Final = ("error", "running", "waiting", "complete", "idle")

_NEEDS: Final = (
    "network_legs",
    "transformation_status",
    "latest_edges",
    "ligand_ranking",
    "latest_findings",
    "network_states",
    "results",
)
_NO_ESTIMATE: Final = "no estimate"
_TASK_COLUMNS: Final = ("n_waiting", "n_running", "n_complete", "n_error")
_NUMBERS: Final = ("value_kcal_mol", "uncertainty_kcal_mol", "residual_kcal_mol")

_STATISTICS: Final = ("RMSE", "MUE")

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NetworkGraph:
    """Content of a page.

    Attributes
    ----------
    network, scope : str
    name : str
        Name of the network; "" if it has none.
    as_of : str
        Time of the newest estimates; "" if the network was never gathered.
    kinds : list of dict
        Per kind (`binding`, ...): `kind`, `nodes`, `edges`, flagged `findings` and `performance` (RMSE and MUE,
        each with the limits of its interval; None without experiment), plain data.
    structures : list of Structure
        Structures that the nodes' `structure` indexes.
    notes : list of str
        Reasons why structures are missing.
    """

    network: str
    scope: str
    name: str
    as_of: str
    kinds: list[Row]
    structures: list[Structure]
    notes: list[str]


def network_graph(lake: Lake, network: str) -> NetworkGraph:
    """Collect the data for drawing a network.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.

    Raises
    ------
    EstimationError
        If the network has no edge between ligands.
    """
    connection = connect_for(lake, *_NEEDS)
    legs = _legs(connection, network)
    edges = ask_edges(connection, network=network)
    ligands = ask(connection, "ligand_ranking", network=network)
    if not len(edges):
        edges = _edges_of(legs)
    if not len(edges):
        raise EstimationError(
            f"{network} has no edges between ligands, so there is nothing to draw; "
            f"see `alchemiscale-lake status {network} --transformations`",
            network=network,
        )
    by_kind = edges.sort("kind").group_by("kind", maintain_order=True)
    kinds = [_of_kind(str(key[0]), group, ligands, legs) for key, group in by_kind]
    _add_findings(connection, network, kinds)
    drawn = add_structures(lake, network, kinds)
    state = ask(connection, "network_states", network=network)
    as_of = ligands.select(pl.col("estimated_at").max().dt.strftime("%Y-%m-%d %H:%M UTC")).item()
    return NetworkGraph(
        network=network,
        scope=str(ScopedKey.from_str(network).scope),
        name=(state["name"].item() if len(state) else None) or "",
        as_of=as_of or "",
        kinds=kinds,
        structures=drawn.structures,
        notes=drawn.notes,
    )


def _legs(connection: Connection, network: str) -> dict[str, Row]:
    """Return one row per Transformation of the network, by ScopedKey."""
    legs = ask(connection, "network_legs", network=network).filter(pl.col("qualname") != "NonTransformation")
    legs = legs.with_columns(pl.col("ligand_i", "ligand_j").fill_null(ABSENT))
    tasks = ask(connection, "transformation_status", network=network).select("transformation", *_TASK_COLUMNS)
    rows = legs.join(tasks, on="transformation", how="left").sort("phase", "name", "transformation")
    return {row["transformation"]: row for row in rows.iter_rows(named=True)}


def _edges_of(legs: Mapping[str, Row]) -> pl.DataFrame:
    """Return the edges of a network without estimates: the ligand pairs of its legs, without numbers."""
    phases = {leg["phase"] for leg in legs.values()}
    kind = "binding" if "complex" in phases else "hydration" if phases >= {"solvent", "vacuum"} else "direct"
    pairs: dict[tuple[str, str], list[str]] = {}
    for key, leg in legs.items():
        pairs.setdefault((leg["ligand_i"], leg["ligand_j"]), []).append(key)
    nothing = dict.fromkeys((*_NUMBERS, "note")) | {"kind": kind, "status": "incomplete"}
    return pl.DataFrame([nothing | {"ligand_i": i, "ligand_j": j, "legs": keys} for (i, j), keys in pairs.items()])


def _of_kind(kind: str, edges: pl.DataFrame, ligands: pl.DataFrame, legs: Mapping[str, Row]) -> Row:
    known = {row["ligand"]: row for row in ligands.iter_rows(named=True) if row["kind"] == kind}
    names = sorted(name for name in {*edges["ligand_i"], *edges["ligand_j"], *known} if not is_absent(name))
    place = {name: k for k, name in enumerate(names)}
    rows = [_between_ligands(row) for row in edges.sort("ligand_i", "ligand_j").iter_rows(named=True)]
    every = [_edge(row, place, known, legs) for row in rows]
    shown = [edge for edge in every if edge["i"] != edge["j"]]
    at = place_nodes(len(names), [(edge["i"], edge["j"]) for edge in shown])
    statuses = _node_statuses(len(names), every)
    nodes = [_node(name, known.get(name, {}), statuses[k], at[k].tolist()) for k, name in enumerate(names)]
    for edge in every:
        if edge["i"] == edge["j"] and edge["value"] is not None:
            nodes[edge["i"]]["notes"].append(f"absolute result: {edge['value']:.2f} kcal/mol")
    performance = _performance(ligands.filter(pl.col("kind") == kind))
    return {"kind": kind, "nodes": nodes, "edges": shown, "findings": [], "performance": performance}


def _performance(ligands: pl.DataFrame) -> Row | None:
    """Return the statistics that `gather` prints for these ligands."""
    pairs = dg_pairs(ligands)
    if len(pairs) < FEWEST_PAIRS:
        return None
    found = pair_performance(pairs)
    return {name: [_number(v) for v in (found[name].value, found[name].low, found[name].high)] for name in _STATISTICS}


def _between_ligands(row: Row) -> Row:
    """Turn an absolute result, an edge from nothing to its ligand, into an edge from the ligand to itself."""
    ligands = [row[end] for end in ("ligand_i", "ligand_j") if not is_absent(row[end])]
    return {**row, "ligand_i": ligands[0], "ligand_j": ligands[-1]}


def _edge(row: Row, place: Mapping[str, int], known: Mapping[str, Row], legs: Mapping[str, Row]) -> Row:
    of_edge = [legs[key] for key in row["legs"] if key in legs]
    i, j = (known.get(row[end], {}).get("experiment_kcal_mol") for end in ("ligand_i", "ligand_j"))
    return {
        "i": place[row["ligand_i"]],
        "j": place[row["ligand_j"]],
        "value": _number(row["value_kcal_mol"]),
        "uncertainty": _number(row["uncertainty_kcal_mol"]),
        "residual": _number(row["residual_kcal_mol"]),
        "experiment": None if i is None or j is None else _number(j - i),
        "status": _edge_status(row["status"], of_edge),
        "declared": row["status"] == "ok" and not row["legs"],
        "findings": [],
        "mapping": None,
        "atoms": None,
        "note": without_codes(row["note"] or ""),
        "legs": [_leg(leg) for leg in of_edge],
    }


def _add_findings(connection: Connection, network: str, kinds: Sequence[Row]) -> None:
    """Add flagged findings to their kind, with the edges concerned, and to these edges."""
    rows = ask(connection, "latest_findings", network=network, flagged=True)
    subjects = sorted({one for subject in rows["subject"] for one in subject})
    sql = "select attempt, transformation from results where attempt in (select unnest($subjects))"
    of_attempt = dict(read_sql(connection, sql, {"subjects": subjects}).iter_rows()) if subjects else {}
    for row in rows.iter_rows(named=True):
        subject = [of_attempt.get(one, one) for one in row["subject"]]
        for kind in kinds:
            edges = [k for k, edge in enumerate(kind["edges"]) if _concerns(subject, edge, kind["nodes"])]
            if kind["kind"] == row["kind"] or (edges and row["kind"] not in {one["kind"] for one in kinds}):
                kind["findings"].append({"description": row["description"], "edges": edges})
                # for a cycle it is unknown which edge is wrong
                for k in edges if row["checked"] != "cycle" else ():
                    kind["edges"][k]["findings"].append(row["description"])


def _concerns(subject: Sequence[str], edge: Row, nodes: Sequence[Row]) -> bool:
    """Return whether a finding about an edge, a cycle or Transformations concerns this edge."""
    around = {frozenset(pair) for pair in zip(subject, [*subject[1:], *subject[:1]], strict=True)}
    ends = frozenset((nodes[edge["i"]]["name"], nodes[edge["j"]]["name"]))
    return ends in around or any(leg["key"] in subject for leg in edge["legs"])


def _edge_status(status: str, legs: Sequence[Row]) -> str:
    """Return one of `EDGE_STATUSES`; running and waiting Tasks take precedence over existing results."""
    lacking = [leg for leg in legs if leg["state"] == "error"]
    if status != "ok" and any(not _gives_no_estimate(leg) for leg in lacking):
        return "error"
    if status == "error" and not lacking:
        return "error"
    for of_task in ("running", "waiting"):
        if any(leg[f"n_{of_task}"] for leg in legs):
            return of_task
    # also complete if results exist that were not gathered yet
    return "complete" if status == "ok" or all(leg["n_results"] for leg in legs) else "idle"


def _gives_no_estimate(leg: Row) -> bool:
    """Return whether all results are good and have no estimate, as those of plain MD: nothing failed."""
    return bool(leg["state"] == "error" and leg["n_results"])


def _leg(leg: Row) -> Row:
    plain = {name: leg[name] for name in ("name", "phase", "state", "n_results", "n_failed")}
    plain["note"] = without_codes(leg["note"] or "")
    plain["key"] = leg["transformation"]
    if _gives_no_estimate(leg):
        plain["state"] = _NO_ESTIMATE
    pair = {"from": leg["ligand_i"], "to": leg["ligand_j"]}
    tasks = {name: leg[name] or 0 for name in _TASK_COLUMNS}
    numbers = {"value": leg["value_kcal_mol"], "uncertainty": leg["uncertainty_kcal_mol"]}
    return plain | pair | tasks | {name: _number(value) for name, value in numbers.items()}


def _node(name: str, row: Mapping[str, Any], status: str, at: Sequence[float]) -> Row:
    value, measured = row.get("value_kcal_mol"), row.get("experiment_kcal_mol")
    # comparable only where experiment fixes the zero
    off = None if value is None or measured is None or not row.get("absolute") else value - measured
    return {
        "name": name,
        "x": round(at[0], 3),
        "y": round(at[1], 3),
        "value": _number(value),
        "uncertainty": _number(row.get("uncertainty_kcal_mol")),
        "experiment": _number(measured),
        "experiment_uncertainty": _number(row.get("experiment_uncertainty_kcal_mol")),
        "residual": _number(off),
        "absolute": bool(row.get("absolute")),
        "component": row.get("component"),
        "status": "complete" if value is not None and status == "idle" else status,
        "notes": [without_codes(note) for note in row.get("notes") or []],
        "structure": None,
    }


def _node_statuses(n_nodes: int, edges: Sequence[Row]) -> list[str]:
    """Return each ligand's status: complete if any of its edges is, else the most urgent of its edges."""
    around: list[set[str]] = [set() for _ in range(n_nodes)]
    for edge in edges:
        around[edge["i"]].add(edge["status"])
        around[edge["j"]].add(edge["status"])
    order = ("complete", "running", "waiting", "error", "idle")
    return [next((status for status in order if status in found), "idle") for found in around]


def _number(value: float | None) -> float | None:
    """Round to seven figures; None for numbers that are not finite, which JSON cannot hold."""
    return None if value is None or not math.isfinite(value) else float(f"{value:.7g}")
