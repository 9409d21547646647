"""Gather a network: new results, then the estimates of their Transformations, then a round of the network.

Decides what is written and in which order: Transformations, edges, and last the nodes, which make a
round visible. The reckoning is in `transformation_estimates` and `network_rounds`. Nothing here needs
gufe: a result's own estimate was put into its row by the worker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from estimators.replicates import Rule

from ..errors import NotFoundError
from ..faults import fault_point
from ..ids import ScopedKey
from ..query import Connection, ask, connect, read_sql, statement
from ..store import Lake, now_utc
from .network_rounds import Round, reckon_round
from .transformation_estimates import stale_estimates

__all__ = ["GatherReport", "gather_network"]


@dataclass(frozen=True, slots=True)
class GatherReport:
    """What gathering a network found and wrote.

    Attributes
    ----------
    network : str
        ScopedKey.
    round : int or None
        The newest round; None if the network has nothing but NonTransformations.
    new_round : bool
        Whether this call wrote it.
    n_transformations : int
        Transformations of the network.
    n_estimated : int
        Those with an estimate now.
    n_regathered : int
        Those that had new results.
    n_edges, n_whole_edges : int
        Edges, and those with a value.
    n_ligands : int
        Ligands, counted once per kind of edge.
    """

    network: str
    round: int | None
    new_round: bool
    n_transformations: int
    n_estimated: int
    n_regathered: int
    n_edges: int
    n_whole_edges: int
    n_ligands: int


def gather_network(lake: Lake, network: str | ScopedKey, *, rule: Rule = "larger") -> GatherReport:
    """Bring the estimates of a network up to date.

    Only Transformations with new results are gathered again, and a new round is written only if an
    edge or an experimental value changed. Repeating it, or two doing it at once, is harmless.

    Parameters
    ----------
    lake : Lake
    network : str or ScopedKey
    rule : {"larger", "own", "sem", "sd"}
        Which uncertainty the mean of a Transformation's results gets, see `estimators.replicates`.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    network = str(ScopedKey.parse(network))
    at = now_utc()  # before the snapshot: of two who gather at once, the one who read last writes the later time
    connection = connect(lake)
    regathered = _gather_transformations(lake, connection, network, rule, at)
    fault_point("gather:after-transformations")
    if regathered:
        at = now_utc()
        connection = connect(lake)
    legs = ask(connection, "network_legs", network=network)
    reckoned = reckon_round(legs, _assays(connection, network))
    number, new = _write_round(lake, connection, network, reckoned, at)
    return GatherReport(
        network=network,
        round=number,
        new_round=new,
        n_transformations=len(legs),
        n_estimated=int(legs["value_kcal_mol"].is_not_null().sum()),
        n_regathered=regathered,
        n_edges=len(reckoned.edges),
        n_whole_edges=sum(edge["status"] == "ok" for edge in reckoned.edges),
        n_ligands=len(reckoned.nodes),
    )


def _gather_transformations(lake: Lake, connection: Connection, network: str, rule: Rule, at: datetime) -> int:
    """Write what is new, and return how much that is."""
    scope = str(ScopedKey.from_str(network).scope)
    if not len(ask(connection, "network_states", network=network, scope=scope)):
        raise NotFoundError(f"the lake holds no network {network}; see `alchemiscale-lake status`", network=network)
    bound = {"network": network, "scope": scope}
    rows = stale_estimates(
        read_sql(connection, statement("results_to_gather"), bound),
        read_sql(connection, statement("estimate_history"), bound),
        scope=scope,
        rule=rule,
        as_of_seq=_log_position(connection),
        at=at,
    )
    return lake.table("transformation_estimates").append_new(rows)


def _log_position(connection: Connection) -> int:
    return int(read_sql(connection, statement("log_position")).item())


def _assays(connection: Connection, network: str) -> pl.DataFrame:
    return read_sql(connection, statement("newest_assays"), {"scope": str(ScopedKey.from_str(network).scope)})


def _write_round(
    lake: Lake, connection: Connection, network: str, reckoned: Round, at: datetime
) -> tuple[int | None, bool]:
    """Write a round unless the newest one was reckoned from the same; return its number and whether it is new."""
    if not reckoned.nodes:
        return None, False
    newest = read_sql(connection, statement("newest_round"), {"network": network}).row(0, named=True)
    if newest["inputs_digest"] == reckoned.inputs_digest:
        return int(newest["round"]), False
    common = {"scope": str(ScopedKey.from_str(network).scope), "network": network}
    number = (newest["round"] or 0) + 1
    # edges of a round without nodes are what a crash left, or another gatherer's at this moment
    while not _write_edges(lake, [common | edge for edge in reckoned.edges], number, at):
        number += 1
    fault_point("gather:after-edges")
    reading = {"round": number, "as_of_seq": _log_position(connection), "inputs_digest": reckoned.inputs_digest}
    rows = [common | node | reading | {"estimated_at": at} for node in reckoned.nodes]
    written = lake.table("network_estimates").append_new(rows)
    fault_point("gather:after-nodes")
    return number, written > 0


def _write_edges(lake: Lake, rows: list[dict[str, Any]], number: int, at: datetime) -> bool:
    """Write the edges as this round; False if other edges bear its number already."""
    table = lake.table("edge_estimates")
    if table.append_new([{**row, "round": number, "estimated_at": at} for row in rows]):
        return True
    mine = pl.col("network") == rows[0]["network"]
    there = table.scan().filter((pl.col("scope") == rows[0]["scope"]) & mine & (pl.col("round") == number)).collect()
    return _by_edge(there.to_dicts()) == _by_edge(rows)


def _by_edge(rows: list[dict[str, Any]]) -> dict[tuple[str, str, str], Mapping[str, Any]]:
    apart = ("round", "estimated_at")
    return {
        (row["kind"], row["ligand_i"], row["ligand_j"]): {k: v for k, v in row.items() if k not in apart}
        for row in rows
    }
