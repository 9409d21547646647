"""Access to our Prefect servers: anyone who can read the login file, which only its owner can.

Owns the server's auth string and the permissions of its folder. Processes pass the string on through this file
only: not on a command line, and not in the environment at start.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from ..errors import StorageError

__all__ = ["login_file", "make_login", "make_private", "read_login", "read_own"]

_USER: Final = "lake"
_FORM: Final = re.compile(r"[^:\s]+:[A-Za-z0-9_-]{32,}")
_LONGEST: Final = 4096


def login_file(folder: Path) -> Path:
    """Return the file with the auth string of the server in `folder`."""
    return folder / "login"


def make_login(folder: Path) -> str:
    """Return the auth string of the server in `folder`; create one if there is none.

    A string that other users could have read or written is replaced. It stays the same when the server is
    restarted, so that browsers stay logged in; to change it, delete the file.

    Raises
    ------
    StorageError
        If the folder cannot be made private.
    """
    if not make_private(folder):
        raise StorageError(
            f"{folder} cannot be made private, as needed for the login of a Prefect server; "
            "remove it, or use a lake on a file system with owners and permissions",
            folder=str(folder),
        )
    with contextlib.suppress(StorageError):
        return read_login(folder)
    login = f"{_USER}:{secrets.token_urlsafe(32)}"
    handle, name = tempfile.mkstemp(dir=folder, prefix=".login.")  # of mode 0600
    with os.fdopen(handle, "w") as f:
        f.write(login + "\n")
    Path(name).replace(login_file(folder))
    return login


def read_login(folder: Path) -> str:
    """Return the auth string of the server in `folder`.

    Raises
    ------
    StorageError
        If there is none, or other users could have read or written it.
    """
    path = login_file(folder)
    content = read_own(path)
    if content is None or not _FORM.fullmatch(content.strip()):
        raise StorageError(
            f"{path} is not the login of a Prefect server that you started; start the server again",
            path=str(path),
        )
    return content.strip()


def read_own(path: Path) -> str | None:
    """Return the text of a file that only this user can have read or written; None otherwise."""
    with contextlib.suppress(OSError, UnicodeDecodeError), _opened(path) as handle:
        if _is_own(os.fstat(handle), stat.S_ISREG):
            return os.read(handle, _LONGEST).decode()
    return None


def make_private(folder: Path) -> bool:
    """Create a folder that belongs to this user and is closed to others; return whether it is so now.

    A folder of another user and a symbolic link are not changed.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            folder.chmod(0o700)  # earlier versions made it readable
        return _is_own(folder.lstat(), stat.S_ISDIR)
    except OSError:
        return False


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    # a symbolic link could lead to a file of another user's choice, and a pipe would block
    handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield handle
    finally:
        os.close(handle)


def _is_own(found: os.stat_result, kind: Callable[[int], bool]) -> bool:
    return kind(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
