"""The growth of networks as tables: copies and merges, and the growth of a network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import polars as pl

from ..ids import Scope
from ..query import ask, connect_for
from ..statestore.network_copies import NetworkCopy
from ..store import Lake
from .table import Table

__all__ = ["copies_table", "growth_table"]

_GROWTH: Final = (
    "revision", "name", "created_at", "creator", "made_by", "n_ligands", "n_new_ligands", "n_transformations",
    "n_new_transformations", "n_new_tasks", "n_results", "n_reused_results", "scope", "network",
)  # fmt: skip
_HEADS: Final = {
    "created_at": "made_at", "creator": "by", "made_by": "how", "n_ligands": "ligands", "n_new_ligands": "new_ligands",
    "n_transformations": "transformations", "n_new_transformations": "new_transformations", "n_new_tasks": "new_tasks",
    "n_results": "results", "n_reused_results": "reused_results",
}  # fmt: skip


def copies_table(copies: Sequence[NetworkCopy]) -> Table:
    """Build a table with one row per copied or merged network."""
    columns = ("name", "scope", "transformations", "new", "results", "known_results", "network")
    rows = [
        (
            copy.name,
            "-".join(copy.network.split("-")[2:]),
            copy.n_transformations,
            copy.n_new_transformations,
            copy.n_results,
            copy.n_known_results,
            copy.network,
        )
        for copy in copies
    ]
    return Table(columns, rows, keep=("name", "results", "new"))


def growth_table(lake: Lake, network: str | None = None, scope: Scope | str | None = None) -> Table:
    """Build a table with one row per revision of a network, or of all, oldest first.

    Parameters
    ----------
    lake : Lake
    network : str, optional
        ScopedKey of any revision. Default: all networks.
    scope : Scope or str, optional
        Scope as `org-campaign-project`; in a pattern, `*` stands for any part.
    """
    rows = ask(connect_for(lake, "network_growth"), "network_growth", scope=scope)
    if network is not None:
        lineage = rows.filter(pl.col("network") == network)["lineage"]
        rows = rows.filter(pl.col("lineage").is_in(lineage.implode()))
    heads = tuple(_HEADS.get(name, name) for name in _GROWTH)
    keep = ("revision", "name", "made_at", "new_ligands", "new_transformations", "new_tasks", "reused_results")
    return Table(heads, rows.select(_GROWTH).rows(), keep=keep)
