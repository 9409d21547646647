"""Declared links as edges of an estimate version: edges without legs, in the place of a calculation that is missing."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ..estimators.network.edges import EdgeEstimate, Kind
from ..estimators.notes import Note
from .assembled_edges import AssembledEdge

__all__ = ["linked_edges"]


def linked_edges(links: pl.DataFrame, kind: Kind, edges: Sequence[AssembledEdge]) -> list[AssembledEdge]:
    """Return the links between nodes of a network as edges without legs.

    A pair whose own edge has a value gets none.

    Parameters
    ----------
    links : polars.DataFrame
        Rows of `current_links`.
    kind : Kind
        Kind of the edges.
    edges : sequence of AssembledEdge
        The network's own edges of this kind.
    """
    nodes = {end for edge in edges for end in (edge.estimate.ligand_a, edge.estimate.ligand_b)}
    whole = [edge.estimate for edge in edges if edge.estimate.whole]
    measured = {frozenset((edge.ligand_a, edge.ligand_b)) for edge in whole}
    taken = {(edge.estimate.ligand_a, edge.estimate.ligand_b) for edge in edges}
    found = []
    for row in links.filter(pl.col("kind") == kind).sort("ligand_i", "ligand_j").iter_rows(named=True):
        a, b, value, error = (row[n] for n in ("ligand_i", "ligand_j", "value_kcal_mol", "uncertainty_kcal_mol"))
        if not {a, b} <= nodes or frozenset((a, b)) in measured:
            continue
        if (a, b) in taken:  # by an edge without a value, and rows are found by their ends
            a, b, value = b, a, -value
        note = Note("declared-link", f"declared by {row['actor']}, not computed")
        found.append(AssembledEdge(EdgeEstimate(a, b, None, kind, value, error, (), (), (), (note,)), (), False))
    return found
