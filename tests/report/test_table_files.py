"""Tables in files: what is written is what programs read back, by every suffix."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.networks.edge_table import read_edge_table
from alchemiscale_lake.report import ERROR, Table, table_bytes
from tests.test_cells import HOSTILE

T0 = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TABLE = Table(
    ("name", "value", "n", "ok", "at", "parts"),
    [
        ('a "quoted", name', 0.1 + 0.2, 3, True, T0, ["p", "q"]),
        ("b\\c\td\ne#f", ERROR, None, False, None, []),
        ("-3", float("nan"), 0, None, T0, None),
    ],
)


def test_csv_is_read_back_by_any_reader() -> None:
    rows = list(csv.DictReader(io.StringIO(table_bytes(TABLE, "x.csv").decode(), newline="")))
    assert [row["name"] for row in rows] == [row[0] for row in TABLE.rows]
    assert float(rows[0]["value"]) == 0.1 + 0.2
    assert rows[1]["value"] == ERROR
    assert (rows[0]["ok"], rows[0]["at"], json.loads(rows[0]["parts"])) == ("true", T0.isoformat(), ["p", "q"])


def test_json_has_numbers_and_nulls() -> None:
    first, second, third = json.loads(table_bytes(TABLE, "x.JSON"))
    assert list(first.values()) == ['a "quoted", name', 0.1 + 0.2, 3, True, T0.isoformat(), ["p", "q"]]
    assert tuple(first) == TABLE.columns
    assert (second["value"], second["name"], third["value"]) == (None, TABLE.rows[1][0], None)


def test_parquet_has_types() -> None:
    frame = pl.read_parquet(io.BytesIO(table_bytes(TABLE, "x.parquet")))
    assert frame.schema["value"] == pl.Float64
    assert frame.schema["n"] == pl.Int64
    assert frame["name"].to_list() == [row[0] for row in TABLE.rows]
    assert frame["value"].to_list()[:2] == [0.1 + 0.2, None]


def test_all_else_is_tsv() -> None:
    assert table_bytes(TABLE, "x.txt") == table_bytes(TABLE, "x") == TABLE.tsv().encode()


HEADERS = {
    "ddg": ("ligand_i", "ligand_j", "DDG(i->j) (kcal/mol)", "uncertainty (kcal/mol)"),
    "raw": ("leg", "ligand_i", "ligand_j", "DG(i->j) (kcal/mol)", "MBAR uncertainty (kcal/mol)"),
}
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@pytest.mark.parametrize("report", HEADERS)
@given(
    rows=st.lists(
        st.tuples(HOSTILE, HOSTILE, NUMBERS, NUMBERS.map(abs)).filter(lambda row: row[0] != row[1]),
        min_size=1,
        max_size=3,
    )
)
def test_reports_are_read_back(suffix: str, report: str, rows: list[tuple[str, str, float, float]]) -> None:
    legs = [("solvent", *row) if report == "raw" else row for row in rows]

    written = table_bytes(Table(HEADERS[report], legs), f"x.{suffix}").decode()
    table = read_edge_table(written, "x")

    found = [(v.ligand_a, v.ligand_b, v.value_kcal_mol, v.uncertainty_kcal_mol) for v in table.values]
    assert found == rows
    assert table.notes == ()


@pytest.mark.parametrize("suffix", ["csv", "tsv"])
@given(names=st.lists(HOSTILE, min_size=1, max_size=3))
def test_ligands_with_experiment_are_read_back(suffix: str, names: list[str]) -> None:
    columns = ("ligand", "DG(MLE) (kcal/mol)", "uncertainty (kcal/mol)", "experiment (kcal/mol)")

    written = table_bytes(Table(columns, [(name, 1.5, 0.1, -8.5) for name in names]), f"x.{suffix}").decode()

    found = [(value.ligand, value.value_kcal_mol) for value in read_edge_table(written, "x").ligands]
    assert found == [(name, -8.5) for name in names]
