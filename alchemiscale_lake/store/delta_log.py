"""Durability of the Delta log of one table in a folder: deltalake itself never fsyncs.

A commit counts as acknowledged once its entry and its directory entry are fsynced. Before a writer commits, it does
the same for the entry it builds upon, which another process may have just written: no acknowledged entry ever depends
on one that a power cut can remove. Each entry carries the SHA-256 of its predecessor. A bucket needs none of this, and
its log is left to deltalake.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from deltalake import DeltaTable

from ..durable import fsync_file, fsync_folder, fsync_folders, replace_file
from ..errors import DamagedError
from .damage import CHECKPOINT_DIGEST, Damage, damage_of_log, damage_of_tail
from .log_entry import PREVIOUS, entry_name, read_entry
from .storage_errors import fail

__all__ = ["DeltaLog"]

_LAST_CHECKPOINT: Final = "_last_checkpoint"
#: Number of newest entries whose data files are checked when a table is opened.
_FILES_LOOKED_AT: Final = 16
_NUMBERED: Final = re.compile(r"(\d{20})\.(json|checkpoint\.parquet)")


class DeltaLog:
    """Durable writer of entries and checkpoints of one table's log. Thread-safe.

    Parameters
    ----------
    table : Path or None
        The table's folder; None in a bucket, where an acknowledged write is durable.
    """

    def __init__(self, table: Path | None) -> None:
        self._table = table
        self._lock = threading.Lock()
        self._known: tuple[int, str | None] = (-1, None)
        self._looked_at = -1

    @property
    def folder(self) -> Path | None:
        """Return the folder of the log; None in a bucket."""
        return None if self._table is None else self._table / "_delta_log"

    def newest_entry(self, version: int) -> tuple[int, int, int] | None:
        """Return what identifies the entry of a version if the log ends with it: inode, size and time of change.

        None if there is an entry above, or this one is missing, and in a bucket, where looking is a request.
        """
        if self.folder is None or (self.folder / entry_name(version + 1)).exists():
            return None
        try:
            found = (self.folder / entry_name(version)).stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns

    def check(self, version: int) -> None:
        """Check the checkpoint of a version and the entries above it, unless already checked.

        Data files of the newest entries are also checked: whether they exist and are not truncated.

        Raises
        ------
        DamagedError
            If something is damaged or missing.
        """
        if self._table is None or version <= self._looked_at:
            return
        found = damage_of_tail(self._table, version, self._looked_at, _FILES_LOOKED_AT)
        if found is not None:
            raise self.damaged([found])
        self._looked_at = version

    def check_all(self) -> None:
        """Check the whole log, after deltalake could not open it.

        Raises
        ------
        DamagedError
            If something is damaged or missing.
        """
        if self.folder is not None and self.folder.is_dir() and (found := damage_of_log(self.folder)):
            raise self.damaged(found)

    def damaged(self, found: Sequence[Damage]) -> DamagedError:
        """Return the error that names the damage and what to do about it."""
        assert self._table is not None
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        return DamagedError(
            f"table '{self._table.name}' is damaged: {found[0]}{more}; "
            f"run `alchemiscale-lake maintain --repair --lake {self._table.parent.parent}`",
            table=self._table.name,
            path=str(self._table / found[0].path),
        )

    def make_durable(self, version: int) -> str | None:
        """Make the entry of a version and the files it refers to durable, unless this process already did.

        Returns
        -------
        str or None
            SHA-256 of the entry; None in a bucket.

        Raises
        ------
        StorageError
        """
        with self._lock:
            known, digest = self._known
        if self._table is None or self.folder is None or version == known:
            return digest
        path = self.folder / entry_name(version)
        try:
            data = path.read_bytes()
            if not _is_ours(data):
                self._make_files_durable(data)
            fsync_file(path)
            fsync_folder(self.folder)
        except OSError as e:
            fail(f"cannot make {path} durable", e, path=str(path))
        digest = hashlib.sha256(data).hexdigest()
        with self._lock:
            if version > self._known[0]:
                self._known = (version, digest)
        return digest

    def make_table_durable(self) -> None:
        """Make a newly created table durable.

        Raises
        ------
        StorageError, OSError
        """
        if self._table is not None:
            self.make_durable(0)
            fsync_folders([self._table, self._table.parent])

    def remove_torn_beginning(self) -> None:
        """Remove the first entry if it is truncated: creation of the lake never finished, so nothing was acknowledged.

        Raises
        ------
        OSError
        """
        if self.folder is None:
            return
        first = self.folder / entry_name(0)
        if first.is_file() and read_entry(first.read_bytes()) is None:
            first.unlink()

    def checkpoint(self, delta: DeltaTable) -> None:
        """Write a checkpoint of the newest version.

        In a folder, deltalake writes it elsewhere, next to links to the log; it appears in the log once it is complete
        and durable.

        Raises
        ------
        DeltaError, OSError
        """
        if self.folder is None:
            delta.update_incremental()
            delta.create_checkpoint()
            return
        with tempfile.TemporaryDirectory(prefix="alchemiscale-lake-checkpoint-") as aside:
            log = Path(aside, "_delta_log")
            log.mkdir()
            for path in self._needed_to_open():
                (log / path.name).symlink_to(path.absolute())
            beside = DeltaTable(aside)
            beside.create_checkpoint()
            name = f"{beside.version():020d}.checkpoint.parquet"
            data = (log / name).read_bytes()
            hint = json.loads((log / _LAST_CHECKPOINT).read_bytes())
            # the only part of a log that no entry has a digest of
            hint["tags"] = {CHECKPOINT_DIGEST: hashlib.sha256(data).hexdigest()}
            replace_file(self.folder / name, data)
            replace_file(self.folder / _LAST_CHECKPOINT, json.dumps(hint).encode())

    def _needed_to_open(self) -> Iterator[Path]:
        """Yield the newest checkpoint, if any, and the entries from there on."""
        assert self.folder is not None
        found = [(int(m[1]), path) for path in self.folder.iterdir() if (m := _NUMBERED.fullmatch(path.name))]
        checkpoint = max((version for version, path in found if path.suffix == ".parquet"), default=-1)
        for version, path in sorted(found):
            if version >= checkpoint if path.suffix == ".json" else version == checkpoint:
                yield path

    def _make_files_durable(self, entry: bytes) -> None:
        """Fsync the data files of an entry that deltalake wrote together with them."""
        assert self._table is not None
        folders = []
        for line in entry.splitlines():
            added = json.loads(line).get("add")
            if added is not None and (path := self._table / unquote(added["path"])).exists():
                fsync_file(path)
                folders += [path.parent, self._table]
        fsync_folders(folders)


def _is_ours(entry: bytes) -> bool:
    return f'"{PREVIOUS}"'.encode() in entry
