"""Facts about components, read from their keyed dicts whatever gufe version wrote them.

An unknown class yields only what its fields contain; nothing here raises on unexpected content.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from .chain import ChainObject

__all__ = ["ComponentFacts", "component_facts", "count_rings", "own_name"]

_PROTEINS = frozenset({"ProteinComponent", "SolvatedPDBComponent", "ProteinMembraneComponent"})
#: Index of the formal charge in an atom of gufe's components.
_CHARGE_AT = {"small_molecule": 2, "protein": 9}


@dataclass(frozen=True, slots=True)
class ComponentFacts:
    """Facts about a component for the tables.

    Parameters
    ----------
    key : str
    name : str or None
        Its own name.
    role : str
        `small_molecule`, `protein`, `solvent` or `other`.
    n_atoms, n_heavy_atoms : int or None
        Explicit atoms.
    formal_charge : int or None
        Sum over its atoms, in elementary charges.
    heavy : frozenset of int
        Indices of the heavy atoms of a small molecule.
    bonds : frozenset of (int, int)
        Bonds of a small molecule, as pairs of atom indices, the lower first.
    """

    key: str
    name: str | None
    role: str
    n_atoms: int | None
    n_heavy_atoms: int | None
    formal_charge: int | None
    heavy: frozenset[int] = frozenset()
    bonds: frozenset[tuple[int, int]] = frozenset()


def component_facts(component: ChainObject) -> ComponentFacts:
    """Read the facts of one component."""
    fields = component.keyed_dict
    role = _role(component.qualname, fields)
    atoms = fields.get("atoms")
    rows = atoms if isinstance(atoms, list) and all(isinstance(atom, list) and atom for atom in atoms) else None
    # not needed for a protein, which has thousands
    small = rows if role == "small_molecule" else None
    return ComponentFacts(
        key=component.key,
        name=own_name(fields),
        role=role,
        n_atoms=None if rows is None else len(rows),
        n_heavy_atoms=_count_heavy(rows),
        formal_charge=_sum_charges(rows, role),
        heavy=frozenset(i for i, atom in enumerate(small or ()) if isinstance(atom[0], int) and atom[0] > 1),
        bonds=frozenset() if small is None else _bonds(fields.get("bonds"), len(small)),
    )


def count_rings(bonds: Collection[tuple[int, int]]) -> int:
    """Count the independent rings of a bond graph: bonds minus atoms plus connected components."""
    parent: dict[int, int] = {}

    def root(atom: int) -> int:
        while parent.setdefault(atom, atom) != atom:
            parent[atom] = parent[parent[atom]]
            atom = parent[atom]
        return atom

    rings = 0
    for one, other in bonds:
        a, b = root(one), root(other)
        rings += a == b
        parent[a] = b
    return rings


def own_name(fields: Mapping[str, Any]) -> str | None:
    """Return the name of an object; gufe >= 1 stores that of a SmallMoleculeComponent in its molecule properties."""
    properties = fields.get("molprops")
    # RDKit reads a name like "26" back as a number
    for name in (fields.get("name"), properties.get("ofe-name") if isinstance(properties, dict) else None):
        if isinstance(name, (str, int, float)) and not isinstance(name, bool) and str(name).strip():
            return str(name).strip()
    return None


def _role(qualname: str, fields: Mapping[str, Any]) -> str:
    if qualname in _PROTEINS or "Protein" in qualname:
        return "protein"
    if qualname == "SmallMoleculeComponent" or "molprops" in fields:
        return "small_molecule"
    if "Solvent" in qualname or "ion_concentration" in fields:
        return "solvent"
    atoms = fields.get("atoms")
    if isinstance(atoms, list) and atoms and isinstance(atoms[0], list):
        # long rows are residues' atoms: a subclass of ProteinComponent under another name
        return "protein" if len(atoms[0]) > _CHARGE_AT["protein"] else "small_molecule"
    return "other"


def _count_heavy(rows: list[list[Any]] | None) -> int | None:
    if rows is None or not all(isinstance(atom[0], int) for atom in rows):
        return None
    return sum(1 for atom in rows if atom[0] > 1)


def _sum_charges(rows: list[list[Any]] | None, role: str) -> int | None:
    at = _CHARGE_AT.get(role)
    if rows is None or at is None or not all(len(atom) > at and _whole(atom[at]) for atom in rows):
        return None
    return sum(int(atom[at]) for atom in rows)


def _bonds(value: Any, n_atoms: int) -> frozenset[tuple[int, int]]:
    pairs = [bond[:2] for bond in value if isinstance(bond, list)] if isinstance(value, list) else []
    known = [(i, j) for i, j in (p for p in pairs if len(p) == 2) if _is_atom(i, n_atoms) and _is_atom(j, n_atoms)]
    return frozenset((min(bond), max(bond)) for bond in known)


def _is_atom(value: Any, n_atoms: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < n_atoms


def _whole(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == value and value in range(-99, 100)
