"""Networks as a table: state, weight and restart patterns."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from ..ids import Scope
from ..query import ask, connect_for
from ..store import Lake
from .table import Table

__all__ = ["networks_table", "restart_patterns_table"]


def networks_table(lake: Lake, scope: Scope | str | None = None, states: Collection[str] = ()) -> Table:
    """Build a table with one row per network, in any or in the given states.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str, optional
        Scope as `org-campaign-project`; in a pattern, `*` stands for any part.
    states : collection of str, default ()
        States to include; empty for all.
    """
    rows = ask(connect_for(lake, "network_states"), "network_states", scope=scope)
    if states:
        rows = rows.filter(pl.col("state").is_in(list(states)))
    counts = {network: len(patterns) for network, patterns in lake.network_log.restart_patterns().items()}
    columns = ("name", "scope", "state", "weight", "n_transformations", "restart_patterns", "network")
    cells = [
        (
            row["name"],
            row["scope"],
            row["state"],
            row["weight"],
            row["n_transformations"],
            counts.get(row["network"], 0),
        )
        for row in rows.iter_rows(named=True)
    ]
    return Table(columns, [(*cell, network) for cell, network in zip(cells, rows["network"], strict=True)])


def restart_patterns_table(lake: Lake, network: str) -> Table:
    """Build a table with one row per restart pattern of a network, with its restarts since it was added.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    log = lake.table("task_log").scan().filter((pl.col("event") == "restarted") & (pl.col("network") == network))
    counted = log.group_by("pattern", "pattern_seq").agg(pl.len(), pl.col("task").n_unique().alias("tasks")).collect()
    made = {(pattern, seq): (n, tasks) for pattern, seq, n, tasks in counted.iter_rows()}
    own = lake.network_log.restart_patterns().get(network, {})
    rows = [
        (pattern, own[pattern].max_retries, *made.get((pattern, own[pattern].seq), (0, 0))) for pattern in sorted(own)
    ]
    return Table(("pattern", "allowed_restarts", "restarts", "tasks_restarted"), rows, network)
