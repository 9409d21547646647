"""Names of the files that are about one network: made of its own name, the same every time."""

from __future__ import annotations

import re
from typing import Final

import polars as pl

from ..ids import ScopedKey
from ..store import Lake

__all__ = ["file_stem"]

_OTHER: Final = re.compile(r"[^\w.-]+")
_LONGEST: Final = 80
_UNNAMED: Final = "network"


def file_stem(lake: Lake, network: str, *, in_scope: bool = False) -> str:
    """Return the name, without suffix, of files about a network.

    It is made of the network's name. If several networks would get the same, the first stored has it alone and the
    others a number behind it, so that a name never changes its meaning.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey.
    in_scope : bool
        Made unique among the networks of its Scope only, else from all of the lake.
    """
    stored = lake.table("networks").scan()
    if in_scope:
        stored = stored.filter(pl.col("scope") == str(ScopedKey.from_str(network).scope))
    rows = stored.sort("created_at", "network").select("network", "name").collect()
    # compared without case: some file systems do so
    taken: set[str] = set()
    for key, name in rows.iter_rows():
        plain = _plain(name)
        stem, number = plain, 1
        while stem.lower() in taken:
            number += 1
            stem = f"{plain}-{number}"
        if key == network:
            return stem
        taken.add(stem.lower())
    return network


def _plain(name: str | None) -> str:
    return _OTHER.sub("_", name or "").strip("._-")[:_LONGEST] or _UNNAMED
