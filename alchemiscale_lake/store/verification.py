"""Verification of the tables of a lake: log entries, checkpoints, data files.

Read-only. A data file carries the SHA-256 of its content in its name, a log entry that of its actions and of the
previous entry. Files without a digest, written by an older version or by deltalake itself, are read in full, which
finds damage that makes them unreadable, and are counted as uncertain.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from ..errors import LakeError, NotFoundError
from .damage import CHECKPOINT_DIGEST
from .data_files import digest_of_name, is_as_written
from .decoded_table import listed_files
from .lake import Lake
from .log_entry import entry_name, has_digest, is_repair, previous_digest, read_entry
from .storage_errors import drain
from .table import LakeTable

__all__ = ["Checked", "Flaw", "check_table", "check_tables", "live_files", "read_checked"]

_ENTRY: Final = re.compile(r"_delta_log/(\d{20})\.json$")
_CHECKPOINT: Final = re.compile(r"_delta_log/(\d{20})\.checkpoint\.parquet$")
#: Allowed keys of `_last_checkpoint`.
_HINT: Final = frozenset({"version", "size", "sizeInBytes", "numOfAddFiles", "tags", "parts", "checksum"})
_RESTORE: Final = "restore it from a backup"
_REPAIR: Final = "run `alchemiscale-lake maintain --repair`"
_REPAIR_OR_RESTORE: Final = f"{_REPAIR}, which can undo one flipped bit; else {_RESTORE}"


@dataclass(frozen=True, slots=True)
class Flaw:
    """A difference from what was written.

    Attributes
    ----------
    path : str
        Path within the lake.
    what : str
    remedy : str
        What to do about it.
    """

    path: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Checked:
    """Result of the check of one kind.

    Attributes
    ----------
    kind : str
        A table or a kind of object.
    n_files : int
    n_bytes : int
    n_uncertain : int
        Number of files without a digest, which were only read.
    flaws : sequence of Flaw
    """

    kind: str
    n_files: int
    n_bytes: int
    n_uncertain: int
    flaws: Sequence[Flaw]


def check_tables(lake: Lake, tell: Callable[[str], None]) -> Iterator[Checked]:
    """Check every table; yield one result at a time.

    Parameters
    ----------
    lake : Lake
    tell : callable
        Called with a line about each table before it is checked.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    tables = lake.tables
    for i, name in enumerate(tables, 1):
        tell(f"table {i} of {len(tables)}: {name}")
        yield check_table(lake, name)


def check_table(lake: Lake, name: str, *, read: bool = True) -> Checked:
    """Check one table.

    Parameters
    ----------
    lake : Lake
    name : str
        Name of the table.
    read : bool, default True
        Read every data file; otherwise only compare its size with the log.

    Raises
    ------
    StorageError
        If the lake does not answer.
    """
    return _TableCheck(lake, name).run(read=read)


def live_files(table: LakeTable, delta: DeltaTable | None = None) -> dict[str, int]:
    """Return the sizes of the data files of a table's newest version, by path within the lake.

    Parameters
    ----------
    table : LakeTable
    delta : deltalake.DeltaTable, optional
        The version, instead of the newest.

    Raises
    ------
    DamagedError, StorageError
    """
    if delta is None:
        if not table.exists:
            return {}
        delta = table.snapshot()
    rows = listed_files(delta).select("path", "size_bytes").iter_rows()
    return {f"{table.folder}/{unquote(path)}": size for path, size in rows}


