"""Rows of the table `transformations`, read from keyed dicts alone.

Robust against unknown classes: unknown values are null. Ligand labels come from `labels`, component facts from
`components`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from ..ids import Scope
from .chain import ChainObject, canonical_json, reference
from .components import ComponentFacts, component_facts, own_name
from .labels import label_ligands
from .network import Network, states_of
from .perturbation import MappingFacts, mapping_facts, perturbation_of
from .simulation import SimulationFacts, simulation_facts

__all__ = ["transformation_rows"]


def transformation_rows(
    network: Network,
    scope: Scope,
    at: datetime,
    *,
    labels: Mapping[str, str] | None = None,
    only: Iterable[str] | None = None,
) -> list[dict[str, Any]]:
    """Return the rows of `transformations` for a network.

    Parameters
    ----------
    network : Network
    scope : Scope
        Specific Scope they are shared in.
    at : datetime
        Time of ingestion, UTC.
    labels : mapping of str to str, optional
        Existing labels of ligands in this Scope, by component key.
    only : iterable of str, optional
        Keys of the Transformations to describe; default: all. Labels are chosen with all of them in view.

    Returns
    -------
    list of dict
        One row per Transformation, in the schema of `transformations`.
    """
    reader = _Reader(network.objects)
    drafts = {key: reader.draft(network.objects[key]) for key in network.transformations}
    ligands = {key for draft in drafts.values() for key in (draft["ligand_a"], draft["ligand_b"]) if key is not None}
    chosen = label_ligands(reader.names(ligands, network.systems), labels)
    wanted = network.transformations if only is None else sorted(only)
    rows = []
    for key in wanted:
        row = drafts[key]
        row |= {
            "scope": str(scope),
            "transformation": f"{key}-{scope}",
            "ligand_a_name": chosen.get(row["ligand_a"]),
            "ligand_b_name": chosen.get(row["ligand_b"]),
            "ingested_at": at,
        }
        rows.append(row)
    return rows


class _Reader:
    """Reads drafts of rows; objects shared by Transformations are read once."""

    def __init__(self, objects: Mapping[str, ChainObject]) -> None:
        self._objects = objects
        self._components: dict[str, ComponentFacts] = {}
        self._systems: dict[str, dict[str, ComponentFacts]] = {}
        self._protocols: dict[str, dict[str, Any]] = {}
        self._simulations: dict[tuple[str, str], SimulationFacts] = {}
        self._mappings: dict[str, MappingFacts] = {}

    def draft(self, transformation: ChainObject) -> dict[str, Any]:
        """Return the row without its labels, Scope and time."""
        fields = transformation.keyed_dict
        state_a, state_b = states_of(transformation)
        a, b = self._system(state_a), self._system(state_b)
        ligand_a, ligand_b = _ligands(a, b) if state_b is not None else (_sole_molecule(a), None)
        name_a, name_b = self._name(state_a), self._name(state_b)
        default = f"{name_a or state_a} -> {name_b or state_b}" if state_b is not None else name_a or state_a
        protocol = str(reference(fields["protocol"]))
        mappings = self._mapped(fields.get("mapping"))
        changes = perturbation_of(list(mappings.values()), (ligand_a, ligand_b), one_state=state_b is None)
        return {
            "key": transformation.key,
            "qualname": transformation.qualname,
            "name": own_name(fields) or default,
            "phase": (phase := _phase([*a.values(), *b.values()])),
            "environment": _environment(a, b) if phase == "complex" else None,
            "state_a": state_a,
            "state_b": state_b,
            "state_a_name": name_a,
            "state_b_name": name_b,
            **_ligand_columns("a", ligand_a),
            **_ligand_columns("b", ligand_b),
            "charge_change": _difference(ligand_a, ligand_b),
            "n_atoms_a": _atoms(a),
            "n_atoms_b": _atoms(b),
            "n_heavy_atoms_a": _atoms(a, heavy=True),
            "n_heavy_atoms_b": _atoms(b, heavy=True),
            "n_protein_atoms": _atoms({label: c for label, c in a.items() if c.role == "protein"}),
            **self._protocol(protocol),
            **_mapping_columns(mappings),
            **asdict(changes),
            **asdict(self._simulation(protocol, phase)),
        }

    def names(self, ligands: Iterable[str], systems: Iterable[str]) -> dict[str, str | None]:
        """Return the name of each ligand: its own, else the one shared by all systems that contain it."""
        names = {key: self._component(key).name for key in sorted(ligands)}
        nameless = {key: set[str | None]() for key, name in names.items() if name is None}
        for system in systems if nameless else ():
            for component in self._system(system).values():
                if component.key in nameless:
                    nameless[component.key].add(self._name(system))
        for key, found in nameless.items():
            if len(found) == 1:
                names[key] = found.pop()
        return names

    def _name(self, system: str | None) -> str | None:
        return None if system is None else own_name(self._objects[system].keyed_dict)

    def _system(self, key: str | None) -> dict[str, ComponentFacts]:
        if key is None:
            return {}
        if key not in self._systems:
            components = sorted(self._objects[key].keyed_dict["components"].items())
            self._systems[key] = {label: self._component(str(reference(value))) for label, value in components}
        return self._systems[key]

    def _component(self, key: str) -> ComponentFacts:
        if key not in self._components:
            self._components[key] = component_facts(self._objects[key])
        return self._components[key]

    def _protocol(self, key: str) -> dict[str, Any]:
        if key not in self._protocols:
            protocol = self._objects[key]
            settings = protocol.keyed_dict.get("settings")
            module = protocol.keyed_dict.get("__module__")
            self._protocols[key] = {
                "protocol": key,
                "protocol_qualname": protocol.qualname,
                "protocol_module": module if isinstance(module, str) else None,
                "settings_json": None if settings is None else _strict_json(settings),
            }
        return self._protocols[key]

    def _simulation(self, protocol: str, phase: str) -> SimulationFacts:
        if (protocol, phase) not in self._simulations:
            fields = self._objects[protocol].keyed_dict
            settings = fields.get("settings")
            self._simulations[protocol, phase] = simulation_facts(
                self._objects[protocol].qualname, settings if isinstance(settings, dict) else None, phase
            )
        return self._simulations[protocol, phase]

    def _mapped(self, value: Any) -> dict[str, MappingFacts]:
        """Return the mappings of a Transformation: none, one, a list, or (gufe 0.4) a dict."""
        given = value if isinstance(value, list) else [value]
        if isinstance(value, dict) and reference(value) is None:
            given = list(value.values())
        keys = [key for key in map(reference, given) if key is not None]
        for key in keys:
            if key not in self._mappings:
                fields = self._objects[key].keyed_dict
                ends = (reference(fields.get(f"component{side}")) for side in "AB")
                self._mappings[key] = mapping_facts(fields, *(None if e is None else self._component(e) for e in ends))
        return {key: self._mappings[key] for key in keys}


def _mapping_columns(mappings: Mapping[str, MappingFacts]) -> dict[str, Any]:
    counts = [facts.n_mapped for facts in mappings.values() if facts.n_mapped is not None]
    scores = [facts.score for facts in mappings.values() if facts.score is not None]
    return {
        "mappings": list(mappings),
        "n_mapped_atoms": sum(counts) if counts else None,
        "mapping_score": min(scores) if scores else None,
    }


def _strict_json(value: Any) -> str:
    """Serialise to JSON that SQL can query: NaN and infinity, which Python writes, become null."""
    return canonical_json(json.loads(canonical_json(value), parse_constant=lambda _: None))


def _ligands(
    a: Mapping[str, ComponentFacts], b: Mapping[str, ComponentFacts]
) -> tuple[ComponentFacts | None, ComponentFacts | None]:
    """Return the ligands: the component that only A has and the one that only B has."""
    keys_a, keys_b = {c.key for c in a.values()}, {c.key for c in b.values()}
    only_a = {label: c for label, c in a.items() if c.key not in keys_b and c.role != "solvent"}
    only_b = {label: c for label, c in b.items() if c.key not in keys_a and c.role != "solvent"}
    # a cofactor or protein that changes under the same label on both sides is not the ligand
    shared = [label for label in only_a if label in only_b]
    return _pick(only_a, shared), _pick(only_b, shared)


def _pick(candidates: Mapping[str, ComponentFacts], shared: list[str]) -> ComponentFacts | None:
    def rank(item: tuple[str, ComponentFacts]) -> tuple[bool, bool, bool, str]:
        label, component = item
        return component.role != "small_molecule", label != "ligand", label not in shared, label

    return min(candidates.items(), key=rank)[1] if candidates else None


def _sole_molecule(system: Mapping[str, ComponentFacts]) -> ComponentFacts | None:
    """Return the only small molecule of a system."""
    molecules = [c for c in system.values() if c.role == "small_molecule"]
    return molecules[0] if len(molecules) == 1 else None


def _phase(components: list[ComponentFacts]) -> str:
    roles = {component.role for component in components}
    for role, phase in (("protein", "complex"), ("solvent", "solvent"), ("small_molecule", "vacuum")):
        if role in roles:
            return phase
    return "other"


def _environment(a: Mapping[str, ComponentFacts], b: Mapping[str, ComponentFacts]) -> str | None:
    """Return the surroundings of the ligands, so that legs of one pair in two proteins are not confused."""
    after = {c.key for c in b.values()} if b else {c.key for c in a.values()}
    shared = {c.key for c in a.values() if c.key in after and c.role != "solvent"}
    return "+".join(sorted(shared)) or None


def _ligand_columns(side: str, ligand: ComponentFacts | None) -> dict[str, Any]:
    return {
        f"ligand_{side}": ligand.key if ligand else None,
        f"n_ligand_atoms_{side}": ligand.n_atoms if ligand else None,
        f"n_ligand_heavy_atoms_{side}": ligand.n_heavy_atoms if ligand else None,
    }


def _difference(a: ComponentFacts | None, b: ComponentFacts | None) -> int | None:
    if a is None or b is None or a.formal_charge is None or b.formal_charge is None:
        return None
    return b.formal_charge - a.formal_charge


def _atoms(system: Mapping[str, ComponentFacts], *, heavy: bool = False) -> int | None:
    explicit = [component for component in system.values() if component.role != "solvent"]
    counts = [component.n_heavy_atoms if heavy else component.n_atoms for component in explicit]
    known = [n for n in counts if n is not None]
    return sum(known) if known and len(known) == len(counts) else None
