"""Declared links as a Strategy sees them: between ligands of groups, rather than between nodes of estimates."""

from __future__ import annotations

import hashlib
import json
from typing import Final

import polars as pl

from ..estimates.assembled_edges import node_name
from ..estimates.links import current_links
from ..ids import ScopedKey
from ..networks.measures import is_absent
from ..store import Lake
from ..strategies.strategy_rows import LinkRow

__all__ = ["link_rows", "links_for", "with_links"]

_COLUMNS: Final = ("kind", "ligand_i", "ligand_j", "value_kcal_mol", "uncertainty_kcal_mol")


def links_for(lake: Lake, network: str) -> pl.DataFrame:
    """Return the links of a network's Scope that are not withdrawn.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.
    """
    return current_links(lake, ScopedKey.from_str(network).scope).select(_COLUMNS).sort(_COLUMNS[:3])


def with_links(digest: str, links: pl.DataFrame) -> str:
    """Return the digest of what a round is decided on, with the links, if there are any.

    Parameters
    ----------
    digest : str
        Of everything else.
    links : polars.DataFrame
        From `links_for`.
    """
    return hashlib.sha256(json.dumps([digest, links.rows()]).encode()).hexdigest() if len(links) else digest


def link_rows(links: pl.DataFrame, legs: pl.DataFrame) -> tuple[LinkRow, ...]:
    """Return the links between ligands that a network has.

    Parameters
    ----------
    links : polars.DataFrame
        From `links_for`.
    legs : polars.DataFrame
        Columns ligand_i, ligand_j, environment: the Transformations of the network.
    """
    ligands = sorted({*legs["ligand_i"].drop_nulls(), *legs["ligand_j"].drop_nulls()})
    environments = sorted(legs["environment"].drop_nulls().unique())
    several = len(environments) > 1
    node: dict[str, tuple[str, str | None]] = {ligand: (ligand, None) for ligand in ligands}
    if several:
        node |= {node_name(ligand, of): (ligand, of) for ligand in ligands for of in environments}
    found = []
    for kind, i, j, value, uncertainty in links.select(_COLUMNS).iter_rows():
        if i not in node or j not in node or is_absent(i) or is_absent(j):
            continue
        (ligand_a, group_a), (ligand_b, group_b) = node[i], node[j]
        # with several proteins, no node of a binding free energy is without one
        if several and kind == "binding" and None in (group_a, group_b):
            continue
        found.append(
            LinkRow(
                ligand_a=ligand_a,
                ligand_b=ligand_b,
                value_kcal_mol=value,
                uncertainty_kcal_mol=uncertainty,
                kind=kind,
                group_a=group_a,
                group_b=group_b,
            )
        )
    return tuple(found)
