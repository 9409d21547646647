"""Objects for edges from tables, so that their networks are stored like any other."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from .measures import is_absent
from .nested import ObjectPool

__all__ = ["add_transformation", "transformation_key"]


def add_transformation(
    pool: ObjectPool, network: str, edge: tuple[str, str, str, str], mapping_score: float | None
) -> str:
    """Add the objects of a table's leg to a pool, and return the key of its Transformation.

    The objects contain no more than the table does: names, and the surroundings of the ligands. Their classes do not
    exist, so they cannot be run.

    Parameters
    ----------
    pool : ObjectPool
    network : str
        Name of the network: ligands with one name in two networks are different.
    edge : tuple of str
        System, ligands A and B, phase.
    mapping_score : float or None
        Score of the atom mapping.
    """
    _, ligand_a, ligand_b, phase = edge
    around: dict[str, Any] = {}
    if phase == "complex":
        around["protein"] = _thing("ImportedProtein", name=network)
    if phase in ("complex", "solvent"):
        around["solvent"] = _thing("ImportedSolvent")
    states = [
        _thing("ChemicalSystem", components=_ligand(name, network) | around, name="_".join([*_named(name), phase]))
        for name in (ligand_a, ligand_b)
    ]
    annotations = json.dumps({} if mapping_score is None else {"score": mapping_score})
    transformation = _thing(
        "Transformation",
        stateA=states[0],
        stateB=states[1],
        mapping=_thing("ImportedMapping", annotations=annotations),
        protocol=_thing("ImportedProtocol", settings={}),
        name="_".join([*_named(ligand_a, ligand_b), phase]),
    )
    return pool.add(transformation, transformation_key(network, edge))


def transformation_key(network: str, edge: tuple[str, str, str, str]) -> str:
    """Return the gufe key of a leg's Transformation, which does not depend on the mapping stated in tables.

    Parameters
    ----------
    network : str
        Name of the network.
    edge : tuple of str, str, str, str
        System, ligand A, ligand B and phase.
    """
    token = hashlib.md5(json.dumps([network, *edge[1:]]).encode(), usedforsecurity=False).hexdigest()
    return f"Transformation-{token}"


def _named(*ligands: str) -> list[str]:
    return [ligand for ligand in ligands if not is_absent(ligand)]


def _ligand(name: str, network: str) -> dict[str, Any]:
    """Return the component of this name; none for the reserved name for no ligand."""
    if is_absent(name):
        return {}
    return {"ligand": _thing("ImportedLigand", molprops={"ofe-name": name}, network=network)}


def _thing(qualname: str, **fields: Any) -> dict[str, Any]:
    return {**fields, "__qualname__": qualname, "__module__": "imported"}
