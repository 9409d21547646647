"""Keyed chains with real fields, written by hand."""

from __future__ import annotations

import json
from typing import Any

Chain = list[tuple[str, dict[str, Any]]]


def ref(key: str) -> dict[str, str]:
    """A reference to another object of the chain."""
    return {":gufe-key:": key}


def thing(qualname: str, module: str = "gufe", **fields: Any) -> dict[str, Any]:
    """A keyed dict."""
    return {**fields, "__qualname__": qualname, "__module__": module}


def molecule(name: Any = None, *, elements: tuple[int, ...] = (6, 8, 1), charge: int = 0) -> dict[str, Any]:
    """A SmallMoleculeComponent as gufe >= 1 writes it; the charge sits on the first atom."""
    atoms = [[z, 0, charge if i == 0 else 0, False, 0, 0, {}, 3] for i, z in enumerate(elements)]
    return thing("SmallMoleculeComponent", atoms=atoms, bonds=[], molprops={} if name is None else {"ofe-name": name})


def old_molecule(name: str, *, elements: tuple[int, ...] = (6, 8, 1), charge: int = 0) -> dict[str, Any]:
    """A SmallMoleculeComponent as gufe 0.4 writes it."""
    atoms = [[z, "", charge if i == 0 else 0, False, ""] for i, z in enumerate(elements)]
    return thing("SmallMoleculeComponent", atoms=atoms, bonds=[], conformers=[], name=name)


def protein(n_atoms: int = 4, qualname: str = "ProteinComponent") -> dict[str, Any]:
    """A ProteinComponent."""
    atom = [7, "A", 1, 0, " ", "N", "GLY", 1, "N", 0]
    return thing(qualname, atoms=[atom] * n_atoms, bonds=[], conformers=[], name="protein")


def solvent() -> dict[str, Any]:
    """A SolventComponent."""
    return thing("SolventComponent", smiles="O", positive_ion="Na+", negative_ion="Cl-", ion_concentration="0.15 molar")


def system(name: str | None = None, **components: str) -> dict[str, Any]:
    """A ChemicalSystem of components given by key."""
    return thing("ChemicalSystem", components={label: ref(key) for label, key in components.items()}, name=name)


def transformation(a: str, b: str, protocol: str = "P-1", **fields: Any) -> dict[str, Any]:
    """A Transformation between two systems given by key."""
    return thing(
        "Transformation",
        stateA=ref(a),
        stateB=ref(b),
        protocol=ref(protocol),
        **{"mapping": None, "name": None} | fields,
    )


def network(nodes: list[str], edges: list[str], name: str | None = "net") -> dict[str, Any]:
    """An AlchemicalNetwork of objects given by key."""
    return thing(
        "AlchemicalNetwork", "gufe.network", nodes=[ref(k) for k in nodes], edges=[ref(k) for k in edges], name=name
    )


def small_chain(**changes: dict[str, Any]) -> Chain:
    """Two ligands in solvent, a mapping, one Transformation; `changes` replace the objects named."""
    objects = {
        "L_a": molecule("ana"),
        "L_b": molecule("bob", elements=(6, 8, 7, 1), charge=1),
        "W_1": solvent(),
        "M_1": thing(
            "LigandAtomMapping",
            componentA=ref("L-a"),
            componentB=ref("L-b"),
            componentA_to_componentB={"0": 0, "1": 1},
            annotations='{"score": 0.5}',
        ),
        "P_1": thing("SomeProtocol", "some.where", settings={"b": 1, "a": [2.5]}),
        "S_a": system("ana_solvent", ligand="L-a", solvent="W-1"),
        "S_b": system("bob_solvent", ligand="L-b", solvent="W-1"),
        "T_ab": transformation("S-a", "S-b", mapping=ref("M-1"), name="ana_bob"),
        "N_1": network(["S-a", "S-b"], ["T-ab"]),
    } | changes
    return [(key.replace("_", "-"), content) for key, content in objects.items()]


def text(chain: Chain) -> str:
    """The chain's JSON text."""
    return json.dumps(chain)
