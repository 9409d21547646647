"""Task counts as tables, in alchemiscale's order and colours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import polars as pl

from ..ids import Scope
from ..query import ask, connect_for, status_counts_by
from ..store import Lake
from .table import Table

__all__ = ["STATUS_STYLES", "network_status_table", "status_table", "transformation_status_table"]

#: alchemiscale's colours, in alchemiscale's order.
STATUS_STYLES: Final[Mapping[str, str]] = {
    "complete": "green",
    "running": "orange3",
    "waiting": "#1793d0",
    "error": "#ff073a",
    "invalid": "magenta1",
    "deleted": "purple",
}


def status_table(counts: Mapping[str, int], title: str) -> Table:
    """Build a table with one row per status.

    Parameters
    ----------
    counts : mapping of str to int
        Number of Tasks by status.
    title : str
        Title of the table.
    """
    rows = [(status, counts[status]) for status in STATUS_STYLES]
    return Table(("status", "count"), rows, title, row_styles=tuple(STATUS_STYLES.values()))


def network_status_table(lake: Lake, scope: Scope | str | None = None) -> Table:
    """Build a table with one row per network that is not deleted, with its Tasks by status.

    Parameters
    ----------
    lake : Lake
    scope : Scope or str, optional
        Scope as `org-campaign-project`; in a pattern, `*` stands for any part.
    """
    networks = ask(connect_for(lake, "network_states", "in_scope"), "network_states", scope=scope).filter(
        pl.col("state") != "deleted"
    )
    counted = status_counts_by(lake, "network")
    rows = networks.join(counted, on="network", how="left").sort("scope", "name", "network")
    rows = rows.with_columns(pl.col(list(STATUS_STYLES)).fill_null(0))
    columns = ("name", "scope", "state", *STATUS_STYLES, "network")
    return Table(columns, rows.select(columns).rows(), styles=STATUS_STYLES)


def transformation_status_table(lake: Lake, network: str) -> Table:
    """Build a table with one row per Transformation of a network.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    rows = ask(connect_for(lake, "transformation_status"), "transformation_status", network=network)
    counts = [f"n_{status}" for status in STATUS_STYLES]
    columns = ("name", *STATUS_STYLES, "transformation")
    return Table(columns, rows.select("name", *counts, "transformation").rows(), network, styles=STATUS_STYLES)
