"""Safe reading of external content: read, decompressed and parsed within limits.

Foreign files and objects may be damaged, or crafted to exhaust memory. The result is always bytes, text or plain data,
or a `ContentError` with the position and the reason. Callers interpret the content.
"""

from __future__ import annotations

import json
import os
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import zstandard

from .amounts import format_bytes, parse_bytes
from .errors import ContentError, SettingsError
from .suggestions import did_you_mean_file

__all__ = [
    "MAX_BYTES_VARIABLE",
    "MAX_DEPTH",
    "check_depth",
    "decode_table",
    "decode_text",
    "decompress",
    "max_bytes",
    "parse_json",
    "read_file",
    "unique_keys",
]

#: Environment variable that overrides the limit of `max_bytes`.
MAX_BYTES_VARIABLE: Final = "ALCHEMISCALE_LAKE_MAX_BYTES"
#: Maximum nesting of lists and dicts; files of gufe and openfe have about 15 levels.
MAX_DEPTH: Final = 100
_LARGEST: Final = 4 * 2**30
_SMALLEST: Final = 256 * 2**20
#: Below this size, any compression ratio is accepted.
_UNSUSPICIOUS: Final = 64 * 2**20
#: Real text does not compress better: the window of gzip is only 32 KiB, that of zstd megabytes.
_GZIP_RATIO, _ZSTD_RATIO = 200, 1000
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: A few bytes of zstd can expand to 128 KiB, so it is decompressed in small steps.
_ZSTD_STEP: Final = 4096
_STEP: Final = 2**22


