"""Recovery of content with one flipped bit: flip every bit back in turn until the digest matches."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Final

__all__ = ["unflipped", "unflipped_where"]

#: Above this size the search, quadratic in the length, takes more than about ten seconds.
_LARGEST_BYTES: Final = 48 * 1024
#: The same limit for a search that calls Python code on every candidate.
_LARGEST_LOOKED_AT_BYTES: Final = 4 * 1024


def unflipped(data: bytes, digest: str) -> bytes | None:
    """Return the content that differs from `data` in one bit and has this SHA-256; None if there is none.

    Parameters
    ----------
    data : bytes
        More than 48 KiB are not searched.
    digest : str
        Hexadecimal; a prefix is enough if it is long enough to be unique.
    """
    if len(data) > _LARGEST_BYTES:
        return None
    view = memoryview(data)
    before = hashlib.sha256()
    for at, byte in enumerate(data):
        rest = view[at + 1 :]
        for bit in range(8):
            candidate = before.copy()
            candidate.update(bytes((byte ^ 1 << bit,)))
            candidate.update(rest)
            if candidate.hexdigest().startswith(digest):
                return _flip(data, at, bit)
        before.update(view[at : at + 1])
    return None


def unflipped_where(data: bytes, is_right: Callable[[bytes], bool]) -> bytes | None:
    """Return the content that differs from `data` in one bit and satisfies `is_right`; None if none does.

    More than 4 KiB are not searched.

    Parameters
    ----------
    data : bytes
        Content as read.
    is_right : callable
        Whether a content is the one that was written.
    """
    if len(data) > _LARGEST_LOOKED_AT_BYTES:
        return None
    candidates = (_flip(data, at, bit) for at in range(len(data)) for bit in range(8))
    return next((candidate for candidate in candidates if is_right(candidate)), None)


def _flip(data: bytes, at: int, bit: int) -> bytes:
    flipped = bytearray(data)
    flipped[at] ^= 1 << bit
    return bytes(flipped)
