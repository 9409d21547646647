"""Tables of edges: two forms, told by their columns."""

from __future__ import annotations

import re

import pytest

from alchemiscale_lake.errors import ResultFileError
from alchemiscale_lake.networks.edge_table import EdgeTable, read_edge_table
from tests.real_data import real_file


def read(*lines: str) -> EdgeTable:
    return read_edge_table("\n".join(lines), "edges.csv")


def numbers(table: EdgeTable) -> list[tuple[str, str, str, int, float | None, float | None]]:
    return [(v.ligand_a, v.ligand_b, v.phase, v.repeat, v.value_kcal_mol, v.uncertainty_kcal_mol) for v in table.values]


WIDE = (
    "ligand_A,ligand_B,complex_repeat_0_DG (kcal/mol),complex_repeat_0_dDG (kcal/mol),complex_repeat_0_com_drift_max,"
    "complex_repeat_1_DG (kcal/mol),complex_repeat_1_dDG (kcal/mol),solvent_repeat_0_DG (kcal/mol),"
    "solvent_repeat_0_dDG (kcal/mol),failed,system group,system name,lomap_score,alchemical_charge_difference"
)


def test_a_row_per_edge() -> None:
    table = read(WIDE, "a,b,1.5,0.1,9,1.6,0.2,0.5,0.05,,jacs,tyk2,0.7,-1")

    assert numbers(table) == [
        ("a", "b", "complex", 0, 1.5, 0.1),
        ("a", "b", "complex", 1, 1.6, 0.2),
        ("a", "b", "solvent", 0, 0.5, 0.05),
    ]
    value = table.values[0]
    assert (value.system, value.failed, value.charge_change, value.mapping_score) == ("jacs/tyk2", False, 1, 0.7)
    assert table.edges == (("jacs/tyk2", "a", "b", "complex"), ("jacs/tyk2", "a", "b", "solvent"))


def test_missing_repeats_are_left_out_and_failed_edges_are_told() -> None:
    table = read(WIDE, "a,b,1.5,,9,nan,0.2,,,True,jacs,tyk2,,", "c,d,,,,,,,,,jacs,p38,,")

    assert numbers(table) == [("a", "b", "complex", 0, 1.5, None)]
    assert table.values[0].failed
    assert [edge[0] for edge in table.edges] == ["jacs/tyk2"] * 2 + ["jacs/p38"] * 2


def test_a_row_per_value_as_openfe_gathers_raw() -> None:
    table = read(
        "leg\tligand_i\tligand_j\tDG(i->j) (kcal/mol)\tMBAR uncertainty (kcal/mol)",
        "complex\ta\tb\t-1.5\t0.1",
        "complex\ta\tb\t-1.6\t0.1",
        "solvent\ta\tb\tError\tError",
    )

    assert numbers(table) == [
        ("a", "b", "complex", 0, -1.5, 0.1),
        ("a", "b", "complex", 1, -1.6, 0.1),
        ("a", "b", "solvent", 0, None, None),
    ]
    assert [v.failed for v in table.values] == [False, False, True]


def test_a_value_without_phase_is_the_edge_itself() -> None:
    table = read("ligand_i;ligand_j;ddg_kJ/mol;uncertainty_kJ/mol", "a;b;4.184;0.4184", "# a remark", "", "b;c;;")

    assert table.values[0].phase == "direct"
    assert (table.values[0].value_kcal_mol, table.values[0].uncertainty_kcal_mol) == pytest.approx((1.0, 0.1))
    assert len(table.values) == 1
    assert len(table.edges) == 2


def test_repeats_may_be_numbered() -> None:
    table = read("ligand_i,ligand_j,phase,repeat,value_kcal_mol", "a,b,solvent,2,1.0", "a,b,solvent,0,1.1")

    assert [v.repeat for v in table.values] == [2, 0]


def test_experimental_values_are_told_by_their_one_ligand() -> None:
    table = read(
        "ligand name,DG (kcal/mol),Exp DG (kcal/mol),Exp dDG (kcal/mol),system group,system name",
        "a,-1.0,-9.1,0.2,jacs,tyk2",
        "b,-1.0,,,jacs,tyk2",
    )

    assert table.edges == ()
    assert [(v.system, v.ligand, v.value_kcal_mol, v.uncertainty_kcal_mol) for v in table.ligands] == [
        ("jacs/tyk2", "a", -9.1, 0.2)
    ]


@pytest.mark.parametrize(
    ("columns", "system"),
    [
        ("system group,system name,partner_id,dataset_name", "1/2"),
        ("target", "1"),
        ("partner_id,dataset_name", "1/2"),
        ("remark", ""),
    ],
)
def test_columns_that_name_a_system(columns: str, system: str) -> None:
    cells = ",".join("1234"[: columns.count(",") + 1])

    table = read(f"ligand_i,ligand_j,value,{columns}", f"a,b,1.0,{cells}")

    assert table.values[0].system == system


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("a,b", "1,2"), "no table of edges"),
        (("",), "no table of edges"),
        (("ligand_i,ligand_j,value",), "no rows below the header"),
        (("ligand_i,ligand_j,value", "a,b,1.0", "a,c,much"), "edges.csv:3: could not convert string to float: 'much'"),
        (("ligand_i,ligand_j,value,uncertainty", "a,b,1.0,-0.1"), "edges.csv:2: an uncertainty is negative"),
        (("ligand_i,ligand_j,value", "a,a,1.0"), "edges.csv:2: an edge leads from 'a' to itself"),
        (("ligand_i,ligand_j,value", ",b,1.0"), "edges.csv:2: a ligand has no name"),
        (("ligand_i,ligand_j,phase,value", "a,b,gas,1.0"), "phase 'gas' is none of complex, solvent, vacuum"),
    ],
)
def test_what_cannot_be_read_is_refused(lines: tuple[str, ...], said: str) -> None:
    with pytest.raises(ResultFileError, match=re.escape(said)):
        read(*lines)


def test_every_published_edge_is_read() -> None:
    table = read_edge_table(real_file("openfe2024_edges.csv").read_text(), "openfe2024_edges.csv")

    assert len(table.edges) == 2 * 535
    assert len({v.system for v in table.values}) == 37
    assert {v.ligand_a for v in table.values if v.failed} == {"23480"}
