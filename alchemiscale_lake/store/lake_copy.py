"""Copies of a lake that is in use, to a folder or a bucket: consistent, verified, and continued by repeating them.

Of each table one version is fixed before anything is copied, in the order opposite to that of writing: what a row
refers to is older than the row, so the copy has it. Then data files are copied, then the log of each table up to its
version, then objects, which are never changed once a row names them, and `lake.json` last. Maintenance of the source
waits meanwhile, if this process may write there.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final

from ..errors import LakeExistsError, NotFoundError, NotWritableError, StorageError
from ..faults import fault_point
from .lake import Lake
from .location import Location
from .marker import MARKER, read_marker
from .objects import ObjectInfo, ObjectStore
from .parallel_requests import at_once
from .receipt_key import RECEIPT_KEY, make_private_folder
from .table import LakeTable
from .upkeep_lease import UpkeepLease, hold_upkeep
from .verification import live_files

__all__ = ["PIN_ORDER", "LakeCopy", "copy_lake"]

_log = logging.getLogger(__name__)
#: Tables in the order in which their versions are fixed: each before those that its rows refer to.
PIN_ORDER: Final = (
    "action_snapshots", "task_snapshots", "network_findings", "network_estimates", "edge_estimates",
    "transformation_estimates", "result_estimates", "strategy_rounds", "design_files", "task_log", "pruned_files",
    "attempt_ends", "results", "imports", "replicates", "refused_files", "result_files", "unit_results", "hosts",
    "host_log", "network_log", "tasks", "networks", "network_members", "calculations", "transformations",
    "gufe_objects", "assay_log", "assays", "link_log", "cost_models", "migrations",
)  # fmt: skip
_ENTRY: Final = re.compile(r"_delta_log/(\d{20})\.(json|checkpoint\.parquet)$")
#: Not of the lake's content: leases, logs of servers, work folders, what was set aside.
_LEFT_OUT: Final = ("tables/", "upkeep/", "prefect/", "work/", "damaged/", MARKER)
#: Replaced in place by those who write them, so that a size says nothing.
_CHANGING: Final = re.compile(r"^(?!files/|imports/|tables/).*\.(json|html|png|svg)$|^keys/")
_AT_ONCE: Final = 64
#: Larger objects are copied by way of a temporary file.
_IN_MEMORY_BYTES: Final = 32_000_000

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class LakeCopy:
    """Outcome of a copy.

    Attributes
    ----------
    n_files : int
        Files and objects that the copy has.
    n_copied : int
        Those of them that it did not have before.
    n_bytes : int
        Bytes that were copied.
    versions : dict of str to int
        Version of each table.
    """

    n_files: int
    n_copied: int
    n_bytes: int
    versions: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Pinned:
    """A table at the version that is copied."""

    table: LakeTable
    version: int
    files: dict[str, int]


def copy_lake(source: Lake, target: str | Path, *, tell: Tell | None = None) -> LakeCopy:
    """Copy a lake to another place; a copy that exists is brought up to date.

    Parameters
    ----------
    source : Lake
        May be in use.
    target : str or Path
        Folder or URL of a bucket and prefix: new, empty, or an earlier copy.
    tell : callable, optional
        Called with a line before each step.

    Raises
    ------
    LakeExistsError
        If there is something else, or the copy has been written to since.
    StorageError
        If the storage keeps failing, or files vanished meanwhile; repeating the call continues.
    """
    tell = _log.info if tell is None else tell
    location = Location.parse(target)
    if location.url == source.url:
        raise LakeExistsError(f"{location.url} is the lake itself; give another place", place=location.url)
    if location.path is not None:
        location.path.mkdir(parents=True, exist_ok=True)
    there = ObjectStore(location)
    found = {o.path: o for folder in _folders(there) for o in there.list_with_times(folder) if not o.is_temporary}
    if read_marker(location) is None and location.path is not None and _foreign(location.path):
        raise LakeExistsError(f"{location.path} has other files; give a new or empty folder", place=str(location.path))
    copier = _Copier(source, there, location.path, found)
    with _upkeep_waits(source) as renew:
        pinned = [_pin(source.table(name)) for name in PIN_ORDER if source.table(name).exists]
        fault_point("copy:pinned")
        for table in pinned:
            renew()
            tell(f"table {table.table.schema.name} at version {table.version}")
            copier.table(table)
        tell("objects")
        copier.objects(renew)
    fault_point("copy:objects-copied")
    copier.copy([MARKER])
    versions = {each.table.schema.name: each.version for each in pinned}
    return LakeCopy(copier.n_files, copier.n_copied, copier.n_bytes, versions)


def _folders(objects: ObjectStore) -> list[str]:
    return objects.children("")


def _foreign(path: Path) -> list[str]:
    return [each.name for each in path.iterdir() if each.is_file() and each.name != MARKER]


@contextlib.contextmanager
def _upkeep_waits(source: Lake) -> Iterator[Callable[[], None]]:
    """Keep maintenance from deleting what is being copied; of a lake that can only be read, nothing is kept."""
    with contextlib.ExitStack() as stack:
        lease: UpkeepLease | None = None
        with contextlib.suppress(NotWritableError):
            lease = stack.enter_context(hold_upkeep(source.objects))
        yield (lambda: None) if lease is None else lease.renew


def _pin(table: LakeTable) -> _Pinned:
    delta = table.snapshot()
    return _Pinned(table, delta.version(), live_files(table, delta))


class _Copier:
    """Copies objects that the target lacks."""

    def __init__(self, source: Lake, there: ObjectStore, root: Path | None, found: dict[str, ObjectInfo]) -> None:
        self._source, self._there, self._root, self._found = source, there, root, found
        self.n_files = self.n_copied = self.n_bytes = 0

    def table(self, pinned: _Pinned) -> None:
        """Copy the files of a version, then its log, the newest entry last."""
        self.copy(path for path in pinned.files if not self._has(path, pinned.files[path]))
        self.n_files += len(pinned.files)
        folder = f"{pinned.table.folder}/_delta_log"
        log = {o.path: o for o in self._source.objects.list_with_times(folder) if not o.is_temporary}
        upto = sorted((int(m[1]), m[2] == "json", path) for path in log if (m := _ENTRY.search(path)))
        upto = [each for each in upto if each[0] <= pinned.version]
        newer = [
            p for p in self._found if p.startswith(folder) and (m := _ENTRY.search(p)) and int(m[1]) > pinned.version
        ]
        if newer:
            self._refuse(newer[0])
        hint = self._hint(folder, {version for version, is_json, _ in upto if not is_json})
        for _, is_json, path in upto:  # entries one by one: whoever opens an unfinished copy finds no gap
            if not self._has(path, log[path].n_bytes):
                if is_json and path in self._found:
                    self._refuse(path)
                self.copy([path])
        self.n_files += len(upto)
        if hint is not None:
            self._there.put(f"{folder}/_last_checkpoint", hint)
            self.n_files += 1

    def _hint(self, folder: str, checkpoints: set[int]) -> bytes | None:
        """Return the name of the newest checkpoint, unless it is newer than the version that is copied."""
        try:
            data = self._source.objects.get(f"{folder}/_last_checkpoint")
            return data if json.loads(data)["version"] in checkpoints else None
        except NotFoundError:
            return None

    def objects(self, renew: Callable[[], None]) -> None:
        """Copy everything beside the tables."""
        if self._root is not None:
            make_private_folder(self._root, RECEIPT_KEY.partition("/")[0])
        for folder in _folders(self._source.objects):
            if f"{folder}/" not in _LEFT_OUT:
                self._folder(folder, renew)
        beside = ("quarantine.json",)
        self.copy(path for path in beside if self._source.objects.exists(path))

    def _folder(self, folder: str, renew: Callable[[], None]) -> None:
        listed = (o for o in self._source.objects.list_with_times(folder) if not o.is_temporary)
        while batch := list(islice(listed, 16 * _AT_ONCE)):
            renew()
            self.copy(
                (o.path for o in batch if _CHANGING.search(o.path) or not self._has(o.path, o.n_bytes)), gone=True
            )
            self.n_files += len(batch)

    def copy(self, paths: Iterator[str] | Sequence[str], *, gone: bool = False) -> None:
        """Copy objects; with `gone`, those that were deleted since they were listed are left out."""
        rest = iter(paths)
        while batch := list(islice(rest, _AT_ONCE)):
            for n_bytes in at_once(lambda path: self._one(path, gone=gone), batch):
                self.n_copied += n_bytes is not None
                self.n_bytes += n_bytes or 0
            fault_point("copy:batch")

    def _one(self, path: str, *, gone: bool) -> int | None:
        try:
            blocks = self._source.objects.read_stream(path)
            with tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES) as file:
                digest, n_bytes = hashlib.sha256(), 0
                for block in blocks:
                    file.write(block)
                    digest.update(block)
                    n_bytes += len(block)
                file.seek(0)
                if n_bytes <= _IN_MEMORY_BYTES:
                    self._there.put(path, file.read())
                else:
                    self._there.put_stream(path, file, n_bytes=n_bytes, digest=digest.hexdigest())  # type: ignore[arg-type]
        except NotFoundError as e:
            if gone:
                return None
            raise StorageError(f"{path} was deleted while the lake was copied; copy it again", path=path) from e
        if self._root is not None and path == RECEIPT_KEY:
            (self._root / path).chmod(0o600)
        return n_bytes

    def _has(self, path: str, n_bytes: int) -> bool:
        return path in self._found and self._found[path].n_bytes == n_bytes

    def _refuse(self, path: str) -> None:
        raise LakeExistsError(
            f"the copy has been written to, or is a copy of another lake: {path} is not from {self._source.url}; "
            "give another place",
            place=path,
        )
