"""The present answers of an archive's networks, for readers without alchemiscale-lake: one file per question."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import polars as pl

from ..query import connect_to_networks, read_sql
from ..store import Lake

__all__ = ["CURRENT", "current_answers"]

#: Name of the file -> what it is, the named query that it has, and the columns by which it is sorted.
CURRENT: Final[Mapping[str, tuple[str, str, tuple[str, ...]]]] = {
    "free_energies": (
        "Free energy of each ligand, lowest first",
        "ligand_ranking",
        ("network", "kind", "component", "rank", "ligand"),
    ),
    "edges": (
        "Free energy difference of each edge, assembled from its legs",
        "latest_edges",
        ("network", "kind", "ligand_i", "ligand_j"),
    ),
    "tasks": ("Status of each Task", "task_states", ("task",)),
    "findings": (
        "Findings: cycles, edges, legs and results that stand out",
        "latest_findings",
        ("network", "checked", "kind", "rank"),
    ),
}


def current_answers(lake: Lake, networks: Sequence[str]) -> dict[str, pl.DataFrame]:
    """Return the present answers, by name of the file.

    Parameters
    ----------
    lake : Lake
    networks : sequence of str
        ScopedKeys.
    """
    opened = connect_to_networks(lake, networks, [query for _, query, _ in CURRENT.values()])
    found = {}
    for name, (_, query, order) in CURRENT.items():
        rows = read_sql(opened.connection, f"select * from {query}")
        found[name] = rows.sort(order, nulls_last=True)
    return found
