"""Structures: drawings from SMILES or a stored gufe object, without gufe and without harm."""

from __future__ import annotations

import builtins
import json
from typing import Any

import numpy as np
import pytest

from alchemiscale_lake.report.structures import (
    HASH,
    LEFT,
    RIGHT,
    TRIPLE,
    WEDGE,
    Depicted,
    Structure,
    depict,
    has_rdkit,
    read_small_molecule,
    read_smiles,
)
from tests.example_networks import small_molecule


def drawn(smiles: str, like: Depicted | None = None, shared: dict[int, int] | None = None) -> Depicted:
    molecule = read_smiles(smiles)
    assert molecule is not None
    return depict(molecule, like, shared)


def letters(structure: Structure) -> list[str]:
    return sorted(f"{symbol}H{n_hydrogens}{charge:+d}" for _, symbol, n_hydrogens, charge in structure["atoms"])


def places(structure: Structure) -> np.ndarray[Any, Any]:
    return np.array(structure["xy"]).reshape(-1, 2)


def kinds(structure: Structure) -> list[int]:
    return sorted(structure["bonds"][2::3])


def test_a_smiles_becomes_places_letters_and_bonds() -> None:
    structure = drawn("OC(=O)c1ccc(C#N)cc1").structure

    assert letters(structure) == ["NH0+0", "OH0+0", "OH1+0"]
    assert len(places(structure)) == 11
    assert set(kinds(structure)) == {1, 2, TRIPLE, *({LEFT, RIGHT} & set(kinds(structure)))}
    # of the ring, whichever way its bonds go
    assert sum(kind in (LEFT, RIGHT) for kind in kinds(structure)) == 3
    begin, end, _ = np.array(structure["bonds"]).reshape(-1, 3).T
    lengths = np.linalg.norm(places(structure)[begin] - places(structure)[end], axis=1)
    assert lengths.tolist() == pytest.approx([100] * 11, abs=3)
    assert json.loads(json.dumps(structure)) == structure


@pytest.mark.parametrize(
    ("smiles", "told"),
    [
        ("C[N+](C)(C)C", ["NH0+1"]),
        ("CC([O-])=O", ["OH0+0", "OH0-1"]),
        ("[2H]C", ["2HH0+0"]),
        ("C", ["CH4+0"]),
        ("CC", []),
        ("Cl", ["ClH1+0"]),
    ],
)
def test_letters_carry_hydrogens_charges_and_isotopes(smiles: str, told: list[str]) -> None:
    assert letters(drawn(smiles).structure) == told


def test_what_is_no_smiles_is_not_read(capfd: pytest.CaptureFixture[str]) -> None:
    assert read_smiles("not a molecule") is None
    assert read_smiles("") is None
    assert capfd.readouterr().err == ""


def phenylethanol(chirality: int) -> dict[str, Any]:
    """Return 1-phenylethanol in the rows written by gufe 1."""
    atoms = [[6, 0, 0, False, 0, 0, {}, 4], [6, 0, 0, False, chirality, 0, {}, 4], [8, 0, 0, False, 0, 0, {}, 4]]
    atoms += [[6, 0, 0, True, 0, 0, {}, 3]] * 6 + [[1, 0, 0, False, 0, 0, {}, 1]] * 10
    bonds = [[0, 1, 1, 0, {}], [1, 2, 1, 0, {}], [1, 3, 1, 0, {}]]
    bonds += [[3 + k, 3 + (k + 1) % 6, 12, 0, {}] for k in range(6)]
    bonds += [[a, 9 + k, 1, 0, {}] for k, a in enumerate([0, 0, 0, 1, 2, 4, 5, 6, 7, 8])]
    return {"atoms": atoms, "bonds": bonds}


def test_a_molecule_of_gufe_1_is_drawn_with_its_chirality() -> None:
    wedges = []
    for chirality in (0, 1, 2):
        molecule = read_small_molecule(phenylethanol(chirality))
        assert molecule is not None
        structure = depict(molecule).structure
        assert letters(structure) == ["OH1+0"]
        wedges.append({WEDGE, HASH} & set(kinds(structure)))

    assert wedges[0] == set()
    assert len(wedges[1]) == len(wedges[2]) == 1
    assert wedges[1] != wedges[2]


