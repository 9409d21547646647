"""Reads that several calls share."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence

import polars as pl

from ...caller import Caller
from ...errors import InvalidArgumentError, NotFoundError
from ...ids import Scope, ScopedKey
from ...query import Connection, connect, connect_for
from ...store import Lake, collect

__all__ = [
    "connection_for",
    "connection_of",
    "in_scope",
    "members_of",
    "readable",
    "require_possible",
    "require_rows",
    "rows_of",
    "stream_of",
]


def rows_of(lake: Lake, table: str, chosen: pl.Expr, columns: Sequence[str]) -> pl.DataFrame:
    """Return columns of the chosen rows of a table.

    Parameters
    ----------
    lake : Lake
    table : str
    chosen : polars.Expr
    columns : sequence of str
    """
    return collect(lake.table(table).scan().filter(chosen).select(columns), table)


def connection_of(lake: Lake, caller: Caller) -> Connection:
    """Connect to what the caller may read.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    """
    # granted Scopes may have no network yet, which `connect` refuses
    return connect(lake, _limits(lake, caller))


def connection_for(lake: Lake, caller: Caller, *names: str) -> Connection:
    """Open a connection that has these tables and named queries only, and of them what the caller may read.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    *names : str
        Tables, named queries and other files of `query/sql`.
    """
    return connect_for(lake, *names, scopes=_limits(lake, caller))


def _limits(lake: Lake, caller: Caller) -> list[str] | None:
    """Return the Scopes that the caller may read; None if these are all."""
    return None if caller.may("read", Scope()) else list_scopes(lake, caller)


def list_scopes(lake: Lake, caller: Caller) -> list[str]:
    """Return the Scopes with a network that the caller may read, sorted.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    """
    scopes = lake.table("networks").scan().select("scope").unique().collect()["scope"].sort()
    return [scope for scope in scopes if caller.may("read", scope)]


def stream_of(frame: pl.DataFrame) -> bytes:
    """Return a frame as an Arrow IPC stream, with which frames travel."""
    buffer = io.BytesIO()
    frame.write_ipc_stream(buffer)
    return buffer.getvalue()


def in_scope(scope: str) -> pl.Expr:
    """Return the condition that a row belongs to a Scope, or to one that a pattern matches."""
    prefix, star, _ = str(Scope.parse(scope)).partition("*")
    return pl.col("scope").str.starts_with(prefix) if star else pl.col("scope") == prefix


def readable(caller: Caller, keys: Iterable[str]) -> list[str]:
    """Return the ScopedKeys in Scopes that the caller may read, in order.

    Parameters
    ----------
    caller : Caller
    keys : iterable of str
    """
    may: dict[str, bool] = {}
    kept = []
    for key in keys:
        scope = key.partition("-")[2].partition("-")[2]
        if scope not in may:
            may[scope] = caller.may("read", scope)
        if may[scope]:
            kept.append(key)
    return kept


def members_of(lake: Lake, network: str, kind: str) -> list[str]:
    """Return the Transformations or ChemicalSystems of a network, sorted.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    kind : str
        `transformation` or `system`.
    """
    scope = str(ScopedKey.from_str(network).scope)
    chosen = (pl.col("scope") == scope) & (pl.col("network") == network) & (pl.col("kind") == kind)
    return rows_of(lake, "network_members", chosen, ["member"])["member"].sort().to_list()


def require_possible(problem: str | None) -> None:
    """Raise InvalidArgumentError if there is a problem with what a user wants to set.

    Parameters
    ----------
    problem : str or None
        Why this value is impossible.
    """
    if problem is not None:
        raise InvalidArgumentError(f"{problem}; nothing was changed")


def require_rows(rows: pl.DataFrame, column: str, keys: Sequence[str], what: str) -> None:
    """Raise NotFoundError if rows lack some of the keys asked for.

    Parameters
    ----------
    rows : polars.DataFrame
    column : str
        Column of the keys.
    keys : sequence of str
        ScopedKeys asked for.
    what : str
        What they name, for the message.
    """
    missing = sorted(set(keys) - set(rows[column]))
    if missing:
        more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
        raise NotFoundError(f"the lake has no {what} {missing[0]}{more}", keys=missing)
