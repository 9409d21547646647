"""Files of gufe objects: reads every format that gufe writes, writes one.

The content is interpreted in `chain`.
"""

from __future__ import annotations

import gzip
import os
import uuid
from pathlib import Path
from typing import Any, Final

import zstandard

from .. import content
from ..errors import ContentError, InvalidNetworkError, MissingClassError, MissingDependencyError
from ._gufe import gufe_version
from .chain import build_chain, build_nested, decode, dumps_chain, is_chain

__all__ = ["dump_network", "load_bytes", "load_object"]

#: Byte order marks of UTF-8 and UTF-16.
_MARKS: Final = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")


def load_object(path: str | os.PathLike[str]) -> Any:
    """Read a gufe object from any file that gufe writes.

    Keyed chain JSON (`to_json`), nested dict JSON (`dump` of gufe 0.4 and 1) and, if gufe supports it, msgpack; each
    may be compressed with gzip or zstd. The content decides, not the suffix.

    Raises
    ------
    InvalidNetworkError
        If the file has none of these formats.
    MissingClassError
        If a class in it cannot be imported here.
    """
    try:
        raw = content.read_file(path)
    except ContentError as e:
        raise InvalidNetworkError(e.message, path=os.fspath(path)) from e
    return load_bytes(raw, os.fspath(path))


def load_bytes(raw: bytes, source: str) -> Any:
    """Read a gufe object from the decompressed content of a file; raise what `load_object` raises.

    Parameters
    ----------
    raw : bytes
        Decompressed content.
    source : str
        Name of the file, for the message.
    """
    try:
        if raw.lstrip()[:1] not in (b"[", b"{") and not raw.startswith(_MARKS):
            return build_chain(_unpack(raw))
        plain = decode(content.decode_text(raw, source))
        content.check_depth(plain, source)
        return build_chain(plain) if is_chain(plain) else build_nested(plain)
    except ContentError as e:
        raise InvalidNetworkError(e.message, path=source) from e
    except InvalidNetworkError as e:
        raise InvalidNetworkError(f"{source}: {e.message}", path=source, **e.facts) from e


def dump_network(network: Any, path: str | os.PathLike[str]) -> None:
    """Write a network (or any gufe object) as a keyed chain JSON file.

    The suffix determines the compression: `.json`, `.json.gz`, `.json.zst`. The file appears complete or not at all.

    Parameters
    ----------
    network : object
        AlchemicalNetwork or any other gufe object.
    path : str or os.PathLike of str
        File to write or replace.
    """
    target = Path(path)
    data = dumps_chain(network)
    if target.suffix == ".zst":
        data = zstandard.ZstdCompressor().compress(data)
    elif target.suffix == ".gz":
        data = gzip.compress(data, mtime=0)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)


def _unpack(raw: bytes) -> Any:
    try:
        from gufe.serialization.msgpack import unpackb
    except ImportError as e:
        raise MissingDependencyError(
            f"the file is neither JSON nor readable by gufe {gufe_version()}; "
            "if it is msgpack, use a gufe version with `from_msgpack`",
            package="gufe",
        ) from e
    try:
        content = unpackb(raw)
    except (ImportError, AttributeError) as e:  # gufe rebuilds Settings while it unpacks
        raise MissingClassError(
            f"a class named in the file cannot be imported here ({e}); install its package in the environment that "
            "runs this Task",
            package=(getattr(e, "name", None) or "").partition(".")[0] or None,
        ) from e
    except Exception as e:  # msgpack has its own exceptions; all mean that this is not msgpack
        raise InvalidNetworkError(f"neither JSON nor gufe's msgpack ({e}); write it with gufe's `to_json`") from e
    if not is_chain(content):
        raise InvalidNetworkError("msgpack, but not a keyed chain; write it with gufe's `to_json`")
    return content
