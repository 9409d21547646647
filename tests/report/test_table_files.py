"""Tables in files: what is written is what programs read back, by every suffix."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime

import polars as pl

from alchemiscale_lake.report import ERROR, Table, table_bytes

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
