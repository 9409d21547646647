"""What does not fit among the results of networks, and what a gathering of many networks did, as tables.

Owns the choice of what is shown; `latest_findings` has all that was kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from ..ids import Scope
from ..ledger.estimates import GatherReport
from ..query import Connection, ask
from .table import Table
from .tables import EstimateTable

__all__ = ["findings_table", "gathered_table", "n_flagged"]

#: Of each check and kind so many are shown, and beyond them those that are flagged.
_SHOWN: Final = 5


def findings_table(connection: Connection, network: str | None, *, scope: Scope | str | None = None) -> EstimateTable:
    """One row per finding: those that stand out first, then the least probable of each check.

    Parameters
    ----------
    connection : Connection
    network : str, optional
        ScopedKey; None for all networks, which are then named in the first column.
    scope : Scope or str, optional
        Only networks of this Scope (wildcards allowed).
    """
    found = ask(connection, "latest_findings", network=network, scope=scope)
    shown = found.filter(pl.col("flagged") | (pl.col("rank") <= _SHOWN))
    names = dict(ask(connection, "network_states", scope=scope).select("network", "name").iter_rows())
    columns = ("flagged", "check", "kind", "finding", "value (kcal/mol)", "expected (kcal/mol)", "p")
    rows = [
        (
            *(() if network else (names.get(row["network"]) or row["network"],)),
            row["flagged"],
            row["checked"],
            row["kind"],
            row["says"],
            row["value_kcal_mol"],
            row["uncertainty_kcal_mol"],
            row["p_value"],
        )
        for row in shown.iter_rows(named=True)
    ]
    table = Table(
        (*(() if network else ("network",)), *columns),
        rows,
        row_styles=tuple("" if flagged else "dim" for flagged in shown["flagged"]),
    )
    n = int(found["flagged"].sum())
    return EstimateTable(table, "findings", 0, (_stands_out(n),))


def gathered_table(connection: Connection, reports: Sequence[GatherReport]) -> Table:
    """One row per network that was gathered."""
    names = dict(ask(connection, "network_states").select("network", "name").iter_rows())
    flagged = n_flagged(connection)
    rows = [
        (
            names.get(report.network),
            report.network,
            report.round,
            report.new_round,
            report.n_regathered,
            report.n_estimated,
            report.n_transformations,
            report.n_whole_edges,
            report.n_edges,
            flagged.get(report.network, 0),
        )
        for report in reports
    ]
    columns = (
        "name",
        "network",
        "round",
        "new_round",
        "n_regathered",
        "n_estimated",
        "n_transformations",
        "n_whole_edges",
        "n_edges",
        "n_flagged",
    )
    return Table(columns, rows)


def n_flagged(connection: Connection, network: str | None = None) -> dict[str, int]:
    """Findings that stand out, by network; networks without any are left out."""
    flagged = ask(connection, "latest_findings", network=network, flagged=True)
    return dict(flagged.group_by("network", maintain_order=True).len().iter_rows())


def _stands_out(n: int) -> str:
    if not n:
        return "nothing stands out"
    return "1 finding stands out" if n == 1 else f"{n} findings stand out"
