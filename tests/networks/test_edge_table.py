"""Tables of edges: two forms, distinguished by their columns."""

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


def test_missing_repeats_are_skipped_and_failed_edges_reported() -> None:
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


def test_experimental_values_are_recognised_by_their_single_ligand() -> None:
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
        (("a,b", "1,2"), "not a table of edges"),
        (("",), "not a table of edges"),
        (("ligand_i,ligand_j,value",), "no rows below the header"),
        (("ligand_i,ligand_j,value", "a,b,1.0", "a,c,much"), "edges.csv:3: 'much' in column 'value' is not a number"),
        (("ligand_i,ligand_j,value,uncertainty", "a,b,1.0,-0.1"), "edges.csv:2: an uncertainty is negative"),
        (("ligand_i,ligand_j,value", "a,a,1.0"), "edges.csv:2: an edge connects 'a' to itself"),
        (("ligand_i,ligand_j,value", ",b,1.0"), "edges.csv:2: a ligand has no name"),
        (("ligand_i,ligand_j,value", "(none),b,1.0"), "edges.csv:2: a ligand is called '(none)', which stands for"),
        (("ligand_i,ligand_j,value", "a,(none) in water,1.0"), "a ligand is called '(none) in water'"),
        (("ligand_i,ligand_j,phase,value", "a,b,gas,1.0"), "phase 'gas' is not one of complex, solvent, vacuum"),
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


LONG = "ligand_i,ligand_j,phase,repeat,value_kcal_mol,uncertainty_kcal_mol"


def test_ligands_may_have_names_that_begin_with_a_hash() -> None:
    table = read(
        LONG,
        "#1,#2,complex,0,-3.1,0.1",
        "#2,3,complex,0,-1,0.1",
        "# remark, of, five, words, 2,2",
        "3,#1,complex,0,1,0.1",
    )

    assert [(v.ligand_a, v.ligand_b) for v in table.values] == [("#1", "#2"), ("#2", "3"), ("3", "#1")]
    assert table.notes == ("edges.csv: left out: lines that begin with #, taken for comments (1)",)


def test_a_row_behind_a_hash_that_may_be_either_is_refused() -> None:
    with pytest.raises(ResultFileError, match=r"edges.csv:3: begins with # .* there is a ligand 'a'"):
        read(LONG, "a,b,complex,0,-3.1,0.1", "#a,b,complex,1,-3.0,0.1")


def test_a_header_may_be_a_comment() -> None:
    assert numbers(read("# made by hand", "# ligand_i,ligand_j,value", "a,b,1.0")) == [
        ("a", "b", "direct", 0, 1.0, None)
    ]


CINNABAR = (
    "# Experimental block",
    "# Ligand, expt_DDG, expt_dDDG",
    "CAT-13a, -8.83 , 0.10",
    "#13b, -9.11 , 0.10",
    "",
    "# Calculated block",
    "# Ligand1,Ligand2, calc_DDG, calc_dDDG(MBAR), calc_dDDG(additional)",
    "CAT-13a,#13b,\t0.36\t,0.11,0.05",
)


def test_the_blocks_of_cinnabar_are_experiment_and_edges() -> None:
    table = read(*CINNABAR)

    assert [(v.ligand, v.value_kcal_mol, v.uncertainty_kcal_mol) for v in table.ligands] == [
        ("CAT-13a", -8.83, 0.1),
        ("#13b", -9.11, 0.1),
    ]
    assert numbers(table) == [("CAT-13a", "#13b", "direct", 0, 0.36, pytest.approx(0.16))]


def test_a_number_of_repeat_stands_for_one_value() -> None:
    with pytest.raises(
        ResultFileError, match=r"edges.csv:4: repeat 0 of a to b \(solvent\) has another value on line 2"
    ):
        read(LONG, "a,b,solvent,0,1.0,0.1", "a,b,solvent,0,1.0,0.1", "a,b,solvent,0,1.1,0.1")

    table = read(LONG, "a,b,solvent,0,1.0,0.1", "a,b,solvent,0,1.0,0.1")

    assert len(table.values) == 1
    assert table.notes == ("edges.csv: left out: duplicate values with the same repeat number (1)",)


