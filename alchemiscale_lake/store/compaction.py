"""Compaction of one table: the same rows in fewer files, written durably like every write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.transaction import AddAction

from .decoded_table import listed_files
from .file_swap import File, Partition, read_file, swap_files

if TYPE_CHECKING:
    from .table import LakeTable

__all__ = ["Crowd", "compact", "crowded"]

_TARGET_BYTES: Final = 128 * 2**20
#: Partitions compacted per commit: finished ones stay finished if the rest is not reached.
_PARTITIONS_AT_ONCE: Final = 32
_READERS: Final = 8


@dataclass(frozen=True, slots=True)
class Crowd:
    """Files of a partition that are merged: how many there must be, and how small they are.

    Merging fewer would cost more than it saves.

    Attributes
    ----------
    at_least : int, default 5
        Smallest number of files that are merged.
    below_bytes : int, default _TARGET_BYTES // 2
        Size below which a file is small.
    """

    at_least: int = 5
    below_bytes: int = _TARGET_BYTES // 2


def crowded(delta: DeltaTable, table: LakeTable, crowd: Crowd = Crowd()) -> dict[Partition, int]:
    """Count the small files of each partition that has many; the key is None in a table without partitions.

    Parameters
    ----------
    delta : DeltaTable
        Snapshot of the table.
    table : LakeTable
        Table of the snapshot.
    crowd : Crowd, default Crowd()
        Number and size of files that count as many.
    """
    return {partition: len(files) for partition, files in _small_files(delta, table, crowd).items()}


def compact(table: LakeTable, delta: DeltaTable, crowd: Crowd = Crowd()) -> str | None:
    """Merge small files of a snapshot; return the reason if something could not be merged.

    Parameters
    ----------
    table : LakeTable
        Table of the snapshot.
    delta : DeltaTable
        Snapshot of the table.
    crowd : Crowd, default Crowd()
        Number and size of files that are merged.

    Raises
    ------
    DamagedError
        If a file does not have the content that was written. No file is made from it.
    StorageError
    """
    by_partition = list(_small_files(delta, table, crowd).items())
    for start in range(0, len(by_partition), _PARTITIONS_AT_ONCE):
        added: list[AddAction] = []
        replaced: list[File] = []
        for partition, files in by_partition[start : start + _PARTITIONS_AT_ONCE]:
            for together in _bins(files):
                with ThreadPoolExecutor(_READERS) as pool:
                    read = partial(read_file, table, delta, partition)
                    rows = pa.concat_tables(pool.map(read, together))
                added += table.files.write(rows, data_change=False)
                replaced += together
        if replaced and not swap_files(table, delta, added, replaced, data_change=False):
            return "its files were replaced meanwhile; it will be compacted next time"
    return None


def _small_files(delta: DeltaTable, table: LakeTable, crowd: Crowd) -> dict[Partition, list[File]]:
    actions = listed_files(delta)
    small = actions.filter(pl.col("size_bytes") < crowd.below_bytes).sort("modification_time", "path")
    column = f"partition.{table.schema.partition_by[0]}" if table.schema.partition_by else None
    found: dict[Partition, list[File]] = {}
    for file in small.select("path", "size_bytes", *([column] if column else [])).iter_rows(named=True):
        found.setdefault(file[column] if column else None, []).append(file)
    return {name: files for name, files in sorted(found.items()) if len(files) >= crowd.at_least}


def _bins(files: Sequence[File]) -> Iterator[list[File]]:
    """Yield groups of files to merge, in order."""
    together: list[File] = []
    size = 0
    for file in files:
        if together and size + file["size_bytes"] > _TARGET_BYTES:
            yield together
            together, size = [], 0
        together.append(file)
        size += file["size_bytes"]
    if len(together) > 1:
        yield together
