"""The object store of a lake: byte strings by path, in a folder or a bucket."""

from __future__ import annotations

import builtins
import contextlib
import hashlib
import os
import re
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError, PermissionDeniedError
from obstore.store import LocalStore, from_url

from ..durable import fsync_folders, link_file, make_folder, replace_file, write_new_file
from ..errors import DamagedError, NotFoundError, ObjectTooLargeError, StorageError
from .bucket import BucketSettings
from .bucket_credentials import require_credentials
from .location import Location
from .object_streams import ObjectStreams
from .storage_errors import fail

__all__ = ["ObjectInfo", "ObjectStore", "attempt_folder"]

#: Metadata by which a writer recognises its own object.
_WRITER: Final = "alchemiscale-lake-put"
#: Temporary names of ours, obstore and deltalake.
_TEMPORARIES: Final = re.compile(r"(\.part|#\d+|\.tmp)$")
#: Exceptions for an object that does not exist; in a folder, also if its path is that of a folder, or below a file.
_MISSING: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError)
_AT_ONCE: Final = 1000
_WRITERS: Final = 8


def _require_size(path: str, n_bytes: int, limit: int | None) -> None:
    if limit is not None and n_bytes > limit:
        raise ObjectTooLargeError(f"{path} has {n_bytes} bytes, more than {limit}", path=path, n_bytes=n_bytes)


def attempt_folder(scope: str, attempt: str) -> str:
    """Return the path where an attempt writes its result, receipt and logs.

    Parameters
    ----------
    scope : str
        Scope of the attempt's Task.
    attempt : str
        Identifier of the attempt.
    """
    return f"attempts/{scope}/{attempt}"


@dataclass(frozen=True, slots=True)
class ObjectInfo:
    """Listing entry of an object.

    Attributes
    ----------
    path : str
        Relative to the lake.
    n_bytes : int
        Size.
    modified_at : datetime
        Time of the last write, UTC.
    """

    path: str
    n_bytes: int
    modified_at: datetime

    @property
    def is_temporary(self) -> bool:
        """Return whether it is an unfinished or abandoned write."""
        return _TEMPORARIES.search(self.path) is not None


