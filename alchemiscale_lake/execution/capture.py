"""Captured output, cut to a size that a lake can keep."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["CAPTURE_BYTES", "read_capped"]

#: Longest stdout, stderr or log kept of one execution, bytes.
CAPTURE_BYTES: Final = 2**20


def read_capped(path: Path, limit: int = CAPTURE_BYTES) -> bytes | None:
    """Read a file; of a longer one the first and the last half of the limit, and a line that says so.

    Returns
    -------
    bytes or None
        None if there is no such file, or nothing in it.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size <= limit:
                return file.read() or None
            head = file.read(limit // 2)
            file.seek(-(limit // 2), os.SEEK_END)
            tail = file.read()
    except FileNotFoundError:
        return None
    return head + f"\n[... {size - len(head) - len(tail)} bytes left out ...]\n".encode() + tail