def test_a_molecule_of_the_gufe_installed_is_drawn_as_its_smiles_is() -> None:
    stored = small_molecule("acid", "OC(=O)c1ccc(Cl)cc1")

    molecule = read_small_molecule(json.loads(json.dumps(stored.to_dict(), default=str)))

    assert molecule is not None
    one = depict(molecule)
    of_smiles = drawn("OC(=O)c1ccc(Cl)cc1").structure
    assert letters(one.structure) == letters(of_smiles)
    assert len(one.structure["bonds"]) == len(of_smiles["bonds"])
    # hydrogens are read and not drawn
    assert sorted(one.place) == list(range(10))


def test_a_series_shows_its_core_in_one_place() -> None:
    phenol = drawn("c1ccccc1O")
    shared = {k: k for k in range(6)}

    toluene = drawn("c1ccccc1CC(C)N", phenol, shared)

    np.testing.assert_allclose(places(toluene.structure)[:6], places(phenol.structure)[:6], atol=2)


def test_what_does_not_fit_its_neighbour_is_drawn_by_itself_and_turned_like_it() -> None:
    benzene = drawn("c1ccccc1C")

    cyclopentane = drawn("C1CCCC1C", benzene, {0: 0, 1: 1, 2: 2, 3: 3, 5: 4, 6: 5})

    begin, end, _ = np.array(cyclopentane.structure["bonds"]).reshape(-1, 3).T
    at = places(cyclopentane.structure)
    assert np.linalg.norm(at[begin] - at[end], axis=1).tolist() == pytest.approx([100] * 6, abs=3)
    there = places(benzene.structure)
    assert np.linalg.norm(at[5] - there[6]) < 80


def test_a_mirrored_drawing_is_the_same_molecule() -> None:
    from rdkit import Chem

    one, mirrored = drawn("C[C@H](O)c1ccc(F)cc1"), drawn("C[C@H](O)c1ccc(F)cc1")
    conformer = one.molecule.GetConformer()
    for k, (x, y, _) in enumerate(conformer.GetPositions()):
        conformer.SetAtomPosition(k, (-x, y, 0.0))

    like = drawn("C[C@H](O)c1ccc(F)cc1", Depicted(one.molecule, one.structure, one.place), {k: k for k in range(10)})

    assert {WEDGE, HASH} & set(kinds(like.structure)) != {WEDGE, HASH} & set(kinds(mirrored.structure))
    assert Chem.MolToSmiles(like.molecule) == Chem.MolToSmiles(mirrored.molecule)


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"atoms": "many", "bonds": []},
        {"atoms": [], "bonds": []},
        {"atoms": [[6]], "bonds": []},
        {"atoms": [[-6, 0, 0, False, 0]], "bonds": []},
        {"atoms": [[6, 0, 0, False, 0]] * 6, "bonds": [[0, k, 1] for k in range(1, 6)]},
        {"atoms": [[6, 0, 0, False, 77]], "bonds": []},
        {"atoms": [[6, 0, 0, False, 0]], "bonds": [[0, 4, 1]]},
        {"atoms": [[6, 0, 0, False, 0]], "bonds": [[0, 0, 1]]},
        {"atoms": [[6, 0, 0, False, 0]] * 2, "bonds": [[0, 1, 999]]},
        {"atoms": [[6, 0, 0, False, 0]] * 2, "bonds": [[0, 1, "="]]},
    ],
)
def test_odd_content_is_not_read(content: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    assert read_small_molecule(content) is None
    assert capfd.readouterr().err == ""


def test_without_rdkit_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any) -> Any:
        if name.startswith("rdkit"):
            raise ImportError(name)
        return real(name, *args)

    assert has_rdkit()
    monkeypatch.setattr(builtins, "__import__", without)
    assert not has_rdkit()
