"""The lake: its marker, tables, objects and logs."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Final

import polars as pl

from ..durable import has_hard_links, make_folder
from ..errors import DamagedError, LakeExistsError, LakeVersionError, NotALakeError, NotFoundError, SettingsError
from ..faults import fault_point
from ..schemas import FORMAT, TABLES
from .host_log import HostLog
from .location import Location
from .marker import Marker, has_tables, package_version, read_marker, restore_marker, supported_marker, write_marker
from .migrations import steps_after
from .network_log import NetworkLog
from .objects import ObjectStore
from .past import Moment, PastTable, parse_moment, resolved
from .receipt_key import ReceiptKey, receipt_key
from .storage_errors import fail
from .table import LakeTable
from .task_log import TaskLog

__all__ = ["Lake", "now_utc"]

#: Folders that may exist in a folder before it becomes a lake.
_OURS: Final = frozenset({"tables", "keys", "plots", "prefect", "work"})


def now_utc() -> datetime:
    """Return the current time in UTC."""
    return datetime.now(UTC)


class Lake:
    """An existing lake; use `Lake.open` or `Lake.create`.

    Attributes
    ----------
    url : str
        `file:///...` or `s3://bucket/prefix`.
    objects : ObjectStore
    format : int
        Format of the lake when it was opened.
    """

    def __init__(self, location: Location, format_: int = FORMAT) -> None:
        self._location = location
        self.url = location.url
        self.format = format_
        self.objects = ObjectStore(location)
        self._tables: dict[str, LakeTable] = {
            name: LakeTable(location, schema, self.objects, format_) for name, schema in TABLES.items()
        }

    @classmethod
    def create(cls, place: str | Path, *, exist_ok: bool = False) -> Lake:
        """Create a lake in a folder or bucket.

        Parameters
        ----------
        place : str or Path
            Folder, or URL of a bucket and prefix.
        exist_ok : bool, default False
            Open an existing lake instead of raising.

        Raises
        ------
        LakeExistsError
            If one exists (and `exist_ok` is false), or the folder contains something else.
        SettingsError
            If the file system has no hard links.
        NotWritableError, StorageError
            If the place is not writable.
        """
        location = Location.parse(place)
        path = location.path
        if path is not None and path.exists() and not path.is_dir():
            raise LakeExistsError(f"{path} is a file; give a folder for the lake", place=str(path))
        if read_marker(location) is not None:
            if exist_ok:
                return cls.open(place)
            raise LakeExistsError(f"there is already a lake at {location.url}; open it instead", place=location.url)
        if path is not None and path.is_dir() and not has_tables(location) and _foreign(path):
            raise LakeExistsError(
                f"{path} contains other files ({', '.join(_foreign(path)[:3])}); give an empty or new folder",
                place=str(path),
            )
        if path is not None:
            _make_root(path)
        if _has_restored_marker(location):
            return cls.open(place)
        lake = cls(location, 1)  # tables of an interrupted creation may be of any format
        resumed = has_tables(location)
        with ThreadPoolExecutor(max_workers=8) as pool:
            list(pool.map(LakeTable.create, lake._tables.values()))
            if resumed:
                list(pool.map(LakeTable.add_columns, lake._tables.values()))
        lake.record_migration(FORMAT, "created")
        fault_point("lake:before-marker")
        # the marker comes last: a folder without it is not a lake, and creation can be repeated
        write_marker(lake.objects)
        return cls(location)

    @classmethod
    def open(cls, place: str | Path) -> Lake:
        """Open a lake.

        Raises
        ------
        NotALakeError
            If there is no lake; `MissingMarkerError` or `DamagedMarkerError` if there are tables.
        LakeVersionError
            If a newer alchemiscale-lake wrote it, or it must be migrated first.
        StorageError
        """
        location = Location.parse(place)
        marker = supported_marker(location)
        if marker.unfinished_from is not None or any(not step.additive for step in steps_after(marker.format)):
            raise LakeVersionError(_must_be_migrated(location, marker), place=location.url, format=marker.format)
        return cls(location, marker.format)

    def as_of(self, moment: Moment | str) -> Lake:
        """Return the lake as it was, to read only.

        Parameters
        ----------
        moment : Moment or str
            A date or time, the number of a commit to the task log, or `TABLE@VERSION`, see `parse_moment`.

        Raises
        ------
        NotFoundError
            If there is no such commit or table.
        SettingsError
            If it is not a point in time.
        """
        asked = parse_moment(moment) if isinstance(moment, str) else moment
        for name in asked.versions:
            self.table(name)
        found = resolved(asked, self.table("task_log"))
        past = Lake(self._location, self.format)
        past._tables = {
            name: PastTable(self._location, schema, self.objects, self.format, moment=found, sibling=past.table)
            for name, schema in TABLES.items()
        }
        return past

    @property
    def local_path(self) -> Path | None:
        """Return the lake's folder, or None for a bucket."""
        return self._location.path

    def table(self, name: str) -> LakeTable:
        """Return one table."""
        try:
            return self._tables[name]
        except KeyError as e:
            raise NotFoundError(f"a lake has no table {name!r}; it has {', '.join(TABLES)}", table=name) from e

    @property
    def tables(self) -> list[str]:
        """Return the names of existing tables: all except those newer than the lake's format without a row yet.

        Raises
        ------
        StorageError
        """
        return [name for name, table in self._tables.items() if table.exists]

    def snapshot(self, names: Iterable[str] | None = None) -> dict[str, pl.LazyFrame]:
        """Scan several tables (default: all), each at its newest version, opened concurrently."""
        wanted = list(TABLES if names is None else names)
        with ThreadPoolExecutor(max_workers=8) as pool:
            frames = pool.map(lambda name: self.table(name).scan(), wanted)
            return dict(zip(wanted, frames, strict=True))

    @cached_property
    def task_log(self) -> TaskLog:
        """The log of events of Tasks."""
        return TaskLog(self.table("task_log"), self.table("task_snapshots"), self.table("action_snapshots"))

    @cached_property
    def network_log(self) -> NetworkLog:
        """The log of user decisions about networks."""
        return NetworkLog(self.table("network_log"))

    @cached_property
    def host_log(self) -> HostLog:
        """The log of user decisions about hosts."""
        return HostLog(self.table("host_log"))

    @cached_property
    def receipt_key(self) -> ReceiptKey:
        """The key that receipts are signed with, created on first use. Only for those that claim and record."""
        return receipt_key(self.objects, self.local_path, self.task_log.states().seq)

    def prepare_for_workers(self) -> None:
        """Let workers open the tables they need, even with no other read permission in the bucket.

        deltalake asks for the last checkpoint of a table. If it is missing, a client without permission to list the
        bucket gets "forbidden" and then cannot open the table.
        """
        table = self.table("gufe_objects")
        if self.local_path is None and not self.objects.exists(f"{table.folder}/_delta_log/_last_checkpoint"):
            table.checkpoint()

    def record_migration(self, format_: int, what: str) -> None:
        """Record a change of format, once.

        Parameters
        ----------
        format_ : int
            Format after the change.
        what : str

        Raises
        ------
        CommitConflictError, StorageError
        """
        row = {"format": format_, "what": what, "package_version": package_version(), "at": now_utc()}
        self.table("migrations").append_new([row])

    def __repr__(self) -> str:
        return f"Lake({self.url!r})"


