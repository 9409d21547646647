"""Keys in the data files of a table, to tell which rows are new.

Data files never change, so each is read at most once: only files added since are. A file whose range of keys, in the
table's log, has none of the given keys is not read at all. Digests of 64 bits are kept instead of the keys; a row whose
digest is known is compared with the keys themselves.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl
from deltalake import DeltaTable

from ..schemas import TableSchema
from .decoded_table import listed_files

__all__ = ["KnownKeys"]

_Digests: TypeAlias = npt.NDArray[np.uint64]


class KnownKeys:
    """Keys of one table. Not thread-safe.

    Parameters
    ----------
    schema : TableSchema
    read : callable
        Reads columns of data files, given by their paths within the table; returns one frame per file.
    """

    def __init__(
        self, schema: TableSchema, read: Callable[[Sequence[str], Sequence[str]], Sequence[pl.DataFrame]]
    ) -> None:
        self._read = read
        self._schema = schema
        self._partition = schema.partition_by[0] if schema.partition_by else None
        self._in_files = [name for name in schema.key if name != self._partition]
        self._of_file: dict[str, _Digests] = {}

    @cached_property
    def _types(self) -> dict[str, pl.DataType]:
        types = pl.Schema(self._schema.arrow)
        return {name: types[name] for name in self._in_files}

    def new(self, given: pl.DataFrame, delta: DeltaTable) -> pl.DataFrame:
        """Return the rows whose key is in no data file of a snapshot.

        Parameters
        ----------
        given : polars.DataFrame
            Rows to be appended, with the key columns of the table.
        delta : DeltaTable
            Snapshot of the table.

        Raises
        ------
        StorageError
        """
        listed = listed_files(delta)
        self._forget(set(listed["path"]))
        if self._partition is None:
            return self._new(given, listed)
        column = pl.col(f"partition.{self._partition}")
        parts = given.partition_by(self._partition, maintain_order=True, as_dict=True)
        return pl.concat([self._new(part, listed.filter(column == value)) for (value,), part in parts.items()])

    def _new(self, given: pl.DataFrame, listed: pl.DataFrame) -> pl.DataFrame:
        """Return the rows whose key is in none of these files, all of the same partition."""
        paths = self._with_range_of(given, listed)
        unread = [path for path in paths if path not in self._of_file]
        for path, rows in zip(unread, self._read(unread, self._in_files), strict=True):
            self._of_file[path] = np.sort(self._digests(rows))
        digests = self._digests(given)
        hit = [path for path in paths if _have_common(self._of_file[path], digests)]
        for rows in self._read(hit, self._in_files):
            given = given.join(self._keys(rows), on=self._in_files, how="anti", nulls_equal=True, maintain_order="left")
        return given

    def _with_range_of(self, given: pl.DataFrame, listed: pl.DataFrame) -> list[str]:
        """Return the paths of files that may have one of these keys, by the range of the first column."""
        column = self._in_files[0]
        least, most = f"min.{column}", f"max.{column}"
        if not {least, most} <= set(listed.columns) or given[column].null_count():
            return listed["path"].to_list()
        values = sorted(given[column].unique().to_list())
        return [
            path
            for path, low, high in listed.select("path", least, most).iter_rows()
            if low is None or high is None or _one_between(values, low, high)
        ]

    def _digests(self, rows: pl.DataFrame) -> _Digests:
        return self._keys(rows).hash_rows().to_numpy()

    def _keys(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(pl.col(name).cast(kind) for name, kind in self._types.items())

    def _forget(self, listed: set[str]) -> None:
        """Forget files that are no longer part of the table."""
        for path in self._of_file.keys() - listed:
            del self._of_file[path]


def _have_common(ordered: _Digests, digests: _Digests) -> bool:
    at = np.searchsorted(ordered, digests)
    return bool((ordered.take(at, mode="clip") == digests).any()) if len(ordered) else False


def _one_between(values: Sequence[Any], low: Any, high: Any) -> bool:
    at = bisect_left(values, low)
    return at < len(values) and bool(values[at] <= high)
