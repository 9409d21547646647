"""Networks for tests: small, quick to run, with known answers, on both generations of gufe.

All Transformations use `HarmonicProtocol`; its settings are given as keywords (`n_samples=20`, `fail="raise"`), and
its `seed` as `protocol_seed`, since `seed` is that of the network. Two calls with the same arguments give equal
objects and keys, except for the random keys of ProtocolUnits.
"""

from __future__ import annotations

import functools
import itertools
import random
from collections.abc import Iterable, Sequence
from typing import Any

import gufe
from rdkit import Chem
from rdkit.Chem import AllChem

from alchemiscale_lake.protocols.harmonic import HarmonicProtocol, HarmonicState
from alchemiscale_lake.protocols.noop import NoOpProtocol

SMILES = (
    "Cc1ccccc1",
    "Oc1ccccc1",
    "Nc1ccccc1",
    "Clc1ccccc1",
    "Fc1ccccc1",
    "CCc1ccccc1",
    "COc1ccccc1",
    "N#Cc1ccccc1",
)
PHASES = ("vacuum", "solvent", "complex")


def harmonic_system(name: str, seed: int = 0) -> gufe.ChemicalSystem:
    """Return a ChemicalSystem of one HarmonicState; name and seed determine its parameters."""
    draw = random.Random(f"{seed} {name}")
    state = HarmonicState(
        name,
        spring_constant_kcal_mol=draw.uniform(0.5, 4.0),
        offset_kcal_mol=draw.uniform(-5.0, 5.0),
        position_angstrom=draw.uniform(-0.5, 0.5),
    )
    return gufe.ChemicalSystem({"ligand": state}, name=name)


def harmonic_transformation(
    name_a: str = "a", name_b: str = "b", *, seed: int = 0, **settings: Any
) -> gufe.Transformation:
    """Return one Transformation between two harmonic systems."""
    protocol = _protocol(settings)
    return _transformation(harmonic_system(name_a, seed), harmonic_system(name_b, seed), protocol)


def harmonic_network(
    n_ligands: int = 4, n_edges: int | None = None, seed: int = 0, *, name: str = "harmonic", **settings: Any
) -> gufe.AlchemicalNetwork:
    """Return a connected network: a random spanning tree, then random further edges up to `n_edges`.

    By default there is one more edge than in the tree, so that there is a cycle.
    """
    names = [f"lig{i:03d}" for i in range(n_ligands)]
    pairs = _connected_pairs(names, n_ligands if n_edges is None else n_edges, seed)
    return _network(pairs, seed, name, settings)


def fanning_network(branch: int = 3, depth: int = 2, seed: int = 0, **settings: Any) -> gufe.AlchemicalNetwork:
    """Return a tree: every ligand above the last level has `branch` Transformations downwards."""
    pairs, level = [], ["lig"]
    for _ in range(depth):
        children = {parent: [f"{parent}_{i}" for i in range(branch)] for parent in level}
        pairs += [(parent, child) for parent, below in children.items() for child in below]
        level = list(itertools.chain.from_iterable(children.values()))
    return _network(pairs, seed, "fanning", settings)


def disconnected_network(
    n_parts: int = 2, n_ligands: int = 3, seed: int = 0, **settings: Any
) -> gufe.AlchemicalNetwork:
    """Return several unconnected parts."""
    pairs = []
    for part in range(n_parts):
        pairs += _connected_pairs([f"part{part}_lig{i}" for i in range(n_ligands)], n_ligands - 1, seed + part)
    return _network(pairs, seed, "disconnected", settings)


