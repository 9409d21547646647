"""Large objects, block by block: what is written is compared with its digest before the object appears.

The objects of `objects` are byte strings in memory; these are files of any size.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import os
import uuid
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import obstore
from obstore.exceptions import BaseError

from ..durable import TEMPORARY, fsync_folder, make_folder
from ..errors import DamagedError, NotFoundError, SettingsError
from ..faults import fault_point
from .storage_errors import fail

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["BLOCK_BYTES", "ObjectStreams", "file_digest"]

#: Size of the blocks that are read and written.
BLOCK_BYTES: Final = 2**20
#: Parts of an upload: a bucket accepts 10,000, and one is in memory for each of the requests in flight.
_PART_BYTES: Final = 8 * 2**20
_MOST_PARTS: Final = 9_000
_REQUESTS: Final = 3
_MISSING: Final = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


def file_digest(file: BinaryIO) -> str:
    """Return the SHA-256 of an open file, hexadecimal; it is read to its end, block by block."""
    digest = hashlib.sha256()
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    return digest.hexdigest()


class _Checked(io.RawIOBase):
    """The bytes of a file; reading its end raises DamagedError if they do not have the expected digest."""

    def __init__(self, file: BinaryIO, digest: str, path: str) -> None:
        self._file, self._digest, self._path = file, digest, path
        self._read = hashlib.sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1, /) -> bytes:
        data = self._file.read(-1 if size is None else size)
        self._read.update(data)
        if (not data or size is None or size < 0 or len(data) < size) and self._read.hexdigest() != self._digest:
            raise DamagedError(f"{self._path}: the file changed while it was stored", path=self._path)
        return data


class ObjectStreams:
    """The part of an object store that streams."""

    _root: Path | None
    _store: Any

    def put_stream(self, path: str, file: BinaryIO, *, n_bytes: int, digest: str) -> None:
        """Write an object durably from an open file, block by block.

        In a folder, a copy that was interrupted is continued. In a bucket, parts are retried, and an interrupted upload
        starts again.

        Parameters
        ----------
        path : str
            Relative to the lake.
        file : binary file
            Open, at its beginning; it is read to its end.
        n_bytes : int
            Its size.
        digest : str
            SHA-256 of its content, hexadecimal.

        Raises
        ------
        DamagedError
            If the content does not have this digest: the file changed. No object appears.
        StorageError
        """
        try:
            if self._root is not None:
                self._copy_into(self._target(path), file, digest, path)
            else:
                # the last part is sent only after the digest was compared
                part = max(_PART_BYTES, -(-n_bytes // _MOST_PARTS))
                source = _Checked(file, digest, path)
                whole = n_bytes <= part
                content = source.read() if whole else source
                obstore.put(
                    self._store, path, content, use_multipart=not whole, chunk_size=part, max_concurrency=_REQUESTS
                )
        except (BaseError, OSError) as e:
            fail(f"cannot write {path}", e, path=path)

    def read_stream(self, path: str, *, start: int = 0) -> Iterator[bytes]:
        """Yield the content of an object, block by block.

        Parameters
        ----------
        path : str
            Relative to the lake.
        start : int, default 0
            Bytes to skip.

        Raises
        ------
        NotFoundError
            If it does not exist.
        StorageError
        """
        try:
            if self._root is not None:
                with self._target(path).open("rb") as file:
                    file.seek(start)
                    while block := file.read(BLOCK_BYTES):
                        yield block
                return
            if start and start >= int(obstore.head(self._store, path)["size"]):
                # not a range of it
                return
            options: Any = {"range": {"offset": start}} if start else {}
            for block in obstore.get(self._store, path, options=options).stream(min_chunk_size=BLOCK_BYTES):
                yield bytes(block)
        except _MISSING as e:
            raise NotFoundError(f"the lake has no object {path}", path=path) from e
        except (BaseError, OSError) as e:
            fail(f"cannot read {path}", e, path=path)

    def read_range(self, path: str, start: int, n_bytes: int) -> bytes:
        """Return part of an object; less than asked for at its end.

        Parameters
        ----------
        path : str
            Relative to the lake.
        start : int
            Bytes to skip.
        n_bytes : int

        Raises
        ------
        NotFoundError
            If it does not exist.
        StorageError
        """
        try:
            if self._root is not None:
                with self._target(path).open("rb") as file:
                    file.seek(start)
                    return file.read(n_bytes)
            length = min(n_bytes, int(obstore.head(self._store, path)["size"]) - start)
            return b"" if length <= 0 else bytes(obstore.get_range(self._store, path, start=start, length=length))
        except _MISSING as e:
            raise NotFoundError(f"the lake has no object {path}", path=path) from e
        except (BaseError, OSError) as e:
            fail(f"cannot read {path}", e, path=path)

    def signed_url(self, path: str, *, valid_s: float) -> str:
        """Return a URL by which anyone can read an object of a bucket for a while.

        Parameters
        ----------
        path : str
            Relative to the lake.
        valid_s : float
            Time until it expires, seconds.

        Raises
        ------
        SettingsError
            If the lake is a folder.
        StorageError
        """
        if self._root is not None:
            raise SettingsError(
                f"{path} has no URL, since the lake is a folder; copy the file with `files get`", path=path
            )
        try:
            return str(obstore.sign(self._store, "GET", path, timedelta(seconds=valid_s)))
        except (BaseError, OSError, ValueError) as e:
            fail(f"cannot sign a URL of {path}", e, path=path)

    def _target(self, path: str) -> Path:
        """Return the path of an object on disk, which is never outside the lake."""
        assert self._root is not None
        if any(part in ("", ".", "..") for part in path.split("/")):
            raise OSError(errno.EINVAL, "not a path within the lake", path)
        return self._root / path

    @staticmethod
    def _copy_into(target: Path, file: BinaryIO, digest: str, path: str) -> None:
        make_folder(target.parent)
        temporary, fd = _taken_part(target)
        with os.fdopen(fd, "r+b") as part:
            if _copied(file, part) != digest:
                temporary.unlink(missing_ok=True)
                raise DamagedError(f"{path}: the file changed while it was stored", path=path)
            part.flush()
            os.fsync(fd)
            fault_point("objects:copied")
            # the lock is held until the name is taken
            temporary.replace(target)
        fsync_folder(target.parent)


def _taken_part(target: Path) -> tuple[Path, int]:
    """Open the unfinished copy of an object, locked; another one if a living writer has it."""
    for temporary in (
        target.with_name(target.name + TEMPORARY),
        target.with_name(f"{target.name}.{uuid.uuid4().hex}{TEMPORARY}"),
    ):
        fd = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(fd), temporary.stat()):
                return temporary, fd
        except OSError as e:
            if e.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.ENOENT, errno.ENOTSUP, errno.ENOLCK):
                os.close(fd)
                raise
            if e.errno in (errno.ENOTSUP, errno.ENOLCK) and temporary.name != target.name + TEMPORARY:
                # a file system without locks: nobody else has this name
                return temporary, fd
        os.close(fd)
    raise OSError(errno.EAGAIN, "another process is writing it", str(target))


def _copied(file: BinaryIO, part: BinaryIO) -> str:
    """Copy a file over what an earlier copy left; return the digest of what was read. Holes stay holes."""
    digest, at, there = hashlib.sha256(), 0, os.fstat(part.fileno()).st_size
    zeros = bytes(BLOCK_BYTES)
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
        if at < there:
            part.seek(at)
            if part.read(len(block)) != block:
                part.seek(at)
                part.write(block)
        elif block != zeros:
            part.seek(at)
            part.write(block)
        at += len(block)
        fault_point("objects:block-copied")
    part.truncate(at)
    return digest.hexdigest()
