"""Molecules of the ligands of a network, and the atoms that the ligands of an edge share.

A molecule is its gufe object as stored, else the SMILES of its assay; shared atoms are those of the stored atom
mapping. Ligands are drawn alike along the edges of the network, so that a series shows its common core in one
place. `structures` draws a molecule; without RDKit, none is drawn.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from ..ids import ScopedKey
from ..networks import stored_text
from ..networks.chain import reference
from ..store import Lake
from .structures import Depicted, Structure, depict, has_rdkit, read_small_molecule, read_smiles

__all__ = ["Drawn", "add_structures"]

#: Networks with more ligands are shown without structures: the page would weigh too much.
_MAX_LIGANDS: Final = 5000
#: Of ligands that cannot be drawn, so many are named.
_NAMED: Final = 5

Row = dict[str, Any]
Pairs = dict[int, int]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Structures of the ligands of a network.

    Attributes
    ----------
    structures : list of Structure
    notes : list of str
        Reasons why structures are missing.
    """

    structures: list[Structure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Ligand:
    key: str | None
    molecule: Any
    n_atoms: int


def add_structures(lake: Lake, network: str, kinds: Sequence[Mapping[str, Any]]) -> Drawn:
    """Draw the ligands of a network, each molecule once.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    kinds : sequence of mapping
        As in `NetworkGraph.kinds`. `structure` of a node becomes its place in what is returned; `mapping` of an
        edge the atoms that its ligands share, `[i, j, i, j, ...]` of their structures, -1 for a hydrogen that is not
        drawn; `atoms` of an edge the numbers of atoms that are shared, only in i, and only in j, hydrogens too.
    """
    names = {node["name"] for kind in kinds for node in kind["nodes"]}
    if not has_rdkit():
        return Drawn(notes=["ligands are shown by name alone: structures need RDKit, which is not installed"])
    if len(names) > _MAX_LIGANDS:
        return Drawn(notes=[f"ligands are shown by name alone: structures are drawn of at most {_MAX_LIGANDS}"])
    scope = str(ScopedKey.from_str(network).scope)
    rows = _transformations(lake, network, scope)
    stored = _stored(lake, scope, {key for row in rows for key in (row["ligand_a"], row["ligand_b"], *row["mappings"])})
    ligands, unreadable = _ligands(names, rows, stored, _measured(lake, scope))
    mappings = {row["transformation"]: found for row in rows if (found := _mapping(row, stored)) is not None}
    shared = [_add_mappings(kind, ligands, mappings) for kind in kinds]
    structures = _add_drawings(kinds, ligands, shared)
    return Drawn(structures, _told(unreadable))


# --- what the lake holds ----------------------------------------------------------------------------


def _transformations(lake: Lake, network: str, scope: str) -> list[Row]:
    here = pl.col("scope") == scope
    members = lake.table("network_members").scan().filter(here & (pl.col("network") == network))
    rows = lake.table("transformations").scan().filter(here)
    rows = rows.join(members.select(transformation="member"), on="transformation", how="semi")
    columns = ("transformation", "ligand_a", "ligand_b", "ligand_a_name", "ligand_b_name", "mappings")
    return rows.select(columns).sort("transformation").collect().to_dicts()


def _stored(lake: Lake, scope: str, keys: Iterable[str | None]) -> dict[str, Row]:
    """Keyed dicts of objects, by key; what is not stored is missing."""
    wanted = sorted({key for key in keys if key is not None})
    objects = lake.table("gufe_objects").scan().filter((pl.col("scope") == scope) & pl.col("key").is_in(wanted))
    rows = objects.select("key", "keyed_dict", "digest").collect().iter_rows()
    found = {key: json.loads(stored_text(packed, digest, f"{key} in Scope {scope}")) for key, packed, digest in rows}
    return {key: fields for key, fields in found.items() if isinstance(fields, dict)}


def _measured(lake: Lake, scope: str) -> dict[str, str]:
    """SMILES of assays, by ligand."""
    rows = lake.table("assays").scan().filter((pl.col("scope") == scope) & pl.col("smiles").is_not_null())
    return dict(rows.select("ligand", "smiles").collect().iter_rows())


def _ligands(
    names: Iterable[str], rows: Sequence[Row], stored: Mapping[str, Row], measured: Mapping[str, str]
) -> tuple[dict[str, _Ligand], list[str]]:
    """Molecules by the name of their node, and the nodes whose molecule RDKit cannot read."""
    keys = {row[f"ligand_{end}_name"]: row[f"ligand_{end}"] for row in rows for end in "ab"}
    read: dict[str, _Ligand | None] = {}
    found, unreadable = {}, []
    for name in sorted(names):
        # a node of one of several proteins is called `<ligand> in <protein>`
        ligand = name if name in keys or name in measured else name.rpartition(" in ")[0]
        if ligand not in read:
            read[ligand] = _read(keys.get(ligand), stored, measured.get(ligand))
        one = read[ligand]
        if one is not None:
            found[name] = one
        elif ligand in measured or "atoms" in stored.get(keys.get(ligand) or "", {}):
            unreadable.append(name)
    return found, unreadable


def _read(key: str | None, stored: Mapping[str, Row], smiles: str | None) -> _Ligand | None:
    if key is not None and key in stored:
        molecule = read_small_molecule(stored[key])
        if molecule is not None:
            return _Ligand(key, molecule, len(stored[key]["atoms"]))
    molecule = None if smiles is None else read_smiles(smiles)
    return None if molecule is None else _Ligand(None, molecule, molecule.GetNumAtoms())


def _mapping(row: Row, stored: Mapping[str, Row]) -> tuple[str, str, Pairs] | None:
    """The ligands' keys and which atoms they share, of the first mapping that can be read."""
    for key in row["mappings"]:
        fields = stored.get(key, {})
        ends = [reference(fields.get(f"component{side}")) for side in "AB"]
        pairs = fields.get("componentA_to_componentB")
        if None in ends or not isinstance(pairs, dict):
            continue
        try:
            return str(ends[0]), str(ends[1]), {int(a): int(b) for a, b in pairs.items()}
        except (TypeError, ValueError):
            continue
    return None


def _told(unreadable: Sequence[str]) -> list[str]:
    if not unreadable:
        return []
    more = f" and {len(unreadable) - _NAMED} more" if len(unreadable) > _NAMED else ""
    return [f"shown by name alone, for RDKit cannot read their molecule: {', '.join(unreadable[:_NAMED])}{more}"]


# --- edges and nodes --------------------------------------------------------------------------------


def _add_mappings(
    kind: Mapping[str, Any], ligands: Mapping[str, _Ligand], mappings: Mapping[str, tuple[str, str, Pairs]]
) -> list[Pairs | None]:
    """Return the shared atoms of every edge, as they were read; write their numbers to the edges."""
    every: list[Pairs | None] = []
    for edge in kind["edges"]:
        i, j = (ligands.get(kind["nodes"][edge[end]]["name"]) for end in "ij")
        shared = None if i is None or j is None else _shared(i, j, [leg["key"] for leg in edge["legs"]], mappings)
        every.append(shared)
        if shared is not None and i is not None and j is not None:
            edge["atoms"] = [len(shared), i.n_atoms - len(shared), j.n_atoms - len(shared)]
    return every


def _shared(
    i: _Ligand, j: _Ligand, legs: Sequence[str], mappings: Mapping[str, tuple[str, str, Pairs]]
) -> Pairs | None:
    for leg in legs:
        a, b, pairs = mappings.get(leg, ("", "", {}))
        if (a, b) == (i.key, j.key):
            return pairs
        if (a, b) == (j.key, i.key):
            return {there: here for here, there in pairs.items()}
    return None


def _add_drawings(
    kinds: Sequence[Mapping[str, Any]], ligands: Mapping[str, _Ligand], shared: Sequence[Sequence[Pairs | None]]
) -> list[Structure]:
    """Draw every ligand once, each like a neighbour that was drawn before."""
    depicted: dict[int, Depicted] = {}
    structures: list[Structure] = []
    place: dict[int, int] = {}
    for kind, of_edges in zip(kinds, shared, strict=True):
        nodes = [ligands.get(node["name"]) for node in kind["nodes"]]
        for k, like, pairs in _walk(kind["edges"], of_edges, len(nodes)):
            ligand, before = nodes[k], None if like is None else nodes[like]
            if ligand is None or id(ligand) in depicted:
                continue
            one = depict(ligand.molecule, None if before is None else depicted.get(id(before)), pairs)
            depicted[id(ligand)], place[id(ligand)] = one, len(structures)
            structures.append(one.structure)
        for node, ligand in zip(kind["nodes"], nodes, strict=True):
            node["structure"] = None if ligand is None else place[id(ligand)]
        for edge, pairs in zip(kind["edges"], of_edges, strict=True):
            i, j = (None if (one := nodes[edge[end]]) is None else depicted[id(one)].place for end in "ij")
            if pairs is not None and i is not None and j is not None:
                drawn = [(i.get(a, -1), j.get(b, -1)) for a, b in sorted(pairs.items()) if a in i or b in j]
                edge["mapping"] = [atom for pair in drawn for atom in pair]
    return structures


def _walk(
    edges: Sequence[Mapping[str, Any]], shared: Sequence[Pairs | None], n_nodes: int
) -> Iterable[tuple[int, int | None, Pairs | None]]:
    """Yield every node, with the neighbour that came before it and the atoms that both share.

    Breadth first from the node with most mapped edges, so that few steps lie between any two.
    """
    around: list[list[tuple[int, Pairs]]] = [[] for _ in range(n_nodes)]
    for edge, pairs in zip(edges, shared, strict=True):
        if pairs:
            around[edge["i"]].append((edge["j"], pairs))
            around[edge["j"]].append((edge["i"], {b: a for a, b in pairs.items()}))
    seen: set[int] = set()
    for first in sorted(range(n_nodes), key=lambda k: (-len(around[k]), k)):
        if first in seen:
            continue
        seen.add(first)
        yield first, None, None
        queue = deque([first])
        while queue:
            node = queue.popleft()
            for other, pairs in around[node]:
                if other not in seen:
                    seen.add(other)
                    yield other, node, pairs
                    queue.append(other)
