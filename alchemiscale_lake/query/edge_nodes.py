"""Edges as the network's graph has them: absolute results start at a node for no ligand.

The named query `latest_edges` has null there, since no ligand has that name.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from ..networks.measures import ABSENT
from .connect import Connection, ask

__all__ = ["ask_edges"]


def ask_edges(connection: Connection, *, network: str | None = None, **equals: Any) -> pl.DataFrame:
    """Run the named query `latest_edges`, with the node `networks.measures.ABSENT` where there is no ligand.

    Parameters
    ----------
    connection : Connection
        From `connect`.
    network : str, optional
        ScopedKey.
    **equals
        Further columns, each with its required value.
    """
    edges = ask(connection, "latest_edges", network=network, **equals)
    return edges.with_columns(pl.col("ligand_i").fill_null(ABSENT)).sort(
        "network", "kind", "ligand_i", "ligand_j", maintain_order=True
    )
