"""Captured output, truncated to a size that a lake can store."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final, Literal, get_args

__all__ = ["STREAMS", "Stream", "read_capped"]

Stream = Literal["stdout", "stderr", "log"]
#: Files of output in a run folder, without `.txt`.
STREAMS: Final = get_args(Stream)


def read_capped(path: Path, limit: int) -> bytes | None:
    """Read a file; of a longer one, the first and last half of the limit and a line about the omission.

    Parameters
    ----------
    path : Path
        File that a unit may have written.
    limit : int
        Largest number of bytes returned, without the line about the omission.

    Returns
    -------
    bytes or None
        None if the file does not exist or is empty; also if it is not a regular file, since a link may lead to other
        users' files and a pipe may never end.
    """
    try:
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                return None
            size = status.st_size
            if size <= limit:
                return file.read() or None
            head = file.read(limit // 2)
            file.seek(-(limit // 2), os.SEEK_END)
            tail = file.read()
    except FileNotFoundError:
        return None
    except OSError as e:
        if e.errno in (errno.ELOOP, errno.EMLINK, errno.ENXIO):  # a link or a socket
            return None
        raise
    return head + f"\n[... {size - len(head) - len(tail)} bytes omitted ...]\n".encode() + tail
