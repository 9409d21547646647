"""Values of rows that older versions wrote: for columns that came later, and renamed ones."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import polars as pl
from deltalake import DeltaTable

from ...errors import CommitConflictError
from ...faults import fault_point
from ..decoded_table import listed_files
from ..file_swap import File, Partition, read_file, swap_files

if TYPE_CHECKING:
    from ..table import LakeTable

__all__ = ["fill", "rename_values"]

#: Maintenance may replace files while they are filled; what it made of them is filled in the next round.
_ROUNDS: Final = 20


def fill(table: LakeTable, columns: Sequence[str], compute: Callable[[pl.DataFrame], pl.DataFrame]) -> int:
    """Fill columns of the rows in which all of them are NULL, file by file, beside readers and writers.

    A filled file stays filled if the process is killed. Rows that an older version appends later stay NULL.

    Parameters
    ----------
    table : LakeTable
    columns : sequence of str
        Columns that came later than the table.
    compute : callable
        Called with rows, all columns; returns `columns` for these rows, in the same order and of their types. NULL
        is returned for a value that is unknown.

    Returns
    -------
    int
        Number of rows filled.

    Raises
    ------
    SchemaError
        If a value violates a rule of the table.
    CommitConflictError
        If files kept being replaced by others.
    DamagedError, StorageError
    """

    def change(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        filled = _filled(rows, columns, compute)
        return filled, _n_lacking(rows, columns) - _n_lacking(filled, columns)

    return _change_files(table, change)


def rename_values(table: LakeTable, column: str, names: Mapping[str, str]) -> int:
    """Replace values of a column of text by their new names, as `fill` does; return the number of rows changed.

    Readers must know both: rows that an older version appends later have the former ones.

    Parameters
    ----------
    table : LakeTable
    column : str
    names : mapping
        Former to new value; others stay.

    Raises
    ------
    SchemaError, CommitConflictError, DamagedError, StorageError
    """

    def change(rows: pl.DataFrame) -> tuple[pl.DataFrame, int]:
        return rows.with_columns(pl.col(column).replace(names)), int(rows[column].is_in(list(names)).sum())

    return _change_files(table, change)


def _change_files(table: LakeTable, change: Callable[[pl.DataFrame], tuple[pl.DataFrame, int]]) -> int:
    """Replace each file in which `change` changes rows; it returns the new rows, and how many changed."""
    n_changed = 0
    for _ in range(_ROUNDS):
        delta, is_whole = table.snapshot(), True
        for partition, file in _files(table, delta):
            rows, n_new = change(pl.DataFrame(read_file(table, delta, partition, file)))
            if not n_new:
                continue
            added = table.files.write(table.schema.table(rows))
            if swap_files(table, table.snapshot(), added, [file], data_change=True):
                n_changed += n_new
                fault_point(f"fill:{table.schema.name}")
            else:
                is_whole = False
        if is_whole:
            return n_changed
    raise CommitConflictError(
        f"files of table '{table.schema.name}' kept being replaced while columns were filled; try again",
        table=table.schema.name,
    )


def _files(table: LakeTable, delta: DeltaTable) -> Iterator[tuple[Partition, File]]:
    column = f"partition.{table.schema.partition_by[0]}" if table.schema.partition_by else None
    listed = listed_files(delta).sort("path")
    for file in listed.iter_rows(named=True):
        yield (None if column is None else file[column]), file


def _filled(
    rows: pl.DataFrame, columns: Sequence[str], compute: Callable[[pl.DataFrame], pl.DataFrame]
) -> pl.DataFrame:
    lacks = pl.all_horizontal(pl.col(columns).is_null())
    lacking = rows.filter(lacks)
    if lacking.is_empty():
        return rows
    values = compute(lacking).select(columns)
    return pl.concat([rows.filter(~lacks), lacking.with_columns(values)])


def _n_lacking(rows: pl.DataFrame, columns: Sequence[str]) -> int:
    return rows.filter(pl.all_horizontal(pl.col(columns).is_null())).height
