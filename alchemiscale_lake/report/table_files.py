"""Tables as files; the suffix gives the format: `.csv`, `.json`, `.parquet`, and TSV for any other."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import polars as pl

from ..cells import csv_line
from .table import ERROR, NO_ESTIMATE, Table

__all__ = ["table_bytes"]


def table_bytes(table: Table, path: str | Path) -> bytes:
    """Return the contents of a file of this name, with full precision and one record per row.

    In `.json` and `.parquet`, numbers that could not be computed are null.

    Parameters
    ----------
    table : Table
        Table to write.
    path : str or Path
        Name of the file; its suffix selects the format.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".csv":
        return _csv(table).encode()
    if suffix == ".json":
        records = [{name: _value(table, name, cell) for name, cell in _named(table, row)} for row in table.rows]
        return (json.dumps(records, default=str, indent=1, ensure_ascii=False) + "\n").encode()
    if suffix == ".parquet":
        buffer = io.BytesIO()
        _frame(table).write_parquet(buffer)
        return buffer.getvalue()
    return table.tsv().encode()


def _csv(table: Table) -> str:
    return "".join(map(csv_line, [table.columns, *(map(_text, row) for row in table.rows)]))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return repr(value)
    if hasattr(value, "isoformat"):
        return str(value.isoformat())
    return json.dumps(value, default=str) if isinstance(value, (list, dict, tuple)) else str(value)


def _named(table: Table, row: tuple[Any, ...]) -> Iterable[tuple[str, Any]]:
    return zip(table.columns, row, strict=True)


def _is_missing(table: Table, column: str, value: Any) -> bool:
    # a ligand may be called so
    return value == ERROR or (value == NO_ESTIMATE and column in table.numbers)


def _value(table: Table, column: str, value: Any) -> Any:
    if _is_missing(table, column, value):
        return None
    if isinstance(value, float) and value != value:
        return None
    return value.isoformat() if hasattr(value, "isoformat") else value


def _frame(table: Table) -> pl.DataFrame:
    data = {}
    for k, name in enumerate(table.columns):
        values = [None if _is_missing(table, name, row[k]) else row[k] for row in table.rows]
        data[name] = pl.Series(name, values, strict=False)
    return pl.DataFrame(data)
