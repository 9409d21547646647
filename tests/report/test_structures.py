"""Structures: drawings from SMILES or a stored gufe object, without gufe and without harm."""

from __future__ import annotations

import builtins
import json
import re
from typing import Any

import pytest

from alchemiscale_lake.report.structures import draw_small_molecule, draw_smiles, has_rdkit
from tests.networks import small_molecule


def colours(structure: Any) -> set[str]:
    return {colour for stroke, fill, _ in structure for colour in (stroke, fill)} - {""}


def test_a_smiles_becomes_paths_with_the_colours_of_its_atoms() -> None:
    structure = draw_smiles("OC(=O)c1ccc(Cl)cc1")

    assert structure is not None
    assert colours(structure) == {"ink", "#ff0000", "#00cc00"}
    assert all(re.fullmatch(r"[A-Z0-9eE .,+-]+", d) for _, _, d in structure)
    assert any(fill == "#ff0000" for _, fill, _ in structure), "letters are filled paths"


def test_what_is_no_smiles_has_no_structure(capfd: pytest.CaptureFixture[str]) -> None:
    assert draw_smiles("not a molecule") is None
    assert draw_smiles("") is None
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
    drawn = [draw_small_molecule(phenylethanol(chirality)) for chirality in (0, 1, 2)]

    assert [structure and colours(structure) for structure in drawn] == [{"ink", "#ff0000"}] * 3
    flat, one, other = map(json.dumps, drawn)
    assert len({flat, one, other}) == 3


def test_a_molecule_of_the_gufe_installed_is_drawn_as_its_smiles_is() -> None:
    molecule = small_molecule("acid", "OC(=O)c1ccc(Cl)cc1")

    structure = draw_small_molecule(json.loads(json.dumps(molecule.to_dict(), default=str)))

    of_smiles = draw_smiles("OC(=O)c1ccc(Cl)cc1")
    assert structure is not None
    assert of_smiles is not None
    assert colours(structure) == colours(of_smiles)
    # the same lines, possibly rotated: an aromatic ring is drawn as one
    assert [len(d.split()) for _, _, d in structure][:1] == [len(d.split()) for _, _, d in of_smiles][:1]


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
def test_odd_content_has_no_structure(content: dict[str, Any], capfd: pytest.CaptureFixture[str]) -> None:
    assert draw_small_molecule(content) is None
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
