"""One Delta table of a lake: open, scan, append new rows."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError

from ..errors import CommitConflictError, DamagedError, MissingTableError
from ..faults import fault_point
from ..schemas import FORMAT, TableSchema
from .columns import columns_to_come, nulls
from .commit import commit_actions, commit_columns, compare_and_append, last_number, removals
from .damage import damage_of_file
from .data_files import DataFiles
from .decoded_table import DecodedTable, listed_files
from .delta_log import DeltaLog
from .kept_snapshot import KeptSnapshot
from .known_keys import KnownKeys
from .literal_scan import is_plain, scan_literally
from .location import Location
from .objects import ObjectStore
from .storage_errors import collect_all, fail
from .tidying import tidy

__all__ = ["LakeTable", "Rows"]

Rows: TypeAlias = pa.Table | pl.DataFrame | Sequence[Mapping[str, Any]]

#: A failure that came faster is retried at once.
_QUICKLY_S: Final = 1.0

#: Tries to add a column beside writers of rows.
_TRIES: Final = 50
#: Files that a reader may still hold are kept for a week; maintenance may remove them earlier, but not later.
_CONFIGURATION: dict[str, str | None] = {
    "delta.logRetentionDuration": "interval 7 days",
    "delta.deletedFileRetentionDuration": "interval 7 days",
}


class LakeTable:
    """Access to one table. Thread-safe.

    Attributes
    ----------
    schema : TableSchema
    objects : ObjectStore
        Of the lake.
    files : DataFiles
        Its data files.
    log : DeltaLog
        Its log, with what deltalake's log lacks.
    """

    def __init__(self, location: Location, schema: TableSchema, objects: ObjectStore, format_: int = FORMAT) -> None:
        self.schema = schema
        self._format = format_
        self._came_later = schema.since > format_
        self._uri = location.join("tables", schema.name)
        self._options = location.storage_options
        self._scan_options = location.scan_options
        self.objects = objects
        self.files = DataFiles(objects, self.folder, schema)
        self._checked: set[str] = set()
        folder = None if location.path is None else location.path / "tables" / schema.name
        # polars reads paths and keys literally, without decoding them
        self._place = unquote(self._uri) if folder is None else str(folder)
        self.log = DeltaLog(folder)
        self._kept = KeptSnapshot(self.snapshot, self.log)
        self._keys = KnownKeys(schema, self._read)
        self._lock = threading.RLock()

    @property
    def folder(self) -> str:
        """Return the path of the table's folder within the lake."""
        return f"tables/{self.schema.name}"

    @property
    def exists(self) -> bool:
        """Return whether the table exists. One newer than the lake's format is created with its first row.

        Raises
        ------
        StorageError
        """
        if self._came_later:
            try:
                self._came_later = not DeltaTable.is_deltatable(self._uri, self._options)
            except (DeltaError, OSError) as e:
                fail(f"cannot look for table '{self.schema.name}' at {self._uri}", e, table=self.schema.name)
        return not self._came_later

    def create(self) -> None:
        """Create the table if it does not exist.

        Raises
        ------
        StorageError
        """
        try:
            self.log.remove_torn_beginning()
            DeltaTable.create(
                self._uri,
                # TableSchema checks nullability: Delta keeps none for partition columns
                schema=pa.schema([pa.field(f.name, f.type) for f in self.schema.arrow]),
                mode="ignore",
                partition_by=list(self.schema.partition_by),
                configuration=_CONFIGURATION,
                storage_options=self._options,
            )
            self.log.make_table_durable()
        except (DeltaError, OSError) as e:
            fail(f"could not create table '{self.schema.name}' at {self._uri}", e, table=self.schema.name)

    def snapshot(self) -> DeltaTable:
        """Open the newest version.

        Raises
        ------
        MissingTableError
            If the table is missing.
        DamagedError
            If its log or one of its newest files is damaged.
        StorageError
            If the storage does not answer.
        """
        began: float | None = time.monotonic()
        while True:
            try:
                delta: DeltaTable = DecodedTable(self._uri, storage_options=self._options)
            except TableNotFoundError as e:
                raise self._gone() from e
            except (DeltaError, OSError) as e:
                self.log.check_all()
                # clients retry a request, but not one whose response broke off halfway
                if began is None or time.monotonic() - began > _QUICKLY_S:
                    fail(f"cannot open table '{self.schema.name}' at {self._uri}", e, table=self.schema.name)
                began = None
            else:
                self.log.check(delta.version())
                return delta

    def _gone(self) -> DamagedError:
        """Return the error for a table that is missing, or that only lacks its log."""
        name, advice = self.schema.name, "restore it from a backup; `alchemiscale-lake verify` checks the others"
        if self.files.exist():
            return DamagedError(
                f"the log of table '{name}' is missing ({self._uri}/_delta_log), without which its files cannot be "
                f"read: {advice}",
                table=name,
            )
        return MissingTableError(
            f"table '{name}' is missing at {self._uri}, although every lake of this format has it: {advice}", table=name
        )

    def add_columns(self) -> None:
        """Add the columns that came later than the table, as the next writer would.

        Raises
        ------
        CommitConflictError, DamagedError, StorageError
        """
        self._with_all_columns(self.snapshot())

    def checkpoint(self) -> None:
        """Write a checkpoint of the newest version.

        Raises
        ------
        StorageError
        """
        try:
            self.log.checkpoint(self.snapshot())
        except (DeltaError, OSError) as e:
            fail(f"could not write a checkpoint of table '{self.schema.name}'", e, table=self.schema.name)

    def scan(self, delta: DeltaTable | None = None) -> pl.LazyFrame:
        """Scan lazily, the newest version or a given snapshot; columns in declared order."""
        if delta is None and not self.exists:
            return self._no_rows().lazy()
        delta = self.to_read() if delta is None else delta
        lacking = columns_to_come(delta, self.schema, self._format)
        try:
            if is_plain(delta):
                frame = pl.scan_delta(delta, storage_options=self._scan_options or None)
            else:
                frame = scan_literally(delta)
        except (DeltaError, OSError) as e:
            fail(f"cannot read table '{self.schema.name}'", e, table=self.schema.name)
        return frame.with_columns(nulls(lacking)).select(self.schema.names)

    def check_files(self, scopes: Collection[str]) -> None:
        """Compare the data files of these Scopes with the digests in their names, each once per process.

        Only in a folder: a bucket verifies its objects itself.

        Raises
        ------
        DamagedError
            If a file has changed.
        StorageError
        """
        if self.log.folder is None or not self.exists:
            return
        listed = listed_files(self.to_read())
        if self.files.partition_by == ["scope"]:
            listed = listed.filter(pl.col("partition.scope").is_in(list(scopes)))
        for path, size in listed.select("path", "size_bytes").iter_rows():
            if path not in self._checked:
                found = damage_of_file(self.log.folder.parent, path, size, read=True)
                if found is not None:
                    raise self.log.damaged([found])
                self._checked.add(path)

    def plain_files(self, delta: DeltaTable) -> list[str]:
        """Return the paths of a snapshot's files, or none if a path has characters that readers would expand."""
        return delta.file_uris() if is_plain(delta) else []

    def append_new(self, rows: Rows) -> int:
        """Append the rows whose key the table does not contain yet; of rows with equal keys, the first.

        Safe with several writers: no key is ever written twice.

        Returns
        -------
        int
            Number of rows written.

        Raises
        ------
        SchemaError
            If a row does not fit the schema. Nothing is written.
        """
        return len(self.append_new_rows(rows))

    def append_new_rows(self, rows: Rows) -> pl.DataFrame:
        """Like `append_new`, and return the rows written."""
        if not len(rows):
            return self._no_rows()
        given = pl.DataFrame(self.schema.table(rows)).unique(list(self.schema.key), keep="first", maintain_order=True)
        new = given.clear()

        def decide(delta: DeltaTable, _: int) -> pa.Table | None:
            nonlocal new
            new = self._keys.new(given, delta)
            return self.schema.typed(new) if len(new) else None

        if len(given):
            # these rows do not carry the number of their commit, so the table's version is enough
            self.append(decide, last=DeltaTable.version)
        return new

    def _no_rows(self) -> pl.DataFrame:
        # an empty table of pyarrow imports pandas
        return pl.DataFrame(schema=pl.Schema(self.schema.arrow))

    def append_decided(self, decide: Callable[[pl.LazyFrame], Rows]) -> None:
        """Append the rows that `decide` returns, given a scan of the table that is still current when they are written.

        Parameters
        ----------
        decide : callable
            Called again after every lost race, so it must recognise its own rows. Of its rows, none may have a key that
            the table contains.

        Raises
        ------
        SchemaError
            If a row does not fit the schema. Nothing is written.
        CommitConflictError, StorageError
        """

        def rows(delta: DeltaTable, _: int) -> pa.Table:
            return self.schema.table(decide(self.scan(delta)))

        # these rows do not carry the number of their commit, so the table's version is enough
        self.append(rows, last=DeltaTable.version)

    def append(
        self,
        decide: Callable[[DeltaTable, int], pa.Table | None],
        *,
        last: Callable[[DeltaTable], int] | None = None,
    ) -> int | None:
        """Append by compare-and-swap the rows that `decide` returns; see `commit.compare_and_append`.

        Parameters
        ----------
        decide : callable
            Called with a snapshot and the number of this commit, again after each lost race; returns rows or None.
        last : callable, optional
            Returns the number of the last commit in a snapshot; by default, that of the table's log.
        """
        if not self.exists:
            self.create()
        with self._lock:  # of two threads, neither may update the snapshot that the other decides on
            return compare_and_append(
                self.schema.name,
                lambda: self._with_all_columns(self._kept.newest()),
                decide,
                files=self.files,
                log=self.log,
                last=last,
                tidy=self._tidy,
            )

    def to_read(self) -> DeltaTable:
        """Return the newest snapshot, see `KeptSnapshot.to_read`. Nothing may be committed through it."""
        return self._kept.to_read()

    @contextlib.contextmanager
    def newest(self) -> Iterator[DeltaTable]:
        """Yield the newest snapshot, for this thread alone: the one used before, brought up to date.

        Raises
        ------
        NotALakeError, DamagedError, StorageError
        """
        with self._lock:
            yield self._kept.newest()

    def replace(self, rows: Rows, *, number: int) -> bool:
        """Replace the content by `rows`, unless a replacement with this or a higher number exists.

        Parameters
        ----------
        rows : Rows
        number : int

        Raises
        ------
        StorageError
            If the storage failed; the content may be the old or the new one.
        """
        table = self.schema.table(rows)
        delta = self._with_all_columns(self.snapshot())
        if last_number(delta, self.schema.name) >= number:
            return False
        try:
            previous = self.log.make_durable(delta.version())
            replaced = removals(delta, self.files, None, data_change=True)
            commit_actions(
                delta,
                [*self.files.write(table), *replaced],
                files=self.files,
                previous=previous,
                transaction=(self.schema.name, number),
            )
            self.log.make_durable(delta.version() + 1)
        except CommitFailedError:
            return False
        except (DeltaError, OSError) as e:
            fail(f"could not replace the content of table '{self.schema.name}'", e, table=self.schema.name)
        return True

    def _with_all_columns(self, delta: DeltaTable) -> DeltaTable:
        """Return the newest snapshot if this one lacks columns, after adding them."""
        for _ in range(_TRIES):
            lacking = columns_to_come(delta, self.schema, self._format)
            if not lacking:
                return delta
            try:
                version = delta.version()  # the commit advances it
                commit_columns(delta, lacking, previous=self.log.make_durable(version))
                self.log.make_durable(version + 1)
                fault_point(f"columns:{self.schema.name}:added")
            except CommitFailedError:
                pass  # another writer added them, or rows
            except (DeltaError, OSError) as e:
                fail(f"could not add columns to table '{self.schema.name}'", e, table=self.schema.name)
            delta = self.snapshot()
        raise CommitConflictError(
            f"other writers kept committing to table '{self.schema.name}' while columns were added; try again",
            table=self.schema.name,
        )

    def _tidy(self, delta: DeltaTable) -> None:
        if tidy(self, delta):
            self._kept.drop()

    def _read(self, paths: Sequence[str], columns: Sequence[str]) -> list[pl.DataFrame]:
        """Read columns of data files, also where a path has characters that polars would expand."""
        options: dict[str, Any] = {
            "glob": False,
            "hive_partitioning": False,
            "storage_options": self._scan_options or None,
        }
        scans = [pl.scan_parquet(f"{self._place}/{path}", **options).select(columns) for path in paths]
        return collect_all(scans, f"table '{self.schema.name}'") if scans else []
