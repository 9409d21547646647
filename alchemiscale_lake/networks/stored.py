"""Reconstruction of a keyed chain from stored objects: texts are joined without parsing.

Takes a scan of the table `gufe_objects`, so that execution can use it independently of the state store.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence

import polars as pl
import zstandard

from ..content import decompress
from ..errors import ContentError, DamagedError, NotFoundError
from ..ids import Scope
from .chain import ChainObject
from .chain import digest as content_digest

__all__ = ["packed_objects", "read_chain_text", "read_objects", "stored_text"]


def read_chain_text(objects: pl.LazyFrame, scope: Scope | str, key: str) -> bytes:
    """Return the keyed chain of one stored object: a network, a Transformation or any other.

    Parameters
    ----------
    objects : polars.LazyFrame
        Scan of the table `gufe_objects`.
    scope : Scope or str
        Scope the object is stored in.
    key : str
        Its gufe key, as stored.

    Returns
    -------
    bytes
        `[[key, keyed dict], ...]` as UTF-8 JSON, dependencies first, the object itself last; readable by gufe >= 1's
        `from_json` and `gufe_adapter.loads_chain`.

    Raises
    ------
    NotFoundError
        If the Scope has no such object, or lacks one of its dependencies.
    DamagedError
        If an object differs from what was written.
    """
    scope = str(Scope.parse(scope))
    here = objects.filter(pl.col("scope") == scope)
    needs = dict(here.select("key", "refers_to").collect().iter_rows())
    if key not in needs:
        raise NotFoundError(f"Scope {scope} has no object {key}; submit its network there first", key=key, scope=scope)
    ordered = _ordered(needs, key, scope)
    texts = _texts(here, scope, ordered, all_of_them=len(ordered) == len(needs))
    links = (b"[" + json.dumps(one).encode() + b", " + texts[one] + b"]" for one in ordered)
    return b"[" + b", ".join(links) + b"]"


def read_objects(objects: pl.LazyFrame, scope: Scope | str, keys: Iterable[str]) -> dict[str, ChainObject]:
    """Return stored objects with everything they refer to.

    Parameters
    ----------
    objects : polars.LazyFrame
        Scan of the table `gufe_objects`.
    scope : Scope or str
        Scope the objects are stored in.
    keys : iterable of str
        gufe keys, as stored. Those that the Scope lacks, or whose dependencies it lacks, are left out.

    Raises
    ------
    DamagedError
        If an object differs from what was written.
    """
    scope = str(Scope.parse(scope))
    here = objects.filter(pl.col("scope") == scope)
    needs = dict(here.select("key", "refers_to").collect().iter_rows())
    wanted: dict[str, None] = {}
    for key in keys:
        with contextlib.suppress(NotFoundError):
            wanted |= dict.fromkeys(_ordered(needs, key, scope))
    texts = _texts(here, scope, list(wanted), all_of_them=len(wanted) == len(needs))
    return {key: ChainObject(key, json.loads(texts[key]), texts[key].decode(), tuple(needs[key])) for key in wanted}


def packed_objects(objects: pl.LazyFrame, scope: str, keys: Iterable[str]) -> dict[str, tuple[bytes, str]]:
    """Return column `keyed_dict` and `digest` of stored objects, for `stored_text`; without those that are missing.

    Parameters
    ----------
    objects : polars.LazyFrame
        Scan of the table `gufe_objects`.
    scope : str
        Scope the objects are stored in.
    keys : iterable of str
        gufe keys, as stored.
    """
    chosen = objects.filter((pl.col("scope") == scope) & pl.col("key").is_in(list(keys)))
    rows = chosen.select("key", "keyed_dict", "digest").collect().iter_rows()
    return {key: (packed, digest) for key, packed, digest in rows}


def _texts(here: pl.LazyFrame, scope: str, keys: Sequence[str], *, all_of_them: bool) -> dict[str, bytes]:
    """Return the texts of objects of one Scope."""
    wanted = here if all_of_them else here.filter(pl.col("key").is_in(list(keys)))
    rows = wanted.select("key", "keyed_dict", "digest").collect().iter_rows()
    return {one: stored_text(packed, digest, f"{one} in Scope {scope}") for one, packed, digest in rows}


def stored_text(packed: bytes, digest: str, source: str) -> bytes:
    """Return the JSON text of a stored keyed dict, as it arrived.

    Parameters
    ----------
    packed : bytes
        Column `keyed_dict`.
    digest : str
        Column `digest`.
    source : str
        Name of the object, for messages.

    Raises
    ------
    DamagedError
        If it differs from what was written.
    """
    try:
        text = decompress(packed, source)
        # objects written before checksums were introduced are parsed for the check
        if text is packed or not (_has_checksum(packed) or _digest(text) == digest):
            raise DamagedError(source)
    except ContentError as e:
        raise DamagedError(
            f"{source} in the lake is damaged: its content is not what was written; restore the table gufe_objects "
            "from a copy of the lake, or submit its network to another Scope",
            source=source,
        ) from e
    return text


def _has_checksum(packed: bytes) -> bool:
    return bool(zstandard.get_frame_parameters(packed).has_checksum)


def _digest(text: bytes) -> str | None:
    try:
        return content_digest(json.loads(text))
    except (ValueError, RecursionError):
        return None


def _ordered(needs: dict[str, list[str]], root: str, scope: str) -> list[str]:
    """Return all dependencies of `root`, each key after those it refers to, the root last."""
    ordered: dict[str, None] = {}
    stack = [(root, False)]
    while stack:
        key, visited = stack.pop()
        if visited:
            ordered[key] = None
        elif key not in ordered:
            if key not in needs:
                raise NotFoundError(
                    f"object {key}, needed by {root}, is missing in Scope {scope}; submit the network again",
                    key=key,
                    scope=scope,
                )
            stack.append((key, True))
            stack.extend((needed, False) for needed in reversed(needs[key]))
    return list(ordered)