def test_legs_without_a_value_are_counted() -> None:
    assert read(LONG, "a,b,solvent,0,1.0,0.1", "b,c,solvent,0,,").notes == (
        "edges.csv: left out: rows without a value (1)",
        "edges.csv: 1 of 2 legs has no value",
    )
    assert read(LONG, "a,b,solvent,0,1.0,0.1", "a,b,solvent,1,nan,0.1").notes == (
        "edges.csv: left out: rows without a value (1)",
    )


def test_computed_and_measured_values_of_cinnabars_frames_are_distinguished() -> None:
    edges = read(
        "labelA,labelB,DDG (kcal/mol),uncertainty (kcal/mol),source,computational",
        "a,b,1.0,0.1,openfe,True",
        "a,b,1.2,0.2,other,True",
        "a,b,0.9,0.3,assay,False",
    )
    ligands = read(
        "label,DG (kcal/mol),uncertainty (kcal/mol),source,computational", "a,-9.0,0.2,assay,False", "a,1,0.2,MLE,True"
    )

    assert [(v.system, v.value_kcal_mol) for v in edges.values] == [("openfe", 1.0), ("other", 1.2)]
    assert edges.notes == ("edges.csv: left out: experimental differences between ligands (1)",)
    assert [(v.ligand, v.value_kcal_mol) for v in ligands.ligands] == [("a", -9.0)]
    assert ligands.notes == ("edges.csv: left out: computed free energies of ligands, which follow from edges (1)",)


def test_a_table_of_computed_ligands_is_refused_with_the_remedy() -> None:
    words = r"computed free energies of ligands, .* give the edges .* Absolute results .* `absolute DG \(kcal/mol\)`"
    for header in ("DG(MLE) (kcal/mol)", "DG (kcal/mol)"):
        with pytest.raises(ResultFileError, match=words):
            read(f"ligand\t{header}\tuncertainty (kcal/mol)", "a\t1.0\t0.1")


# --- absolute results -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "factor"),
    [
        ("ligand,absolute DG (kcal/mol)", 1.0),
        ("compound,ABFE_kJ/mol", 1 / 4.184),
        ("name,absolute_value_kcal_mol", 1.0),
    ],
)
def test_absolute_results_of_ligands_are_repeats_of_an_edge_from_nothing(header: str, factor: float) -> None:
    table = read(f"{header},uncertainty (kcal/mol)", "a,-8.368,0.1", "b,Error,", "a,-8.0,0.2")

    assert numbers(table) == [
        ("(none)", "a", "direct", 0, pytest.approx(-8.368 * factor), 0.1),
        ("(none)", "b", "direct", 0, None, None),
        ("(none)", "a", "direct", 1, pytest.approx(-8.0 * factor), 0.2),
    ]
    assert [value.failed for value in table.values] == [False, True, False]
    assert not table.ligands


def test_absolute_results_stand_beside_experimental_values() -> None:
    table = read("ligand,absolute DG (kcal/mol),uncertainty (kcal/mol),exp DG (kcal/mol)", "a,-8,0.1,-7.5", "b,-7,0.1,")

    assert numbers(table) == [("(none)", "a", "direct", 0, -8.0, 0.1), ("(none)", "b", "direct", 0, -7.0, 0.1)]
    assert [(one.ligand, one.value_kcal_mol, one.uncertainty_kcal_mol) for one in table.ligands] == [("a", -7.5, None)]


def test_absolute_results_of_legs_have_a_leg() -> None:
    table = read("ligand,leg,repeat,absolute DG (kcal/mol)", "a,complex,0,-20", "a,solvent,0,-12", "a,complex,1,-21")

    assert [(v.ligand_b, v.phase, v.repeat, v.value_kcal_mol) for v in table.values] == [
        ("a", "complex", 0, -20.0), ("a", "solvent", 0, -12.0), ("a", "complex", 1, -21.0)
    ]  # fmt: skip