class ObjectStore(ObjectStreams):
    """Put, get, list, stream. Every object appears complete or not at all."""

    def __init__(self, location: Location) -> None:
        self._root = location.path
        if self._root is not None:
            self._store: Any = LocalStore(self._root, mkdir=True)
        else:
            require_credentials(location.url)
            self._store = from_url(location.url, **BucketSettings.from_environment().for_obstore())

    def put(self, path: str, data: bytes) -> None:
        """Write durably; replace an existing object.

        Parameters
        ----------
        path : str
            Relative to the lake.
        data : bytes
            Content.

        Raises
        ------
        StorageError
        """
        try:
            if self._root is None:
                obstore.put(self._store, path, data)
            else:
                target = self._target(path)
                make_folder(target.parent)
                replace_file(target, data)
        except (BaseError, OSError) as e:
            fail(f"cannot write {path}", e, path=path)

    def put_new(self, objects: Sequence[tuple[str, bytes]]) -> None:
        """Write objects durably to new, unreferenced paths, several at once; each folder is fsynced once.

        Raises
        ------
        StorageError
            If the storage failed. Some objects may exist, some partially.
        """
        if not objects:
            return
        write = self._write_new if self._root is not None else self.put
        if len(objects) == 1:
            write(*objects[0])
        else:
            with ThreadPoolExecutor(min(len(objects), _WRITERS)) as pool:
                list(pool.map(lambda named: write(*named), objects))
        if self._root is not None:
            try:
                fsync_folders({self._target(path).parent for path, _ in objects})
            except OSError as e:
                fail(f"cannot write {objects[0][0]}", e, path=objects[0][0])

    def _write_new(self, path: str, data: bytes) -> None:
        try:
            target = self._target(path)
            make_folder(target.parent)
            write_new_file(target, data)
        except OSError as e:
            fail(f"cannot write {path}", e, path=path)

    def put_exclusive(self, path: str, data: bytes) -> bool:
        """Write durably unless the object exists; return whether it was written.

        In a folder: temporary name, fsync, hard link (which fails if the name is taken), fsync of the folder. In a
        bucket: a conditional put, with a mark by which a writer recognises its own object when the answer was lost or
        the client repeated the put.

        Parameters
        ----------
        path : str
            Relative to the lake.
        data : bytes
            Content.

        Raises
        ------
        StorageError
            If the storage failed. The object may exist or appear later.
        """
        if self._root is not None:
            return self._link_exclusive(path, data)
        mark = uuid.uuid4().hex
        try:
            obstore.put(self._store, path, data, mode="create", attributes={_WRITER: mark})
        except AlreadyExistsError:
            return self._mark(path) == mark
        except (BaseError, OSError) as e:
            found = self._mark(path)
            if found is None:
                fail(f"cannot write {path}", e, path=path)
            return found == mark
        return True

    def _mark(self, path: str) -> str | None:
        """Return the mark of an object, empty if it has none; None if the object does not exist."""
        try:
            attributes = obstore.get(self._store, path, options={"head": True}).attributes
        except FileNotFoundError:
            return None
        except (BaseError, OSError) as e:
            fail(f"cannot determine whether {path} was written", e, path=path)
        return str(attributes.get(_WRITER, ""))

    def _link_exclusive(self, path: str, data: bytes) -> bool:
        try:
            target = self._target(path)
            make_folder(target.parent)
            return link_file(target, data)
        except OSError as e:
            fail(f"cannot write {path}", e, path=path)

    def get(self, path: str, *, digest: str | None = None, limit: int | None = None) -> bytes:
        """Read one object.

        Parameters
        ----------
        path : str
        digest : str, optional
            Expected SHA-256 as recorded in a table, hexadecimal.
        limit : int, optional
            Maximum size to read, bytes.

        Raises
        ------
        NotFoundError
            If it does not exist.
        DamagedError
            If its content has another digest.
        ObjectTooLargeError
            If it is larger than the limit.
        StorageError
        """
        try:
            data = self._fetch(path, limit) if self._root is None else self._read_file(path, limit)
        except _MISSING as e:
            raise NotFoundError(f"the lake has no object {path}", path=path) from e
        except (BaseError, OSError) as e:
            if self._is_missing(path, e):
                raise NotFoundError(f"the lake has no object {path}", path=path) from e
            fail(f"cannot read {path}", e, path=path)
        if digest is not None and hashlib.sha256(data).hexdigest() != digest:
            raise DamagedError(
                f"{path} in the lake is damaged: its content does not have the SHA-256 {digest[:16]}... recorded "
                "for it; restore it from a copy of the lake, or run its Task again",
                path=path,
                digest=digest,
            )
        return data

    def _fetch(self, path: str, limit: int | None) -> bytes:
        found = obstore.get(self._store, path)
        _require_size(path, int(found.meta["size"]), limit)
        return bytes(found.bytes())

    def _read_file(self, path: str, limit: int | None) -> bytes:
        with self._target(path).open("rb") as file:
            _require_size(path, os.fstat(file.fileno()).st_size, limit)
            return file.read() if limit is None else file.read(limit)

    def exists(self, path: str) -> bool:
        """Return whether an object exists.

        Raises
        ------
        StorageError
        """
        try:
            if self._root is not None:
                # obstore would take a thread of its own for it
                return stat.S_ISREG(self._target(path).stat().st_mode)
            obstore.head(self._store, path)
        except _MISSING:
            return False
        except (BaseError, OSError) as e:
            if self._is_missing(path, e):
                return False
            fail(f"cannot look for {path}", e, path=path)
        return True

    def stamp(self, folder: str) -> datetime:
        """Return the current time by the clock that dates objects written to `folder`.

        This is the clock of a bucket or a file server; on a local disk, that of this machine.

        Raises
        ------
        StorageError
        """
        path = f"{folder}/{uuid.uuid4().hex}.part"
        self.put(path, b"")
        try:
            return obstore.head(self._store, path)["last_modified"]
        except (BaseError, OSError) as e:
            fail(f"cannot look for {path}", e, path=path)
        finally:
            self.delete([path])

    def _is_missing(self, path: str, error: Exception) -> bool:
        """Return whether an object does not exist although the bucket answered "forbidden".

        A bucket answers so if the client may not list all of it, such as a worker that may only list its attempts.
        """
        if not isinstance(error, PermissionDeniedError) or self._root is not None:
            return False
        try:
            return all(found.path != path for found in self.list_with_times(path.rpartition("/")[0]))
        except StorageError:
            return False

    def list(self, prefix: str) -> list[str]:
        """Return the paths of all objects under a folder, sorted.

        Raises
        ------
        StorageError
        """
        return sorted(found.path for found in self.list_with_times(prefix) if not found.is_temporary)

    def children(self, folder: str) -> builtins.list[str]:
        """Return the names of the folders directly in a folder, sorted; empty if it does not exist.

        Raises
        ------
        StorageError
        """
        try:
            if self._root is not None:
                with os.scandir(self._root / folder) as entries:
                    return sorted(entry.name for entry in entries if entry.is_dir())
            found = obstore.list_with_delimiter(self._store, folder)
        except FileNotFoundError:
            return []
        except (BaseError, OSError) as e:
            fail(f"cannot list {folder}", e, path=folder)
        return sorted(str(prefix).rstrip("/").rpartition("/")[2] for prefix in found["common_prefixes"])

    def list_with_times(self, prefix: str) -> Iterator[ObjectInfo]:
        """Yield all objects under a folder, unordered, including temporary ones; page by page in a bucket.

        Raises
        ------
        StorageError
        """
        if self._root is not None:
            # obstore hides its own leftovers
            yield from self._walk(self._root, prefix)
            return
        try:
            for batch in obstore.list(self._store, prefix.rstrip("/") + "/"):
                for meta in cast("Iterable[dict[str, Any]]", batch):
                    yield ObjectInfo(str(meta["path"]), int(meta["size"]), meta["last_modified"])
        except (BaseError, OSError) as e:
            fail(f"cannot list {prefix}", e, path=prefix)

    @staticmethod
    def _walk(root: Path, prefix: str) -> Iterator[ObjectInfo]:
        def complain(error: OSError) -> None:
            if not isinstance(error, FileNotFoundError):
                fail(f"cannot list {prefix}", error, path=prefix)

        for folder, _, names in os.walk(root / prefix, onerror=complain):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    modified_at = datetime.fromtimestamp(status.st_mtime, UTC)
                    yield ObjectInfo(path.relative_to(root).as_posix(), status.st_size, modified_at)

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects, a thousand at a time in a bucket; missing ones are ignored.

        Raises
        ------
        StorageError
            If the storage failed; some may have been deleted.
        """
        every = list(paths)
        for start in range(0, len(every), _AT_ONCE):
            batch = every[start : start + _AT_ONCE]
            try:
                if self._root is None:
                    obstore.delete(self._store, batch)
                else:
                    for path in batch:
                        self._target(path).unlink(missing_ok=True)
            except (BaseError, OSError) as e:
                fail(f"cannot delete {batch[0]} and {len(batch) - 1} more", e, path=batch[0])

    def prune(self, folder: str) -> None:
        """Remove empty folders under `folder`, including itself; does nothing in a bucket."""
        if self._root is None:
            return
        for path, _, _ in os.walk(self._root / folder, topdown=False):
            with contextlib.suppress(OSError):
                Path(path).rmdir()
