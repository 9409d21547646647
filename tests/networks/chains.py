"""Keyed chains with real fields, written by hand."""

from __future__ import annotations

import itertools
import json
from typing import Any

from rdkit import Chem

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


def real_molecule(name: str, smiles: str) -> dict[str, Any]:
    """A SmallMoleculeComponent of all the atoms and bonds of a SMILES, hydrogens last, as gufe >= 1 writes it."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    tags, orders = (list(kind.values.values()) for kind in (Chem.ChiralType, Chem.BondType))
    atoms = [
        [a.GetAtomicNum(), 0, a.GetFormalCharge(), a.GetIsAromatic(), tags.index(a.GetChiralTag()), 0, {}, 3]
        for a in mol.GetAtoms()
    ]
    bonds = [[b.GetBeginAtomIdx(), b.GetEndAtomIdx(), orders.index(b.GetBondType()), 0, {}] for b in mol.GetBonds()]
    return thing("SmallMoleculeComponent", atoms=atoms, bonds=bonds, molprops={"ofe-name": name})


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


#: Of `mapped_chain`: the ring's carbons come first, then what is on the last of them, in all three.
MAPPED = {"phenol": "c1ccccc1O", "aniline": "c1ccccc1N", "chloride": "c1ccccc1C(Cl)C"}


def mapped_chain() -> Chain:
    """Three real molecules in solvent, two Transformations; the ring and the atom on it are mapped."""
    objects: dict[str, dict[str, Any]] = {"W-1": solvent(), "P-1": thing("SomeProtocol", "some.where", settings={})}
    for name, smiles in MAPPED.items():
        objects[f"L-{name}"] = real_molecule(name, smiles)
        objects[f"S-{name}"] = system(name, ligand=f"L-{name}", solvent="W-1")
    edges = []
    for a, b in itertools.pairwise(MAPPED):
        pairs = {str(k): k for k in range(7)}
        ends = {"componentA": ref(f"L-{a}"), "componentB": ref(f"L-{b}")}
        objects[f"M-{a}"] = thing("LigandAtomMapping", **ends, componentA_to_componentB=pairs, annotations="{}")
        objects[f"T-{a}"] = transformation(f"S-{a}", f"S-{b}", mapping=ref(f"M-{a}"), name=f"{a}_{b}")
        edges.append(f"T-{a}")
    return [*objects.items(), ("N-1", network([f"S-{name}" for name in MAPPED], edges, "mapped"))]


def text(chain: Chain) -> str:
    """The chain's JSON text."""
    return json.dumps(chain)
