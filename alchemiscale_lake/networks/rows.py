"""Rows of `gufe_objects`, `networks` and `network_members` for a network in a Scope."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import zstandard

from ..ids import Scope
from .chain import ChainObject
from .components import own_name
from .network import Network

__all__ = ["member_rows", "network_row", "object_rows"]

#: Objects are many and small, proteins few and large; a higher level costs seconds and saves little.
_LEVEL = 1


def object_rows(
    objects: Iterable[ChainObject],
    digests: Mapping[str, str],
    scope: Scope,
    at: datetime,
    gufe_version: str | None,
) -> list[dict[str, Any]]:
    """Return rows of objects; the text of each is compressed as it arrived.

    Parameters
    ----------
    objects : iterable of ChainObject
        Objects of a keyed chain.
    digests : mapping of str to str
        Content digests by gufe key.
    scope : Scope
    at : datetime
        Time of the submission, UTC.
    gufe_version : str or None
        Version that wrote the objects; None if unknown.
    """
    compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress
    rows = []
    for obj in objects:
        text = obj.text.encode()
        module = obj.keyed_dict.get("__module__")
        rows.append(
            {
                "scope": str(scope),
                "key": obj.key,
                "qualname": obj.qualname,
                "module": module if isinstance(module, str) else None,
                "name": own_name(obj.keyed_dict),
                "keyed_dict": compress(text),
                "digest": digests[obj.key],
                "refers_to": list(obj.refers_to),
                "n_bytes": len(text),
                "gufe_version": gufe_version,
                "ingested_at": at,
            }
        )
    return rows


def member_rows(network: Network, scope: Scope, stored: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return rows for the Transformations and ChemicalSystems of the network.

    Parameters
    ----------
    network : Network
    scope : Scope
    stored : mapping of str to str
        ScopedKeys of the stored Transformations by those of the network's own.
    """
    members = [(stored[f"{key}-{scope}"], "transformation") for key in network.transformations]
    members += [(f"{key}-{scope}", "system") for key in network.systems]
    common = {"scope": str(scope), "network": f"{network.key}-{scope}"}
    return [common | {"member": member, "kind": kind} for member, kind in members]


def network_row(
    network: Network,
    scope: Scope,
    at: datetime,
    *,
    name: str | None,
    creator: str,
    made_by: str = "submit",
    made_from: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the row of the network itself.

    Parameters
    ----------
    network : Network
    scope : Scope
    at : datetime
        Time of the submission, UTC.
    name : str or None
        Name in the lake; None if it has none.
    creator : str
        Name of the caller.
    made_by : str, default "submit"
        `submit`, `copy`, `merge` or `extend`.
    made_from : sequence of str, default ()
        ScopedKeys of the networks that it was copied or merged from, or that it extends.
    """
    return {
        "scope": str(scope),
        "network": f"{network.key}-{scope}",
        "key": network.key,
        "name": name or network.name,
        "n_transformations": len(network.transformations),
        "n_systems": len(network.systems),
        "creator": creator,
        "created_at": at,
        "gufe_version": network.gufe_version,
        "made_by": made_by,
        "made_from": list(made_from) or None,
    }