def legs_network(
    n_ligands: int = 3, phases: Sequence[str] = ("solvent", "complex"), *, name: str = "legs", **settings: Any
) -> gufe.AlchemicalNetwork:
    """Return real small molecules in a ring of edges, each with one Transformation per phase, named as in openfe.

    `phases` are any of vacuum, solvent and complex; the protein is a dipeptide.
    """
    ligands = [small_molecule(f"lig{i}", SMILES[i]) for i in range(n_ligands)]
    pairs = list(itertools.pairwise(ligands)) + ([(ligands[-1], ligands[0])] if n_ligands > 2 else [])
    protocol = _protocol(settings)
    edges = []
    for (ligand_i, ligand_j), phase in itertools.product(pairs, phases):
        states = [_leg(ligand, phase) for ligand in (ligand_i, ligand_j)]
        edges.append(_transformation(*states, protocol, name=f"rbfe_{states[0].name}_{states[1].name}"))
    return gufe.AlchemicalNetwork(edges, name=name)


def noop_network(n_transformations: int = 4, **settings: Any) -> gufe.AlchemicalNetwork:
    """Return a chain of many Transformations that do nothing."""
    protocol = NoOpProtocol.with_settings(**settings)
    systems = [harmonic_system(f"lig{i:05d}") for i in range(n_transformations + 1)]
    edges = [_transformation(a, b, protocol) for a, b in itertools.pairwise(systems)]
    return gufe.AlchemicalNetwork(edges, name="noop")


def non_transformation(name: str = "a", **settings: Any) -> gufe.NonTransformation:
    """Return a NonTransformation: a system sampled unchanged."""
    return gufe.NonTransformation(harmonic_system(name), _protocol(settings), name=name)


@functools.cache
def small_molecule(name: str, smiles: str) -> gufe.SmallMoleculeComponent:
    """Return a molecule with hydrogens and coordinates, the same in every call."""
    mol = Chem.AddHs(Chem.MolFromSmiles(smiles))
    AllChem.EmbedMolecule(mol, randomSeed=7)
    return gufe.SmallMoleculeComponent.from_rdkit(mol, name=name)


@functools.cache
def protein() -> gufe.ProteinComponent:
    """Return a dipeptide."""
    mol = Chem.AddHs(Chem.MolFromSequence("GA"), addResidueInfo=True)
    AllChem.EmbedMolecule(mol, randomSeed=7)
    return gufe.ProteinComponent(mol, name="protein")


def sorted_edges(network: gufe.AlchemicalNetwork) -> list[gufe.Transformation]:
    """Return the Transformations of a network by name: gufe keeps them in a set."""
    return sorted(network.edges, key=lambda edge: (edge.name or "", str(edge.key)))


def _protocol(settings: dict[str, Any]) -> HarmonicProtocol:
    settings = dict(settings)
    return HarmonicProtocol.with_settings(seed=settings.pop("protocol_seed", None), **settings)


def _leg(ligand: gufe.SmallMoleculeComponent, phase: str) -> gufe.ChemicalSystem:
    components: dict[str, gufe.Component] = {"ligand": ligand}
    if phase in ("solvent", "complex"):
        components["solvent"] = gufe.SolventComponent()
    if phase == "complex":
        components["protein"] = protein()
    return gufe.ChemicalSystem(components, name=f"{ligand.name}_{phase}")


def _connected_pairs(names: Sequence[str], n_edges: int, seed: int) -> list[tuple[str, str]]:
    draw = random.Random(seed)
    tree = [(names[draw.randrange(i)], names[i]) for i in range(1, len(names))]
    others = sorted(set(itertools.combinations(names, 2)) - set(tree))
    return tree + draw.sample(others, max(0, min(n_edges - len(tree), len(others))))


def _network(
    pairs: Iterable[tuple[str, str]], seed: int, name: str, settings: dict[str, Any]
) -> gufe.AlchemicalNetwork:
    protocol = _protocol(settings)
    edges = [_transformation(harmonic_system(a, seed), harmonic_system(b, seed), protocol) for a, b in pairs]
    return gufe.AlchemicalNetwork(edges, name=name)


def _transformation(
    state_a: gufe.ChemicalSystem,
    state_b: gufe.ChemicalSystem,
    protocol: gufe.Protocol,
    name: str | None = None,
) -> gufe.Transformation:
    return gufe.Transformation(state_a, state_b, protocol, name=name or f"{state_a.name}_{state_b.name}")
