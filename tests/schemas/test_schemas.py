from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from alchemiscale_lake.errors import SchemaError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.schemas.__main__ import document
from alchemiscale_lake.schemas._base import BOOL, FLOAT, INT, STRING, TIME, Column, Rule, TableSchema

SCHEMA = TableSchema(
    name="things",
    doc="Things.",
    columns=(
        Column("scope", STRING, "Scope."),
        Column("n", INT, "A count."),
        Column("x_kcal_mol", FLOAT, "An energy.", nullable=True),
        Column("kind", STRING, "Kind.", choices=("a", "b")),
        Column("ok", BOOL, "Whether.", nullable=True),
        Column("at", TIME, "When.", nullable=True),
    ),
    key=("scope", "n"),
    rules=(Rule("n counts from 1", pl.col("n") >= 1),),
)
GOOD = {"scope": "a-b-c", "n": 1, "x_kcal_mol": 0.5, "kind": "a"}


def test_rows_come_back_in_order_and_type() -> None:
    table = SCHEMA.table([{"kind": "b", "n": 2, "scope": "a-b-c"}])
    assert table.column_names == SCHEMA.names
    assert table.schema.field("n").type == pa.int64()
    assert table.column("x_kcal_mol").to_pylist() == [None]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"n": 9.7}, "9.7"),
        ({"n": "three"}, "things"),
        ({"n": True}, "things"),
        ({"n": 2**63}, "things"),
        ({"x_kcal_mol": "low"}, "things"),
        ({"scope": None}, "column 'scope' must not be null"),
        ({"kind": "c"}, "'kind' is 'c', not one of a, b"),
        ({"n": 0}, "n counts from 1"),
        ({"colour": "red"}, "no column ['colour']"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_never_cut(change: dict[str, Any], says: str) -> None:
    with pytest.raises(SchemaError, match=re.escape(says)):
        SCHEMA.table([GOOD, {**GOOD, **change}])


def test_floats_in_an_integer_column_of_a_frame_are_refused() -> None:
    frame = pl.DataFrame([GOOD]).with_columns(n=pl.lit(9.7))
    with pytest.raises(SchemaError):
        SCHEMA.table(frame)
    assert SCHEMA.table(frame.with_columns(n=pl.lit(9.0))).column("n").to_pylist() == [9]


def test_all_problems_are_reported_together() -> None:
    with pytest.raises(SchemaError, match=r"^2 problem"):
        SCHEMA.table([{**GOOD, "n": 0, "kind": "z"}])


def test_times_without_zone_are_taken_for_what_they_are_not() -> None:
    """A naive time would silently become UTC; Arrow takes it, so the code must never make one."""
    table = SCHEMA.table([{**GOOD, "at": datetime(2025, 1, 1)}])
    assert str(table.column("at").type) == "timestamp[us, tz=UTC]"


good_row = st.fixed_dictionaries(
    {
        "scope": st.just("a-b-c"),
        "n": st.integers(1, 2**62),
        "x_kcal_mol": st.none() | st.floats(allow_nan=False),
        "kind": st.sampled_from("ab"),
    }
)


@given(st.lists(good_row, max_size=20))
def test_good_rows_pass_unchanged(rows: list[dict[str, Any]]) -> None:
    table = SCHEMA.table(rows)
    assert [{k: r[k] for k in ("scope", "n", "kind", "x_kcal_mol")} for r in table.to_pylist()] == rows


@pytest.mark.parametrize("name", TABLES)
def test_every_table_can_make_rows_it_accepts(name: str) -> None:
    schema = TABLES[name]
    overrides = {"attempt": None} if name in ("task_log", "task_snapshots") else {}
    table = schema.sample(3, **overrides)
    assert schema.table(table).num_rows == 3
    assert schema.arrow.names == schema.names


UNITS = ("gpu_hours", "_kcal_mol", "_s", "_fs", "_ns", "_nm", "_fraction")


@pytest.mark.parametrize("name", TABLES)
def test_every_table_is_well_declared(name: str) -> None:
    schema = TABLES[name]
    columns = {c.name: c for c in schema.columns}
    assert set(schema.key) <= set(columns)
    assert not any(columns[k].nullable for k in schema.key), "a key is never missing"
    assert set(schema.partition_by) <= set(columns)
    assert all(c.doc.endswith(".") for c in schema.columns)
    numbers = [c.name for c in schema.columns if c.type == pa.float64()]
    unitless = {"weight", "mapping_score", "z", "p_value"}
    assert all(n in unitless or n.endswith(UNITS) for n in numbers), "a bare number wears its unit"
    assert all(c.name.endswith("_at") or c.name == "at" for c in schema.columns if pa.types.is_timestamp(c.type))


def test_a_running_task_without_attempt_is_refused() -> None:
    with pytest.raises(SchemaError, match="running if and only if an attempt holds it"):
        TABLES["task_log"].sample(1, status="running", attempt=None)


def test_the_documentation_is_what_the_schemas_say() -> None:
    page = Path(__file__).parents[2] / "docs" / "tables.md"
    assert page.read_text() == document(), "write it again: python -m alchemiscale_lake.schemas > docs/tables.md"
