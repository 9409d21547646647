"""The object store of a lake: whole byte strings under a path, on a folder or in a bucket."""

from __future__ import annotations

import contextlib
import os
import uuid
from collections.abc import Iterable
from typing import Any, cast

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import LocalStore, from_url

from ..errors import NotFoundError, StorageError
from .location import Location

__all__ = ["ObjectStore", "attempt_folder"]


def attempt_folder(scope: str, attempt: str) -> str:
    """Path under which an attempt leaves its result, receipt and logs."""
    return f"attempts/{scope}/{attempt}"


class ObjectStore:
    """Put, get, list. Every object appears whole or not at all."""

    def __init__(self, location: Location) -> None:
        self._root = location.path
        if self._root is not None:
            self._store: Any = LocalStore(self._root, mkdir=True)
        else:
            self._store = from_url(location.url)

    def put(self, path: str, data: bytes) -> None:
        """Write, replacing what is there."""
        try:
            obstore.put(self._store, path, data)
        except (BaseError, OSError) as e:
            raise StorageError(f"cannot write {path}: {e}", path=path) from e

    def put_exclusive(self, path: str, data: bytes) -> bool:
        """Write durably unless something is there; tell whether it was written.

        On a folder: temporary name, fsync, hard link (which fails if the name is taken), fsync of
        the folder. In a bucket: a conditional put.
        """
        if self._root is not None:
            return self._link_exclusive(path, data)
        try:
            obstore.put(self._store, path, data, mode="create")
        except AlreadyExistsError:
            return False
        except (BaseError, OSError) as e:
            raise StorageError(f"cannot write {path}: {e}", path=path) from e
        return True

    def _link_exclusive(self, path: str, data: bytes) -> bool:
        assert self._root is not None
        target = self._root / path
        temporary = target.parent / f".{uuid.uuid4().hex}.part"
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            try:
                os.link(temporary, target)
            except FileExistsError:
                return False
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
        except OSError as e:
            raise StorageError(f"cannot write {path}: {e}", path=path) from e
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink()
        return True

    def get(self, path: str) -> bytes:
        """Read one object.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        try:
            return bytes(obstore.get(self._store, path).bytes())
        except FileNotFoundError as e:
            raise NotFoundError(f"the lake holds no object {path}", path=path) from e
        except (BaseError, OSError) as e:
            raise StorageError(f"cannot read {path}: {e}", path=path) from e

    def exists(self, path: str) -> bool:
        """Tell whether there is an object."""
        try:
            obstore.head(self._store, path)
        except FileNotFoundError:
            return False
        except (BaseError, OSError) as e:
            raise StorageError(f"cannot look for {path}: {e}", path=path) from e
        return True

    def list(self, prefix: str) -> list[str]:
        """Paths of all objects under a folder, sorted."""
        try:
            batches = obstore.list(self._store, prefix.rstrip("/") + "/")
            paths = [str(meta["path"]) for batch in batches for meta in cast("Iterable[dict[str, Any]]", batch)]
        except FileNotFoundError:
            return []
        except (BaseError, OSError) as e:
            raise StorageError(f"cannot list {prefix}: {e}", path=prefix) from e
        return sorted(p for p in paths if not p.endswith(".part"))

    def delete(self, paths: Iterable[str]) -> None:
        """Delete objects; those already gone are none of our business."""
        for path in paths:
            with contextlib.suppress(FileNotFoundError):
                obstore.delete(self._store, path)
