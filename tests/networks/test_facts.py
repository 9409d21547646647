"""Rows of `transformations`: facts from the dicts, for every kind of Transformation."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from alchemiscale_lake.ids import Scope
from alchemiscale_lake.networks.chain import parse_chain
from alchemiscale_lake.networks.facts import transformation_rows
from alchemiscale_lake.networks.network import network_of
from alchemiscale_lake.networks.read import read_network
from alchemiscale_lake.schemas import TABLES
from tests.networks.chains import molecule, network, protein, ref, small_chain, system, text, thing, transformation
from tests.real_data import real_file

SCOPE = Scope("org", "campaign", "project")
AT = datetime(2025, 1, 1, tzinfo=UTC)


def rows_of(chain, **options):
    rows = transformation_rows(network_of(parse_chain(text(chain)), [chain[-1][0]], "net"), SCOPE, AT, **options)
    TABLES["transformations"].table(rows)
    return {row["key"]: row for row in rows}


def test_all_facts_of_a_solvent_leg_are_read_from_its_dicts():
    row = rows_of(small_chain())["T-ab"]

    assert row == {
        "scope": "org-campaign-project",
        "transformation": "T-ab-org-campaign-project",
        "key": "T-ab",
        "qualname": "Transformation",
        "name": "ana_bob",
        "phase": "solvent",
        "environment": None,
        "state_a": "S-a",
        "state_b": "S-b",
        "state_a_name": "ana_solvent",
        "state_b_name": "bob_solvent",
        "ligand_a": "L-a",
        "ligand_b": "L-b",
        "ligand_a_name": "ana",
        "ligand_b_name": "bob",
        "protocol": "P-1",
        "protocol_qualname": "SomeProtocol",
        "protocol_module": "some.where",
        "settings_json": '{"a":[2.5],"b":1}',
        "mappings": ["M-1"],
        "n_mapped_atoms": 2,
        "mapping_score": 0.5,
        "n_atoms_a": 3,
        "n_atoms_b": 4,
        "n_ligand_atoms_a": 3,
        "n_ligand_atoms_b": 4,
        "n_ligand_heavy_atoms_a": 2,
        "n_ligand_heavy_atoms_b": 3,
        "charge_change": 1,
        "n_heavy_atoms_a": 2,
        "n_heavy_atoms_b": 3,
        "n_protein_atoms": None,
        "n_dummy_atoms": 3,
        "n_dummy_heavy_atoms": 1,
        "ring_change": 0,
        "simulated_ns": None,
        "n_windows": None,
        "n_repeats": None,
        "timestep_fs": None,
        "solvent_padding_nm": None,
        "box_shape": None,
        "explicit_solvent": None,
        "ingested_at": AT,
    }


@pytest.mark.parametrize(
    ("components", "phase", "n_atoms", "environment"),
    [
        ({"protein": "R-1", "solvent": "W-1"}, "complex", 3 + 7, "R-1"),
        ({"membrane": "R-2"}, "complex", 3 + 9, "R-2"),
        ({"solvent": "W-1"}, "solvent", 3, None),
        ({}, "vacuum", 3, None),
    ],
)
def test_the_phase_is_judged_by_the_components(components, phase, n_atoms, environment):
    legs = {"S_a": system("a", ligand="L-a", **components), "S_b": system("b", ligand="L-b", **components)}
    receptors = {"R_1": protein(7), "R_2": protein(9, "ProteinMembraneComponent")}

    row = rows_of(put(receptors, small_chain(**legs)))["T-ab"]

    assert (row["phase"], row["n_atoms_a"], row["environment"]) == (phase, n_atoms, environment)
    assert (row["ligand_a"], row["ligand_b"]) == ("L-a", "L-b")


def put(more, chain):
    """The chain with more objects in front."""
    return [(key.replace("_", "-"), content) for key, content in more.items()] + chain


def test_unknown_components_are_named_and_the_phase_is_other():
    states = {key: thing("HarmonicState", name=key[-1], x=key) for key in ("L_a", "L_b")}
    chain = small_chain(**states, S_a=system(ligand="L-a"), S_b=system(ligand="L-b"))

    row = rows_of(chain)["T-ab"]

    assert (row["phase"], row["ligand_a_name"], row["ligand_b_name"]) == ("other", "a", "b")
    assert (row["n_atoms_a"], row["n_ligand_atoms_a"], row["charge_change"]) == (None, None, None)


def test_an_absolute_transformation_has_a_ligand_on_one_side_only():
    row = rows_of(small_chain(S_b=system("apo", solvent="W-1")))["T-ab"]

    assert (row["ligand_a_name"], row["ligand_b_name"], row["charge_change"]) == ("ana", None, None)
    assert (row["n_atoms_b"], row["phase"]) == (None, "solvent")


def test_a_non_transformation_has_no_second_state_and_the_molecule_it_samples():
    sampled = thing("NonTransformation", system=ref("S-a"), protocol=ref("P-1"))

    row = rows_of(small_chain(T_ab=sampled, N_1=network([], ["T-ab"])))["T-ab"]

    assert (row["qualname"], row["name"]) == ("NonTransformation", "ana_solvent")
    assert (row["state_a"], row["state_b"], row["state_b_name"]) == ("S-a", None, None)
    assert (row["ligand_a_name"], row["ligand_b"]) == ("ana", None)


def test_the_ligand_is_the_molecule_though_the_solvent_or_a_cofactor_differs_too():
    more = {"W_2": thing("SolventComponent", smiles="O"), "C_1": molecule("co1"), "C_2": molecule("co2")}
    chain = put(
        more,
        small_chain(
            S_a=system("a", cofactor="C-1", ligand="L-a", solvent="W-1"),
            S_b=system("b", cofactor="C-2", ligand="L-b", solvent="W-2"),
        ),
    )

    row = rows_of(chain)["T-ab"]

    assert (row["ligand_a_name"], row["ligand_b_name"]) == ("ana", "bob")


def test_a_changed_protein_is_what_changes_if_nothing_else_does():
    more = {"R_1": protein(5), "R_2": protein(6)}
    states = {f"S_{s}": system(s, ligand="L-a", protein=r) for s, r in (("a", "R-1"), ("b", "R-2"))}

    row = rows_of(put(more, small_chain(**states)))["T-ab"]

    assert (row["ligand_a"], row["ligand_b"], row["n_ligand_atoms_b"], row["charge_change"]) == ("R-1", "R-2", 6, 0)


@pytest.mark.parametrize(
    ("mapping", "facts"),
    [
        (None, ([], None, None)),
        ([ref("M-1"), ref("M-2")], (["M-1", "M-2"], 5, 0.25)),
        ({"ligand": ref("M-1")}, (["M-1"], 2, 0.5)),
        ([], ([], None, None)),
        ("odd", ([], None, None)),
        (ref("M-3"), (["M-3"], None, None)),
        (ref("M-4"), (["M-4"], 0, None)),
    ],
)
def test_mappings_may_be_none_one_many_or_a_dict(mapping, facts):
    more = {
        "M_2": thing(
            "LigandAtomMapping", componentA_to_componentB={"0": 0, "1": 1, "2": 2}, annotations={"score": 0.25}
        ),
        "M_3": thing("OtherMapping", annotations="{not json"),
        "M_4": thing("OtherMapping", componentA_to_componentB={}, annotations='{"score": "high"}'),
    }

    row = rows_of(put(more, small_chain(T_ab=transformation("S-a", "S-b", mapping=mapping))))["T-ab"]

    assert (row["mappings"], row["n_mapped_atoms"], row["mapping_score"]) == facts


def test_settings_are_json_that_sql_can_read():
    row = rows_of(small_chain(P_1=thing("P", settings={"a": float("nan"), "b": [float("-inf")], "c": "NaN"})))["T-ab"]

    assert row["settings_json"] == '{"a":null,"b":[null],"c":"NaN"}'
    assert rows_of(small_chain(P_1=thing("P")))["T-ab"]["settings_json"] is None


def test_a_transformation_without_a_name_is_called_by_its_states():
    assert rows_of(small_chain(T_ab=transformation("S-a", "S-b")))["T-ab"]["name"] == "ana_solvent -> bob_solvent"
    states = {"S_a": system(ligand="L-a"), "S_b": system("", ligand="L-b")}
    assert rows_of(small_chain(T_ab=transformation("S-a", "S-b"), **states))["T-ab"]["name"] == "S-a -> S-b"


def test_a_ligand_without_a_name_is_called_by_the_one_name_its_systems_share_else_by_key():
    nameless = {"L_a": molecule(), "L_b": molecule(elements=(8,))}
    chain = small_chain(**nameless)
    assert rows_of(chain)["T-ab"]["ligand_a_name"] == "ana_solvent"

    more = put({"S_v": system("ana_vacuum", ligand="L-a")}, small_chain(**nameless, N_1=network(["S-v"], ["T-ab"])))
    assert rows_of(more)["T-ab"]["ligand_a_name"] == "L-a"


def test_two_ligands_of_one_name_are_distinguished():
    row = rows_of(small_chain(L_b=molecule("ana", elements=(9,))))["T-ab"]

    assert row["ligand_a_name"] != row["ligand_b_name"]
    assert {row["ligand_a_name"][:3], row["ligand_b_name"][:3]} == {"ana"}


def test_labels_that_stand_are_kept_and_only_what_is_asked_for_is_described():
    chain = small_chain(
        L_c=molecule("bob", elements=(9,)),
        S_c=system("c", ligand="L-c"),
        T_ac=transformation("S-a", "S-c"),
    )
    chain = [*[link for link in chain if link[0] != "N-1"], ("N-1", network([], ["T-ab", "T-ac"]))]

    rows = rows_of(chain, labels={"L-b": "bob"}, only=["T-ac"])

    assert list(rows) == ["T-ac"]
    assert rows["T-ac"]["ligand_b_name"] not in {"bob", "ana"}


def test_the_tyk2_network_of_openfe_is_described_in_full():
    rows = transformation_rows(read_network(real_file("tyk2_network.json")), SCOPE, AT)

    TABLES["transformations"].table(rows)
    assert len(rows) == 18
    assert {row["phase"] for row in rows} == {"complex", "solvent"}
    assert {row["protocol_qualname"] for row in rows} == {"RelativeHybridTopologyProtocol"}
    ligands = {row[f"ligand_{side}_name"] for row in rows for side in "ab"}
    assert len(ligands) == 10
    assert all(name.startswith("lig_") for name in ligands)
    complexes = [row for row in rows if row["phase"] == "complex"]
    assert {row["environment"].partition("-")[0] for row in complexes} == {"ProteinComponent"}
    assert len({row["environment"] for row in complexes}) == 1
    assert all(row["n_atoms_a"] == 4790 + row["n_ligand_atoms_a"] for row in complexes)
    assert all(
        0 < row["mapping_score"] <= 1 and row["n_mapped_atoms"] > 20 and row["charge_change"] == 0 for row in rows
    )
    assert all(json.loads(row["settings_json"])["protocol_repeats"] == 3 for row in rows)
    for row in rows:
        assert (row["simulated_ns"], row["n_windows"], row["n_repeats"], row["timestep_fs"]) == (6.0, 11, 3, 4.0)
        assert row["solvent_padding_nm"] == (1.0 if row["phase"] == "complex" else 1.5)
        assert (row["box_shape"], row["explicit_solvent"]) == ("dodecahedron", True)
        atoms = row["n_ligand_atoms_a"] + row["n_ligand_atoms_b"]
        assert row["n_dummy_atoms"] == atoms - 2 * row["n_mapped_atoms"]
        assert 0 <= row["n_dummy_heavy_atoms"] <= row["n_dummy_atoms"]
    assert {row["n_protein_atoms"] for row in complexes} == {4790}
    # ejm_31 is an acetamide, ejm_46 the amide of cyclopropane
    changes = {row["name"]: row["ring_change"] for row in rows}
    assert changes["rbfe_lig_ejm_31_solvent_lig_ejm_46_solvent"] == 1
    assert sum(changes.values()) == 6


def test_the_jacs_network_keeps_ligands_of_one_name_apart():
    net = read_network(real_file("jacs_network.json.zst"))

    rows = transformation_rows(net, SCOPE, AT)

    assert len(rows) == 566
    label_of = {row[f"ligand_{s}"]: row[f"ligand_{s}_name"] for row in rows for s in "ab"}
    assert len(set(label_of.values())) == len(label_of) == 199
    assert sum("(" in label for label in label_of.values()) >= 10
