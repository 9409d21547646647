"""A DuckDB connection over one snapshot of a lake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import duckdb
import polars as pl

from ..errors import NotFoundError, QueryError
from ..ids import Scope
from ..schemas import TABLES
from ..store import Lake
from ..suggestions import did_you_mean
from .answers import frame_of
from .named_queries import NAMED_QUERIES
from .names import named_network, require_scope
from .needs import needed_by
from .sandbox import lock, new_connection, refusal

__all__ = ["Connection", "ask", "connect", "connect_for", "connect_frames", "read_sql", "require_known_network"]

#: A connection to a lake, so that other rooms can name the type without importing duckdb.
Connection: TypeAlias = duckdb.DuckDBPyConnection


def connect(
    lake: str | Path | Lake, scopes: Scope | str | Sequence[Scope | str] | None = None, *, unsafe: bool = False
) -> Connection:
    """Open a DuckDB connection to the current state of a lake.

    Every table is a view under its own name (see `alchemiscale_lake.schemas.TABLES`), and so is every named query (see
    `alchemiscale_lake.query.NAMED_QUERIES`). The connection keeps the snapshot it was opened with; connect again to see
    later writes.

    SQL can read the lake and nothing else: no files, network, other databases, extensions or variables of the calling
    code (`register` a frame to query it), and settings are locked.

    Parameters
    ----------
    lake : str, Path or Lake
    scopes : Scope, str or sequence of these, optional
        Scopes or patterns such as `org-campaign-*`: rows of other Scopes are left out of every table and query. Hosts
        are those of the remaining results; decisions about hosts and cost models, which belong to no Scope, are left
        out. Default: everything.
    unsafe : bool
        Whether SQL may do everything that DuckDB can do with the rights of this process: read and write files, attach
        databases, load extensions, see Python variables. Only for statements you wrote.

    Returns
    -------
    Connection
        Times are UTC. Use it from one thread.

    Raises
    ------
    NotFoundError
        If a Scope has no network although the lake has some; the message suggests the one that was probably meant.
    InvalidScopeError
        If a Scope is malformed.

    Examples
    --------
    >>> con = connect("lake", "org-*-*")
    >>> con.sql("select ligand, value_kcal_mol from ligand_ranking").columns
    ['ligand', 'value_kcal_mol']
    >>> con.sql("select count(*) from results").fetchall()
    [(0,)]
    """
    lake = lake if isinstance(lake, Lake) else Lake.open(lake)
    for scope in [] if scopes is None else _list(scopes):
        require_scope(lake, scope)
    return connect_frames(_within(lake.snapshot(), scopes), unsafe=unsafe)


def connect_for(lake: Lake, *names: str, scopes: Sequence[Scope | str] | None = None) -> Connection:
    """Open a connection that has these tables and named queries only, and what they need.

    Parameters
    ----------
    lake : Lake
    *names : str
        Tables, named queries and other files of `query/sql`.
    scopes : sequence of Scope or str, optional
        Scopes or patterns: rows of other Scopes are left out. Default: everything.
    """
    needs = needed_by(names)
    # which hosts are seen depends on the results
    read = needs.tables if scopes is None or "hosts" not in needs.tables else {*needs.tables, "results"}
    return connect_frames(_within(lake.snapshot(read), scopes), queries=needs.queries)


def connect_frames(
    frames: Mapping[str, pl.LazyFrame | pl.DataFrame],
    *,
    queries: Iterable[str] = tuple(NAMED_QUERIES),
    unsafe: bool = False,
) -> Connection:
    """Open a connection to these scans of tables, see `connect`.

    Parameters
    ----------
    frames : mapping of str to polars.LazyFrame or polars.DataFrame
        Scans, or rows that were read already, by name of the table.
    queries : iterable of str, optional
        Named queries to define, in the order in which they build on each other. Default: all.
    unsafe : bool, default False
        Allow statements to read files and to load extensions.
    """
    connection = new_connection()
    for name, frame in frames.items():
        connection.register(name, frame)
    for query in queries:
        connection.execute(NAMED_QUERIES[query].sql)
    if not unsafe:
        lock(connection)
    return connection


def _within(
    frames: Mapping[str, pl.LazyFrame], scopes: Scope | str | Sequence[Scope | str] | None
) -> Mapping[str, pl.LazyFrame]:
    """Restrict tables to some Scopes."""
    if scopes is None:
        return frames
    prefixes = [str(Scope.parse(scope)).partition("*") for scope in _list(scopes)]
    chosen = pl.any_horizontal(
        pl.lit(False),
        *(pl.col("scope").str.starts_with(p) if star else pl.col("scope") == p for p, star, _ in prefixes),
    )
    kept = {}
    for name, frame in frames.items():
        columns = TABLES[name].names
        if "scope" in columns:
            kept[name] = frame.filter(chosen)
        elif name == "migrations":
            kept[name] = frame
        elif name == "hosts":
            used = frames["results"].filter(chosen).select("host").unique()
            kept[name] = frame.join(used, on="host", how="semi")
        else:
            kept[name] = frame.filter(pl.lit(False))
    return kept


def _list(scopes: Scope | str | Sequence[Scope | str]) -> list[Scope | str]:
    return [scopes] if isinstance(scopes, (Scope, str)) else list(scopes)


def ask(
    connection: Connection,
    name: str,
    *,
    network: str | None = None,
    scope: Scope | str | None = None,
    **equals: Any,
) -> pl.DataFrame:
    """Run a named query, with its defined order.

    Parameters
    ----------
    connection : Connection
        From `connect`.
    name : str
        One of `NAMED_QUERIES`.
    network : str, optional
        ScopedKey; for queries with a column `network`.
    scope : Scope or str, optional
        A Scope, or a pattern such as `org-campaign-*`.
    **equals
        Further columns, each with its required value.

    Raises
    ------
    NotFoundError
        If the query, the column or the network does not exist.
    """
    known = NAMED_QUERIES.get(name)
    if known is None or known.order_by is None:
        names = [known_name for known_name, q in NAMED_QUERIES.items() if q.order_by]
        meant = did_you_mean(name, names) or f"; there are {', '.join(names)}"
        raise NotFoundError(f"there is no named query {name!r}{meant}", name=name)
    wanted = {"network": network, **equals}
    wanted = {column: value for column, value in wanted.items() if value is not None}
    columns = connection.sql(f"from {known.name} limit 0").columns
    unknown = sorted(set(wanted) - set(columns))
    if unknown:
        raise NotFoundError(f"'{name}' has no column {', '.join(unknown)}; it has {', '.join(columns)}")
    # only names checked above enter the text; values are bound
    conditions = [f"{column} = ${column}" for column in wanted]
    if scope is not None:
        conditions.append("in_scope(scope, $scope_pattern)")
        wanted["scope_pattern"] = str(Scope.parse(scope))
    where = f" where {' and '.join(conditions)}" if conditions else ""
    rows = read_sql(connection, f"select * from {known.name}{where} order by {known.order_by}", wanted)
    if network is not None and rows.is_empty():
        require_known_network(connection, network)
    return rows


def require_known_network(connection: Connection, network: str) -> None:
    """Raise NotFoundError if no network has a ScopedKey; the message has the key of a network of this name.

    Parameters
    ----------
    connection : Connection
    network : str
        ScopedKey.
    """
    try:
        names = read_sql(connection, "select network, name from networks")
    except QueryError:  # a connection for other tables
        return
    if network not in names["network"]:
        raise NotFoundError(named_network(names, network), network=network)


#: Error messages of DuckDB and polars that indicate a damaged data file.
_OF_A_FILE: Final = re.compile(r"parquet|zstd|thrift|metadata|page header|magic|ComputeError", re.IGNORECASE)
_MAY_BE_DAMAGED: Final = (
    "a data file may be damaged: find it with `alchemiscale-lake verify`, repair it with "
    "`alchemiscale-lake maintain --repair`"
)


def read_sql(connection: Connection, sql: str, params: Mapping[str, Any] | None = None) -> pl.DataFrame:
    """Run one statement with bound parameters and return its rows.

    Columns with types that polars lacks, such as intervals, are returned as text.

    Parameters
    ----------
    connection : Connection
        Connection to a lake, as from `query.connect`.
    sql : str
        One statement of DuckDB's SQL, with `$name` for parameters.
    params : mapping of str to object, optional
        Values by name of the parameter.

    Raises
    ------
    QueryError
        If DuckDB rejects the statement. The message is DuckDB's; if only the sandbox of the connection forbids the
        statement, it explains how to allow it.
    """
    try:
        relation = connection.sql(sql, params=dict(params)) if params else connection.sql(sql)
        return pl.DataFrame() if relation is None else frame_of(relation)
    except duckdb.Error as e:
        advice = refusal(connection, e) or (_MAY_BE_DAMAGED if _OF_A_FILE.search(str(e)) else None)
        why = f"{_first(e)}; {advice}" if advice else str(e).partition("\n\nStack Trace:")[0]
        raise QueryError(f"DuckDB rejected the query: {why}", sql=sql) from e
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as e:
        raise QueryError(
            f"the result has a value that cannot be shown ({_first(e)}); cast its column to varchar", sql=sql
        ) from e


def _first(error: BaseException) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
