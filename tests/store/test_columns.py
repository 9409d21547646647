"""Columns that a table lacks: later ones are NULL, others are damage."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from alchemiscale_lake.errors import DamagedError
from alchemiscale_lake.schemas import TABLES
from alchemiscale_lake.store.columns import columns_to_come, nulls

SCHEMA = next(schema for schema in TABLES.values() if any(c.since > schema.since for c in schema.columns))
LATER = max(SCHEMA.columns, key=lambda c: c.since)
FIRST = SCHEMA.columns[0]


def table(*without: str) -> Any:
    fields = [SimpleNamespace(name=c.name) for c in SCHEMA.columns if c.name not in without]
    return SimpleNamespace(schema=lambda: SimpleNamespace(fields=fields))


def test_a_column_is_to_come_in_a_lake_from_before_it() -> None:
    assert columns_to_come(table(LATER.name), SCHEMA, LATER.since - 1) == [LATER]
    assert columns_to_come(table(), SCHEMA, LATER.since - 1) == []


@pytest.mark.parametrize(("column", "format_"), [(LATER, LATER.since), (FIRST, FIRST.since)])
def test_a_column_that_every_lake_of_a_format_has_is_lost(column: Any, format_: int) -> None:
    with pytest.raises(DamagedError, match=f"has no column {column.name}, although every lake of format {format_}"):
        columns_to_come(table(column.name), SCHEMA, format_)


def test_nulls_have_the_names_and_types_of_their_columns() -> None:
    frame = pl.DataFrame({"x": [1, 2]}).select("x", *nulls(SCHEMA.columns))

    expected = pl.DataFrame(SCHEMA.arrow.empty_table()).schema
    assert {name: kind for name, kind in frame.schema.items() if name != "x"} == dict(expected)
    assert frame.drop("x").null_count().row(0) == (2,) * len(SCHEMA.columns)
