"""Rows with every type that DuckDB has are returned, even those that polars lacks."""

from __future__ import annotations

from datetime import UTC, datetime

import duckdb
import pytest

from alchemiscale_lake.query import read_sql
from alchemiscale_lake.report import Table


def _every_type() -> list[str]:
    return [str(name) for name in duckdb.connect().sql("from test_all_types()").columns]


@pytest.mark.parametrize("name", _every_type())
def test_every_type_can_be_shown(name: str) -> None:
    rows = read_sql(duckdb.connect(), f'select "{name}" from test_all_types()')

    assert len(rows.rows()) == 3
    assert Table.of(rows).tsv().count("\n") == 4


@pytest.mark.parametrize(
    ("expression", "shown"),
    [
        ("interval 90 minute", "01:30:00"),
        ("union_value(k := 1)", "1"),
        ("'infinity'::timestamp", "infinity"),
        ("'-infinity'::timestamptz", "-infinity"),
        ("'infinity'::date", "infinity"),
        ("['infinity'::date]", "[infinity]"),
        ("{'a': [interval 1 day]}", "{'a': [1 day]}"),
        ("date '10000-01-01'", "10000-01-01"),
        ("date '0001-01-01' - 1", "0001-12-31 (BC)"),
        ("timestamp '9999-12-31 23:59:59.999999'", datetime(9999, 12, 31, 23, 59, 59, 999999)),
        ("timestamptz '2025-01-01 00:00:00+00'", datetime(2025, 1, 1, tzinfo=UTC)),
        ("{'INTERVAL': 1}", {"INTERVAL": 1}),
        ("sum(x) from range(3) t(x)", 3),
    ],
)
def test_what_polars_lacks_is_text_and_all_else_is_not(expression: str, shown: object) -> None:
    select = f"select {expression}" if " from " in expression else f"select {expression} as x"

    connection = duckdb.connect()
    connection.execute("set timezone = 'UTC'")

    assert read_sql(connection, select).rows() == [(shown,)]


def test_columns_of_one_name_keep_their_order() -> None:
    rows = read_sql(duckdb.connect(), 'select 1 as a, interval 1 day as a, 2 as "odd ""name"""')

    assert rows.rows() == [(1, "1 day", 2)]
    assert rows.columns[2] == 'odd "name"'
