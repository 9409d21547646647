"""Inputs of an attempt from the lake: a Transformation's keyed chain, the result it continues.

Chains are assembled from the stored texts; gufe is not needed.
"""

from __future__ import annotations

from functools import lru_cache

from ..ids import ScopedKey
from ..networks import read_chain_text, read_result
from ..store import Lake
from .kept_lake import kept_lake

__all__ = ["extended_result", "transformation_chain"]


def transformation_chain(lake: Lake, transformation: str) -> bytes:
    """Return a stored Transformation as the JSON text of its keyed chain, dependencies first.

    The last few are cached: objects in a lake never change, and repeats run one after another.

    Parameters
    ----------
    lake : Lake
    transformation : str
        ScopedKey.

    Raises
    ------
    NotFoundError
        If the lake lacks it, or an object that it refers to.
    """
    return _remembered(lake.url, transformation)


def extended_result(lake: Lake, path: str, digest: str | None = None) -> bytes:
    """Return the ProtocolDAGResult stored at an object path, as the JSON text of its keyed chain.

    Parameters
    ----------
    lake : Lake
    path : str
        Path of the object in the lake.
    digest : str, optional
        Expected SHA-256 of the object; None is not checked.

    Raises
    ------
    NotFoundError
        If it does not exist, or the lake lacks an object that it refers to.
    DamagedError
        If it does not match the digest in its row.
    ContentError
        If it cannot be decompressed, or is malformed.
    """
    return read_result(lake, path, digest)


@lru_cache(maxsize=16)
def _remembered(url: str, transformation: str) -> bytes:
    key = ScopedKey.from_str(transformation)
    return read_chain_text(kept_lake(url).table("gufe_objects").scan(), key.scope, key.gufe_key)
