"""Scans of tables whose path has characters that polars would expand.

polars interprets `key=value` anywhere in a path as a partition and some characters as patterns. Such a table is read
as a pyarrow dataset through deltalake's file system, which takes names literally. Files are pruned by partition, row
groups by statistics.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import polars as pl
from deltalake import DeltaTable

from .decoded_table import listed_files

if TYPE_CHECKING:
    import pyarrow.dataset as ds

__all__ = ["is_plain", "scan_literally"]

#: In the path above a table, polars and DuckDB interpret these as partitions (`=`) or patterns.
_EXPANDED: Final = re.compile(r"[=*?\[\]{}]")


def is_plain(delta: DeltaTable) -> bool:
    """Return whether readers that interpret partitions and patterns in paths take this table's path literally."""
    # deltalake has resolved symbolic links already
    return _EXPANDED.search(delta.table_uri) is None


def scan_literally(delta: DeltaTable) -> pl.LazyFrame:
    """Scan a snapshot of a table whose path is not plain.

    Raises
    ------
    DeltaError, OSError
    """
    import pyarrow.dataset as ds  # imports pandas, and few paths need it

    whole = delta.to_pyarrow_dataset()
    partitions = delta.metadata().partition_columns
    actions = listed_files(delta).to_dicts()
    # not deltalake's own fragments: for a column without statistics, they compare with null and drop the file
    fragments = [
        whole.format.make_fragment(action["path"], whole.filesystem, _guarantee(action, partitions))
        for action in actions
    ]
    return pl.scan_pyarrow_dataset(ds.FileSystemDataset(fragments, whole.schema, whole.format, whole.filesystem))


def _guarantee(action: dict[str, object], partitions: list[str]) -> ds.Expression | None:
    """Return a condition that holds for every row of a file; None if the table is not partitioned."""
    import pyarrow.dataset as ds

    found = None
    for column in partitions:
        value = action[f"partition.{column}"]
        holds = ds.field(column).is_null() if value is None else ds.field(column) == value
        found = holds if found is None else found & holds
    return found
