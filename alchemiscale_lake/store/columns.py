"""Columns that came later than a table: NULL where the table lacks them, added by its next writer.

A lake of an older format is read without changing it: a scan returns the columns that its tables lack as NULL. The
first writer of this version adds them in a commit of its own, before its rows. Older versions can read and write
beside it: to them, the new columns do not exist, and to us, their rows have NULL there.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from ..errors import DamagedError
from ..schemas import Column, TableSchema

__all__ = ["columns_to_come", "nulls"]


def columns_to_come(delta: DeltaTable, schema: TableSchema, format_: int) -> list[Column]:
    """Return the columns that a table lacks because they came later than the lake's format.

    Parameters
    ----------
    delta : DeltaTable
        A snapshot of the table.
    schema : TableSchema
    format_ : int
        Format of the lake.

    Raises
    ------
    DamagedError
        If it lacks a column that every table of this format has.
    """
    found = {field.name for field in delta.schema().fields}
    lacking = [c for c in schema.columns if c.name not in found]
    lost = [c.name for c in lacking if c.since <= format_]
    if lost:
        raise DamagedError(
            f"table '{schema.name}' has no column {', '.join(lost)}, although every lake of format {format_} has it: "
            "its log was changed or is damaged; check it with `alchemiscale-lake verify`, and restore the table from a "
            "backup",
            table=schema.name,
            columns=lost,
        )
    return lacking


def nulls(columns: Sequence[Column]) -> list[pl.Expr]:
    """Return these columns as expressions without a value, each of its type."""
    empty = pl.DataFrame(pa.schema([pa.field(c.name, c.type) for c in columns]).empty_table())
    return [pl.lit(None, dtype=kind).alias(name) for name, kind in empty.schema.items()]
