"""Tables of Strategies and their rounds."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import polars as pl

from ..ids import ScopedKey
from ..store import Lake, collect
from .table import Table

__all__ = ["explanation_summary", "explanation_table", "round_rows", "rounds_table"]

_SPENT = "spent_gpu_hours"
#: Maximum number of Transformations named in one row of a summary.
_NAMED: Final = 6


def rounds_table(lake: Lake, network: str) -> Table:
    """Build a table with one row per round of a network.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    grouped = (
        _rows(lake, network)
        .group_by("round")
        .agg(
            pl.col("at", "state", "strategy", "stop", "exception", "facts", _SPENT).first(),
            pl.col("n_tasks").sum(),
            pl.col("n_results").sum(),
            pl.col("n_in_flight").sum(),
        )
    )
    columns = ("round", "at", "state", "tasks", "results", "in_flight", _SPENT, "why", "strategy")
    rows = [
        (
            r["round"],
            r["at"],
            r["state"],
            r["n_tasks"],
            r["n_results"],
            r["n_in_flight"],
            r[_SPENT],
            _why(r),
            r["strategy"],
        )
        for r in collect(grouped, "rounds of Strategies").sort("round").iter_rows(named=True)
    ]
    return Table(columns, rows, decimals={_SPENT: 2}, is_sheet=True, keep=("round", "state", "tasks", "results", "why"))


def explanation_table(lake: Lake, network: str, number: int | None = None) -> Table:
    """Build a table with one row per Transformation: what a round gave it, and why.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    number : int, optional
        Number of the round; by default, the last.
    """
    rows = round_rows(lake, network, number)
    cells: dict[str, list[Any]] = {
        "transformation": rows["name"].to_list(),
        "tasks": rows["n_tasks"].to_list(),
        "weight": [_weight(row) for row in rows.iter_rows(named=True)],
        "votes": [_votes(text) for text in rows["votes"]],
        "results": rows["n_results"].to_list(),
        "in_flight": rows["n_in_flight"].to_list(),
        "gpu_hours": rows["gpu_hours"].to_list(),
        "why": [reason or exception for reason, exception in rows.select("reason", "exception").iter_rows()],
        "key": rows["transformation"].to_list(),
    }
    if rows["votes"].null_count() == len(rows):
        del cells["votes"]
    decimals = {"weight": 2, "gpu_hours": 2}
    keep = ("transformation", "tasks", "why")
    return Table(tuple(cells), list(zip(*cells.values(), strict=True)), decimals=decimals, is_sheet=True, keep=keep)


def explanation_summary(explained: Table) -> Table:
    """Build a table with one row per reason: the Transformations of a round that have it.

    Parameters
    ----------
    explained : Table
        As from `explanation_table`.
    """
    name, tasks, weight, why = map(explained.columns.index, ("transformation", "tasks", "weight", "why"))
    by_reason: dict[str | None, list[tuple[Any, ...]]] = {}
    for row in explained.rows:
        by_reason.setdefault(row[why], []).append(row)
    rows = [
        (len(of), sum(row[tasks] for row in of), _between([row[weight] for row in of]), reason, _names(of, name))
        for reason, of in by_reason.items()
    ]
    columns = ("n", "tasks", "weight", "why", "transformations")
    return Table(columns, rows, is_sheet=True, keep=("n", "tasks", "why", "transformations"))


def _between(weights: Sequence[float | str]) -> str:
    """Return the lowest and highest weight, and how else Transformations are marked."""
    numbers = sorted({f"{weight:.2f}" for weight in weights if not isinstance(weight, str)}, key=float)
    marks = sorted({weight for weight in weights if isinstance(weight, str)})
    return ", ".join([*([" to ".join(dict.fromkeys((numbers[0], numbers[-1])))] if numbers else []), *marks])


def _names(rows: Sequence[tuple[Any, ...]], name: int) -> str:
    named = [str(row[name]) for row in rows[:_NAMED]]
    more = len(rows) - len(named)
    return ", ".join(named) + (f" and {more} more" if more else "")


def round_rows(lake: Lake, network: str, number: int | None = None) -> pl.DataFrame:
    """Return the rows of a round with the names of Transformations, what was asked for first.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    number : int, optional
        Number of the round; by default, the last.
    """
    own = _rows(lake, network)
    wanted = pl.col("round").max() if number is None else pl.lit(number)
    names = lake.table("transformations").scan().select("transformation", "name")
    joined = own.filter(pl.col("round") == wanted).join(names, on="transformation", how="left")
    return collect(joined, "a round of a Strategy").sort(
        ["n_tasks", "weight", "name", "transformation"], descending=[True, True, False, False], nulls_last=True
    )


def _rows(lake: Lake, network: str) -> pl.LazyFrame:
    scope = str(ScopedKey.from_str(network).scope)
    rows = lake.table("strategy_rounds").scan()
    return rows.filter((pl.col("scope") == scope) & (pl.col("network") == network))


def _why(row: dict[str, Any]) -> str | None:
    if row["exception"] or row["stop"]:
        return str(row["exception"] or row["stop"])
    facts = json.loads(row["facts"] or "{}")
    return ", ".join(f"{name} {value:.3g}" for name, value in facts.items()) or None


def _weight(row: dict[str, Any]) -> float | str:
    if row["weight"] is not None:
        return float(row["weight"])
    return "failed" if row["state"] == "error" else "finished"


def _votes(text: str | None) -> str | None:
    if text is None:
        return None
    votes = json.loads(text).items()
    return ", ".join(f"{name} {'finished' if vote is None else format(vote, '.3g')}" for name, vote in votes)
