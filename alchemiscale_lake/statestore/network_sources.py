"""Stored networks as sources of copies and merges: what they consist of, and their union.

The union has every Transformation once: by its key, or under the key of another network's Transformation with the same
calculation. A calculation that is twice in one network stays there twice, as it was meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from ..errors import InvalidNetworkError, InvalidTransitionError, NotFoundError
from ..ids import ScopedKey
from ..networks import ChainObject, Network
from ..networks.calculation import Calculations
from ..networks.chain import same_content
from ..networks.network import network_of
from ..networks.stored import read_objects
from ..store import Lake, collect
from .calculations import key_map
from .network_members import network_transformations, require_networks

__all__ = ["SourceNetwork", "Union", "read_sources", "union_of"]

#: Columns of `transformations` that belong to the Scope; labels of ligands are chosen anew.
_OF_SCOPE = ("scope", "transformation", "key", "ingested_at", "ligand_a_name", "ligand_b_name")


@dataclass(frozen=True, slots=True)
class SourceNetwork:
    """A stored network.

    Attributes
    ----------
    network, scope : str
        ScopedKey, and its Scope.
    name : str or None
        Name in the lake.
    key : str or None
        gufe key of its object; None for an imported network, which has none.
    stored : mapping of str to str
        ScopedKeys of the stored Transformations, by gufe key of the network's own.
    objects : mapping of str to ChainObject
        Its objects by gufe key.
    described : mapping of str to dict
        Known columns of `transformations` by gufe key of the network's own Transformation.
    labels : mapping of str to str
        Labels of its ligands, by component key.
    gufe_version : str or None
        gufe version that wrote it, if known.
    """

    network: str
    scope: str
    name: str | None
    key: str | None
    stored: Mapping[str, str]
    objects: Mapping[str, ChainObject]
    described: Mapping[str, Mapping[str, Any]]
    labels: Mapping[str, str]
    gufe_version: str | None


@dataclass(frozen=True, slots=True)
class Union:
    """One network made of several.

    Attributes
    ----------
    network : Network
    placed : mapping of str to str
        gufe key in the union, by the ScopedKey of a source's stored Transformation.
    n_recognised : int
        Number of Transformations that are in the union under the key of another network.
    labels : mapping of str to str
        Labels of its ligands, by component key.
    described : mapping of str to dict
        Known columns of `transformations`, by gufe key.
    """

    network: Network
    placed: Mapping[str, str]
    n_recognised: int
    labels: Mapping[str, str] = field(default_factory=dict)
    described: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)


def read_sources(lake: Lake, networks: Iterable[str]) -> list[SourceNetwork]:
    """Read stored networks, each once.

    Parameters
    ----------
    lake : Lake
    networks : iterable of str
        ScopedKeys.

    Raises
    ------
    NotFoundError
        If a network is not in the lake, or one of its objects is missing.
    InvalidTransitionError
        If a network is invalid or deleted.
    """
    wanted = list(dict.fromkeys(networks))
    require_networks(lake, wanted)
    states = lake.network_log.states()
    for network in wanted:
        state = states[network].state if network in states else "active"
        if state in ("invalid", "deleted"):
            raise InvalidTransitionError(
                f"{network} is {state}, so its results are not carried over; set it active first with "
                f"`alchemiscale-lake networks set-state {network} active`",
                network=network,
                state=state,
            )
    return [_read(lake, network) for network in wanted]


def union_of(sources: Sequence[SourceNetwork], *, name: str | None, as_it_is: bool = False) -> Union:
    """Join networks, the first ones first.

    Parameters
    ----------
    sources : sequence of SourceNetwork
    name : str or None
        Name of the union.
    as_it_is : bool, default False
        Keep the object and key of the only source, if it has one.

    Raises
    ------
    InvalidNetworkError
        If two Scopes have different objects under one key.
    """
    objects = _joined_objects(sources)
    kept, placed, n_recognised = _placed(sources, Calculations(objects))
    own = sources[0]
    roots = [own.key] if as_it_is and own.key is not None else list(kept)
    network = network_of(
        list(objects.values()),
        roots,
        " and ".join(one.name or one.network for one in sources),
        name=name,
        gufe_version=own.gufe_version if len({one.gufe_version for one in sources}) == 1 else None,
    )
    described = {key: row for one in reversed(sources) for key, row in one.described.items() if key in kept}
    return Union(network, placed, n_recognised, _joined_labels(sources), described)


# --- reading ----------------------------------------------------------------------------------------


def _read(lake: Lake, network: str) -> SourceNetwork:
    parsed = ScopedKey.from_str(network)
    scope, here = str(parsed.scope), pl.col("scope") == str(parsed.scope)
    columns = lake.table("networks").scan().filter(here, pl.col("network") == network)
    (name, gufe_version), *_ = collect(columns.select("name", "gufe_version"), "networks").rows()
    members = network_transformations(lake, network)
    table = lake.table("gufe_objects").scan()
    objects = read_objects(table, scope, [parsed.gufe_key])
    stored = {ScopedKey.from_str(member).gufe_key: member for member in members}
    if objects:
        mapped = key_map(lake, network)
        own = _edges(objects[parsed.gufe_key])
        stored = {key: mapped.get(f"{key}-{scope}", f"{key}-{scope}") for key in own}
    else:
        objects = read_objects(table, scope, stored)
    missing = sorted(stored.keys() - objects.keys())
    if missing:
        raise NotFoundError(
            f"object {missing[0]} of {network} is missing in Scope {scope}; submit the network again",
            key=missing[0],
            network=network,
        )
    rows = lake.table("transformations").scan().filter(here, pl.col("transformation").is_in(list(stored.values())))
    described = {row["transformation"]: row for row in collect(rows, "Transformations").iter_rows(named=True)}
    labels = {
        str(row[ligand]): str(row[f"{ligand}_name"])
        for row in described.values()
        for ligand in ("ligand_a", "ligand_b")
        if row[ligand] is not None and row[f"{ligand}_name"] is not None
    }
    own_rows = {key: _known(described[member]) for key, member in stored.items() if member == f"{key}-{scope}"}
    has_object = parsed.gufe_key in objects
    return SourceNetwork(
        network, scope, name, parsed.gufe_key if has_object else None, stored, objects, own_rows, labels, gufe_version
    )


def _edges(network: ChainObject) -> list[str]:
    edges = network.keyed_dict["edges"]
    return [str(edge[":gufe-key:"]) for edge in edges]


def _known(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None and name not in _OF_SCOPE}


# --- union ------------------------------------------------------------------------------------------


def _joined_objects(sources: Sequence[SourceNetwork]) -> dict[str, ChainObject]:
    objects: dict[str, ChainObject] = {}
    scopes: dict[str, str] = {}
    for source in sources:
        for key, obj in source.objects.items():
            before = objects.setdefault(key, obj)
            there = scopes.setdefault(key, source.scope)
            if before.text != obj.text and not same_content(before.keyed_dict, obj.keyed_dict):
                raise InvalidNetworkError(
                    f"{key} has different contents in Scopes {there} and {source.scope}: one was edited by hand after "
                    "gufe wrote it, so these networks cannot be joined",
                    key=key,
                    scopes=[there, source.scope],
                )
    return objects


def _placed(
    sources: Sequence[SourceNetwork], calculations: Calculations
) -> tuple[dict[str, None], dict[str, str], int]:
    """Choose the Transformations of the union, and where those of each source are in it."""
    kept: dict[str, None] = {}
    of_calculation: dict[str, list[str]] = {}
    placed: dict[str, str] = {}
    n_recognised = 0
    for source in sources:
        taken = kept.keys() & source.stored.keys()
        # those with a key of the union are themselves; the others stand for one of the same calculation, if any is left
        for key in sorted(source.stored, key=lambda key: (key not in kept, key)):
            identity = calculations.of(source.objects[key])
            same = of_calculation.setdefault(identity, [])
            place = key if key in kept else next((one for one in same if one not in taken), key)
            n_recognised += place != key
            if place not in kept:
                kept[place] = None
                same.append(place)
            taken |= {place}
            placed.setdefault(source.stored[key], place)
    return kept, placed, n_recognised


def _joined_labels(sources: Sequence[SourceNetwork]) -> dict[str, str]:
    """Return the labels of ligands; a label of the first sources is not that of another ligand of a later one."""
    labels: dict[str, str] = {}
    for source in sources:
        taken = set(labels.values())
        # ligands that share a label in their own Scope share it here, too: imported results are joined by names
        shared = {label for key, label in source.labels.items() if labels.get(key) == label}
        labels |= {
            key: label
            for key, label in source.labels.items()
            if key not in labels and (label not in taken or label in shared)
        }
    return labels
