"""Facts about components, of both generations of gufe and of unknown classes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.networks.chain import ChainObject
from alchemiscale_lake.networks.components import component_facts, own_name
from tests.networks.chains import molecule, old_molecule, protein, solvent, thing


def facts(fields):
    return component_facts(ChainObject("K-1", fields, json.dumps(fields), ()))


@pytest.mark.parametrize("write", [molecule, old_molecule])
def test_name_atoms_and_charge_of_a_small_molecule_are_read(write):
    found = facts(write("ana", elements=(7, 6, 1, 1), charge=-1))

    assert (found.name, found.role) == ("ana", "small_molecule")
    assert (found.n_atoms, found.n_heavy_atoms, found.formal_charge) == (4, 2, -1)


@pytest.mark.parametrize(
    "qualname", ["ProteinComponent", "ProteinMembraneComponent", "SolvatedPDBComponent", "MyReceptor"]
)
def test_a_protein_is_known_by_its_class_or_its_residues(qualname):
    found = facts(protein(5, qualname))

    assert (found.role, found.n_atoms, found.formal_charge) == ("protein", 5, 0)


def test_solvent_has_no_explicit_atoms():
    assert (facts(solvent()).role, facts(solvent()).n_atoms) == ("solvent", None)


def test_only_the_name_of_an_unknown_class_is_read():
    found = facts(thing("HarmonicState", name="h1", offset_kcal_mol=1.0))

    assert (found.name, found.role, found.n_atoms, found.formal_charge) == ("h1", "other", None, None)


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"name": " x "}, "x"),
        ({"name": "", "molprops": {"ofe-name": 26}}, "26"),
        ({"name": None, "molprops": {"ofe-name": ""}}, None),
        ({"name": {"a": 1}, "molprops": 3}, None),
        ({"name": True}, None),
    ],
)
def test_a_name_is_a_text_wherever_it_stands(fields, name):
    assert own_name(fields) == name


@given(
    st.fixed_dictionaries(
        {"__qualname__": st.sampled_from(["SmallMoleculeComponent", "ProteinComponent", "X"])},
        optional={
            "atoms": st.none() | st.lists(st.none() | st.lists(st.none() | st.integers() | st.floats() | st.text())),
            "molprops": st.none() | st.text(),
            "name": st.none() | st.integers() | st.text(),
        },
    )
)
def test_odd_content_gives_nulls_and_never_a_crash(fields):
    found = facts(fields)

    assert found.formal_charge is None or isinstance(found.formal_charge, int)