def read_checked(data: bytes, path: str) -> Flaw | None:
    """Return why a Parquet file without a digest cannot be read in full; None if it can.

    Parameters
    ----------
    data : bytes
        Content of the file.
    path : str
        Path of the file, for the message.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        for group in range(file.num_row_groups):
            file.read_row_group(group).validate(full=True)
    except (pa.ArrowException, OSError, ValueError) as e:
        return Flaw(path, f"cannot be read: {str(e).splitlines()[0][:100]}", _RESTORE)
    return None


class _TableCheck:
    """The check of one table."""

    def __init__(self, lake: Lake, name: str) -> None:
        self._lake, self._name = lake, name
        self._table = lake.table(name)
        self._folder = self._table.folder
        self._flaws: list[Flaw] = []
        self._n_files = self._n_bytes = self._n_uncertain = 0
        self._adds: dict[str, Mapping[str, Any]] = {}

    def run(self, *, read: bool) -> Checked:
        found = [o for o in self._lake.objects.list_with_times(self._folder) if not o.is_temporary]
        listed, sizes = sorted(o.path for o in found), {o.path: o.n_bytes for o in found}
        entries = {int(m[1]): path for path in listed if (m := _ENTRY.search(path))}
        checkpoints = {int(m[1]): path for path in listed if (m := _CHECKPOINT.search(path))}
        self._check_entries(entries, checkpoints)
        self._check_checkpoints(checkpoints, entries)
        live = self._live()
        for path in listed if read else ():
            if path.endswith(".parquet") and "/_delta_log/" not in path:
                self._check_file(path, live.keys())
        for path, size in live.items():
            if path not in sizes and not self._lake.objects.exists(path):  # it may be newer than the listing
                self._flaws.append(Flaw(path, "a data file is missing", _REPAIR))
            elif not read and sizes.get(path, size) != size:
                self._flaws.append(Flaw(path, f"it has {sizes[path]} bytes, the log has {size}", _REPAIR))
        if read and not self._flaws:
            self._check_rows()
        return Checked(self._name, self._n_files, self._n_bytes, self._n_uncertain, self._flaws)

    # --- the log ----------------------------------------------------------------------------------

    def _check_entries(self, entries: Mapping[int, str], checkpoints: Mapping[int, str]) -> None:
        newest = max([*entries, *checkpoints], default=-1)
        if newest < 0:
            self._flaws.append(Flaw(self._folder, "the table has no log", _RESTORE))
        above = max(checkpoints, default=-1)
        for version in range(above + 1, newest + 1):
            if version not in entries:
                path = f"{self._folder}/_delta_log/{entry_name(version)}"
                self._flaws.append(Flaw(path, "a log entry is missing", _REPAIR))
        told: str | None = None
        for version in sorted(entries, reverse=True):
            data = self._get(entries[version])
            told = None if data is None else self._check_entry(entries[version], data, told)

    def _check_entry(self, path: str, data: bytes, digest: str | None) -> str | None:
        """Check an entry against `digest`, recorded in the next one; return the digest it records for the previous."""
        actions = read_entry(data)
        if actions is None:
            self._flaws.append(Flaw(path, "a log entry is truncated or changed", _REPAIR))
            return None
        if digest is None:
            self._n_uncertain += not has_digest(actions)
        elif hashlib.sha256(data).hexdigest() != digest and not is_repair(actions):
            self._flaws.append(Flaw(path, "does not match the digest in the next entry", _REPAIR_OR_RESTORE))
        for add in (action["add"] for action in actions if isinstance(action.get("add"), dict)):
            problem = _problem_of_add(add)
            if problem is not None:
                self._flaws.append(Flaw(path, problem, _RESTORE))
            else:
                self._adds[unquote(add["path"])] = add
        return previous_digest(actions)

    def _check_checkpoints(self, checkpoints: Mapping[int, str], entries: Mapping[int, str]) -> None:
        hint = self._hint(checkpoints)
        for version, path in checkpoints.items():
            data = self._get(path)
            if data is None:
                continue
            digest = hint.get("tags", {}).get(CHECKPOINT_DIGEST) if hint.get("version") == version else None
            if digest is None:
                self._n_uncertain += 1
                flaw = read_checked(data, path)
            else:
                is_whole = hashlib.sha256(data).hexdigest() == digest and len(data) == hint.get("sizeInBytes")
                flaw = None if is_whole else Flaw(path, "does not match the checkpoint that was written", "")
            if flaw is not None:
                self._flaws.append(Flaw(path, flaw.what, _REPAIR))

    def _hint(self, checkpoints: Mapping[int, str]) -> Mapping[str, Any]:
        """Read `_last_checkpoint`, which names the newest checkpoint; empty for a table without checkpoints."""
        path = f"{self._folder}/_delta_log/_last_checkpoint"
        data = self._get(path)
        if data is None:
            return {}
        try:
            hint = json.loads(data)
            is_right = (
                hint["version"] in checkpoints and hint.keys() <= _HINT and isinstance(hint.get("tags", {}), dict)
            )
            if is_right:
                rows = pq.ParquetFile(pa.BufferReader(self._lake.objects.get(checkpoints[hint["version"]]))).metadata
                is_right = rows.num_rows == hint["size"]
        except (ValueError, TypeError, KeyError, LakeError, pa.ArrowException, OSError):
            is_right, hint = False, {}
        if not is_right:
            self._flaws.append(Flaw(path, "refers to a checkpoint that does not exist", _REPAIR))
        return hint if is_right else {}

    # --- data files -------------------------------------------------------------------------------

    def _live(self) -> dict[str, int]:
        """Return the sizes of the files of the newest version, by path."""
        try:
            return live_files(self._table)
        except LakeError as e:
            self._flaws.append(Flaw(self._folder, f"the table cannot be opened: {e}", _REPAIR))
            return {}

    def _check_file(self, path: str, live: Collection[str]) -> None:
        data = self._get(path)
        if data is None:
            return
        within = path.removeprefix(f"{self._folder}/")
        remedy = _REPAIR_OR_RESTORE if path in live else "delete it: the table no longer uses it"
        if digest_of_name(path) is None:
            self._n_uncertain += 1
            flaw = read_checked(data, path)
            if flaw is not None:
                self._flaws.append(Flaw(path, flaw.what, remedy))
        elif not is_as_written(path, data):
            self._flaws.append(Flaw(path, "its content does not match the digest in its name", remedy))
        add = self._adds.get(within)
        if add is not None and path in live:
            self._flaws += [Flaw(path, problem, _RESTORE) for problem in _disagreements(add, data)]

    def _check_rows(self) -> None:
        """Read every row as a query would: intact files may still contain values that the schema forbids."""
        try:
            drain(self._table.scan(), f"table '{self._name}'")
        except LakeError as e:
            self._flaws.append(Flaw(self._folder, f"the table cannot be read: {e}", _RESTORE))

    def _get(self, path: str) -> bytes | None:
        try:
            data = self._lake.objects.get(path)
        except NotFoundError:
            return None  # maintenance has removed it since it was listed
        self._n_files += 1
        self._n_bytes += len(data)
        return data


def _problem_of_add(add: Mapping[str, Any]) -> str | None:
    try:
        path, size, values = str(add["path"]), int(add["size"]), dict(add["partitionValues"])
        stats = json.loads(add["stats"]) if add.get("stats") else {}
    except (KeyError, TypeError, ValueError):
        return "it does not describe its data file"
    folders = dict(part.split("=", 1) for part in unquote(path).split("/")[:-1] if "=" in part)
    told = {name: "" if value is None else str(value) for name, value in values.items()}
    if {name: unquote(value) for name, value in folders.items()} != told or size <= 0 or not isinstance(stats, dict):
        return "its data file is not in the partition that it names"
    return None


def _disagreements(add: Mapping[str, Any], data: bytes) -> Iterator[str]:
    """Compare the log's description of a data file with the file."""
    if int(add["size"]) != len(data):
        yield f"it has {len(data)} bytes, the log has {add['size']}"
        return
    try:
        metadata = pq.ParquetFile(pa.BufferReader(data)).metadata
    except (pa.ArrowException, OSError, ValueError):
        return  # already reported
    stats = json.loads(add["stats"]) if add.get("stats") else {}
    n_rows = stats.get("numRecords")
    if n_rows is not None and n_rows != metadata.num_rows:
        yield f"it has {metadata.num_rows} rows, the log has {n_rows}"
