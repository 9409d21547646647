"""Copies of kept content on this machine: block by block, continued, and compared with their digests."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from ..durable import TEMPORARY, rename_file
from ..errors import DamagedError, NotFoundError

__all__ = ["copy_content"]


def copy_content(
    read_from: Callable[[int], Iterable[bytes]],
    target: Path,
    *,
    what: str,
    digest: str,
    n_bytes: int,
    tell: Callable[[int], object] = lambda _: None,
) -> bool:
    """Copy content to this machine, block by block; an interrupted copy is continued.

    It appears under its name when it is complete and has its digest.

    Parameters
    ----------
    read_from : callable
        Returns the blocks of the content from a byte on.
    target : Path
        File to write or replace.
    what : str
        Name of the content, for messages.
    digest : str
        SHA-256 of the content, hexadecimal.
    n_bytes : int
        Its size.
    tell : callable, optional
        Called with the number of bytes of each block.

    Returns
    -------
    bool
        Whether it was copied; False if the same content was there.

    Raises
    ------
    DamagedError
        If the content does not have this digest.
    NotFoundError, StorageError, OSError
    """
    if target.is_file() and target.stat().st_size == n_bytes and _digest(target).hexdigest() == digest:
        tell(n_bytes)
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    # the name has the content's digest, so that only a copy of the same content is continued
    partial = target.with_name(f".{target.name[:100]}.{digest[:16]}{TEMPORARY}")
    seen = _digest(partial) if partial.exists() else hashlib.sha256()
    start = partial.stat().st_size if partial.exists() else 0
    tell(start)
    try:
        with partial.open("ab") as copy:
            for block in read_from(start):
                copy.write(block)
                seen.update(block)
                tell(len(block))
    except NotFoundError:
        partial.unlink()
        raise
    if seen.hexdigest() != digest:
        partial.unlink()
        raise DamagedError(
            f"{what} in the lake does not have the SHA-256 recorded for it; try again, and restore it from a copy of "
            "the lake if that does not help",
            path=what,
            digest=digest,
        )
    rename_file(partial, target)
    return True


def _digest(path: Path) -> Any:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest
