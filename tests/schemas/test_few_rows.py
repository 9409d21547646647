"""The quick check of a few rows passes nothing that the check column by column refuses, and makes the same table."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.errors import SchemaError
from alchemiscale_lake.schemas._base import (
    BINARY,
    BOOL,
    FLOAT,
    INT,
    STRING,
    STRINGS,
    TIME,
    Column,
    Rule,
    TableSchema,
    _checked_array,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCHEMA = TableSchema(
    name="things",
    doc="Things.",
    columns=(
        Column("name", STRING, "Name."),
        Column("kind", STRING, "Kind.", nullable=True, choices=("big", "small")),
        Column("n", INT, "Number.", nullable=True),
        Column("x", FLOAT, "Value.", nullable=True),
        Column("ok", BOOL, "Whether.", nullable=True),
        Column("data", BINARY, "Bytes.", nullable=True),
        Column("at", TIME, "Time.", nullable=True),
        Column("tags", STRINGS, "Tags.", nullable=True),
    ),
    key=("name",),
    rules=(Rule("x is not negative", pl.col("x") >= 0), Rule("n is not negative", pl.col("n") >= 0)),
)
GOOD = {"name": "a", "kind": "big", "n": 1, "x": 0.5, "ok": True, "data": b"\0", "at": NOON, "tags": None}

VALUES = st.one_of(
    st.none(),
    st.text(max_size=3),
    st.sampled_from(["big", "small", "\ud800"]),
    st.integers(),
    st.sampled_from([0, 1, 2**63, -1]),
    st.floats(),
    st.booleans(),
    st.binary(max_size=3),
    st.just(date(2026, 1, 1)),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=2))])),
    st.datetimes(),
    st.lists(st.text(max_size=3), max_size=2),
)


def test_rows_of_every_type_fit() -> None:
    assert SCHEMA.fits([GOOD, {"name": "b"}])


@given(rows=st.lists(st.dictionaries(st.sampled_from([*GOOD, "other"]), VALUES), max_size=3), good=st.booleans())
def test_rows_that_fit_pass_the_check_column_by_column(rows: list[dict[str, Any]], good: bool) -> None:
    rows = [{**GOOD, **row} for row in rows] if good else rows
    if SCHEMA.fits(rows):
        columns = {c.name: _checked_array([row.get(c.name) for row in rows], c.type) for c in SCHEMA.columns}
        by_column = pa.table(columns)
        made = SCHEMA.table(by_column)
        assert made.schema.equals(SCHEMA.table(rows).schema)
        # NaN equals nothing
        assert str(made.to_pylist()) == str(SCHEMA.table(rows).to_pylist())


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"kind": "medium"},
        {"x": -0.5},
        {"n": -1},
        {"n": True},
        {"n": 2**63},
        {"x": "1"},
        {"ok": 1},
        {"name": "\ud800"},
        {"other": 1},
    ],
)
def test_a_row_that_does_not_fit_never_passes(change: dict[str, Any]) -> None:
    assert not SCHEMA.fits([GOOD, {**GOOD, **change}])
    with pytest.raises((SchemaError, UnicodeError)):
        SCHEMA.table([GOOD, {**GOOD, **change}])


@pytest.mark.parametrize("change", [{"n": 1.0}, {"x": 1}, {"at": NOON.replace(tzinfo=None)}, {"tags": ["t"]}])
def test_values_to_convert_are_left_to_the_check_column_by_column(change: dict[str, Any]) -> None:
    assert not SCHEMA.fits([GOOD, {**GOOD, **change}])
    assert len(SCHEMA.table([GOOD, {**GOOD, **change}])) == 2


def test_no_row_and_many_rows_are_checked_column_by_column() -> None:
    assert not SCHEMA.fits([])
    assert not SCHEMA.fits([GOOD] * 1000)
    assert len(SCHEMA.table([GOOD] * 1000)) == 1000
