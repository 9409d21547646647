"""Size of the change in a Transformation: unmapped atoms, rings broken and formed, from atom mappings.

Read from keyed dicts; unknown values are None.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .components import ComponentFacts, count_rings

__all__ = ["MappingFacts", "Perturbation", "mapping_facts", "perturbation_of"]


@dataclass(frozen=True, slots=True)
class Perturbation:
    """Change between two states.

    Attributes
    ----------
    n_dummy_atoms, n_dummy_heavy_atoms : int or None
        Atoms of both ligands that are not mapped.
    ring_change : int or None
        Independent rings of either ligand that are not preserved by the common atoms and bonds: broken and formed.
    """

    n_dummy_atoms: int | None = None
    n_dummy_heavy_atoms: int | None = None
    ring_change: int | None = None

    def __add__(self, other: Perturbation) -> Perturbation:
        """Return the sum of both; unknown if either is."""
        return Perturbation(
            _sum(self.n_dummy_atoms, other.n_dummy_atoms),
            _sum(self.n_dummy_heavy_atoms, other.n_dummy_heavy_atoms),
            _sum(self.ring_change, other.ring_change),
        )


@dataclass(frozen=True, slots=True)
class MappingFacts:
    """Facts from one atom mapping.

    Attributes
    ----------
    n_mapped : int or None
    score : float or None
        As annotated.
    changes : Perturbation
    """

    n_mapped: int | None
    score: float | None
    changes: Perturbation


def mapping_facts(fields: Mapping[str, Any], a: ComponentFacts | None, b: ComponentFacts | None) -> MappingFacts:
    """Read an atom mapping between two components, if these are known.

    Parameters
    ----------
    fields : mapping of str to object
        Fields of the mapping.
    a : ComponentFacts or None
        Component of state A; None if unknown.
    b : ComponentFacts or None
        Component of state B; None if unknown.
    """
    pairs = fields.get("componentA_to_componentB")
    if not isinstance(pairs, dict):
        return MappingFacts(None, _score(fields), Perturbation())
    try:
        matched = {int(i): int(j) for i, j in pairs.items()}
    except (TypeError, ValueError):
        return MappingFacts(len(pairs), _score(fields), Perturbation())
    known = a is not None and b is not None
    return MappingFacts(len(pairs), _score(fields), _changes(matched, a, b) if known else Perturbation())  # type: ignore[arg-type]


def perturbation_of(
    mappings: Sequence[MappingFacts], ligands: tuple[ComponentFacts | None, ComponentFacts | None], *, one_state: bool
) -> Perturbation:
    """Return the total change in a Transformation.

    Without a mapping, all atoms of both ligands are unmapped, and no ring breaks or forms.

    Parameters
    ----------
    mappings : sequence of MappingFacts
        Facts of the atom mappings.
    ligands : tuple of ComponentFacts or None, ComponentFacts or None
        Ligands of states A and B; None if unknown.
    one_state : bool
        The Transformation samples a single system.
    """
    if one_state:
        return Perturbation(0, 0, 0)
    if mappings:
        total = Perturbation(0, 0, 0)
        for mapping in mappings:
            total += mapping.changes
        return total
    known = [ligand for ligand in ligands if ligand is not None]
    if not known:
        return Perturbation()
    atoms = [ligand.n_atoms for ligand in known]
    heavy = [ligand.n_heavy_atoms for ligand in known]
    n_atoms, n_heavy = (None if None in n else sum(x or 0 for x in n) for n in (atoms, heavy))
    return Perturbation(n_atoms, n_heavy, None if n_atoms is None else 0)


def _changes(matched: dict[int, int], a: ComponentFacts, b: ComponentFacts) -> Perturbation:
    if a.n_atoms is None or b.n_atoms is None or a.role != "small_molecule" or b.role != "small_molecule":
        return Perturbation()
    back = {j: i for i, j in matched.items()}
    core = [
        (i, j)
        for i, j in a.bonds
        if i in matched and j in matched and tuple(sorted((matched[i], matched[j]))) in b.bonds
    ]
    # a mapping edited by hand may repeat atoms, or name atoms that do not exist
    return Perturbation(
        n_dummy_atoms=len(set(range(a.n_atoms)) - matched.keys()) + len(set(range(b.n_atoms)) - back.keys()),
        n_dummy_heavy_atoms=len(a.heavy - matched.keys()) + len(b.heavy - back.keys()),
        ring_change=max(0, count_rings(a.bonds) + count_rings(b.bonds) - 2 * count_rings(core)),
    )


def _score(fields: Mapping[str, Any]) -> float | None:
    annotations = fields.get("annotations")
    if isinstance(annotations, str):
        try:
            annotations = json.loads(annotations)
        except (ValueError, RecursionError):
            annotations = None
    score = annotations.get("score") if isinstance(annotations, dict) else None
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not math.isfinite(score):
        return None
    return float(score)


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
