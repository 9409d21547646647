"""Files that survive a power cut: temporary name, fsync, rename, fsync of the folder.

A file system keeps what was fsynced and may lose anything else, including the name of a new file. Everything that is
acknowledged is first written through these functions.
"""

from __future__ import annotations

import contextlib
import errno
import os
import uuid
from collections.abc import Collection
from pathlib import Path
from typing import Final

__all__ = [
    "TEMPORARY",
    "fsync_file",
    "fsync_folder",
    "fsync_folders",
    "has_hard_links",
    "link_file",
    "make_folder",
    "rename_file",
    "replace_file",
    "replace_unsynced",
    "write_new_file",
]

#: Suffix of files that are being written.
TEMPORARY: Final = ".part"
#: Error numbers of file systems that cannot fsync a folder, and need not.
_CANNOT: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EBADF})
#: Error numbers of file systems without hard links.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def fsync_file(path: Path) -> None:
    """Make the content of a file durable, whoever wrote it.

    Raises
    ------
    OSError
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def fsync_folder(path: Path) -> None:
    """Make the names in a folder durable.

    Raises
    ------
    OSError
    """
    try:
        fsync_file(path)
    except OSError as e:
        if e.errno not in _CANNOT:
            raise


def make_folder(path: Path) -> None:
    """Create a folder with its parents, and make their names durable; cheap if it exists.

    Raises
    ------
    OSError
    """
    missing = []
    while not path.is_dir():
        missing.append(path)
        path = path.parent
    for folder in reversed(missing):
        folder.mkdir(exist_ok=True)
        fsync_folder(folder.parent)


def write_new_file(path: Path, data: bytes) -> None:
    """Write a new, unreferenced file and fsync it; the caller must fsync its folder.

    Parameters
    ----------
    path : Path
        File that does not exist yet.
    data : bytes
        Content.

    Raises
    ------
    FileExistsError, OSError
    """
    with path.open("xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def replace_file(path: Path, data: bytes, *, lasting: bool = True) -> None:
    """Write a file, replacing an existing one atomically.

    Parameters
    ----------
    path : Path
    data : bytes
    lasting : bool
        Whether the new file must survive a power cut; it is complete in any case.

    Raises
    ------
    OSError
    """
    temporary = _temporary(path.parent)
    try:
        write_new_file(temporary, data)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if lasting:
        fsync_folder(path.parent)


def rename_file(written: Path, path: Path) -> None:
    """Give a complete file its name, replacing an existing one atomically and durably.

    Parameters
    ----------
    written : Path
        File on the same file system, which nobody writes any more.
    path : Path
        Its name from now on.

    Raises
    ------
    OSError
    """
    fsync_file(written)
    written.replace(path)
    fsync_folder(path.parent)


def replace_unsynced(path: Path, data: bytes) -> None:
    """Write a file, replacing an existing one atomically for other processes; a power cut may leave anything.

    Parameters
    ----------
    path : Path
        File that only processes that are running now will read.
    data : bytes
        Content.

    Raises
    ------
    OSError
    """
    temporary = _temporary(path.parent)
    try:
        temporary.write_bytes(data)
        temporary.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def link_file(path: Path, data: bytes) -> bool:
    """Write a file unless the name is taken; return whether it was written.

    Parameters
    ----------
    path : Path
        Name to take; its folder must exist.
    data : bytes
        Content.

    Raises
    ------
    OSError
    """
    temporary = _temporary(path.parent)
    try:
        write_new_file(temporary, data)
        try:
            os.link(temporary, path)
        except FileExistsError:
            return False
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()
    fsync_folder(path.parent)
    return True


def has_hard_links(folder: Path) -> bool:
    """Return whether the file system of a folder supports hard links, and refuses a name that is taken.

    Raises
    ------
    OSError
        If the folder is not writable.
    """
    first, second = _temporary(folder), _temporary(folder)
    try:
        write_new_file(first, b"")
        os.link(first, second)
    except OSError as e:
        if e.errno not in _NO_LINKS:
            raise
        return False
    finally:
        for path in (first, second):
            with contextlib.suppress(OSError):
                path.unlink()
    return True


def fsync_folders(paths: Collection[Path]) -> None:
    """Make the names in several folders durable, each folder once.

    Raises
    ------
    OSError
    """
    for path in sorted(set(paths)):
        fsync_folder(path)


def _temporary(folder: Path) -> Path:
    return folder / f".{uuid.uuid4().hex}{TEMPORARY}"
