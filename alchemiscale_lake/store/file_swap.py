"""Replacement of data files by others with the same rows, beside readers and writers.

The content of the old files is first compared with the digests in their names, so that corruption on disk is not
copied into a file that looks valid.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction

from ..errors import DamagedError
from .commit import commit_actions, removals
from .data_files import is_as_written
from .decoded_table import listed_files
from .storage_errors import fail

if TYPE_CHECKING:
    from .table import LakeTable

__all__ = ["File", "Partition", "read_file", "swap_files"]

_COMMIT_TRIES: Final = 100

#: Value of the column by which a table is partitioned; None without one.
Partition = str | None
#: A data file as the log lists it: at least its `path`.
File = Mapping[str, Any]


def read_file(table: LakeTable, delta: DeltaTable, partition: Partition, file: File) -> pa.Table:
    """Read one data file of a snapshot, with the columns of the snapshot.

    Parameters
    ----------
    table : LakeTable
    delta : DeltaTable
    partition : str or None
        Value of the column by which the table is partitioned.
    file : mapping
        With `path`, within the table.

    Raises
    ------
    DamagedError
        If the file does not have the content that was written. Nothing may be made from it.
    StorageError
    """
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


def swap_files(
    table: LakeTable, delta: DeltaTable, added: Sequence[AddAction], replaced: Sequence[File], *, data_change: bool
) -> bool:
    """Commit through a snapshot, or through newer ones as long as they list the files to be replaced.

    Parameters
    ----------
    table : LakeTable
    delta : DeltaTable
    added : sequence of AddAction
        Files with the rows of those replaced.
    replaced : sequence of mapping
        With `path`, within the table.
    data_change : bool
        Whether a value of the rows differs.

    Returns
    -------
    bool
        False if one of the files is no longer part of the table: nothing was changed.

    Raises
    ------
    StorageError
    """
    paths = {file["path"] for file in replaced}
    removed = removals(delta, table.files, paths, data_change=data_change)
    for _ in range(_COMMIT_TRIES):
        held = set(listed_files(delta)["path"])
        if not paths <= held:
            return False
        previous = table.log.make_durable(delta.version())
        try:
            commit_actions(delta, [*added, *removed], files=table.files, previous=previous)
        except CommitFailedError:
            delta = table.snapshot()  # another writer committed first, usually an append
            continue
        except (DeltaError, OSError) as e:
            fail(f"could not replace files of table '{table.schema.name}'", e, table=table.schema.name)
        table.log.make_durable(delta.version() + 1)
        return True
    return False