def _has_restored_marker(location: Location) -> bool:
    """Restore the marker of a lake that lost it; return False if there is no lake, or its creation never finished."""
    if not has_tables(location):
        return False
    with contextlib.suppress(NotALakeError, DamagedError):
        restore_marker(location)
        return True
    return False


def _must_be_migrated(location: Location, marker: Marker) -> str:
    migrate = f"run `alchemiscale-lake migrate --lake {location.argument}`"
    if marker.unfinished_from is not None:
        return (
            f"the lake at {location.url} is being migrated from format {marker.unfinished_from} to {marker.format}, "
            f"or that was interrupted; then {migrate} to continue"
        )
    return (
        f"the lake at {location.url} has format {marker.format} of alchemiscale-lake {marker.needs}; "
        f"alchemiscale-lake {package_version()} needs format {FORMAT}: {migrate}"
    )


def _foreign(path: Path) -> list[str]:
    return sorted(p.name for p in path.iterdir() if p.name not in _OURS and not p.name.startswith("."))


def _make_root(path: Path) -> None:
    """Create the folder of a new lake, unless its file system cannot hold one."""
    nearest = next(folder for folder in (path, *path.parents) if folder.is_dir())
    try:
        if not has_hard_links(nearest):
            raise SettingsError(
                f"the file system of {nearest} has no hard links, which commits to tables need; "
                "give a folder on another file system (such as ext4, XFS, NFS or Lustre), or a bucket",
                place=str(path),
            )
        make_folder(path / "tables")
    except OSError as e:
        fail(f"cannot create a lake in {path}", e, place=str(path))
