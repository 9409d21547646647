"""Data files of one table: Parquet, durable before anything refers to them, named after their content.

deltalake neither fsyncs what it writes nor reports its digests. So files are written here, and deltalake commits them.
The name is `scope=<scope>/part-<digest>-<uuid>.parquet`: any reader can check that the file is unchanged.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from deltalake.transaction import AddAction

from ..schemas import TableSchema
from .file_statistics import file_statistics
from .objects import ObjectStore

__all__ = ["ROW_GROUP_ROWS", "DataFiles", "digest_of_name", "is_as_written"]

#: Rows per row group, so that queries for the newest rows skip the others.
ROW_GROUP_ROWS: Final = 65_536
_DIGEST_LETTERS: Final = 32
_NAME: Final = re.compile(r"(?:^|/)part-([0-9a-f]{32})-[0-9a-f-]{36}\.parquet$")


def digest_of_name(path: str) -> str | None:
    """Return the part of the SHA-256 in a data file's name; None if an older version wrote it."""
    match = _NAME.search(path)
    return None if match is None else match[1]


def is_as_written(path: str, data: bytes) -> bool | None:
    """Return whether a data file has the digest in its name; None if its name has none.

    Parameters
    ----------
    path : str
        Path of the data file, relative to the table.
    data : bytes
        Content as read.
    """
    told = digest_of_name(path)
    return None if told is None else hashlib.sha256(data).hexdigest().startswith(told)


class DataFiles:
    """Writer of the data files of one table.

    Parameters
    ----------
    objects : ObjectStore
    folder : str
        Folder of the table within the lake.
    schema : TableSchema
    """

    def __init__(self, objects: ObjectStore, folder: str, schema: TableSchema) -> None:
        self._objects = objects
        self._folder = folder
        self._schema = schema

    @property
    def partition_by(self) -> list[str]:
        """Return the columns by which the table is partitioned."""
        return list(self._schema.partition_by)

    def exist(self) -> bool:
        """Return whether there is any file in the table's folder.

        Raises
        ------
        StorageError
        """
        return bool(self._objects.list(self._folder))

    def write(self, rows: pa.Table, *, data_change: bool = True) -> list[AddAction]:
        """Write rows, one file per partition. The files are durable on return, but not yet part of the table.

        Parameters
        ----------
        rows : pyarrow.Table
            Rows that satisfy the schema of the table.
        data_change : bool, default True
            False if the rows replace the same rows in other files.

        Raises
        ------
        StorageError
        """
        written, objects = [], []
        for values, part in self._partitions(rows):
            data = _parquet(part)
            path = _path(values, data)
            objects.append((f"{self._folder}/{path}", data))
            written.append(
                AddAction(
                    path, len(data), values, int(time.time() * 1000), data_change, json.dumps(file_statistics(part))
                )
            )
        self._objects.put_new(objects)
        return written

    def _partitions(self, rows: pa.Table) -> Iterator[tuple[dict[str, str | None], pa.Table]]:
        if not self._schema.partition_by:
            yield {}, rows
            return
        (column,) = self._schema.partition_by
        values = rows.column(column)
        body = rows.drop_columns([column])
        distinct = sorted(pc.unique(values).to_pylist())
        for value in distinct:
            yield {column: value}, body if len(distinct) == 1 else body.filter(pc.equal(values, value))


def _parquet(rows: pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(rows, buffer, compression="zstd", store_schema=False, row_group_size=ROW_GROUP_ROWS)
    return buffer.getvalue()


def _path(values: Mapping[str, str | None], data: bytes) -> str:
    digest = hashlib.sha256(data).hexdigest()[:_DIGEST_LETTERS]
    folders = [f"{column}={value}" for column, value in values.items()]
    return "/".join([*folders, f"part-{digest}-{uuid.uuid4()}.parquet"])