def test_edges_without_a_first_ligand_are_refused_with_the_columns_wanted() -> None:
    with pytest.raises(
        ResultFileError, match=r"edges.csv:2: .*need the columns `ligand` and `absolute DG \(kcal/mol\)`"
    ):
        read("ligand_i,ligand_j,DG (kcal/mol)", ",a,-8.0")
    with pytest.raises(ResultFileError, match=r"or `ligand` and, for absolute results, `absolute DG \(kcal/mol\)`"):
        read("ligand,prediction", "a,-8.0")
    with pytest.raises(ResultFileError, match="a ligand is called '\\(none\\)'"):
        read("ligand,absolute DG (kcal/mol)", "(none),-8.0")


# --- names with spaces ----------------------------------------------------------------------------


def edges_of(table: EdgeTable) -> set[tuple[str, str]]:
    return {(value.ligand_a, value.ligand_b) for value in table.values}


@pytest.mark.parametrize("gap", [",", "\t"])
def test_names_that_differ_by_spaces_are_one_name_and_counted(gap: str) -> None:
    rows = ("a,b,solvent,0,1.0,0.1", "a ,c,solvent,0,1.0,0.1", "c,b ,solvent,0,1.0,0.1")
    table = read(*(row.replace(",", gap) for row in (LONG, *rows)))

    assert edges_of(table) == {("a", "b"), ("a", "c"), ("c", "b")}
    assert table.notes == (
        "edges.csv: 2 names are also written with surrounding spaces, which are ignored: 'a', 'b'; quote names whose "
        "spaces matter",
    )


def test_names_of_systems_are_counted_apart_from_those_of_ligands() -> None:
    header = "ligand_i,ligand_j,value_kcal_mol,system group,system name"
    table = read(header, "a,b,1.0,jacs,tyk2", "b,c,1.0,jacs ,tyk2", "a,c,1.0,jacs,tyk2 ", "c,d,1.0,a,b ")

    assert {edge[0] for edge in table.edges} == {"jacs/tyk2", "a/b"}
    assert table.notes == (
        "edges.csv: 2 names are also written with surrounding spaces, which are ignored: 'jacs', 'tyk2'; quote names "
        "whose spaces matter",
    )
    assert read(header, "a,b,1.0, jacs, tyk2", "b,c,1.0, jacs, tyk2", "c,d,1.0, jacs, tyk2").notes == (), "a format"


def test_quoted_names_keep_their_spaces() -> None:
    table = read(LONG, "a,b,solvent,0,1.0,0.1", '"a ",b,solvent,0,2.0,0.1', 'c , "a" ,solvent,0,3.0,0.1')

    assert edges_of(table) == {("a", "b"), ("a ", "b"), ("c", "a")}
    assert table.notes == ()


def test_spaces_of_every_cell_are_the_format_of_a_table() -> None:
    table = read(LONG, "a, b, solvent, 0, 1.0, 0.1", "b, c, solvent, 0, 1.0, 0.1", "# c , b", "")

    assert edges_of(table) == {("a", "b"), ("b", "c")}
    assert table.notes == ("edges.csv: left out: lines that begin with #, taken for comments (1)",)


@pytest.mark.parametrize(
    "lines",
    [
        ("leg,ligand,DG (kcal/mol),MBAR uncertainty (kcal/mol)", "solvent,a,7.0,1.1", "vacuum,a,4.1,0.0"),
        (
            "leg,ligand_i,ligand_j,DG(i->j) (kcal/mol),MBAR uncertainty (kcal/mol)",
            "complex,a,b,-0.4,2.3",
            "standard_state_correction_A,a,b,-9.5,0.0",
        ),
    ],
    ids=["absolute", "SepTop"],
)
def test_legs_that_only_their_protocol_combines_are_refused(lines: tuple[str, ...]) -> None:
    with pytest.raises(ResultFileError, match="legs of Protocols that run several"):
        read(*lines)
