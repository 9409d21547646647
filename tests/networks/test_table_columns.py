"""Columns are found by any of their common names, and energies are converted by the unit in the header."""

import pytest

from alchemiscale_lake.networks.table_columns import TableColumns, energy_unit, plain_name


@pytest.mark.parametrize(
    ("cell", "name", "unit"),
    [
        ("DDG(i->j) (kcal/mol)", "ddg i j", "kcal"),
        ("  MBAR uncertainty [kJ mol^-1] ", "mbar uncertainty", "kj"),
        ("calc_DDG", "calc ddg", None),
        ("value_kj_mol", "value", "kj"),
    ],
)
def test_a_header_cell_is_a_name_and_a_unit(cell: str, name: str, unit: str | None) -> None:
    assert (plain_name(cell), energy_unit(cell)) == (name, unit)


def test_columns_of_a_gathered_table_are_found() -> None:
    columns = TableColumns(["ligand_i", "ligand_j", "DDG(i->j) (kcal/mol)", "uncertainty (kcal/mol)"])

    assert columns.ligands == (0, 1)
    assert columns.at == {"value": 2, "uncertainty": 3}
    assert not columns.names_legs


def test_repeats_side_by_side_are_found_by_phase_and_number() -> None:
    columns = TableColumns(
        ["ligand_A", "ligand_B", "complex_repeat_0_DG (kcal/mol)", "complex_repeat_0_dDG (kcal/mol)"]
    )

    assert columns.wide == {("complex", 0): {"dg": 2, "ddg": 3}}


def test_numbers_are_converted_to_kcal_mol() -> None:
    columns = TableColumns(["value (kJ/mol)", "error (kcal/mol)"])

    assert columns.number(["4.184", "1.5"], 0) == pytest.approx(1.0)
    assert columns.number(["4.184", " 1.5 "], 1) == 1.5


def test_cells_that_are_empty_or_missing_have_no_number() -> None:
    columns = TableColumns(["value", "error"])

    assert columns.number(["", "1"], 0) is None
    assert columns.number(["1"], 1) is None
    assert columns.number(["1"], None) is None
    assert columns.text(["1"], "error") == ""


@pytest.mark.parametrize("cell", ["one", "inf", "1,5"])
def test_a_cell_that_is_not_a_number_is_refused_with_its_column(cell: str) -> None:
    with pytest.raises(ValueError, match="in column 'value' is not a number"):
        TableColumns(["value"]).number([cell], 0)
