"""Compaction of one table: the same rows in fewer files, written durably like every write.

The content of the old files is first compared with the digests in their names, so that corruption on disk is not
copied into a file that looks valid.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from ..errors import DamagedError
from .commit import commit_actions, removals
from .data_files import is_as_written
from .failures import fail

if TYPE_CHECKING:
    from .table import LakeTable

__all__ = ["Crowd", "compact", "crowded"]

_TARGET_BYTES: Final = 128 * 2**20
#: Partitions compacted per commit: finished ones stay finished if the rest is not reached.
_PARTITIONS_AT_ONCE: Final = 32
_COMMIT_TRIES: Final = 100
_READERS: Final = 8

Partition = str | None
File = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Crowd:
    """Files of a partition that are merged: how many there must be, and how small they are.

    Merging fewer would cost more than it saves.
    """

    at_least: int = 5
    below_bytes: int = _TARGET_BYTES // 2


def crowded(delta: DeltaTable, table: LakeTable, crowd: Crowd = Crowd()) -> dict[Partition, int]:
    """Count the small files of each partition that has many; the key is None in a table without partitions."""
    return {partition: len(files) for partition, files in _small_files(delta, table, crowd).items()}


def compact(table: LakeTable, delta: DeltaTable, crowd: Crowd = Crowd()) -> str | None:
    """Merge small files of a snapshot; return the reason if something could not be merged.

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
                    read = partial(_read, table, delta, partition)
                    rows = pa.concat_tables(pool.map(read, together))
                added += table.files.write(rows, data_change=False)
                replaced += together
        if replaced and not _commit(table, delta, added, replaced):
            return "its files were replaced meanwhile; it will be compacted next time"
    return None


def _small_files(delta: DeltaTable, table: LakeTable, crowd: Crowd) -> dict[Partition, list[File]]:
    actions = pl.DataFrame(pa.table(delta.get_add_actions(flatten=True)))
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


def _read(table: LakeTable, delta: DeltaTable, partition: Partition, file: File) -> pa.Table:
    path = f"{table.folder}/{file['path']}"
    data = table.objects.get(path)
    if is_as_written(path, data) is False:
        raise DamagedError(
            f"{path} is damaged: its content does not match the digest in its name; "
            "restore it from a backup, or set it aside with `alchemiscale-lake maintain --repair`",
            table=table.schema.name,
            path=path,
        )
    try:
        rows = pq.read_table(io.BytesIO(data))
    except (pa.ArrowException, OSError) as e:
        fail(f"cannot read {path}", e, path=path)
    columns = []
    for field in pa.schema(delta.schema().to_arrow()):
        if field.name in table.schema.partition_by:
            columns.append(pa.chunked_array([pa.array([partition] * len(rows), field.type)]))
        elif field.name in rows.column_names:
            columns.append(rows.column(field.name).cast(field.type))
        else:
            columns.append(pa.chunked_array([pa.nulls(len(rows), field.type)]))
    return pa.table(columns, schema=pa.schema(delta.schema().to_arrow()))


def _commit(table: LakeTable, delta: DeltaTable, added: Sequence[AddAction], replaced: Sequence[File]) -> bool:
    """Commit through a snapshot, or through newer ones as long as they list the files to be replaced."""
    paths = {file["path"] for file in replaced}
    removed = removals(delta, table.files, paths, data_change=False)
    for _ in range(_COMMIT_TRIES):
        held = set(pa.table(delta.get_add_actions(flatten=True)).column("path").to_pylist())
        if not paths <= held:
            return False
        previous = table.log.make_durable(delta.version())
        try:
            commit_actions(delta, [*added, *removed], files=table.files, previous=previous)
        except CommitFailedError:
            delta = table.snapshot()  # another writer committed first, usually an append
            continue
        except (DeltaError, OSError) as e:
            fail(f"could not compact table '{table.schema.name}'", e, table=table.schema.name)
        table.log.make_durable(delta.version() + 1)
        return True
    return False
