"""What would join the parts of a network that have no common scale: edges without a result, and ligands in common.

Pure: from rows of `ligand_ranking` and `latest_edges` of one network and kind.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import polars as pl

__all__ = ["MissingLink", "missing_links"]


@dataclass(frozen=True, slots=True)
class MissingLink:
    """A pair of nodes in different parts.

    Attributes
    ----------
    node_a, node_b : str
    has_edge : bool
        Whether an edge without a value joins them; else they are one ligand in two environments, which a declared
        link may join.
    """

    node_a: str
    node_b: str
    has_edge: bool

    def __str__(self) -> str:
        return f"{self.node_a} -> {self.node_b}"


def missing_links(ligands: pl.DataFrame, edges: pl.DataFrame) -> list[MissingLink]:
    """Return the fewest links that join the parts of a network as far as possible, edges without a result first.

    Parameters
    ----------
    ligands : polars.DataFrame
        Columns ligand, component: one kind.
    edges : polars.DataFrame
        Columns ligand_i, ligand_j, status.
    """
    part = dict(ligands.select("ligand", "component").iter_rows())
    joined = {component: component for component in part.values()}

    def root(component: int) -> int:
        while joined[component] != component:
            component = joined[component]
        return component

    open_ = edges.filter(pl.col("status") != "ok").select("ligand_i", "ligand_j").sort("ligand_i", "ligand_j").rows()
    by_ligand: dict[str, list[str]] = {}
    for node in sorted(part):
        if " in " in node:
            by_ligand.setdefault(node.rpartition(" in ")[0], []).append(node)
    same = [pair for nodes in by_ligand.values() for pair in itertools.pairwise(nodes)]
    found = []
    for has_edge, pairs in ((True, open_), (False, same)):
        for a, b in pairs:
            if a in part and b in part and (one := root(part[a])) != (other := root(part[b])):
                joined[other] = one
                found.append(MissingLink(a, b, has_edge))
    return found