def max_bytes() -> int:
    """Return the maximum size of one file or object, decompressed, in bytes.

    The value of ALCHEMISCALE_LAKE_MAX_BYTES (`8GiB`), else an eighth of the machine's memory, between 256 MiB and 4
    GiB: parsed JSON takes several times its size.

    Raises
    ------
    SettingsError
        If the variable is not an amount.
    """
    given = os.environ.get(MAX_BYTES_VARIABLE)
    if given is None or not given.strip():
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        return min(_LARGEST, max(_SMALLEST, memory // 8))
    try:
        return int(parse_bytes(given))
    except ValueError as e:
        raise SettingsError(f"{MAX_BYTES_VARIABLE}: {e}", variable=MAX_BYTES_VARIABLE) from e


def read_file(path: str | os.PathLike[str]) -> bytes:
    """Read a file, and decompress it if it is gzip or zstd.

    Raises
    ------
    ContentError
        If it cannot be read, is a device, is damaged, or is larger than `max_bytes`.
    """
    file, limit = Path(path), max_bytes()
    parts, size = [], 0
    try:
        with file.open("rb") as opened:
            status = os.fstat(opened.fileno())
            if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
                raise ContentError(f"{file}: a device, not a file; give a file", source=str(file))
            if status.st_size > limit:
                raise _too_large(str(file), limit, f"the file has {status.st_size} bytes")
            while part := opened.read(_STEP):
                parts.append(part)
                size += len(part)
                if size > limit:
                    raise _too_large(str(file), limit, "the file is longer")
    except FileNotFoundError as e:
        raise ContentError(
            f"{file}: there is no such file{did_you_mean_file(file) or '; check the path'}", source=str(file)
        ) from e
    except OSError as e:
        raise ContentError(f"{file}: cannot be read ({e.strerror or e}); give a readable file", source=str(file)) from e
    return decompress(b"".join(parts), str(file))


def decompress(data: bytes, source: str) -> bytes:
    """Decompress gzip or zstd, all members or frames of it; return anything else as it is.

    Parameters
    ----------
    data : bytes
    source : str
        Origin of the data, for messages.

    Raises
    ------
    ContentError
        If it is truncated or damaged, or expands to more than `max_bytes` or more than a thousandfold.
    """
    if data.startswith(_ZSTD):
        pieces, ratio = _zstd(data), _ZSTD_RATIO
    elif data.startswith(_GZIP):
        pieces, ratio = _gzip(data), _GZIP_RATIO
    else:
        return data
    limit = max_bytes()
    found, size = [], 0
    try:
        for piece, n_read in pieces:
            found.append(piece)
            size += len(piece)
            if size > limit:
                raise _too_large(source, limit, f"its {len(data)} compressed bytes expand to more")
            if size > _UNSUSPICIOUS and size > ratio * n_read:
                raise ContentError(
                    f"{source}: the first {n_read} compressed bytes expand more than {ratio}-fold, unlike any "
                    "network or result; give the file uncompressed if you trust it",
                    source=source,
                )
    except (zstandard.ZstdError, zlib.error, EOFError, MemoryError) as e:
        raise ContentError(
            f"{source}: the compressed file is truncated or damaged ({e or type(e).__name__}); copy or write it again",
            source=source,
        ) from e
    return b"".join(found)


def _too_large(source: str, limit: int, how: str) -> ContentError:
    return ContentError(
        f"{source}: larger than {format_bytes(limit)}, the limit for one file ({how}); if you trust it and have the "
        f"memory, set {MAX_BYTES_VARIABLE}, as in {MAX_BYTES_VARIABLE}=16GiB",
        source=source,
        limit_bytes=limit,
    )


def _zstd(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield content of all frames, and the bytes read; unlike a stream reader, detect a truncated last frame."""
    view, at = memoryview(data), 0
    while at < len(data):
        frame = zstandard.ZstdDecompressor().decompressobj()
        while not frame.eof:
            if at >= len(data):
                raise EOFError(f"it ends within a frame, after {len(data)} bytes")
            step = view[at : at + _ZSTD_STEP]
            at += len(step)
            yield frame.decompress(step), at
        at -= len(frame.unused_data)


def _gzip(data: bytes) -> Iterator[tuple[bytes, int]]:
    """Yield content of all members, and the bytes read."""
    view, at = memoryview(data), 0
    while at < len(data):
        member = zlib.decompressobj(wbits=31)
        left: bytes | memoryview = b""
        while not member.eof:
            if not len(left):
                if at >= len(data):
                    raise EOFError(f"it ends within a member, after {len(data)} bytes")
                left = view[at : at + _STEP]
                at += len(left)
            piece = member.decompress(left, _STEP)
            left = member.unconsumed_tail
            yield piece, at - len(left)
        at -= len(member.unused_data)
        if not data[at : at + 1].strip(b"\0") and not data[at:].strip(b"\0"):
            return  # padding, which gzip allows


def decode_text(data: bytes, source: str) -> str:
    """Decode UTF-8, with or without a byte-order mark.

    Parameters
    ----------
    data : bytes
        Content of the file.
    source : str
        Name of the file, for the message.

    Raises
    ------
    ContentError
        If it is not UTF-8; the message names UTF-16.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise ContentError(f"{source}: UTF-16 text; save it as UTF-8", source=source, byte=0)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise ContentError(
            f"{source}: not UTF-8 at byte {e.start} of {len(data)}; the file is damaged; copy or write it again",
            source=source,
            byte=e.start,
        ) from e


def decode_table(data: bytes, source: str) -> str:
    """Decode a table: UTF-8, or UTF-16 with a byte-order mark, as spreadsheets save "Unicode text".

    Parameters
    ----------
    data : bytes
        Content of the file.
    source : str
        Name of the file, for the message.

    Raises
    ------
    ContentError
        If it has another encoding, or is not text.
    """
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        try:
            return data.decode("utf-16")
        except UnicodeDecodeError as e:
            raise ContentError(
                f"{source}: incomplete UTF-16 at byte {e.start}; save it as CSV UTF-8", source=source, byte=e.start
            ) from e
    if b"\0" in data:
        raise ContentError(
            f"{source}: not text, it has NUL bytes from byte {data.index(0)}; the file is damaged or in another "
            "format, copy it again or save it as CSV UTF-8",
            source=source,
            byte=data.index(0),
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        line = data[: e.start].count(b"\n") + 1
        raise ContentError(
            f"{source}:{line}: not UTF-8 at byte {e.start} (Latin-1 or another encoding); save it as CSV UTF-8",
            source=source,
            byte=e.start,
        ) from e


def parse_json(text: str, source: str) -> Any:
    """Parse JSON whose keys are unique and whose depth is limited.

    Parameters
    ----------
    text : str
        JSON text.
    source : str
        Name of the file, for the message.

    Raises
    ------
    ContentError
        If it is incomplete, has a duplicate key in one object, or more than `MAX_DEPTH` levels.
    """
    try:
        value = json.loads(text, object_pairs_hook=unique_keys)
    except RecursionError as e:
        raise _too_deep(source) from e
    except ValueError as e:  # also a number with thousands of digits
        raise ContentError(
            f"{source}: not valid JSON: {e}; the file is truncated or damaged; copy or write it again",
            source=source,
        ) from e
    check_depth(value, source)
    return value


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a dict of the pairs (a JSON object); raise ValueError for a duplicate key."""
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key {twice!r} occurs twice in one object")
    return found


def check_depth(value: Any, source: str) -> None:
    """Raise ContentError if lists and dicts are nested in more than `MAX_DEPTH` levels.

    Parameters
    ----------
    value : object
        Parsed JSON.
    source : str
        Name of the file, for the message.
    """
    level: list[Any] = [value] if isinstance(value, (dict, list)) else []
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise _too_deep(source)
        below: list[Any] = []
        for outer in level:
            below += [
                inner
                for inner in (outer.values() if type(outer) is dict else outer)
                if type(inner) is dict or type(inner) is list
            ]
        level = below


def _too_deep(source: str) -> ContentError:
    return ContentError(
        f"{source}: lists and dicts are nested in more than {MAX_DEPTH} levels, unlike any network or result; "
        "write the file again with the tool that made it",
        source=source,
    )
