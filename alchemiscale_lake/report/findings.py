"""Findings (inconsistencies among the results of networks) and outcomes of gathering many networks, as tables.

Owns the choice of the findings shown; the named query `latest_findings` has all of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import polars as pl

from ..estimates.gathering import GatherReport
from ..ids import Scope
from ..plurals import count, verb
from ..query import Connection, ask
from .table import Table
from .tables import EstimateTable

__all__ = ["findings_table", "gathered_table", "n_flagged"]

#: End of a sentence of `estimates.network_findings`, which repeats the columns.
_NUMBERS: Final = re.compile(
    r"(?:: result \S+ is [\d.]+ (?:above|below) .*|: \d+ results scatter by .*|: \d+ \w+ \(\d+ degrees? of freedom\) .*"
    r"| is [\d.]+ \+/- [\d.]+ kcal/mol (?:above|below) .*| adds? up to \S+ \+/- .*| differ by \S+ \+/- .*"
    r"|(?<=\d) over \d+ independent cycles? .*)$"
)
#: Findings shown per check and kind, in addition to all flagged ones.
_SHOWN: Final = 5


def findings_table(
    connection: Connection,
    network: str | None,
    *,
    scope: Scope | str | None = None,
    flagged_only: bool = False,
    brief: bool = False,
) -> EstimateTable:
    """Build a table with one row per finding: flagged ones first, then the least probable of each check.

    Parameters
    ----------
    connection : Connection
    network : str, optional
        ScopedKey; None for all networks, with their names in the first column.
    scope : Scope or str, optional
        Only networks of this Scope (wildcards allowed).
    flagged_only : bool
        Only flagged findings; a remark has the number of the others.
    brief : bool
        One line per finding: its place and numbers instead of its sentence.
    """
    found = ask(connection, "latest_findings", network=network, scope=scope)
    likely = found.filter(pl.col("flagged") | (pl.col("rank") <= _SHOWN))
    shown = likely.filter("flagged") if flagged_only else likely
    names = dict(ask(connection, "network_states", scope=scope).select("network", "name").iter_rows())
    columns = ("flagged", "check", "p", "finding", "value (kcal/mol)", "expected (kcal/mol)", "kind")
    rows = [
        (
            *(() if network else (names.get(row["network"]) or row["network"],)),
            row["flagged"],
            row["checked"],
            row["p_value"],
            row["description"],
            row["value_kcal_mol"],
            row["uncertainty_kcal_mol"],
            row["kind"],
        )
        for row in shown.iter_rows(named=True)
    ]
    table = Table(
        (*(() if network else ("network",)), *columns),
        rows,
        row_styles=tuple("" if flagged else "dim" for flagged in shown["flagged"]),
        is_sheet=True,  # a finding is a sentence
    )
    n = int(found["flagged"].sum())
    rest = len(likely) - len(shown)
    more = (f"{count(rest, 'finding')} {verb(rest)} not flagged: --all, --tsv or -o FILE shows them",) if rest else ()
    table = _brief(table, flagged_only=flagged_only) if brief else table
    return EstimateTable(table, "finding", 0, (_count_flagged(n), *more))


def _brief(table: Table, *, flagged_only: bool) -> Table:
    """Shorten sentences to what they are about; leave out `kind`, which they begin with, and `flagged` if all are."""
    left_out = {"kind", *(["flagged"] if flagged_only else [])}
    kept = [k for k, name in enumerate(table.columns) if name not in left_out]
    sentence = table.columns.index("finding")
    rows = [tuple(_place(row[k]) if k == sentence else row[k] for k in kept) for row in table.rows]
    keep = ("finding", "value (kcal/mol)", "p", "expected (kcal/mol)", "check")
    return replace(table, columns=tuple(table.columns[k] for k in kept), rows=rows, is_sheet=False, keep=keep)


def _place(sentence: str) -> str:
    """Return a finding's sentence without the numbers that are columns."""
    return _NUMBERS.sub("", sentence)


def gathered_table(connection: Connection, reports: Sequence[GatherReport]) -> Table:
    """Build a table with one row per gathered network.

    Parameters
    ----------
    connection : Connection
        Connection to a lake, as from `query.connect`.
    reports : sequence of GatherReport
        One per network.
    """
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
    """Return the number of flagged findings by network; networks without any are omitted.

    Parameters
    ----------
    connection : Connection
        Connection to a lake, as from `query.connect`.
    network : str, optional
        ScopedKey of the network.
    """
    flagged = ask(connection, "latest_findings", network=network, flagged=True)
    return dict(flagged.group_by("network", maintain_order=True).len().iter_rows())


def _count_flagged(n: int) -> str:
    if not n:
        return "no finding is flagged"
    return f"{count(n, 'finding')} {verb(n)} flagged"
