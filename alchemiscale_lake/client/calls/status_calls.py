"""Counts of Tasks by status."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ...caller import Caller
from ...query import status_counts_by
from ...schemas import STATUSES
from ...store import Lake
from .network_calls import list_scopes, query_networks

__all__ = ["networks_status", "scope_status", "transformations_status"]


def scope_status(
    lake: Lake, caller: Caller, *, scope: str = "*-*-*", network_state: str | None = None
) -> dict[str, int]:
    """Count the Tasks of a Scope by status.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    scope : str, default "*-*-*"
        A Scope or a pattern.
    network_state : str, optional
        Regular expression: only Tasks of networks in a state that it matches. Default: all Tasks.
    """
    if network_state is None:
        readable = list_scopes(lake, caller)
        counts = status_counts_by(lake, "scope", scope=scope).filter(pl.col("scope").is_in(readable))
        return _total(counts)
    networks = query_networks(lake, caller, scope=scope, state=network_state)
    members = pl.col("network").is_in(networks) & (pl.col("kind") == "transformation")
    transformations = lake.table("network_members").scan().filter(members).select("member").unique().collect()
    counts = status_counts_by(lake, "transformation", scope=scope)
    return _total(counts.filter(pl.col("transformation").is_in(transformations["member"].to_list())))


def networks_status(lake: Lake, caller: Caller, *, networks: Sequence[str]) -> list[dict[str, int]]:
    """Count the Tasks of each network by status; empty for one without Tasks.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    networks : sequence of str
        ScopedKeys.
    """
    return _each(lake, caller, "network", networks)


def transformations_status(lake: Lake, caller: Caller, *, transformations: Sequence[str]) -> list[dict[str, int]]:
    """Count the Tasks of each Transformation by status; empty for one without Tasks.

    Parameters
    ----------
    lake : Lake
    caller : Caller
    transformations : sequence of str
        ScopedKeys.
    """
    return _each(lake, caller, "transformation", transformations)


def _each(lake: Lake, caller: Caller, by: str, keys: Sequence[str]) -> list[dict[str, int]]:
    caller.require_for("read", keys)
    counts = status_counts_by(lake, by).filter(pl.col(by).is_in(list(keys)))
    found = {row[by]: {status: n for status in STATUSES if (n := row[status])} for row in counts.iter_rows(named=True)}
    return [found.get(key, {}) for key in keys]


def _total(counts: pl.DataFrame) -> dict[str, int]:
    total = counts.select(pl.col(STATUSES).sum()).row(0)
    return {status: n for status, n in zip(STATUSES, total, strict=True) if n}
