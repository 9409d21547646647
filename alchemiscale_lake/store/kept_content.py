"""Content of kept files: one object per Scope and digest, however many attempts keep the same file.

`files/<scope>/<sha256>/` contains `data`, the content, and for every attempt that relies on it an empty object
`<attempt>.use`, which is written before the attempt looks whether the content is there. Whoever deletes content writes
`condemned` there first, and only then lists the attempts that rely on it (`content_folders.py`). So either the deleter
sees the attempt, or the attempt sees that the content is about to be deleted and stores a copy of its own,
`data-<attempt>`.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ..errors import ContentError
from ..faults import fault_point
from .object_streams import file_digest
from .objects import ObjectStore

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = [
    "CONDEMNED",
    "FILES",
    "USE",
    "KeptContent",
    "content_folder",
    "is_content_path",
    "keep_content",
    "open_regular",
    "rely_on_content",
]

#: Folder of all content.
FILES: Final = "files"
CONDEMNED: Final = "condemned"
#: Suffix of the mark of an attempt that relies on the content.
USE: Final = ".use"
_DATA: Final = re.compile(r"data(-[0-9a-f]{32})?")


@dataclass(frozen=True, slots=True)
class KeptContent:
    """Content in the lake.

    Attributes
    ----------
    object_path : str
        Path of the object.
    digest : str
        SHA-256, hexadecimal.
    n_bytes : int
        Size.
    new : bool
        Whether it was written; another attempt had stored it otherwise.
    """

    object_path: str
    digest: str
    n_bytes: int
    new: bool


def content_folder(scope: str, digest: str) -> str:
    """Return the folder of content in the lake.

    Parameters
    ----------
    scope : str
    digest : str
        SHA-256, hexadecimal.
    """
    return f"{FILES}/{scope}/{digest}"


def is_content_path(path: str, scope: str, digest: str) -> bool:
    """Return whether an object may be the content of a file with this digest, kept by an attempt of this Scope.

    Parameters
    ----------
    path : str
        Path of the object.
    scope : str
    digest : str
        SHA-256, hexadecimal.
    """
    folder = content_folder(scope, digest)
    is_digest = re.fullmatch("[0-9a-f]{64}", digest) is not None
    return is_digest and path.startswith(f"{folder}/") and _DATA.fullmatch(path[len(folder) + 1 :]) is not None


def keep_content(
    objects: ObjectStore, scope: str, attempt: str, path: Path, *, patiently: Callable[[Callable[[], object]], object]
) -> KeptContent:
    """Store the content of a file unless the Scope has it; nothing but blocks of it is in memory.

    Parameters
    ----------
    objects : ObjectStore
    scope : str
        Scope of the attempt's Task.
    attempt : str
        Identifier of the attempt that keeps the file.
    path : Path
        A regular file, which nobody writes.
    patiently : callable
        Calls its argument, again if the storage does not answer.

    Raises
    ------
    ContentError
        If it is not a regular file, or changed while it was stored.
    OSError
        If it cannot be read.
    StorageError
    """
    with closing(open_regular(path)) as file:
        digest, n_bytes = file_digest(file), os.fstat(file.fileno()).st_size
        folder = content_folder(scope, digest)
        patiently(lambda: objects.put(f"{folder}/{attempt}{USE}", b""))
        fault_point("content:use-marked")
        found: list[str] = []
        patiently(lambda: found.extend(name.rpartition("/")[2] for name in objects.list(folder)))
        if CONDEMNED in found:
            target = f"{folder}/data-{attempt}"
        elif "data" in found:
            return KeptContent(f"{folder}/data", digest, n_bytes, new=False)
        else:
            target = f"{folder}/data"

        def put() -> None:
            file.seek(0)
            objects.put_stream(target, file, n_bytes=n_bytes, digest=digest)

        patiently(put)
        fault_point("content:stored")
        return KeptContent(target, digest, n_bytes, new=True)


def rely_on_content(objects: ObjectStore, object_path: str, attempt: str) -> bool:
    """Mark that an attempt relies on content that another has stored; return False if it must not.

    Parameters
    ----------
    objects : ObjectStore
    object_path : str
        Path of the content; anything that is not in the folder of content is not deleted, and needs no mark.
    attempt : str
        Identifier of the attempt.

    Raises
    ------
    StorageError
    """
    folder = object_path.rpartition("/")[0]
    if not folder.startswith(f"{FILES}/"):
        return True
    objects.put(f"{folder}/{attempt}{USE}", b"")
    fault_point("content:relied-on")
    return not objects.exists(f"{folder}/{CONDEMNED}")


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file that a Protocol may have written; never what a link leads to.

    Raises
    ------
    ContentError
        If it is a link, a pipe, a socket or a device.
    OSError
    """
    fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise ContentError(f"{path} is not a regular file", path=str(path))
    return os.fdopen(fd, "rb")
