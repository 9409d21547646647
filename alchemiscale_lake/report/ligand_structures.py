"""Structures of the ligands of a network, from the stored gufe object or else the SMILES of the assay.

Molecules are drawn in `structures`. Without RDKit there are no structures.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, Final

import polars as pl

from ..ids import ScopedKey
from ..networks import stored_text
from ..store import Lake
from .structures import Structure, draw_small_molecule, draw_smiles, has_rdkit

__all__ = ["add_structures"]

#: Networks with more ligands are shown without structures: the page would be too large.
_MAX_LIGANDS: Final = 1000


def add_structures(lake: Lake, network: str, kinds: Iterable[Mapping[str, Any]]) -> list[Structure]:
    """Draw each molecule of a network once.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    kinds : iterable of mapping
        As in `NetworkGraph.kinds`; `structure` of a node is set to its index in the returned list.
    """
    nodes = [node for kind in kinds for node in kind["nodes"]]
    if not has_rdkit() or len({node["name"] for node in nodes}) > _MAX_LIGANDS:
        return []
    molecules = _molecules(lake, network)
    drawn: dict[str, int | None] = {}
    structures: list[Structure] = []
    for node in nodes:
        # with several proteins, nodes are named `<ligand> in <protein>`
        ligand = node["name"] if node["name"] in molecules else node["name"].rpartition(" in ")[0]
        if ligand not in drawn:
            structure = _draw(molecules.get(ligand))
            drawn[ligand] = len(structures) if structure else None
            structures += [structure] if structure else []
        node["structure"] = drawn[ligand]
    return structures


def _molecules(lake: Lake, network: str) -> dict[str, str | bytes]:
    """Return the SMILES, or the text of the keyed dict, by ligand name."""
    scope = str(ScopedKey.from_str(network).scope)
    here = pl.col("scope") == scope
    measured = lake.table("assays").scan().filter(here & pl.col("smiles").is_not_null())
    found: dict[str, str | bytes] = dict(measured.select("ligand", "smiles").collect().iter_rows())
    members = lake.table("network_members").scan().filter(here & (pl.col("network") == network))
    rows = lake.table("transformations").scan().filter(here)
    rows = rows.join(members.select(transformation="member"), on="transformation", how="semi")
    ends = [rows.select(name=f"ligand_{end}_name", key=f"ligand_{end}") for end in ("a", "b")]
    named = pl.concat(ends).drop_nulls().unique().sort("name", "key").collect()
    objects = lake.table("gufe_objects").scan().filter(here & pl.col("key").is_in(named["key"].unique().to_list()))
    rows_of_objects = objects.select("key", "keyed_dict", "digest").collect().iter_rows()
    stored = {key: stored_text(packed, digest, f"{key} in Scope {scope}") for key, packed, digest in rows_of_objects}
    return found | {name: stored[key] for name, key in named.iter_rows() if key in stored}


def _draw(molecule: str | bytes | None) -> Structure | None:
    if molecule is None:
        return None
    if isinstance(molecule, str):
        return draw_smiles(molecule)
    return draw_small_molecule(json.loads(molecule))
