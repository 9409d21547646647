"""Members of a network, and checks that keys exist in the lake."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import polars as pl

from ..errors import NotFoundError
from ..ids import ScopedKey
from ..plurals import count, verb
from ..store import Lake, collect

__all__ = ["network_transformations", "require_networks", "require_transformations"]

#: Objects whose keys are given by mistake.
_OTHERS: Final = {"Task": "a Task", "AlchemicalNetwork": "a network", "ChemicalSystem": "a ChemicalSystem"}


def network_transformations(lake: Lake, network: str) -> list[str]:
    """Return the ScopedKeys of a network's Transformations, sorted.

    Parameters
    ----------
    lake : Lake
    network : str
        ScopedKey of the network.

    Raises
    ------
    NotFoundError
        If the network is not in the lake.
    """
    require_networks(lake, [network])
    scope = str(ScopedKey.from_str(network).scope)
    members = (
        lake.table("network_members")
        .scan()
        .filter((pl.col("scope") == scope) & (pl.col("network") == network) & (pl.col("kind") == "transformation"))
    )
    return sorted(members.select("member").collect()["member"].to_list())


def require_networks(lake: Lake, networks: Iterable[str]) -> None:
    """Raise if a network is not in the lake.

    Parameters
    ----------
    lake : Lake
    networks : iterable of str
        ScopedKeys; a missing one is named in the message.

    Raises
    ------
    NotFoundError
    """
    wanted = set(networks)
    scopes = {str(ScopedKey.from_str(network).scope) for network in wanted}
    rows = lake.table("networks").scan().filter(pl.col("scope").is_in(list(scopes)))
    missing = sorted(wanted - set(rows.select("network").collect()["network"]))
    if missing:
        raise NotFoundError(f"the lake has no network {missing[0]}; see `alchemiscale-lake status`", network=missing[0])


def require_transformations(lake: Lake, transformations: Iterable[str]) -> None:
    """Raise if a Transformation is not in the lake.

    Parameters
    ----------
    lake : Lake
    transformations : iterable of str
        ScopedKeys; a missing one is named in the message.

    Raises
    ------
    NotFoundError
    """
    wanted = set(transformations)
    scopes = {str(ScopedKey.from_str(t).scope) for t in wanted}
    rows = lake.table("transformations").scan().filter(pl.col("scope").is_in(list(scopes)))
    missing = sorted(wanted - set(rows.select("transformation").collect()["transformation"]))
    others = lake.table("calculations").scan().filter(pl.col("transformation").is_in(missing))
    stored = dict(collect(others.select("transformation", "stands_for"), "calculations").iter_rows()) if missing else {}
    if stored:
        alias, key = next(iter(sorted(stored.items())))
        raise NotFoundError(
            f"{count(len(stored), 'Transformation')} {verb(len(stored))} stored under another key: {key} for {alias}; "
            "give the key under which it is stored (`key_map` returns those of a network)",
            stored=stored,
        )
    if missing and (kind := ScopedKey.from_str(missing[0]).qualname) in _OTHERS:
        raise NotFoundError(f"{missing[0]} is the key of {_OTHERS[kind]}, not of a Transformation", missing=missing)
    if missing:
        raise NotFoundError(
            f"{count(len(missing), 'Transformation')} {verb(len(missing))} not in the lake, such as "
            f"{missing[0]}; submit their network first",
            missing=missing,
        )
