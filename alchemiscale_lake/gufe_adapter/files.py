"""Files of gufe objects: every format gufe writes is read, one is written.

What the text inside means is left to `chain`.
"""

from __future__ import annotations

import gzip
import os
import uuid
import zlib
from pathlib import Path
from typing import Any, Final

import zstandard

from ..errors import InvalidNetworkError, MissingClassError, MissingDependencyError
from ._gufe import gufe_version
from .chain import build_chain, build_nested, decode, dumps_chain, is_chain

__all__ = ["dump_network", "load_object"]

_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"


def load_object(path: str | os.PathLike[str]) -> Any:
    """Read a gufe object from any file gufe writes.

    Keyed chain JSON (`to_json`), nested dict JSON (`dump` of gufe 0.4 and 1) and, where gufe has it,
    msgpack; each may be compressed with gzip or zstd. The content decides, not the suffix.

    Raises
    ------
    InvalidNetworkError
        If the file holds none of these.
    MissingClassError
        If a class in it cannot be imported here.
    """
    packed = Path(path).read_bytes()
    try:
        raw = _decompress(packed)
        if raw.lstrip()[:1] not in (b"[", b"{"):
            return build_chain(_unpack(raw))
        content = decode(raw)
        if is_chain(content):
            return build_chain(content)
        return build_nested(content)
    except InvalidNetworkError as e:
        raise InvalidNetworkError(f"{os.fspath(path)}: {e.message}", path=os.fspath(path), **e.facts) from e


def dump_network(network: Any, path: str | os.PathLike[str]) -> None:
    """Write a network (or any gufe object) as a keyed chain JSON file.

    The suffix chooses the compression: `.json`, `.json.gz`, `.json.zst`. The file appears whole or
    not at all.
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


def _decompress(raw: bytes) -> bytes:
    try:
        if raw.startswith(_ZSTD):
            # a stream, because not every writer notes the size in the frame
            unpacker = zstandard.ZstdDecompressor().decompressobj()
            data = unpacker.decompress(raw)
            if not unpacker.eof:
                raise InvalidNetworkError("the zstd file is cut short; copy it again")
            return data
        if raw.startswith(_GZIP):
            return gzip.decompress(raw)
    except (EOFError, OSError, zlib.error, zstandard.ZstdError) as e:
        raise InvalidNetworkError(f"cannot be decompressed ({e}); copy it again") from e
    return raw


def _unpack(raw: bytes) -> Any:
    try:
        from gufe.serialization.msgpack import unpackb
    except ImportError as e:
        raise MissingDependencyError(
            f"the file is neither JSON nor readable by gufe {gufe_version()}; "
            "if it is msgpack, read it with a gufe that has `from_msgpack`",
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
    except Exception as e:  # msgpack has its own tree of errors; all say that this is not msgpack
        raise InvalidNetworkError(f"neither JSON nor gufe's msgpack ({e}); write it with gufe's `to_json`") from e
    if not is_chain(content):
        raise InvalidNetworkError("msgpack, but not a keyed chain; write it with gufe's `to_json`")
    return content
