"""Closures of the independent cycles of a network's newest edges.

All of them, for plots; `network_findings` keeps the least probable ones. Cycles are found and judged in
`estimators.network.cycle_closure`.
"""

from __future__ import annotations

from typing import Final

import polars as pl

from ..estimators.network.cycle_closure import close_cycles
from ..query import Connection, ask

__all__ = ["cycle_closures"]

_SCHEMA: Final[pl.Schema] = pl.Schema(
    {
        "kind": pl.String(),
        "cycle": pl.List(pl.String()),
        "closure_kcal_mol": pl.Float64(),
        "uncertainty_kcal_mol": pl.Float64(),
    }
)


def cycle_closures(connection: Connection, network: str) -> pl.DataFrame:
    """Return the independent cycles of a network, least probable first.

    Parameters
    ----------
    connection : Connection
    network : str
        ScopedKey.

    Returns
    -------
    polars.DataFrame
        Columns kind, cycle (its ligands in order), closure_kcal_mol (sum of the differences around it) and
        uncertainty_kcal_mol (its standard error).
    """
    edges = ask(connection, "latest_edges", network=network, status="ok")
    edges = edges.filter(pl.col("uncertainty_kcal_mol") > 0)
    rows = []
    for (kind,), own in edges.group_by("kind", maintain_order=True):
        ends = own["ligand_i"].to_list(), own["ligand_j"].to_list()
        found = close_cycles(*ends, own["value_kcal_mol"].to_numpy(), own["uncertainty_kcal_mol"].to_numpy())
        for one in found:
            rows.append((kind, [str(node) for node in one.subject], one.value_kcal_mol, one.uncertainty_kcal_mol))
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")
