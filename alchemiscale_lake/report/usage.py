"""Usage tables for operators: compute, failures, storage."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal

import polars as pl

from ..ids import Scope
from ..query import Connection, ask, read_sql, statement
from .table import Table

__all__ = ["DIMENSIONS", "Dimension", "usage_frame", "usage_table"]

Dimension = Literal["day", "scope", "protocol", "host", "pool", "network"]

#: Dimensions that usage can be grouped by.
DIMENSIONS: Final[tuple[Dimension, ...]] = ("day", "scope", "protocol", "host", "pool", "network")

_COLUMNS: Final = (
    "n_tasks",
    "tasks_per_day",
    "n_attempts",
    "n_failed",
    "failure_rate",
    "failure_rate_low",
    "failure_rate_high",
    "wall_h",
    "core_h",
    "gpu_h",
)
#: Most important first.
_KEEP: Final = ("gpu_h", "n_tasks", "n_failed", "failure_rate", "core_h", "wall_h", "n_attempts")
_DECIMALS: Final[Mapping[str, int]] = {
    "tasks_per_day": 1,
    "failure_rate": 3,
    "failure_rate_low": 3,
    "failure_rate_high": 3,
    "wall_h": 1,
    "core_h": 1,
    "gpu_h": 1,
}


def usage_frame(
    connection: Connection,
    by: Dimension,
    *,
    scope: Scope | str | None = None,
    window: timedelta | None = None,
    now: datetime | None = None,
) -> pl.DataFrame:
    """Sum results, failures and hours of attempts.

    Parameters
    ----------
    connection : Connection
    by : {"day", "scope", "protocol", "host", "pool", "network"}
        Dimension with one row per value; days are UTC. A Transformation of two networks counts in both.
    scope : Scope or str, optional
        Only this Scope (wildcards allowed).
    window : timedelta, optional
        Only attempts that ended within this time before `now`; all by default.
    now : datetime, optional
        End of `window`.

    Returns
    -------
    polars.DataFrame
        Columns name, n_tasks (with a good result), tasks_per_day (over the window, or from the first start
        to the last end in the table, at least one day; NULL if no result has times), n_attempts, n_failed,
        failure_rate with its 95% Wilson interval, wall_h, core_h, gpu_h, result_bytes; n_timed (Tasks with a good
        result with times), first_start and last_end of the row.
    """
    pattern = None if scope is None else str(Scope.parse(scope))
    since = None if window is None or now is None else now - window
    bound = {"by": by, "scope": pattern, "since": since, "until": None if since is None else now}
    return read_sql(connection, statement("usage"), bound)


def usage_table(
    connection: Connection,
    by: Dimension,
    *,
    scope: Scope | str | None = None,
    window: timedelta | None = None,
    now: datetime | None = None,
) -> Table:
    """Build a table of `usage_frame`; by network or Scope, with the bytes of all results.

    Parameters
    ----------
    connection : Connection
        Connection to a lake, as from `query.connect`.
    by : Dimension
        What each row stands for.
    scope : Scope or str, optional
        Scope as `org-campaign-project`; in a pattern, `*` stands for any part.
    window : timedelta, optional
        Only results of this last period; by default, all.
    now : datetime, optional
        End of the period, UTC; by default, the present.
    """
    frame = usage_frame(connection, by, scope=scope, window=window, now=now).rename({"name": by})
    columns: tuple[str, ...] = (by, *_COLUMNS)
    if by in ("network", "scope"):
        query = "network_storage" if by == "network" else "scope_storage"
        stored = ask(connection, query, scope=scope).with_columns(
            stored_bytes=pl.col("result_bytes") + pl.col("file_bytes")
        )
        names = {"name": "name"} if by == "network" else {}
        frame = frame.join(stored.select(by, "stored_bytes", *names), on=by, how="left", maintain_order="left")
        # the name is the first column, the ScopedKey the last
        columns = (*names, *_COLUMNS, "stored_bytes", by) if by == "network" else (by, *_COLUMNS, "stored_bytes")
    return Table(columns, frame.select(columns).rows(), decimals=_DECIMALS, keep=_KEEP)
