"""Ligands of a network as a table: free energies, lowest first, next to experiment."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

import polars as pl

from ..query import Connection, ask_edges
from .digits import EXPERIMENT_DECIMALS
from .table import ERROR, NO_ESTIMATE, Table
from .tables import legs_without_value

__all__ = ["failed_ligands", "ligand_table"]

_COLUMNS: Final = {
    "ligand": "ligand",
    "DG(MLE) (kcal/mol)": "value_kcal_mol",
    "uncertainty (kcal/mol)": "uncertainty_kcal_mol",
    "experiment (kcal/mol)": "experiment_kcal_mol",
}


def failed_ligands(connection: Connection, network: str) -> set[str]:
    """Return the ligands with an edge that has a failed leg.

    Parameters
    ----------
    connection : Connection
        Connection to a lake, as from `query.connect`.
    network : str
        ScopedKey of the network.
    """
    failed, _ = legs_without_value(connection, network)
    edges = ask_edges(connection, network=network).rows(named=True)
    return {edge[end] for edge in edges if failed.intersection(edge["legs"]) for end in ("ligand_i", "ligand_j")}


def ligand_table(ranking: pl.DataFrame, failed: Collection[str]) -> Table:
    """Build a table of `ligand_ranking`: lowest first, ligands without a value last.

    Parameters
    ----------
    ranking : polars.DataFrame
    failed : collection of str
        Ligands without a value that print `Error`; others print `-`.
    """
    rows = []
    for row in ranking.iter_rows(named=True):
        cells = {name: row[column] for name, column in _COLUMNS.items()}
        if row["value_kcal_mol"] is None:
            missing = ERROR if row["ligand"] in failed else NO_ESTIMATE
            cells |= {"DG(MLE) (kcal/mol)": missing, "uncertainty (kcal/mol)": missing}
        rows.append(tuple(cells.values()))
    decimals = {"experiment (kcal/mol)": EXPERIMENT_DECIMALS}
    precision_of = {"DG(MLE) (kcal/mol)": "uncertainty (kcal/mol)"}
    return Table(tuple(_COLUMNS), rows, precision_of=precision_of, decimals=decimals)
